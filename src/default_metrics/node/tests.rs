//! The questions and answers, on a clock that the test moves. What a sample looks like as text is
//! tested beside the families.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
};

use tokio::task::{JoinHandle, yield_now};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MAX_ACCEPT_FAILURES: Duration = Duration::from_millis(100);

/// A JavaScript thread as the test wants it.
#[derive(Default)]
struct Js {
    asked: AtomicUsize,
    gone: AtomicBool,
}

impl Sampler for Js {
    fn ask(&self) -> bool {
        self.asked.fetch_add(1, SeqCst);
        !self.gone.load(SeqCst)
    }
}

fn setup() -> (Arc<Js>, Arc<NodeMetrics>) {
    let js = Arc::new(Js::default());
    let sampler: Arc<dyn Sampler> = Arc::<Js>::clone(&js);
    let metrics = NodeMetrics::new();
    metrics.set_sampler(sampler);
    (js, Arc::new(metrics))
}

fn version(version: &str) -> Sample {
    Sample { version: Some(version.to_owned()), ..Sample::default() }
}

fn asked(js: &Js) -> usize {
    js.asked.load(SeqCst)
}

/// Starts a refresh and lets it come as far as waiting.
async fn waiting(metrics: &Arc<NodeMetrics>, js_timeout: Duration) -> JoinHandle<bool> {
    let metrics = Arc::clone(metrics);
    let task = tokio::spawn(async move { metrics.refresh(js_timeout).await });
    yield_now().await;
    task
}

#[tokio::test(start_paused = true)]
async fn an_answer_ends_the_wait_and_its_time_is_the_lag() {
    let (js, metrics) = setup();
    let scrape = waiting(&metrics, MAX_ACCEPT_FAILURES).await;
    tokio::time::advance(Duration::from_millis(30)).await;
    assert!(!scrape.is_finished());
    assert_eq!(metrics.lag(), Duration::from_millis(30), "grows while the question is open");

    metrics.deliver(version("v1.0.0"));
    scrape.await.unwrap();
    tokio::time::advance(SECOND).await;

    assert_eq!(asked(&js), 1);
    assert_eq!(metrics.lag(), Duration::from_millis(30), "and stays when it is answered");
    assert_eq!(metrics.sample_age(), Some(SECOND));
    assert_eq!(metrics.sample().as_deref(), Some(&version("v1.0.0")));
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_the_wait_ends_with_the_patience() {
    let (_js, metrics) = setup();
    let start = Instant::now();
    metrics.refresh(MAX_ACCEPT_FAILURES).await;
    let waited = start.elapsed();
    // The timer counts whole milliseconds.
    assert!(
        waited >= MAX_ACCEPT_FAILURES && waited <= MAX_ACCEPT_FAILURES + Duration::from_millis(1),
        "{waited:?}"
    );
    assert_eq!(metrics.sample(), None);
}

#[tokio::test(start_paused = true)]
async fn while_javascript_is_blocked_the_lag_is_the_time_since_the_oldest_question() {
    let (js, metrics) = setup();
    let start = Instant::now();
    metrics.deliver(version("v1.0.0"));
    for _ in 0..5 {
        metrics.refresh(MAX_ACCEPT_FAILURES).await;
        assert_eq!(metrics.lag(), start.elapsed());
        tokio::time::advance(SECOND).await;
    }
    assert!(metrics.lag() > SECOND * 5);
    assert_eq!(asked(&js), 1, "an open question is not put again");
    assert_eq!(metrics.sample_age(), Some(start.elapsed()), "the last sample serves");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_taken_and_the_next_scrape_asks_anew() {
    let (js, metrics) = setup();
    let start = Instant::now();
    metrics.refresh(MAX_ACCEPT_FAILURES).await;
    tokio::time::advance(SECOND).await;
    metrics.deliver(version("v1.0.0"));
    assert_eq!(metrics.lag(), start.elapsed());
    tokio::time::advance(SECOND).await;

    let scrape = waiting(&metrics, MAX_ACCEPT_FAILURES).await;
    assert!(!scrape.is_finished(), "the late answer is older than this scrape");
    assert_eq!(asked(&js), 2);
    metrics.deliver(version("v2.0.0"));
    scrape.await.unwrap();
    assert_eq!(metrics.sample_age(), Some(Duration::ZERO));
    assert_eq!(metrics.lag(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn scrapes_at_once_share_one_question() {
    let (js, metrics) = setup();
    let first = waiting(&metrics, SECOND).await;
    let second = waiting(&metrics, SECOND).await;
    waiting(&metrics, MAX_ACCEPT_FAILURES).await.await.unwrap();
    assert!(!first.is_finished() && !second.is_finished(), "one that gives up ends no other");

    metrics.deliver(Sample::default());
    let answered = Instant::now();
    first.await.unwrap();
    second.await.unwrap();
    assert_eq!(answered.elapsed(), Duration::ZERO);
    assert_eq!(asked(&js), 1);
}

#[tokio::test(start_paused = true)]
async fn a_scrape_that_is_dropped_leaves_the_question_to_the_next() {
    let (js, metrics) = setup();
    waiting(&metrics, SECOND).await.abort();
    let scrape = waiting(&metrics, SECOND).await;
    metrics.deliver(Sample::default());
    scrape.await.unwrap();
    assert_eq!(asked(&js), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_sample_ends_the_wait_and_keeps_the_last() {
    let (_js, metrics) = setup();
    metrics.deliver(version("v1.0.0"));
    tokio::time::advance(SECOND).await;
    let scrape = waiting(&metrics, MAX_ACCEPT_FAILURES).await;
    metrics.decline();
    scrape.await.unwrap();
    assert_eq!(metrics.lag(), Duration::ZERO);
    assert_eq!(metrics.sample_age(), Some(SECOND));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_javascript_thread_that_is_gone() {
    let (js, metrics) = setup();
    metrics.deliver(version("v1.0.0"));
    js.gone.store(true, SeqCst);
    let start = Instant::now();
    metrics.refresh(MAX_ACCEPT_FAILURES).await;
    metrics.refresh(MAX_ACCEPT_FAILURES).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    tokio::time::advance(SECOND).await;
    assert_eq!(metrics.lag(), Duration::ZERO, "no question, no stall");
    assert!(metrics.sample().is_some());
}

#[tokio::test(start_paused = true)]
async fn stop_wakes_who_waits_and_ends_asking() {
    let (js, metrics) = setup();
    let scrape = waiting(&metrics, SECOND).await;
    tokio::time::advance(MAX_ACCEPT_FAILURES).await;
    metrics.stop();
    let start = Instant::now();
    scrape.await.unwrap();
    metrics.refresh(SECOND).await;
    metrics.stop();

    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(asked(&js), 1);
    assert_eq!(metrics.lag(), Duration::ZERO);
    assert_eq!(Arc::strong_count(&js), 1, "the sampler is let go of");
    metrics.deliver(Sample::default());
    assert_eq!(metrics.sample(), None, "an answer after the stop is not taken");
}

/// Counts how it was asked: for a scrape, for somebody who looks on.
#[derive(Default)]
struct Kinds([AtomicUsize; 2]);

impl Sampler for Kinds {
    fn ask(&self) -> bool {
        self.0[0].fetch_add(1, SeqCst) < 9
    }

    fn peek(&self) -> bool {
        self.0[1].fetch_add(1, SeqCst) < 9
    }
}

#[tokio::test(start_paused = true)]
async fn who_looks_on_asks_another_question_and_waits_for_one_that_is_open() {
    let kinds = Arc::new(Kinds::default());
    let metrics = NodeMetrics::new();
    metrics.set_sampler(Arc::<Kinds>::clone(&kinds));
    let counts = || [kinds.0[0].load(SeqCst), kinds.0[1].load(SeqCst)];
    assert!(!metrics.peek(MAX_ACCEPT_FAILURES).await);
    assert_eq!(counts(), [0, 1]);
    assert!(!metrics.refresh(MAX_ACCEPT_FAILURES).await, "the open question is not put again");
    assert_eq!(counts(), [0, 1]);
    metrics.decline();
    assert!(!metrics.refresh(MAX_ACCEPT_FAILURES).await);
    assert_eq!(counts(), [1, 1]);
}

/// Answers before `ask` returns, as a thread that is faster can.
#[derive(Default)]
struct Prompt(Mutex<Option<Arc<NodeMetrics>>>);

impl Sampler for Prompt {
    fn ask(&self) -> bool {
        let metrics = self.0.lock().unwrap().take().unwrap();
        thread::spawn(move || metrics.deliver(version("v1.0.0"))).join().unwrap();
        true
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_faster_than_the_asking_thread_is_not_missed() {
    let prompt = Arc::new(Prompt::default());
    let sampler: Arc<dyn Sampler> = Arc::<Prompt>::clone(&prompt);
    let metrics = Arc::new(NodeMetrics::new());
    metrics.set_sampler(sampler);
    *prompt.0.lock().unwrap() = Some(Arc::clone(&metrics));
    let start = Instant::now();
    metrics.refresh(SECOND).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(metrics.sample().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_age_grows_from_sample_to_sample() {
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
