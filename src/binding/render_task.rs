//! Renders a page off the JavaScript thread and passes it on as a string.

use napi::{Env, JsString, Result, ScopedTask};

use crate::exposition::Page;

/// Renders a page on a thread of libuv's pool.
pub struct RenderTask(Option<Page>);

impl RenderTask {
    /// Renders this page.
    pub fn new(page: Page) -> Self {
        Self(Some(page))
    }
}

impl<'task> ScopedTask<'task> for RenderTask {
    type Output = Vec<u8>;
    type JsValue = JsString<'task>;

    fn compute(&mut self) -> Result<Vec<u8>> {
        Ok(self.0.take().map(Page::into_bytes).unwrap_or_default())
    }

    /// An ASCII page is passed as Latin-1, which V8 copies without decoding.
    fn resolve(&mut self, env: &'task Env, page: Vec<u8>) -> Result<JsString<'task>> {
        if page.is_ascii() {
            env.create_string_latin1(page)
        } else {
            env.create_string(String::from_utf8_lossy(&page))
        }
    }
}
