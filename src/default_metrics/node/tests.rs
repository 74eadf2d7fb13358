//! Requests and responses, on a clock that the test advances. `families.rs` tests the text of a sample.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use tokio::task::{JoinHandle, yield_now};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const JS_TIMEOUT: Duration = Duration::from_millis(100);

/// A JavaScript thread that the test drives.
#[derive(Default)]
struct Js {
    requests: AtomicUsize,
    ended: AtomicBool,
}

impl SampleRequester for Js {
    fn request(&self, _: DelayWindow) -> bool {
        self.requests.fetch_add(1, SeqCst);
        !self.ended.load(SeqCst)
    }
}

fn setup() -> (Arc<Js>, Arc<NodeMetrics>) {
    let js = Arc::new(Js::default());
    let metrics = NodeMetrics::new();
    metrics.set_requester(Arc::<Js>::clone(&js));
    (js, Arc::new(metrics))
}

fn version(version: &str) -> Sample {
    Sample { version: Some(version.to_owned()), ..Sample::default() }
}

fn requests(js: &Js) -> usize {
    js.requests.load(SeqCst)
}

/// Starts a refresh. When this function returns, the refresh waits for its sample.
async fn waiting(metrics: &Arc<NodeMetrics>, js_timeout: Duration) -> JoinHandle<bool> {
    let metrics = Arc::clone(metrics);
    let task = tokio::spawn(async move { metrics.refresh(js_timeout).await });
    yield_now().await;
    task
}

#[tokio::test(start_paused = true)]
async fn a_sample_ends_the_wait_and_its_delay_is_the_lag() {
    let (js, metrics) = setup();
    let scrape = waiting(&metrics, JS_TIMEOUT).await;
    tokio::time::advance(Duration::from_millis(30)).await;
    assert!(!scrape.is_finished());
    assert_eq!(
        metrics.lag(),
        Duration::from_millis(30),
        "the lag grows while the request is pending"
    );

    metrics.deliver(version("v1.0.0"));
    scrape.await.unwrap();
    tokio::time::advance(SECOND).await;

    assert_eq!(requests(&js), 1);
    assert_eq!(
        metrics.lag(),
        Duration::from_millis(30),
        "the lag stays when the request has ended"
    );
    assert_eq!(metrics.sample_age(), Some(SECOND));
    assert_eq!(metrics.sample().as_deref(), Some(&version("v1.0.0")));
}

#[tokio::test(start_paused = true)]
async fn without_a_response_the_wait_ends_with_the_timeout() {
    let (_js, metrics) = setup();
    let start = Instant::now();
    metrics.refresh(JS_TIMEOUT).await;
    let waited = start.elapsed();
    // The timer counts whole milliseconds.
    assert!(waited >= JS_TIMEOUT && waited <= JS_TIMEOUT + Duration::from_millis(1), "{waited:?}");
    assert_eq!(metrics.sample(), None);
}

#[tokio::test(start_paused = true)]
async fn while_javascript_is_blocked_the_lag_is_the_time_since_the_request() {
    let (js, metrics) = setup();
    let start = Instant::now();
    metrics.deliver(version("v1.0.0"));
    for _ in 0..5 {
        metrics.refresh(JS_TIMEOUT).await;
        assert_eq!(metrics.lag(), start.elapsed());
        tokio::time::advance(SECOND).await;
    }
    assert!(metrics.lag() > SECOND * 5);
    assert_eq!(requests(&js), 1, "a pending request is not repeated");
    assert_eq!(metrics.sample_age(), Some(start.elapsed()), "the last sample remains");
}

#[tokio::test(start_paused = true)]
async fn a_late_sample_is_stored_and_the_next_scrape_requests_another() {
    let (js, metrics) = setup();
    let start = Instant::now();
    metrics.refresh(JS_TIMEOUT).await;
    tokio::time::advance(SECOND).await;
    metrics.deliver(version("v1.0.0"));
    assert_eq!(metrics.lag(), start.elapsed());
    tokio::time::advance(SECOND).await;

    let scrape = waiting(&metrics, JS_TIMEOUT).await;
    assert!(!scrape.is_finished(), "the late sample is older than this scrape");
    assert_eq!(requests(&js), 2);
    metrics.deliver(version("v2.0.0"));
    scrape.await.unwrap();
    assert_eq!(metrics.sample_age(), Some(Duration::ZERO));
    assert_eq!(metrics.lag(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn simultaneous_scrapes_share_one_request() {
    let (js, metrics) = setup();
    let first = waiting(&metrics, SECOND).await;
    let second = waiting(&metrics, SECOND).await;
    waiting(&metrics, JS_TIMEOUT).await.await.unwrap();
    assert!(
        !first.is_finished() && !second.is_finished(),
        "the timeout of one scrape ends no other scrape"
    );

    metrics.deliver(Sample::default());
    let answered = Instant::now();
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(answered.elapsed(), Duration::ZERO);
    assert_eq!(requests(&js), 1);
}

#[tokio::test(start_paused = true)]
async fn the_request_of_a_dropped_scrape_serves_the_next() {
    let (js, metrics) = setup();
    waiting(&metrics, SECOND).await.abort();
    let scrape = waiting(&metrics, SECOND).await;
    metrics.deliver(Sample::default());
    scrape.await.unwrap();
    assert_eq!(requests(&js), 1);
}

#[tokio::test(start_paused = true)]
async fn a_response_without_a_sample_ends_the_wait_and_keeps_the_last_sample() {
    let (_js, metrics) = setup();
    metrics.deliver(version("v1.0.0"));
    tokio::time::advance(SECOND).await;
    let scrape = waiting(&metrics, JS_TIMEOUT).await;
    metrics.decline();
    scrape.await.unwrap();
    assert_eq!(metrics.lag(), Duration::ZERO);
    assert_eq!(metrics.sample_age(), Some(SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_javascript_thread_that_has_ended_is_not_waited_for() {
    let (js, metrics) = setup();
    metrics.deliver(version("v1.0.0"));
    js.ended.store(true, SeqCst);
    let start = Instant::now();
    metrics.refresh(JS_TIMEOUT).await;
    metrics.refresh(JS_TIMEOUT).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    tokio::time::advance(SECOND).await;
    assert_eq!(metrics.lag(), Duration::ZERO, "without a request there is no lag");
    assert!(metrics.sample().is_some());
}

#[tokio::test(start_paused = true)]
async fn stop_ends_every_wait_and_all_requests() {
    let (js, metrics) = setup();
    let scrape = waiting(&metrics, SECOND).await;
    tokio::time::advance(JS_TIMEOUT).await;
    metrics.stop();
    let start = Instant::now();
    scrape.await.unwrap();
    metrics.refresh(SECOND).await;
    metrics.stop();

    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(requests(&js), 1);
    assert_eq!(metrics.lag(), Duration::ZERO);
    assert_eq!(Arc::strong_count(&js), 1, "the requester is dropped");
    metrics.deliver(Sample::default());
    assert_eq!(metrics.sample(), None, "a sample after the stop is not stored");
}

/// Counts the requests that restart the window, and those that keep it.
#[derive(Default)]
struct ByWindow([AtomicUsize; 2]);

impl SampleRequester for ByWindow {
    fn request(&self, window: DelayWindow) -> bool {
        let index = usize::from(window == DelayWindow::Keep);
        self.0[index].fetch_add(1, SeqCst);
        true
    }
}

#[tokio::test(start_paused = true)]
async fn a_peek_keeps_the_window_and_shares_a_pending_request() {
    let js = Arc::new(ByWindow::default());
    let metrics = NodeMetrics::new();
    metrics.set_requester(Arc::<ByWindow>::clone(&js));
    let counts = || [js.0[0].load(SeqCst), js.0[1].load(SeqCst)];
    assert!(!metrics.peek(JS_TIMEOUT).await);
    assert_eq!(counts(), [0, 1]);
    assert!(!metrics.refresh(JS_TIMEOUT).await, "the pending request is not repeated");
    assert_eq!(counts(), [0, 1]);
    metrics.decline();
    assert!(!metrics.refresh(JS_TIMEOUT).await);
    assert_eq!(counts(), [1, 1]);
}

/// Answers before `request` returns, as a faster thread can.
#[derive(Default)]
struct AnswersAtOnce(Mutex<Option<Arc<NodeMetrics>>>);

impl SampleRequester for AnswersAtOnce {
    fn request(&self, _: DelayWindow) -> bool {
        let metrics = self.0.lock().unwrap().take().unwrap();
        thread::spawn(move || metrics.deliver(version("v1.0.0"))).join().unwrap();
        true
    }
}

#[tokio::test(start_paused = true)]
async fn a_sample_that_comes_before_the_wait_is_not_missed() {
    let js = Arc::new(AnswersAtOnce::default());
    let metrics = Arc::new(NodeMetrics::new());
    metrics.set_requester(Arc::<AnswersAtOnce>::clone(&js));
    *js.0.lock().unwrap() = Some(Arc::clone(&metrics));
    let start = Instant::now();
    metrics.refresh(SECOND).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(metrics.sample().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_sample_grows_until_the_next() {
    let (_js, metrics) = setup();
    assert_eq!(metrics.age_family(&[]), None);
    metrics.deliver(Sample::default());
    tokio::time::advance(SECOND * 3).await;
    let age = metrics.age_family(&[("worker", "7")]).unwrap();
    assert_eq!(age.name(), "hypertrace_sample_age_seconds");
    let [sample] = age.get_metric() else { panic!("one sample") };
    assert_eq!(sample.get_gauge().get_value(), 3.0);
    assert_eq!(sample.get_label()[0].value(), "7");
}
