//! The task that records what the process does: reads the counter at the end of each step, and asks each event
//! loop a question four times a second.
//!
//! Runs on the server thread, from its start to its end, also while every event loop is blocked. The
//! counter is read some ranges at a time, so that other work of the thread can run in between.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    Gatherer, JsThread,
    recorder::{Recorder, now},
};
use crate::{
    counter::{CalledSite, SiteRef, ThreadCalls},
    default_metrics::{node::ProcessSample, process},
    recorder::{Figures, Question, ReadingEnd, STALL_AFTER, StallCalls},
};

/// The time between two questions.
const QUESTION_INTERVAL: Duration = STALL_AFTER;

/// A question without an answer for this time may become a stall, so the calls of its thread are read.
const SUSPECT_AFTER: Duration = Duration::from_millis(30);

/// The minimum time between two checks for the answer to such a question. The JavaScript thread does not
/// wake this task when it answers, because waking fails if the application has closed descriptors.
const CHECK_INTERVAL: Duration = Duration::from_millis(10);

/// The time between two checks is the time for which a question has been open, divided by this number. So an
/// idle worker of a thread pool, which may not answer for hours, is checked rarely.
const CHECKS: u32 = 32;

/// The maximum memory of the last counts of threads that do not answer, in bytes. Beyond it, the calls of
/// further threads are not read.
const MAX_SUSPECT_BYTES: usize = 1024 * 1024;

/// The maximum age of an answer whose figures are used.
const MAX_ANSWER_AGE: Duration = Duration::from_secs(2);

/// Writes the recording. Never returns; ends when the future is dropped.
pub async fn record(gatherer: Arc<Gatherer>, recorder: Arc<Recorder>) {
    let mut clock = interval(QUESTION_INTERVAL);
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    clock.tick().await;
    let mut task = Task::new(gatherer, recorder);
    loop {
        task.ask();
        let mut next_check = Instant::now() + SUSPECT_AFTER;
        loop {
            tokio::select! {
                biased;
                _ = clock.tick() => break,
                () = sleep_until(next_check) => {}
            }
            task.add_suspects();
            task.check().await;
            next_check = Instant::now() + task.check_interval();
        }
        task.check().await;
        if task.step_is_due() {
            task.end_step().await;
        }
    }
}

/// The state of [`record`].
struct Task {
    gatherer: Arc<Gatherer>,
    recorder: Arc<Recorder>,
    suspects: Vec<Suspect>,
    /// The end of the last step.
    last: Instant,
    cpu: Option<f64>,
}

/// A thread that has not answered a question for some time.
struct Suspect {
    thread: Arc<JsThread>,
    asked: std::time::Instant,
    /// The time of the question, in seconds since the epoch.
    start: f64,
    /// The counts of the thread at the last reading; `None` if they would take too much memory.
    calls: Option<ThreadCalls>,
    sum: StallCalls,
    /// The number of the stall; `None` if the time is too short for a stall.
    stall: Option<u64>,
}

impl Suspect {
    /// Returns whether this is a worker thread without calls: thread pools block the event loops of idle
    /// workers.
    fn is_idle(&self) -> bool {
        self.thread.worker().is_some() && self.sum.is_empty()
    }
}

impl Task {
    fn new(gatherer: Arc<Gatherer>, recorder: Arc<Recorder>) -> Self {
        let cpu = process::usage(None).cpu;
        Self { gatherer, recorder, suspects: Vec::new(), last: Instant::now(), cpu }
    }

    fn ask(&self) {
        for thread in self.gatherer.threads().all() {
            thread.watch.ask();
        }
    }

    /// Returns the time to the next check for answers.
    fn check_interval(&self) -> Duration {
        let open = self.suspects.iter().map(|suspect| suspect.asked.elapsed()).min();
        open.map_or(QUESTION_INTERVAL, |open| (open / CHECKS).max(CHECK_INTERVAL))
    }

    /// Starts to read the calls of threads whose questions are open.
    fn add_suspects(&mut self) {
        for thread in self.gatherer.threads().all() {
            let Some(asked) = thread.watch.open_question() else { continue };
            if self.suspects.iter().any(|suspect| suspect.asked == asked) {
                continue;
            }
            let start = now() - asked.elapsed().as_secs_f64();
            let has_memory = self.suspect_bytes() < MAX_SUSPECT_BYTES;
            let calls =
                has_memory.then(|| self.gatherer.counter().start_thread_calls(thread.shard));
            let (sum, stall) = (StallCalls::default(), None);
            self.suspects.push(Suspect { thread, asked, start, calls, sum, stall });
        }
    }

    /// Begins and ends stalls.
    async fn check(&mut self) {
        for mut suspect in std::mem::take(&mut self.suspects) {
            let open = suspect.asked.elapsed();
            let (ongoing, length) = match suspect.thread.watch.question(suspect.asked) {
                Question::Open => (true, open),
                Question::Answered(delay) => (false, delay),
                Question::Left => (false, open),
            };
            if suspect.stall.is_none() && length >= STALL_AFTER {
                let worker = suspect.thread.worker().map(str::to_owned);
                suspect.stall = Some(self.recorder.history().stalls.begin(suspect.start, worker));
                suspect.thread.watch.begin_stall(suspect.asked);
            }
            if let Some(id) = suspect.stall
                && !ongoing
            {
                suspect.thread.watch.end_stall(length);
                self.read_calls_of(&mut suspect).await;
                let seconds = length.as_secs_f64();
                self.recorder.history().stalls.set(id, seconds, false, &suspect.sum);
                if suspect.is_idle() {
                    // The delay of an idle worker is not a lag.
                    let _ = suspect.thread.watch.take_longest_delay();
                }
            }
            if ongoing {
                self.suspects.push(suspect);
            }
        }
    }

    async fn read_calls_of(&self, suspect: &mut Suspect) {
        let Suspect { calls: Some(calls), sum, .. } = suspect else { return };
        let mut from = Some(0);
        while let Some(range) = from {
            let mut add = |called: CalledSite<'_>| {
                sum.add(called.labels(), called.calls);
            };
            from = self.gatherer.counter().read_thread_calls(calls, range, &mut add);
            yield_now().await;
        }
    }

    fn suspect_bytes(&self) -> usize {
        let calls = self.suspects.iter().filter_map(|suspect| suspect.calls.as_ref());
        calls.map(ThreadCalls::bytes).sum()
    }

    fn step_is_due(&self) -> bool {
        // A step ends at the tick of the clock that is nearest to its due time.
        let step = Duration::from_secs(self.recorder.history().step_seconds().into());
        self.last.elapsed() + QUESTION_INTERVAL / 2 >= step
    }

    async fn end_step(&mut self) {
        let duration = self.read_calls().await;
        for mut suspect in std::mem::take(&mut self.suspects) {
            if let Some(id) = suspect.stall {
                self.read_calls_of(&mut suspect).await;
                let seconds = suspect.asked.elapsed().as_secs_f64();
                self.recorder.history().stalls.set(id, seconds, true, &suspect.sum);
            }
            self.suspects.push(suspect);
        }
        let figures = self.figures();
        let end = Instant::now();
        let elapsed = (end - self.last).as_secs_f64();
        self.last = end;
        let reading = ReadingEnd { now: now(), elapsed, duration: duration.as_secs_f64() };
        let counter = self.gatherer.counter();
        let removed: Vec<SiteRef> = {
            let mut history = self.recorder.history();
            history.reserve(counter.call_readings_bytes() + self.suspect_bytes());
            history.end_step(reading, figures)
        };
        if !removed.is_empty() {
            counter.release_sites(&removed);
        }
    }

    /// Reads the calls since the last step. Returns the time that the reading took.
    async fn read_calls(&self) -> Duration {
        let mut duration = Duration::ZERO;
        let mut from = Some(0);
        while let Some(range) = from {
            let begin = Instant::now();
            {
                let mut history = self.recorder.history();
                let mut add = |called: CalledSite<'_>| history.add(called);
                let step = self.gatherer.counter().read_calls(range, &mut add);
                history.add_without_site(step.without_site);
                from = step.next;
            }
            duration += begin.elapsed();
            yield_now().await;
        }
        duration
    }

    fn figures(&mut self) -> Figures {
        let threads = self.gatherer.threads().all();
        let is_idle = |thread: &&Arc<JsThread>| {
            let mut idle = self.suspects.iter().filter(|suspect| suspect.is_idle());
            idle.any(|suspect| suspect.stall.is_some() && Arc::ptr_eq(&suspect.thread, thread))
        };
        let working = threads.iter().filter(|thread| !is_idle(thread));
        let delays = working.filter_map(|thread| thread.watch.take_longest_delay());
        let lag = delays.max().map(|delay| delay.as_secs_f64());
        let answers = || {
            let last = threads.iter().filter_map(|thread| thread.watch.last_answer());
            last.filter(|(_, age)| *age <= MAX_ANSWER_AGE).map(|(answer, _)| answer)
        };
        let heap = answers().filter_map(|answer| answer.heap_used).reduce(|all, one| all + one);
        let sampled: Option<ProcessSample> = answers().find_map(|answer| answer.process);
        let usage = process::usage(sampled.as_ref());
        let cpu = usage.cpu.zip(self.cpu).map(|(now, last)| (now - last).max(0.0));
        self.cpu = usage.cpu.or(self.cpu);
        Figures {
            lag,
            cpu,
            heap,
            resident_memory: usage.resident_memory,
            series: Some(self.gatherer.counter().stats().series),
        }
    }
}
