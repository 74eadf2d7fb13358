//! Start times of series.

use std::time::{SystemTime, UNIX_EPOCH};

/// The start of a series: the time at which it was interned or reset, in nanoseconds since the Unix epoch.
///
/// No two series of one counter are interned with the same start, and a series that is interned later has a
/// greater start, whatever the system's clock does. So starts also order the series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Start(u64);

impl Start {
    /// A time before every start.
    pub const NEVER: Self = Self(0);
    /// A time after every start.
    pub const END: Self = Self(u64::MAX);

    /// Returns milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Returns the whole seconds since the Unix epoch, and the remaining nanoseconds.
    #[must_use]
    pub fn seconds(self) -> (u64, u64) {
        (self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }

    /// Creates a start from nanoseconds since the Unix epoch.
    #[must_use]
    pub fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }
}

/// Issues the starts of one counter.
#[derive(Debug, Default)]
pub struct StartClock {
    last: Start,
}

impl StartClock {
    /// Issues the next start.
    pub fn next(&mut self) -> Start {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX - 1);
        self.last = Start(now.max(self.last.0 + 1));
        self.last
    }

    /// Advances the clock by at least this time, to a whole millisecond.
    #[cfg(test)]
    pub fn pass(&mut self, time: std::time::Duration) {
        let now = self.next().0 + u64::try_from(time.as_nanos()).expect("fewer than 500 years");
        self.last = Start(now.next_multiple_of(1_000_000));
    }

    /// Returns the start that was issued last.
    #[must_use]
    pub fn last(&self) -> Start {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_takes_8_bytes() {
        assert_eq!(size_of::<Start>(), 8);
    }

    #[test]
    fn each_start_is_later_than_the_one_before() {
        let mut clock = StartClock { last: Start(u64::MAX / 2) };
        let starts = [clock.next(), clock.next(), clock.next()];
        assert!(starts.is_sorted() && starts[0] != starts[1], "{starts:?}");
        assert_eq!(clock.last(), starts[2]);
    }
}
