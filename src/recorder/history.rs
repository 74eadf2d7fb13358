//! The recording: the last steps of a process, in a bounded memory. Pure: the caller supplies the times.

use std::{collections::VecDeque, ops::Range};

use super::{
    MAX_BYTES,
    admission::{ADMISSION_BYTES, Admission},
    point::{Figures, Point, merge},
    sites::{Site, Sites, share},
    stalls::Stalls,
};
use crate::counter::{CalledSite, SiteRef};

/// The maximum number of steps that a late reading covers. If more time has passed, the process was
/// stopped, and the steps of this time count as not measured.
const MAX_COVERED: u32 = 10;

/// The step doubles when this number of consecutive readings have all taken too long. A single reading may
/// only have been interrupted.
const SLOW_READINGS: usize = 8;

/// The fraction of a step that a reading may take: 0.5 %.
const READING_SHARE: f64 = 0.005;

/// The longest step, in seconds.
const MAX_STEP: u32 = 64;

/// The end of a reading, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct ReadingEnd {
    /// The time since the epoch.
    pub now: f64,
    /// The time since the end of the last reading, or since the start, by a monotonic clock.
    pub elapsed: f64,
    /// The time that the reading took.
    pub duration: f64,
}

/// The last steps of a process.
#[derive(Debug)]
pub struct History {
    /// The length of the recording, in seconds.
    seconds: u32,
    /// The length of a step, in seconds.
    step: u32,
    /// The number of the next step.
    next: u32,
    /// The end of the last step, in seconds since the epoch; before the first step, the recording's start.
    end: f64,
    /// The last steps; `None` for a step that was not measured.
    points: VecDeque<Option<Point>>,
    sites: Sites,
    admission: Admission,
    /// The calls in the step that has not ended, including those without a call site.
    pending: u64,
    /// The durations of the last readings.
    durations: VecDeque<f64>,
    /// The memory that the recorder uses outside this history, in bytes.
    reserved: usize,
    /// The memory that the call sites may use, in bytes.
    limit: usize,
    /// The number of running queries. While there are any, no step is dropped, and call sites are removed
    /// only if the memory is full.
    pins: u32,
    /// The step in which call sites were last removed because the memory was full.
    last_removal: Option<u32>,
    /// The stalls.
    pub stalls: Stalls,
}

impl History {
    /// Starts a recording of this many seconds, at this time since the epoch.
    #[must_use]
    pub fn new(seconds: u32, now: f64) -> Self {
        Self {
            seconds,
            step: 1,
            next: 0,
            end: now,
            points: VecDeque::new(),
            sites: Sites::default(),
            admission: Admission::default(),
            pending: 0,
            durations: VecDeque::new(),
            reserved: 0,
            limit: MAX_BYTES - ADMISSION_BYTES,
            pins: 0,
            last_removal: None,
            stalls: Stalls::default(),
        }
    }

    /// Returns the length of a step, in seconds.
    #[must_use]
    pub fn step_seconds(&self) -> u32 {
        self.step
    }

    /// Adds calls of a call site to the step that has not ended.
    #[inline]
    pub fn add(&mut self, mut called: CalledSite<'_>) {
        self.pending += called.calls;
        let number = self.sites.find(called.site).or_else(|| {
            let has_memory = self.sites.bytes() <= self.limit;
            (has_memory && self.admission.admits(called.site, called.calls)).then(|| {
                called.hold();
                self.sites.insert(called.site, called.labels())
            })
        });
        if let Some(number) = number {
            self.sites.add(number, called.calls);
        }
    }

    /// Adds calls without a call site to the step that has not ended.
    pub fn add_without_site(&mut self, calls: u64) {
        self.pending += calls;
    }

    /// Ends a step, or several steps if the reading comes late. `figures` are those of the last step, but
    /// their CPU time is that of all these steps. Returns the call sites that the caller must release.
    #[must_use]
    pub fn end_step(&mut self, reading: ReadingEnd, figures: Figures) -> Vec<SiteRef> {
        let step = f64::from(self.step);
        let covered = whole(reading.elapsed / step).max(1);
        let (covered, stopped) =
            if covered > MAX_COVERED { (1, covered - 1) } else { (covered, 0) };
        // The monotonic clock stops while the computer sleeps.
        let asleep = whole((reading.now - self.end) / step).saturating_sub(covered + stopped);
        for _ in 0..stopped.saturating_add(asleep).min(self.capacity()) {
            self.push(None);
        }
        let calls = std::mem::take(&mut self.pending);
        self.sites.end_steps(self.next, covered);
        self.set_limit();
        self.admission.end_step();
        for index in 0..covered {
            let mut point = Point { calls: share(calls, index, covered), ..Point::default() };
            if index + 1 == covered {
                point.figures = figures;
            }
            point.figures.cpu = figures.cpu.map(|cpu| cpu / f64::from(covered));
            self.push(Some(point));
        }
        self.end = reading.now;
        self.durations.push_back(reading.duration);
        if self.durations.len() > SLOW_READINGS {
            self.durations.pop_front();
        }
        if self.pins > 0 {
            // Clients that send queries without a pause must not make the memory grow.
            let is_full = self.sites.bytes() > self.limit + self.limit / 16;
            return if is_full { self.free_memory() } else { Vec::new() };
        }
        self.sites.reuse_numbers();
        if self.is_slow() && self.next.is_multiple_of(2) && self.step < MAX_STEP {
            self.double_steps();
        }
        self.free_memory()
    }

    /// Sets the memory that the recorder uses outside this history, in bytes.
    pub fn reserve(&mut self, bytes: usize) {
        self.reserved = bytes;
        self.set_limit();
    }

    /// Returns the memory of the call sites and stalls, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sites.bytes() + self.stalls.bytes()
    }

    /// Returns the number of call sites.
    #[must_use]
    pub fn sites(&self) -> usize {
        self.sites.len()
    }

    /// Starts a query of the last `seconds`. No step is dropped until [`History::unpin`].
    pub fn pin(&mut self, seconds: u32) -> Window {
        self.pins += 1;
        self.window(seconds)
    }

    /// Ends a query.
    pub fn unpin(&mut self) {
        self.pins -= 1;
    }

    /// Returns the steps of the last `seconds`.
    #[must_use]
    pub fn window(&self, seconds: u32) -> Window {
        let count = seconds.div_ceil(self.step);
        let steps = self.next.saturating_sub(count)..self.next;
        Window { count, steps, step: self.step, end: self.end }
    }

    /// Returns a step of a window; `None` if it was not measured.
    #[must_use]
    pub fn point(&self, step: u32) -> Option<&Point> {
        let oldest = self.next - u32::try_from(self.points.len()).unwrap_or(self.next);
        self.points.get(step.checked_sub(oldest)? as usize)?.as_ref()
    }

    /// Returns the seconds that were measured in a window, and all calls in them.
    #[must_use]
    pub fn measured(&self, window: &Window) -> (u32, u64) {
        let points = window.steps.clone().filter_map(|step| self.point(step));
        points.fold((0, 0), |(seconds, calls), point| (seconds + window.step, calls + point.calls))
    }

    /// Returns whether all call sites that were called in a window are recorded. Some may be missing if the
    /// memory was full.
    #[must_use]
    pub fn is_complete(&self, window: &Window) -> bool {
        self.admission.is_open() && self.last_removal.is_none_or(|step| step < window.steps.start)
    }

    /// Returns a call site.
    #[must_use]
    pub fn site(&self, number: u32) -> Option<&Site> {
        self.sites.get(number)
    }

    /// Returns a number that is greater than those of all call sites.
    #[must_use]
    pub fn site_numbers(&self) -> u32 {
        self.sites.numbers()
    }

    fn capacity(&self) -> u32 {
        self.seconds.div_ceil(self.step)
    }

    /// Returns the oldest step of the recording.
    fn oldest(&self) -> u32 {
        self.next.saturating_sub(self.capacity())
    }

    fn push(&mut self, point: Option<Point>) {
        self.points.push_back(point);
        self.next += 1;
        while self.pins == 0 && self.points.len() > self.capacity() as usize {
            self.points.pop_front();
        }
    }

    /// Returns whether each of the last readings took more than [`READING_SHARE`] of a step.
    fn is_slow(&self) -> bool {
        let most = READING_SHARE * f64::from(self.step);
        self.durations.len() == SLOW_READINGS && self.durations.iter().all(|took| *took > most)
    }

    /// Merges each pair of steps into one step. The number of the next step is even.
    fn double_steps(&mut self) {
        self.step *= 2;
        self.next /= 2;
        self.durations.clear();
        self.last_removal = self.last_removal.map(|step| step / 2);
        if self.points.len() % 2 == 1 {
            self.points.pop_front();
        }
        let points: Vec<_> = self.points.drain(..).collect();
        self.points
            .extend(points.chunks(2).map(|pair| merge(pair[0], pair.get(1).copied().flatten())));
        self.sites.double_steps();
    }

    fn set_limit(&mut self) {
        let points = self.capacity() as usize * size_of::<Option<Point>>();
        let others = self.reserved + points + self.stalls.bytes() + ADMISSION_BYTES;
        self.limit = MAX_BYTES.saturating_sub(others);
    }

    fn free_memory(&mut self) -> Vec<SiteRef> {
        let limit = self.limit;
        let mut removed = self.sites.drop_old(self.next, self.oldest());
        if self.sites.bytes() > limit {
            // Leaves an eighth of the memory free, so that removals are rare.
            let (shrunk, rate) = self.sites.shrink(limit / 8 * 7, self.next);
            self.admission.restrict(rate);
            self.last_removal = Some(self.next);
            removed.extend(shrunk);
        } else if self.sites.bytes() < limit / 4 * 3 {
            self.admission.lift();
        }
        removed
    }
}

/// Rounds to a whole number. A number outside the range of `u32` becomes the nearest one in the range.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates")]
fn whole(number: f64) -> u32 {
    number.round() as u32
}

/// The last steps of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// The number of steps, including those before the first one of the recording.
    pub count: u32,
    /// The numbers of the steps in the recording. Soon after its start, there are fewer than `count`.
    pub steps: Range<u32>,
    /// The length of a step, in seconds.
    pub step: u32,
    /// The end of the last step, in seconds since the epoch.
    pub end: f64,
}

impl Window {
    /// Returns the position of a step among `count` values.
    #[must_use]
    pub fn position(&self, step: u32) -> Option<usize> {
        let steps = &self.steps;
        let missing = self.count - (steps.end - steps.start);
        steps.contains(&step).then(|| (missing + step - steps.start) as usize)
    }

    /// Returns the start of the window, in seconds since the epoch.
    #[must_use]
    pub fn start(&self) -> f64 {
        self.end - f64::from(self.count) * f64::from(self.step)
    }
}
