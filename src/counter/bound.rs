//! The bound on the number of series. Near the bound, the series of a new label set has fewer labels. Pure.

/// The labels that the series of a label set has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Every label.
    Full,
    /// The call site's labels only: id, class names, function and file. Object ids and properties,
    /// which make a label set unique, are dropped.
    Site,
    /// No label: the overflow series counts the calls.
    Overflow,
}

/// Decides the detail of a label set that has no series yet. `series` of at most `limit` are in use;
/// `overflowing`: `true` if the overflow series is one of them.
///
/// The last tenth of the limit is reserved for shortened label sets, and the last series for the overflow
/// series, so that the total is right at any number of label sets.
#[must_use]
pub fn detail_for(series: u32, limit: u32, overflowing: bool) -> Detail {
    let reserve = (limit / 10).max(1);
    let kept_free = u32::from(!overflowing);
    if series < limit.saturating_sub(reserve) {
        Detail::Full
    } else if series < limit.saturating_sub(kept_free) {
        Detail::Site
    } else {
        Detail::Overflow
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Detail::{Full, Overflow, Site};

    #[test]
    fn a_label_set_loses_detail_near_the_bound() {
        let table = [
            // series, limit, overflowing, expected
            (0, 1, false, Overflow),
            (1, 1, true, Overflow),
            (0, 2, false, Full),
            (1, 2, false, Overflow),
            (2, 2, true, Overflow),
            (0, 10, false, Full),
            (8, 10, false, Full),
            (9, 10, false, Overflow),
            (899, 1000, false, Full),
            (900, 1000, false, Site),
            (998, 1000, false, Site),
            (999, 1000, false, Overflow),
            (999, 1000, true, Site),
            (1000, 1000, true, Overflow),
            (u32::MAX, u32::MAX, true, Overflow),
        ];
        for (series, limit, overflowing, expected) in table {
            let detail = detail_for(series, limit, overflowing);
            assert_eq!(detail, expected, "{series} of {limit}, overflowing: {overflowing}");
        }
    }

    #[test]
    fn the_overflow_series_is_always_possible() {
        for limit in 1..200 {
            let (mut series, mut overflowing) = (0, false);
            for _ in 0..300 {
                match detail_for(series, limit, overflowing) {
                    Detail::Overflow if overflowing => {}
                    Detail::Overflow => {
                        overflowing = true;
                        series += 1;
                    }
                    Detail::Full | Detail::Site => series += 1,
                }
                assert!(series <= limit, "{series} series at a limit of {limit}");
            }
            assert!(overflowing && series == limit);
        }
    }
}
