//! Makes the linker accept the Node-API symbols, which the host process defines, and shortens the files of
//! the live page, which the binary contains.

use std::{env, error::Error, fs, path::Path};

const LIVE_PAGE: &str = "src/live";

fn main() -> Result<(), Box<dyn Error>> {
    napi_build::setup();
    println!("cargo::rerun-if-changed={LIVE_PAGE}");
    let out = env::var("OUT_DIR")?;
    for file in fs::read_dir(LIVE_PAGE)? {
        let path = file?.path();
        let Some(name) = path.file_name().filter(|_| path.extension() != Some("rs".as_ref()))
        else {
            continue;
        };
        fs::write(Path::new(&out).join(name), shorten(&fs::read_to_string(&path)?))?;
    }
    Ok(())
}

/// Removes indentation, empty lines and lines that are comments: 13 kB. The text of `<pre>` stays.
fn shorten(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    let (mut is_comment, mut is_pre) = (false, false);
    for line in text.lines() {
        let trimmed = line.trim();
        is_comment |= trimmed.starts_with("/*");
        is_pre |= trimmed.contains("<pre");
        if is_pre || !(is_comment || trimmed.is_empty() || trimmed.starts_with("//")) {
            short.push_str(if is_pre { line } else { trimmed });
            short.push('\n');
        }
        is_comment &= !trimmed.ends_with("*/");
        is_pre &= !trimmed.contains("</pre>");
    }
    short
}
