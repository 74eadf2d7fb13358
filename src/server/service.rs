//! Answers one request: the decisions of `handler`, `negotiate` and `limits`, carried out.
//!
//! An answer is a whole text or a page whose first part is there already. So a page that fails at
//! once is a 500, never an empty 200 (which would mark every series stale); one that fails later
//! ends its connection. Server thread only.

use std::{convert::Infallible, rc::Rc, sync::Arc, time::Instant};

use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::Incoming,
    header::{
        ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING,
        CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
        RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};
use tokio::sync::{Semaphore, TryAcquireError};

use super::{
    ScrapeRequest, Source,
    access::{AccessControl, AccessPolicy, Peer, Rejection},
    body::{Answer, Content, Permits},
    encoder::PageEncoder,
    gzip::DeflateCache,
    limits::{Limits, js_timeout},
    negotiate::{Coding, coding},
    panics::{caught, caught_async},
    route::{Route, dispatch},
};
use crate::{
    exposition::Format,
    live::{self, Asset},
};

const TEXT: &str = "text/plain; charset=utf-8";
const METHODS: &str = "GET, HEAD";
const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

const FAULT: &str = "The metrics could not be written. The application's log tells more.\n";
const BUSY: &str = "Too many scrapes at once. Try again in a second.\n";
const BUSY_WHOLE: &str =
    "Too many HTTP/1.0 scrapes at once. Try again in a second, or with HTTP/1.1.\n";
const LATE: &str = "The metrics were not ready in time.\n";
const WHO: &str = "Unauthorized\n";
const TOO_MANY: &str = "Too many wrong credentials. Try again in a second.\n";
const OTHER_HOST: &str = "This host name is not among the server's allowedHosts.\n";

/// What all connections of a server answer from.
pub(crate) struct Service {
    source: Arc<dyn Source>,
    pub(crate) limits: Limits,
    access_control: AccessControl,
    scrapes: Arc<Semaphore>,
    whole_pages: Arc<Semaphore>,
    kept: Rc<DeflateCache>,
}

/// A text instead of the page.
type Refusal = (StatusCode, &'static str);

impl Service {
    pub(crate) fn new(source: Arc<dyn Source>, limits: Limits, door: AccessPolicy) -> Self {
        let access_control = AccessControl::new(door, limits.connections);
        let scrapes = Arc::new(Semaphore::new(limits.scrapes));
        let whole_pages = Arc::new(Semaphore::new(limits.whole_pages));
        let kept = Rc::new(DeflateCache::new(limits.kept));
        Self { source, limits, access_control, scrapes, whole_pages, kept }
    }

    /// Answers one request. Everything that may go wrong is an answer too.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        deadline: Instant,
        peer: &Peer,
    ) -> Result<Response<Answer>, Infallible> {
        let (route, closes) = dispatch(&request);
        let mut response = match self.access_control.admit(request.headers(), peer).await {
            Ok(()) => self.routed(route, &request, deadline).await,
            Err(refused) => rejection(refused, deadline),
        };
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        set_privacy_headers(headers);
        if closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }

    /// Answers a request that was let in.
    async fn routed(
        &self,
        route: Route,
        request: &Request<Incoming>,
        deadline: Instant,
    ) -> Response<Answer> {
        let mut response = match route {
            Route::Metrics => match self.scrape(request, deadline).await {
                Ok(response) => response,
                Err((status, sentence)) => text(status, sentence, deadline),
            },
            Route::Summary => match self.summary(request, deadline).await {
                Ok(response) => response,
                Err((status, sentence)) => text(status, sentence, deadline),
            },
            Route::Live(asset) => live(asset, deadline),
            _ => text(route.status(), route.text(), deadline),
        };
        if route.allows() {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
        }
        response
    }

    async fn summary(
        &self,
        request: &Request<Incoming>,
        deadline: Instant,
    ) -> Result<Response<Answer>, Refusal> {
        let permits = vec![take(&self.scrapes, BUSY)?];
        let query = request.uri().query().unwrap_or_default();
        let summary = caught(|| self.source.summary(query, self.limits.js_timeout));
        let summary = caught_async(summary.map_err(|_| fault())?);
        let summary = tokio::time::timeout_at(deadline.into(), summary);
        let (status, content_type, body) =
            match summary.await.map_err(|_| late())?.map_err(|_| fault())? {
                Ok(json) => (StatusCode::OK, "application/json", Bytes::from(json)),
                Err(sentence) => (StatusCode::BAD_REQUEST, TEXT, Bytes::from(sentence + "\n")),
            };
        let mut response = Response::new(Answer::new(Content::Whole(body), deadline, permits));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Ok(response)
    }

    async fn scrape(
        &self,
        request: &Request<Incoming>,
        deadline: Instant,
    ) -> Result<Response<Answer>, Refusal> {
        let mut permits = vec![take(&self.scrapes, BUSY)?];
        let headers = request.headers();
        let timeout = headers.get(TIMEOUT_HEADER).map(HeaderValue::as_bytes);
        let coding = coding(headers.get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes));

        let js_timeout = js_timeout(timeout, self.limits.js_timeout);
        let scrape = caught(|| {
            self.source.scrape(ScrapeRequest { js_timeout, format: Format::Text, scraper: None })
        })
        .map_err(|_| fault())?;
        let scrape = tokio::time::timeout_at(deadline.into(), caught_async(scrape));
        let scrape = scrape.await.map_err(|_| late())?.map_err(|_| fault())?;

        let content_type = HeaderValue::try_from(scrape.content_type).map_err(|_| fault())?;
        if coding == Coding::Gzip {
            self.kept.used(self.limits.kept_for);
        }
        let page = PageEncoder::new(scrape.page, coding, &self.kept);
        let content = begin(page, deadline).await?;
        let content = match content {
            Content::Stream { first, rest } if request.method() == Method::HEAD => {
                drop((first, rest));
                Content::Stream { first: Bytes::new(), rest: None }
            }
            Content::Stream { first, rest } if request.version() < Version::HTTP_11 => {
                permits.push(take(&self.whole_pages, BUSY_WHOLE)?);
                finish(first, rest, deadline).await?
            }
            content => content,
        };

        let mut response = Response::new(Answer::new(content, deadline, permits));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if coding == Coding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }
}

/// What those hear who are not let in: nothing of what is inside.
fn rejection(refused: Rejection, deadline: Instant) -> Response<Answer> {
    match refused {
        Rejection::Host => text(StatusCode::FORBIDDEN, OTHER_HOST, deadline),
        Rejection::LoginThrottle => text(StatusCode::TOO_MANY_REQUESTS, TOO_MANY, deadline),
        Rejection::Credentials(challenge) => {
            let mut response = text(StatusCode::UNAUTHORIZED, WHO, deadline);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
    }
}

/// A part of the live page.
fn live(asset: &'static Asset, deadline: Instant) -> Response<Answer> {
    let mut response = text(StatusCode::OK, asset.text, deadline);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(live::SECURITY_POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// What is shown is of now, and no other site's: it is not stored and not embedded.
fn set_privacy_headers(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
}

/// Writes a page until there is something to send.
async fn begin(mut page: PageEncoder, deadline: Instant) -> Result<Content, Refusal> {
    loop {
        let part = page.chunk().map_err(|_| fault())?;
        match (part.bytes.is_empty(), part.more) {
            (_, false) if page.is_empty() => return Err(fault()),
            (_, false) => return Ok(Content::Whole(part.bytes)),
            (false, true) => {
                return Ok(Content::Stream { first: part.bytes, rest: Some(Box::new(page)) });
            }
            (true, true) => take_turns(deadline).await?,
        }
    }
}

/// Writes a page to its end, for a client that has to be told its length first. The one place where
/// the memory of a scrape grows with the page.
async fn finish(
    first: Bytes,
    rest: Option<Box<PageEncoder>>,
    deadline: Instant,
) -> Result<Content, Refusal> {
    let mut whole = Vec::from(first);
    let Some(mut page) = rest else { return Ok(Content::Whole(whole.into())) };
    loop {
        take_turns(deadline).await?;
        let part = page.chunk().map_err(|_| fault())?;
        whole.extend_from_slice(&part.bytes);
        if !part.more {
            return Ok(Content::Whole(whole.into()));
        }
    }
}

/// Between two parts of a page the other connections are served.
async fn take_turns(deadline: Instant) -> Result<(), Refusal> {
    tokio::task::yield_now().await;
    if Instant::now() < deadline { Ok(()) } else { Err(late()) }
}

fn take(
    places: &Arc<Semaphore>,
    sentence: &'static str,
) -> Result<tokio::sync::OwnedSemaphorePermit, Refusal> {
    Arc::clone(places).try_acquire_owned().map_err(|error| match error {
        TryAcquireError::NoPermits | TryAcquireError::Closed => {
            (StatusCode::SERVICE_UNAVAILABLE, sentence)
        }
    })
}

fn fault() -> Refusal {
    (StatusCode::INTERNAL_SERVER_ERROR, FAULT)
}

fn late() -> Refusal {
    (StatusCode::SERVICE_UNAVAILABLE, LATE)
}

fn text(status: StatusCode, sentence: &'static str, deadline: Instant) -> Response<Answer> {
    let content = Content::Whole(Bytes::from_static(sentence.as_bytes()));
    let mut response = Response::new(Answer::new(content, deadline, Permits::new()));
    *response.status_mut() = status;
    if !sentence.is_empty() {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TEXT));
    }
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}
