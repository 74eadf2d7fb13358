//! The files of the live page at `/`, embedded in the binary as gzip members. Pure.
//!
//! The page draws the documents of `/history.json` and `/summary.json` ([`crate::summary`]). While it is open,
//! it requests no other document; to save a copy, it also requests its own files. Script and style are separate
//! files, so that the content security policy is `'self'`: inline text would need a hash that matches it, or a
//! nonce for each response. The paths in the page are relative, so that it also works behind a proxy that adds
//! a path prefix.
//!
//! `build.rs` makes one script of the modules in this folder. The files in `vendor/` are those of the
//! libraries uPlot (charts) and dagre (layout of the map), unchanged; a test compares them with the packages.
//!
//! The page shows names that an application chooses (classes, functions, files), which can contain anything.
//! `require-trusted-types-for` makes the browser reject every assignment of text as markup.

use std::io::Read as _;

use flate2::read::GzDecoder;

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
    /// Its text, compressed.
    pub gzip: &'static [u8],
}

impl Asset {
    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Cannot fail: `build.rs` has written a valid gzip member.
        let _ = GzDecoder::new(self.gzip).read_to_string(&mut text);
        text
    }
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// A file that `build.rs` has made.
macro_rules! asset {
    ($path:literal, $content_type:ident, $name:literal) => {
        Asset {
            path: $path,
            content_type: $content_type,
            gzip: include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")),
        }
    };
}

/// All files of the page.
pub const ASSETS: [Asset; 7] = [
    asset!("/", HTML, "page.html"),
    asset!("/live/page.css", STYLE, "page.css"),
    asset!("/live/icon.svg", IMAGE, "icon.svg"),
    asset!("/live/page.js", SCRIPT, "page.js"),
    asset!("/live/uplot.js", SCRIPT, "uplot.js"),
    asset!("/live/uplot.css", STYLE, "uplot.css"),
    asset!("/live/dagre.js", SCRIPT, "dagre.js"),
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
            assert!(!asset.text().is_empty(), "{}", asset.path);
        }
        for path in ["", "/live", "/live/", "/live/page.html", "/live/../", "/page.css"] {
            assert_eq!(find(path), None, "{path}");
        }
    }

    #[test]
    fn the_compressed_files_have_at_most_150_kilobytes() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.gzip.len()).sum();
        assert!(bytes <= 150_000, "{bytes}");
    }

    #[test]
    fn the_page_refers_only_to_its_own_server() {
        let page = ASSETS[0].text();
        for attribute in ["src=\"", "href=\""] {
            for (at, _) in page.match_indices(attribute) {
                let target = &page[at + attribute.len()..];
                let target = &target[..target.find('"').expect("a closing quote")];
                let own = find(&format!("/{target}")).is_some()
                    || ["metrics", "summary.json", "history.json"].contains(&target);
                assert!(own || target.starts_with('#'), "{target}");
            }
        }
        for asset in &ASSETS {
            let text = asset.text();
            assert!(!text.contains("innerHTML"), "{}", asset.path);
            let is_vendored = ["uplot", "dagre"].iter().any(|name| asset.path.contains(name));
            assert!(is_vendored || !text.contains("https://"), "{}", asset.path);
        }
    }

    #[test]
    fn a_saved_page_can_contain_each_file() {
        for asset in &ASSETS[1..] {
            for end in ["</script", "</style", "<!--"] {
                assert!(!asset.text().contains(end), "{end} in {}", asset.path);
            }
        }
    }

    #[test]
    fn the_script_has_all_modules_and_no_import() {
        let script = find("/live/page.js").expect("the script").text();
        for line in script.lines() {
            assert!(!line.starts_with("import ") && !line.starts_with("export "), "{line}");
        }
        for file in std::fs::read_dir("src/live").expect("the folder") {
            let name = file.expect("a file").file_name().into_string().expect("a name");
            if let Some(module) = name.strip_suffix(".mjs") {
                assert!(script.contains(&format!("const ${module} = ")), "{name} is not imported");
            }
        }
    }
}
