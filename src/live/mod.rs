//! The files of the live page at `/`, embedded in the binary. Pure.
//!
//! The page draws the document of `/summary.json` ([`crate::summary`]) and sends no other request.
//! Script and style are separate files, so that the content security policy is `'self'`: inline text
//! would need a hash that matches it, or a nonce for each response. Modules have relative paths, so
//! that the page also works behind a proxy that adds a path prefix.
//!
//! The page shows names that an application chooses (classes, functions, files), which can contain anything.
//! `require-trusted-types-for` makes the browser reject every assignment of text as markup.

/// The content security policy of the page: it loads only its own files and sends requests only to its
/// own server.
pub const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// A file of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its path.
    pub path: &'static str,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its text.
    pub text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// A file of this folder as `build.rs` has shortened it.
macro_rules! asset {
    ($path:literal, $content_type:ident, $name:literal) => {
        Asset {
            path: $path,
            content_type: $content_type,
            text: include_str!(concat!(env!("OUT_DIR"), "/", $name)),
        }
    };
}

/// All files of the page.
pub const ASSETS: [Asset; 12] = [
    asset!("/", HTML, "page.html"),
    asset!("/live/page.css", STYLE, "page.css"),
    asset!("/live/icon.svg", IMAGE, "icon.svg"),
    asset!("/live/page.mjs", SCRIPT, "page.mjs"),
    asset!("/live/help.mjs", SCRIPT, "help.mjs"),
    asset!("/live/status.mjs", SCRIPT, "status.mjs"),
    asset!("/live/poll.mjs", SCRIPT, "poll.mjs"),
    asset!("/live/history.mjs", SCRIPT, "history.mjs"),
    asset!("/live/view.mjs", SCRIPT, "view.mjs"),
    asset!("/live/chart.mjs", SCRIPT, "chart.mjs"),
    asset!("/live/table.mjs", SCRIPT, "table.mjs"),
    asset!("/live/format.mjs", SCRIPT, "format.mjs"),
];

/// Returns the file with this path.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_path_only() {
        for asset in &ASSETS {
            assert_eq!(find(asset.path), Some(asset));
            assert!(!asset.text.is_empty(), "{}", asset.path);
        }
        for path in ["", "/live", "/live/", "/live/page.html", "/live/../", "/page.css"] {
            assert_eq!(find(path), None, "{path}");
        }
    }

    #[test]
    fn the_page_refers_only_to_its_own_server() {
        let page = ASSETS[0].text;
        for attribute in ["src=\"", "href=\""] {
            for (at, _) in page.match_indices(attribute) {
                let target = &page[at + attribute.len()..];
                let target = &target[..target.find('"').expect("a closing quote")];
                let own = find(&format!("/{target}")).is_some()
                    || target == "metrics"
                    || target == "summary.json";
                assert!(own || target.starts_with('#'), "{target}");
            }
        }
        for asset in &ASSETS {
            assert!(!asset.text.contains("innerHTML"), "{}", asset.path);
            assert!(!asset.text.contains("https://"), "{}", asset.path);
        }
    }

    #[test]
    fn a_module_imports_only_modules_that_exist() {
        for asset in &ASSETS {
            for (at, _) in asset.text.match_indices("from './") {
                let name = &asset.text[at + "from './".len()..];
                let name = &name[..name.find('\'').expect("a closing quote")];
                assert!(find(&format!("/live/{name}")).is_some(), "{} in {}", name, asset.path);
            }
        }
    }
}
