//! Recognises requests of browsers by their marks: headers that programs do not send. Pure.

use hyper::header::{
    ACCEPT_LANGUAGE, DNT, HeaderMap, HeaderName, ORIGIN, REFERER, UPGRADE_INSECURE_REQUESTS,
    USER_AGENT,
};

/// Headers that browsers send and programs do not.
const HEADERS: [HeaderName; 4] = [ORIGIN, REFERER, UPGRADE_INSECURE_REQUESTS, DNT];

/// Returns whether a request has a mark of a browser.
///
/// The marks identify ordinary browsers. A page that knows them can suppress most of them, so this is no
/// protection against such a page. `fetch` of Node.js and Deno sends `Sec-Fetch-Mode` and
/// `Accept-Language: *`, which therefore are no marks.
pub(crate) fn has_browser_mark(headers: &HeaderMap) -> bool {
    let is_mark = |name: &HeaderName| {
        name.as_str().starts_with("sec-") && name != "sec-fetch-mode" || HEADERS.contains(name)
    };
    let value_of =
        |name| headers.get(name).map(|value: &hyper::header::HeaderValue| value.as_bytes());
    headers.keys().any(is_mark)
        || value_of(ACCEPT_LANGUAGE).is_some_and(|value| value != b"*")
        || value_of(USER_AGENT).is_some_and(|value| value.starts_with(b"Mozilla/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_has_a_mark_and_a_program_has_none() {
        let table: [(&[(&str, &str)], bool); 17] = [
            (&[], false),
            // Prometheus, curl, fetch of Node.js and of Deno, wget, Java.
            (&[("user-agent", "Prometheus/3.5.3"), ("accept-encoding", "gzip")], false),
            (&[("user-agent", "curl/8.5.0"), ("accept", "*/*")], false),
            (
                &[("accept-language", "*"), ("sec-fetch-mode", "cors"), ("user-agent", "node")],
                false,
            ),
            (&[("accept-language", "*"), ("user-agent", "Deno/2.1")], false),
            (&[("user-agent", "Wget/1.21"), ("connection", "Keep-Alive")], false),
            (&[("user-agent", "Java-http-client/21"), ("upgrade", "h2c")], false),
            // Chromium, Firefox and Safari: to localhost, to a plain name, from a page's script.
            (&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")], true),
            (&[("sec-fetch-dest", "empty")], true),
            (&[("sec-ch-ua", "\"Chromium\"")], true),
            (&[("sec-gpc", "1")], true),
            (&[("upgrade-insecure-requests", "1")], true),
            (&[("referer", "http://evil.example/")], true),
            (&[("origin", "null")], true),
            (&[("dnt", "1")], true),
            (&[("accept-language", "en-US,en;q=0.9")], true),
            (&[("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")], true),
        ];
        for (headers, expected) in table {
            let map = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>();
            assert_eq!(has_browser_mark(&map), expected, "{headers:?}");
        }
    }
}
