//! Which call sites a full recording accepts: those that are called more often than the ones that were removed.
//! Without this, the same call sites would be removed and accepted in turn. Pure.

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};

use crate::counter::SiteRef;

/// The call sites that are counted in one step while the memory is full.
const MAX_CANDIDATES: usize = 8192;

/// The memory of all candidates and of those that are accepted.
pub const ADMISSION_BYTES: usize = MAX_CANDIDATES * 64;

/// Accepts every call site until the memory was full.
#[derive(Debug, Default)]
pub struct Admission {
    /// The calls in a step that a call site must exceed; `None`: every call site is accepted.
    least: Option<f64>,
    /// The calls of call sites that were not accepted, in the step that has not ended.
    candidates: HashMap<SiteRef, u64, DefaultHashBuilder>,
    /// Call sites to accept in this step, as they had enough calls in the last one.
    accepted: HashSet<SiteRef, DefaultHashBuilder>,
}

impl Admission {
    /// Returns whether a call site that is not recorded is accepted now.
    #[inline]
    pub fn admits(&mut self, site: SiteRef, calls: u64) -> bool {
        self.is_open() || self.is_accepted(site, calls)
    }

    fn is_accepted(&mut self, site: SiteRef, calls: u64) -> bool {
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

    /// Restricts the admission, as call sites of up to this rate were removed.
    pub fn restrict(&mut self, rate: f64) {
        self.least = Some(rate);
    }

    /// Accepts every call site again.
    pub fn lift(&mut self) {
        self.least = None;
    }

    /// Ends a step.
    #[expect(clippy::cast_precision_loss, reason = "rates need no precision")]
    pub fn end_step(&mut self) {
        self.accepted.clear();
        let least = self.least.unwrap_or_default();
        let candidates = self.candidates.drain();
        let enough = candidates.filter(|(_, calls)| *calls as f64 > least).map(|(site, _)| site);
        self.accepted.extend(enough);
    }
}
