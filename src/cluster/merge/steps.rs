//! The steps of the recordings of several processes. Pure.

use serde_json::Value;

use super::ProcessDocument;

/// The rule by which several steps of one process are combined into one longer step.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Sum,
    Most,
    Last,
}

/// The steps of a merged history. They are as long as the longest steps of any process.
pub(super) struct Steps {
    pub(super) seconds: f64,
    pub(super) end: f64,
    count: usize,
}

impl Steps {
    pub(super) fn new(documents: &[ProcessDocument]) -> Self {
        let step = |each: &ProcessDocument| each.number(&["stepSeconds"]).unwrap_or(1.0).max(1.0);
        let seconds = documents.iter().map(step).fold(1.0, f64::max);
        let longest = documents.iter().find(|each| step(each) == seconds).or(documents.first());
        let calls = longest.and_then(|each| each.get(&["points", "calls"]).as_array());
        let end = documents.first().and_then(|each| each.number(&["endTimeSeconds"]));
        Self { seconds, end: end.unwrap_or_default(), count: calls.map_or(0, Vec::len) }
    }

    /// Joins lists of values, one list for each process. A step of a process belongs to the merged step that
    /// contains its middle.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "numbers of steps"
    )]
    pub(super) fn join<'a>(
        &self,
        lists: impl Iterator<Item = (&'a ProcessDocument, &'a Value)>,
        join: fn(f64, f64) -> f64,
        kind: Kind,
    ) -> Vec<Option<f64>> {
        let mut joined: Vec<Option<f64>> = vec![None; self.count];
        for (each, list) in lists {
            let step = each.number(&["stepSeconds"]).unwrap_or(1.0).max(1.0);
            let end = each.number(&["endTimeSeconds"]).unwrap_or_default();
            let mut own: Vec<Option<f64>> = vec![None; self.count];
            for (back, value) in list.as_array().into_iter().flatten().rev().enumerate() {
                // This history ends less than a step before or after the merged one, because the processes are
                // asked at the same time.
                let middle = end + (self.seconds - step) / 2.0 - (back as f64) * step;
                let steps = ((self.end - middle) / self.seconds).round().max(0.0) as usize;
                let Some(index) = self.count.checked_sub(steps + 1) else { break };
                let (combined, Some(value)) = (&mut own[index], value.as_f64()) else { continue };
                *combined = Some(match (*combined, kind) {
                    (None, _) => value,
                    (Some(before), Kind::Sum) => before + value,
                    (Some(before), Kind::Most) => before.max(value),
                    // The list is read backwards, so the last value comes first.
                    (Some(last), Kind::Last) => last,
                });
            }
            for (joined, own) in joined.iter_mut().zip(own) {
                *joined = match (*joined, own) {
                    (Some(a), Some(b)) => Some(join(a, b)),
                    (a, b) => a.or(b),
                };
            }
        }
        joined
    }
}
