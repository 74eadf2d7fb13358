//! The route of a request. Pure: no clock, no socket, no page.

use http_body::Body as _;
use hyper::{Method, Request, StatusCode, Uri, Version, body::Incoming, header::HOST};

use crate::live::{self, Asset};

/// The path of the page of metrics.
pub const METRICS_PATH: &str = "/metrics";

/// The path of the figures that the live page shows.
pub const SUMMARY_PATH: &str = "/summary.json";

/// The path of the recording of the last minutes.
pub const HISTORY_PATH: &str = "/history.json";

/// The path of the health check, which needs no credentials.
pub const HEALTHY_PATH: &str = "/-/healthy";

/// The route of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// The page of metrics.
    Metrics,
    /// The summary that the live page shows.
    Summary,
    /// The recording of the last minutes.
    History,
    /// The health check.
    Healthy,
    /// An asset of the live page.
    Live(&'static Asset),
    /// `OPTIONS` of an existing path, or of the server.
    Options,
    /// The path does not exist.
    NotFound,
    /// The path exists, but the method is not allowed.
    MethodNotAllowed,
    /// `CONNECT`: the server is not a proxy.
    Connect,
    /// The request is malformed. Holds the text of the response.
    BadRequest(&'static str),
}

impl Route {
    /// Returns the status of the response. The response of a page, a summary or a history may have another one.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Metrics | Self::Summary | Self::History | Self::Healthy | Self::Live(_) => {
                StatusCode::OK
            }
            Self::Options => StatusCode::NO_CONTENT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed | Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns the text of the response; empty for a page, a summary, a history or an asset.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Metrics | Self::Summary | Self::History | Self::Live(_) | Self::Options => "",
            Self::Healthy => "OK\n",
            Self::NotFound => "Not found. The live page is at /, the metrics are at /metrics.\n",
            Self::MethodNotAllowed => "This path allows only the methods GET and HEAD.\n",
            Self::Connect => "This server is not a proxy.\n",
            Self::BadRequest(fault) => fault,
        }
    }

    /// Returns whether the response has an `Allow` header.
    #[must_use]
    pub const fn allows(self) -> bool {
        matches!(self, Self::Options | Self::MethodNotAllowed | Self::Connect)
    }

    /// Returns whether the connection closes, because the bytes that follow have no certain meaning.
    #[must_use]
    pub const fn closes(self) -> bool {
        matches!(self, Self::Connect | Self::BadRequest(_))
    }
}

/// Returns the route of a request from its request line and the number of its `Host` headers. hyper does not
/// check this number.
#[must_use]
pub fn route(method: &Method, uri: &Uri, version: Version, hosts: usize) -> Route {
    if hosts > 1 || (hosts == 0 && version >= Version::HTTP_11) {
        return Route::BadRequest("A request needs one Host header.\n");
    }
    if method == Method::CONNECT {
        return Route::Connect;
    }
    let path = uri.path();
    let found = match path {
        METRICS_PATH => Route::Metrics,
        SUMMARY_PATH => Route::Summary,
        HISTORY_PATH => Route::History,
        HEALTHY_PATH => Route::Healthy,
        "*" if method == Method::OPTIONS => Route::Options,
        "" => return Route::BadRequest("A request's target starts with a slash.\n"),
        _ => match live::find(path) {
            Some(asset) => Route::Live(asset),
            None => return Route::NotFound,
        },
    };
    match *method {
        Method::GET | Method::HEAD => found,
        Method::OPTIONS => Route::Options,
        _ => Route::MethodNotAllowed,
    }
}

/// Returns the route of a request, and whether the connection closes after the response. It also closes after
/// a request with a body, because bodies are never read.
pub(crate) fn dispatch(request: &Request<Incoming>) -> (Route, bool) {
    let route = route(
        request.method(),
        request.uri(),
        request.version(),
        request.headers().get_all(HOST).iter().count(),
    );
    (route, route.closes() || !request.body().is_end_stream())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_one_route() {
        let bad = "bad";
        let table = [
            ("GET", "/metrics", "metrics"),
            ("HEAD", "/metrics", "metrics"),
            ("GET", "/metrics?", "metrics"),
            ("GET", "/metrics?x=%00&name[]=a", "metrics"),
            ("GET", "http://anywhere:1/metrics?x=1", "metrics"),
            ("GET", "/", "/"),
            ("GET", "http://anywhere", "/"),
            ("GET", "/?x", "/"),
            ("GET", "/live/page.css", "/live/page.css"),
            ("POST", "/live/page.css", "not allowed"),
            ("GET", "/live/page.html", "not found"),
            ("GET", "/live/../metrics", "not found"),
            ("GET", "/summary.json?by=id", "summary"),
            ("HEAD", "/summary.json", "summary"),
            ("POST", "/summary.json", "not allowed"),
            ("GET", "/history.json?seconds=5", "history"),
            ("HEAD", "/history.json", "history"),
            ("POST", "/history.json", "not allowed"),
            ("GET", "/history", "not found"),
            ("GET", "/-/healthy", "healthy"),
            ("HEAD", "/-/healthy?x", "healthy"),
            ("POST", "/-/healthy", "not allowed"),
            ("GET", "/-/healthy/", "not found"),
            ("GET", "/-/ready", "not found"),
            ("GET", "/nope", "not found"),
            ("GET", "//metrics", "not found"),
            ("GET", "/%6detrics", "not found"),
            ("GET", "/metrics/", "not found"),
            ("GET", "/Metrics", "not found"),
            ("GET", "*", "not found"),
            ("POST", "/nope", "not found"),
            ("OPTIONS", "/nope", "not found"),
            ("POST", "/metrics", "not allowed"),
            ("PUT", "/metrics", "not allowed"),
            ("DELETE", "/", "not allowed"),
            ("TRACE", "/metrics", "not allowed"),
            ("get", "/metrics", "not allowed"),
            ("OPTIONS", "/metrics", "options"),
            ("OPTIONS", "/", "options"),
            ("OPTIONS", "*", "options"),
            ("CONNECT", "a:1", "connect"),
            ("GET", "metrics", bad),
        ];
        for (method, target, expected) in table {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let uri: Uri = target.parse().unwrap();
            let name = match route(&method, &uri, Version::HTTP_11, 1) {
                Route::Metrics => "metrics",
                Route::Summary => "summary",
                Route::History => "history",
                Route::Healthy => "healthy",
                Route::Live(asset) => asset.path,
                Route::Options => "options",
                Route::NotFound => "not found",
                Route::MethodNotAllowed => "not allowed",
                Route::Connect => "connect",
                Route::BadRequest(_) => bad,
            };
            assert_eq!(name, expected, "{method} {target}");
        }
    }

    #[test]
    fn the_text_of_not_found_names_the_paths_that_exist() {
        let text = Route::NotFound.text();
        assert_eq!(text, "Not found. The live page is at /, the metrics are at /metrics.\n");
        for path in ["/", "/metrics"] {
            let uri = Uri::from_static(path);
            assert_eq!(route(&Method::GET, &uri, Version::HTTP_11, 1).status(), StatusCode::OK);
        }
    }

    #[test]
    fn only_http_1_0_may_lack_a_host_and_no_request_may_have_two() {
        let uri = Uri::from_static("/metrics");
        let table = [
            (Version::HTTP_11, 0, false),
            (Version::HTTP_11, 1, true),
            (Version::HTTP_11, 2, false),
            (Version::HTTP_10, 0, true),
            (Version::HTTP_10, 1, true),
            (Version::HTTP_10, 2, false),
        ];
        for (version, hosts, good) in table {
            let route = route(&Method::GET, &uri, version, hosts);
            assert_eq!(route == Route::Metrics, good, "{version:?} {hosts}");
            assert_eq!(route.closes(), !good);
        }
    }
}
