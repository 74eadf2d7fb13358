//! Responses other than pages, and the headers that all responses have. Pure.

use std::borrow::Cow;

use hyper::{
    Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY,
        CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
        X_CONTENT_TYPE_OPTIONS,
    },
};

use super::{
    access::Rejection,
    body::{BodyError, ResponseBody},
    negotiate::{Coding, coding},
};
use crate::live::{self, Asset};

/// The content type of short texts.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";

const UNAUTHORIZED: &str = "Unauthorized\n";
const THROTTLED: &str = "Too many wrong credentials. Try again in a second.\n";

/// An error response that replaces a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    text: &'static str,
}

impl Refusal {
    /// A fault of this package.
    pub(crate) const FAULT: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        text: "The metrics could not be written. See the log of the application for the reason.\n",
    };
    /// The deadline of the response has passed.
    pub(crate) const LATE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "The metrics were not ready in time.\n",
    };
    /// The bound on scrapes is reached.
    pub(crate) const BUSY: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "Too many scrapes at once. Try again in a second.\n",
    };
    /// The bound on summaries is reached.
    pub(crate) const BUSY_SUMMARIES: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "Too many summaries at once. Try again in a second.\n",
    };
    /// The bound on buffered pages is reached.
    pub(crate) const BUSY_BUFFERED: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text: "Too many HTTP/1.0 scrapes at once. Try again in a second, or with HTTP/1.1.\n",
    };
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Fault => Self::FAULT,
            BodyError::Late => Self::LATE,
        }
    }
}

impl From<Refusal> for Response<ResponseBody> {
    fn from(Refusal { status, text: body }: Refusal) -> Self {
        text(status, body)
    }
}

/// Returns a response of a short text.
pub(crate) fn text(
    status: StatusCode,
    text: impl Into<Cow<'static, str>>,
) -> Response<ResponseBody> {
    let text = text.into();
    let is_empty = text.is_empty();
    let body = match text {
        Cow::Borrowed(text) => ResponseBody::new(text),
        Cow::Owned(text) => ResponseBody::new(text),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if !is_empty {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    }
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// Returns the response to a request that access control rejects. It reveals nothing about the server.
pub(crate) fn rejection(rejection: Rejection) -> Response<ResponseBody> {
    match rejection {
        Rejection::Host(name) => text(StatusCode::FORBIDDEN, foreign_host(name.as_deref())),
        Rejection::Throttled => text(StatusCode::TOO_MANY_REQUESTS, THROTTLED),
        Rejection::Credentials(challenge) => {
            let mut response = text(StatusCode::UNAUTHORIZED, UNAUTHORIZED);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
    }
}

fn foreign_host(name: Option<&str>) -> Cow<'static, str> {
    match name {
        Some(name) => format!(
            "{name} is not a host name of this server. To accept it, set the option \
             allowedHosts: ['{name}'].\n"
        )
        .into(),
        None => "The Host header has no host name of this server.\n".into(),
    }
}

/// Returns an asset of the live page, compressed if the request accepts that.
pub(crate) fn asset(asset: &'static Asset, request: &HeaderMap) -> Response<ResponseBody> {
    let accepted = request.get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes);
    let is_gzip = coding(accepted) == Coding::Gzip;
    let body =
        if is_gzip { ResponseBody::new(asset.gzip) } else { ResponseBody::new(asset.text()) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(live::SECURITY_POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Sets the headers that all responses have: no cache stores the response, no other site embeds it,
/// and no browser guesses its type. `closes`: `true` if the connection ends with this response.
pub(crate) fn set_common_headers(headers: &mut HeaderMap, closes: bool) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if closes {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}
