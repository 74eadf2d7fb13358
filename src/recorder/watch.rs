//! The questions to one event loop, and its answers.
//!
//! The server thread asks; the JavaScript thread answers. At most one question is open. Any thread may read
//! the totals.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::default_metrics::node::ProcessSample;

/// Sends questions to one event loop.
pub trait Questioner: Send + Sync {
    /// Sends a question and returns at once. The thread responds with [`LoopWatch::answer`]. Returns `false`
    /// if the thread has ended, so that it will not respond.
    fn ask(&self) -> bool;
}

/// The figures of a JavaScript thread in an answer: those that take little time to read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answer {
    /// The used heap, in bytes.
    pub heap_used: Option<f64>,
    /// The figures of the process, for systems where this crate cannot read them.
    pub process: Option<ProcessSample>,
}

/// The state of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// It has not been answered.
    Open,
    /// It was answered after this time.
    Answered(Duration),
    /// The thread has left the page.
    Left,
}

/// The sums of all stalls of one event loop, for its metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StallTotals {
    /// The number of stalls.
    pub count: u64,
    /// The sum of their lengths, in seconds. A stall that goes on counts with its length so far.
    pub seconds: f64,
}

/// The questions to one event loop.
#[derive(Default)]
pub struct LoopWatch(Mutex<State>);

#[derive(Default)]
struct State {
    questioner: Option<Arc<dyn Questioner>>,
    asked: Option<Instant>,
    /// The last question that was answered: the time at which it was asked, and the delay of the answer.
    answered: Option<(Instant, Duration)>,
    /// The longest delay since the last [`LoopWatch::take_longest_delay`].
    longest: Option<Duration>,
    answer: Option<(Answer, Instant)>,
    /// The start of a stall that goes on.
    stall: Option<Instant>,
    totals: StallTotals,
    left: bool,
}

impl LoopWatch {
    /// Sets the questioner that sends all further questions.
    pub fn set_questioner(&self, questioner: Arc<dyn Questioner>) {
        let mut state = self.state();
        if !state.left {
            state.questioner = Some(questioner);
        }
    }

    /// Sends a question, unless one is open.
    pub fn ask(&self) {
        let questioner = {
            let mut state = self.state();
            let Some(questioner) = state.questioner.clone().filter(|_| state.asked.is_none())
            else {
                return;
            };
            state.asked = Some(Instant::now());
            questioner
        };
        if !questioner.ask() {
            self.state().asked = None;
        }
    }

    /// Answers the open question. Runs on the JavaScript thread.
    pub fn answer(&self, answer: Answer) {
        let now = Instant::now();
        let mut state = self.state();
        if state.left {
            return;
        }
        let Some(asked) = state.asked.take() else { return };
        let delay = now.saturating_duration_since(asked);
        state.answered = Some((asked, delay));
        state.longest = state.longest.max(Some(delay));
        state.answer = Some((answer, now));
    }

    /// Records that the thread has left the page, and drops the questioner.
    pub fn leave(&self) {
        let questioner = {
            let mut state = self.state();
            state.left = true;
            state.questioner.take()
        };
        // Outside the lock: releasing a threadsafe function runs code of the runtime.
        drop(questioner);
    }

    /// Returns the time at which the open question was asked.
    #[must_use]
    pub fn open_question(&self) -> Option<Instant> {
        let state = self.state();
        state.asked.filter(|_| !state.left)
    }

    /// Returns the state of the question that was asked at this time.
    #[must_use]
    pub fn question(&self, asked: Instant) -> Question {
        let state = self.state();
        match state.answered {
            Some((of, delay)) if of == asked => Question::Answered(delay),
            _ if state.left => Question::Left,
            _ => Question::Open,
        }
    }

    /// Returns the longest delay since the last call of this function. The delay of an open question so far
    /// counts too.
    #[must_use]
    pub fn take_longest_delay(&self) -> Option<Duration> {
        let mut state = self.state();
        let open = state.asked.map(|asked| asked.elapsed());
        state.longest.take().max(open)
    }

    /// Returns the last answer and its age.
    #[must_use]
    pub fn last_answer(&self) -> Option<(Answer, Duration)> {
        self.state().answer.map(|(answer, at)| (answer, at.elapsed()))
    }

    /// Records that a stall has begun.
    pub fn begin_stall(&self, asked: Instant) {
        let mut state = self.state();
        state.stall = Some(asked);
        state.totals.count += 1;
    }

    /// Records that the stall has ended, after this time.
    pub fn end_stall(&self, length: Duration) {
        let mut state = self.state();
        state.stall = None;
        state.totals.seconds += length.as_secs_f64();
    }

    /// Returns the number and the length of the stalls.
    #[must_use]
    pub fn totals(&self) -> StallTotals {
        let state = self.state();
        let ongoing = state.stall.map_or(Duration::ZERO, |begin| begin.elapsed());
        StallTotals { seconds: state.totals.seconds + ongoing.as_secs_f64(), ..state.totals }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Counts the questions. The thread ends after `until_end` questions.
    struct Counted {
        asked: AtomicU32,
        until_end: u32,
    }

    impl Questioner for Counted {
        fn ask(&self) -> bool {
            self.asked.fetch_add(1, Ordering::Relaxed) < self.until_end
        }
    }

    fn watch(until_end: u32) -> (LoopWatch, Arc<Counted>) {
        let counted = Arc::new(Counted { asked: AtomicU32::new(0), until_end });
        let watch = LoopWatch::default();
        watch.set_questioner(Arc::clone(&counted) as Arc<dyn Questioner>);
        (watch, counted)
    }

    #[test]
    fn at_most_one_question_is_open() {
        let (watch, counted) = watch(9);
        assert_eq!(watch.open_question(), None);
        watch.ask();
        let asked = watch.open_question().expect("a question");
        watch.ask();
        assert_eq!(watch.open_question(), Some(asked));
        assert_eq!(counted.asked.load(Ordering::Relaxed), 1);
        assert_eq!(watch.question(asked), Question::Open);
        watch.answer(Answer { heap_used: Some(7.0), process: None });
        let Question::Answered(delay) = watch.question(asked) else { panic!("no answer") };
        assert_eq!(watch.open_question(), None);
        assert_eq!(watch.take_longest_delay(), Some(delay));
        assert_eq!(watch.take_longest_delay(), None);
        assert_eq!(watch.last_answer().expect("an answer").0.heap_used, Some(7.0));
        watch.ask();
        assert_eq!(counted.asked.load(Ordering::Relaxed), 2);
        assert!(watch.take_longest_delay().is_some(), "the delay of the open question so far");
    }

    #[test]
    fn an_answer_without_a_question_is_dropped() {
        let (watch, _) = watch(9);
        watch.answer(Answer { heap_used: Some(7.0), process: None });
        assert_eq!((watch.last_answer(), watch.take_longest_delay()), (None, None));
    }

    #[test]
    fn a_thread_that_has_ended_or_left_has_no_open_question() {
        let (ended, _) = watch(0);
        ended.ask();
        assert_eq!(ended.open_question(), None);

        let (watch, counted) = watch(9);
        watch.ask();
        let asked = watch.open_question().expect("a question");
        watch.leave();
        assert_eq!((watch.open_question(), watch.question(asked)), (None, Question::Left));
        assert_eq!(Arc::strong_count(&counted), 1, "the questioner is dropped");
        watch.set_questioner(Arc::clone(&counted) as Arc<dyn Questioner>);
        watch.ask();
        assert_eq!(counted.asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn the_length_of_a_stall_counts_while_it_goes_on() {
        let (watch, _) = watch(9);
        watch.ask();
        let asked = watch.open_question().expect("a question");
        watch.begin_stall(asked);
        let first = watch.totals();
        let later = watch.totals();
        assert_eq!((first.count, later.count), (1, 1));
        assert!(later.seconds > first.seconds && first.seconds > 0.0);
        watch.end_stall(Duration::from_secs(2));
        assert_eq!(watch.totals(), StallTotals { count: 1, seconds: 2.0 });
    }
}
