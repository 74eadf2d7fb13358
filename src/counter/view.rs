//! Decides which value of a series a page shows. Pure.
//!
//! Prometheus computes increases from differences, so the first value of a series adds nothing.
//! A page for a scraper therefore shows a new series at 0 once, and at its value from then on.

use super::start::Start;

/// The rules of one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Series that started after this time are not on the page. So a completed page contained all series that
    /// started until then, and no others.
    pub horizon: Start,
    /// Series that started after this time are new to the scraper, which sees them at 0.
    pub threshold: Start,
    /// The time of the last reset before the page. It is the start of all series that were interned before it.
    pub last_reset: Start,
}

impl View {
    /// The view of readers that are not scrapers: each series is shown at its value.
    pub const EXACT: Self =
        Self { horizon: Start::END, threshold: Start::END, last_reset: Start::NEVER };

    /// Returns the value that the page shows for a series; `None` if the series is not on the page, because it
    /// started after the horizon, was not counted yet, or was reset and not counted since.
    #[must_use]
    pub fn value(&self, start: Start, value: f64) -> Option<f64> {
        if start > self.horizon {
            None
        } else if start.max(self.last_reset) > self.threshold {
            Some(0.0)
        } else {
            (value != 0.0).then_some(value)
        }
    }

    /// Returns whether all series that started at `newest` or before are shown at their values.
    #[must_use]
    pub fn is_exact(&self, newest: Start) -> bool {
        newest <= self.horizon && newest.max(self.last_reset) <= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanoseconds: u64) -> Start {
        Start::from_nanoseconds(nanoseconds)
    }

    #[test]
    fn a_new_series_is_at_0_and_an_old_one_at_its_value() {
        let (never, end) = (Start::NEVER, Start::END);
        let table = [
            // horizon, threshold, last reset, start, value, shown
            (end, end, never, at(5), 3.0, Some(3.0)),
            (end, end, never, at(5), 0.0, None),
            (end, end, at(7), at(5), 3.0, Some(3.0)),
            (at(9), at(5), never, at(5), 3.0, Some(3.0)),
            (at(9), at(5), never, at(6), 3.0, Some(0.0)),
            (at(9), at(5), never, at(6), 0.0, Some(0.0)),
            (at(9), at(5), never, at(9), 3.0, Some(0.0)),
            (at(9), at(5), never, at(10), 3.0, None),
            (at(9), at(5), at(6), at(4), 3.0, Some(0.0)),
            (at(9), at(6), at(6), at(4), 3.0, Some(3.0)),
            (at(9), at(6), at(6), at(4), 0.0, None),
        ];
        for (horizon, threshold, last_reset, start, value, shown) in table {
            let view = View { horizon, threshold, last_reset };
            assert_eq!(view.value(start, value), shown, "{view:?} {start:?} {value}");
        }
    }

    #[test]
    fn a_range_is_exact_without_new_or_late_series() {
        let view = View { horizon: at(9), threshold: at(5), last_reset: Start::NEVER };
        assert!(view.is_exact(at(5)));
        assert!(!view.is_exact(at(6)), "new");
        assert!(!view.is_exact(at(10)), "after the horizon");
        assert!(!View { last_reset: at(6), ..view }.is_exact(at(3)), "reset since");
        assert!(View::EXACT.is_exact(at(u64::MAX - 1)));
    }
}
