//! The responses that the [`Source`](super::Source) makes: pages, summaries and the history. Server thread only.

use std::{
    future::poll_fn,
    pin::pin,
    task::ready,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::Incoming,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue,
        USER_AGENT, VARY,
    },
};

use ring::digest::{Context, SHA256};

use super::{
    BoxFuture, HistoryError, ScrapeRequest,
    access::Peer,
    body::ResponseBody,
    connections::{Connection, Connections},
    encoder::PageEncoder,
    limits::{js_timeout, process_timeout, register_timeout},
    negotiate::{Coding, coding, format},
    panics::{Panicked, caught, caught_async},
    permits::Permit,
    response::{Refusal, TEXT},
    service::Service,
};
use crate::exposition::ScraperId;

/// The header by which a scraper announces itself. Prometheus, its agent, Alloy and vmagent send it;
/// browsers and `fetch` do not.
pub(super) const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

/// The pause of a summary after each of its steps, while scrapes are under way.
const PAUSE: Duration = Duration::from_millis(2);

/// The response without a recorder.
const NO_HISTORY: &str = "Nothing is recorded: the option history is 0.";

/// The time before the deadline at which a page no longer waits for a registry.
const DEADLINE_MARGIN: Duration = Duration::from_secs(1);

impl Service {
    /// Responds with the page.
    pub(super) async fn scrape(
        &self,
        request: &Request<Incoming>,
        deadline: Instant,
        connection: &Connection,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let permit = self.connections.permit_scrape(connection).ok_or(Refusal::BUSY)?;
        let (headers, method, version) = (request.headers(), request.method(), request.version());
        let timeout = headers.get(TIMEOUT_HEADER).map(HeaderValue::as_bytes);
        let coding = coding(headers.get_all(ACCEPT_ENCODING).iter().map(HeaderValue::as_bytes));

        let format = format(headers.get_all(ACCEPT).iter().map(HeaderValue::as_bytes));
        let js_timeout = js_timeout(timeout, self.limits.js_timeout);
        let scraper = timeout.is_some().then(|| scraper_id(&connection.peer, headers));
        // The whole response must be sent before the deadline, so the registry must respond earlier.
        let left = deadline.saturating_duration_since(Instant::now());
        let register_timeout = register_timeout(timeout).min(left.saturating_sub(DEADLINE_MARGIN));
        let request = ScrapeRequest {
            js_timeout,
            register_timeout,
            process_timeout: process_timeout(timeout),
            format,
            gzip: coding == Coding::Gzip,
            scraper,
        };
        let scrape = run(|| self.source.scrape(request), deadline).await?;
        let content_type =
            HeaderValue::try_from(scrape.content_type).map_err(|_| Refusal::FAULT)?;
        let cache = self.caches.get(format);
        if coding == Coding::Gzip {
            cache.record_use(self.limits.cache_idle);
        }
        let page = PageEncoder::new(scrape.page, coding, cache);
        let mut body = ResponseBody::first_chunk(page, deadline).await?;
        body.hold(Permit::Scrape(permit));
        if method != Method::HEAD {
            body.on_complete(scrape.on_complete);
        }
        if body.is_stream() {
            if method == Method::HEAD {
                body.clear();
            } else if version < Version::HTTP_11 {
                // HTTP/1.0 has no chunks, and the end of a connection does not prove completeness.
                body.hold(self.permits.buffered_page()?);
                body.buffer().await?;
            }
        }

        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if coding == Coding::Gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    /// Responds with a summary, or 400 if its query is wrong.
    pub(super) async fn summary(
        &self,
        request: &Request<Incoming>,
        deadline: Instant,
        connection: &Connection,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let permit = self.permits.summary(&self.connections, connection).await?;
        let query = request.uri().query().unwrap_or_default();
        let summary = run(|| self.source.summary(query, self.limits.js_timeout), deadline);
        let summary = after_scrapes(&self.connections, summary).await?;
        Ok(json(summary.map_err(|sentence| (StatusCode::BAD_REQUEST, sentence)), permit))
    }

    /// Responds with the history, 400 if its query is wrong, or 404 if there is none.
    pub(super) async fn history(
        &self,
        request: &Request<Incoming>,
        deadline: Instant,
        connection: &Connection,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let permit = self.permits.summary(&self.connections, connection).await?;
        let query = request.uri().query().unwrap_or_default();
        let history = run(|| self.source.history(query), deadline);
        let history = after_scrapes(&self.connections, history).await?;
        let error = |error| match error {
            HistoryError::Off => (StatusCode::NOT_FOUND, NO_HISTORY.to_owned()),
            HistoryError::Query(sentence) => (StatusCode::BAD_REQUEST, sentence),
        };
        Ok(json(history.map_err(error), permit))
    }
}

/// Returns the identity of a scraper, from its address and its `User-Agent`. It is the same in every process
/// of a cluster, and no client can choose the identity of another one.
fn scraper_id(peer: &Peer, headers: &HeaderMap) -> ScraperId {
    let mut context = Context::new(&SHA256);
    context.update(peer.address().to_canonical().to_string().as_bytes());
    if let Some(agent) = headers.get(USER_AGENT) {
        context.update(b" ");
        context.update(agent.as_bytes());
    }
    let digest = context.finish();
    let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
    ScraperId(u64::from_le_bytes(first))
}

/// Returns the response with a document, or with the sentence of an error.
fn json(document: Result<Vec<u8>, (StatusCode, String)>, permit: Permit) -> Response<ResponseBody> {
    let (status, content_type, body) = match document {
        Ok(json) => (StatusCode::OK, "application/json", Bytes::from(json)),
        Err((status, sentence)) => (status, TEXT, Bytes::from(sentence + "\n")),
    };
    let mut body = ResponseBody::new(body);
    body.hold(permit);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Runs `work`, with a pause after each step while scrapes are under way: without the pauses, the scrapes
/// would wait for all steps.
async fn after_scrapes<T>(connections: &Connections, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut pause = pin!(tokio::time::sleep(Duration::ZERO));
    poll_fn(|cx| {
        ready!(pause.as_mut().poll(cx));
        let poll = work.as_mut().poll(cx);
        if poll.is_pending() && connections.is_scraping() {
            pause.as_mut().reset(tokio::time::Instant::now() + PAUSE);
            // Registers the waker.
            let _ = pause.as_mut().poll(cx);
        }
        poll
    })
    .await
}

/// Runs a method of the source until the deadline, and catches its panics.
async fn run<T>(
    begin: impl FnOnce() -> BoxFuture<'static, T>,
    deadline: Instant,
) -> Result<T, Refusal> {
    let work = async { caught_async(caught(begin)?).await };
    match tokio::time::timeout_at(deadline.into(), work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Panicked)) => Err(Refusal::FAULT),
        Err(_) => Err(Refusal::LATE),
    }
}
