//! The admission of call sites to a full recording. It accepts those that are called more often than the
//! call sites that were removed. Otherwise the same call sites would be removed and accepted alternately.
//! Pure.

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};

use crate::counter::SiteRef;

/// The maximum number of call sites whose calls are counted in one step to decide on their admission.
const MAX_CANDIDATES: usize = 8192;

/// The maximum memory of the candidates and the accepted call sites, in bytes.
pub const ADMISSION_BYTES: usize = MAX_CANDIDATES * 64;

/// Decides which call sites are accepted: all of them, unless [`Admission::restrict`] was called.
#[derive(Debug, Default)]
pub struct Admission {
    /// The number of calls in a step that a call site must exceed; `None` if every call site is accepted.
    least: Option<f64>,
    /// The call sites that are not accepted, with their calls in the step that has not ended.
    candidates: HashMap<SiteRef, u64, DefaultHashBuilder>,
    /// The call sites that are accepted in this step, because they had enough calls in the step before.
    accepted: HashSet<SiteRef, DefaultHashBuilder>,
}

impl Admission {
    /// Returns whether a call site that is not recorded is accepted now. If not, counts its calls.
    #[inline]
    pub fn admits(&mut self, site: SiteRef, calls: u64) -> bool {
        self.is_open() || self.check_candidate(site, calls)
    }

    fn check_candidate(&mut self, site: SiteRef, calls: u64) -> bool {
        if self.accepted.contains(&site) {
            return true;
        }
        if let Some(sum) = self.candidates.get_mut(&site) {
            *sum += calls;
        } else if self.candidates.len() < MAX_CANDIDATES {
            self.candidates.insert(site, calls);
        }
        false
    }

    /// Returns whether every call site is accepted.
    pub fn is_open(&self) -> bool {
        self.least.is_none()
    }

    /// Accepts only call sites with more calls in a step than this rate, the highest of those removed.
    pub fn restrict(&mut self, rate: f64) {
        self.least = Some(rate);
    }

    /// Accepts every call site again.
    pub fn lift(&mut self) {
        self.least = None;
    }

    /// Ends a step: the candidates that had enough calls are accepted in the next step.
    #[expect(clippy::cast_precision_loss, reason = "rates need no precision")]
    pub fn end_step(&mut self) {
        self.accepted.clear();
        let least = self.least.unwrap_or_default();
        let candidates = self.candidates.drain();
        let enough = candidates.filter(|(_, calls)| *calls as f64 > least).map(|(site, _)| site);
        self.accepted.extend(enough);
    }
}
