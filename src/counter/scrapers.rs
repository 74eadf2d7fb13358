//! The scrapers that announce themselves, and the pages that each has completed. Pure: the time is
//! an argument.
//!
//! # Invariants
//!
//! - No page shows a scraper 0 for a series that it may have seen at more: Prometheus would treat that
//!   as a restart and count everything twice. In doubt the page shows the value, which loses the first
//!   increment.
//! - Two scrapers that cannot be distinguished count as one, whose last page is that of the later one.
//! - The table is bounded. The scraper whose last page is the oldest is evicted; a scraper that is
//!   not in the table is shown 0 only for series that no scraper has seen.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    time::{Duration, Instant},
};

use super::{cells::ShardId, start::Start, view::View};

/// Scrapers in the table.
const CAPACITY: usize = 64;

/// The time without a completed page after which series expire without this scraper: longer than any
/// scrape interval that Prometheus supports well.
const GONE: Duration = Duration::from_secs(600);

/// Identifies a scraper: a hash of its address and its `User-Agent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScraperId(pub u64);

impl ScraperId {
    /// Identifies one of a thread's readers, which read without a server.
    #[must_use]
    pub fn of_reader(shard: ShardId, number: u32) -> Self {
        Self(BuildHasherDefault::<DefaultHasher>::default().hash_one((shard, number)))
    }
}

/// One page, as it counts when it is completed.
#[derive(Clone, Copy, Debug)]
pub struct PageRecord {
    /// The scraper, if the page is for one that announces itself.
    pub scraper: Option<ScraperId>,
    /// Which series the page contains, and at which values.
    pub view: View,
    /// The number of pages that were started before this one, and this one.
    pub number: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: ScraperId,
    /// The scraper may have seen any series that started at this time or before, and no other.
    seen: Start,
    /// The last page that it completed, and when.
    completed: Option<(Exact, Instant)>,
    /// When it started or completed a page for the last time.
    active: Instant,
}

/// A completed page: its number, and the last start of a series that it showed at its value.
#[derive(Clone, Copy, Debug)]
struct Exact {
    number: u64,
    up_to: Start,
}

impl Exact {
    /// Returns whether the page showed the last value of a series, which has not changed since the page
    /// with the number `changed` was started.
    fn covers(&self, start: Start, changed: u64) -> bool {
        self.number > changed && start <= self.up_to
    }
}

/// The pages that were completed.
#[derive(Debug, Default)]
pub struct Scrapers {
    entries: Vec<Entry>,
    /// Some scraper may have seen any series that started at this time or before.
    seen_by_any: Start,
    /// The last completed page of anybody who did not announce itself.
    others: Option<Exact>,
}

impl Scrapers {
    /// Starts a page: returns the start after which series are new to the scraper.
    ///
    /// An unknown scraper may have been evicted, so what any scraper has seen is not new to it. From
    /// its first page on, what it completes decides.
    pub fn start_page(&mut self, id: ScraperId, now: Instant) -> Start {
        let entry = self.entry(id, now);
        entry.active = now;
        entry.seen
    }

    /// Records that a page was completed.
    pub fn complete(&mut self, page: &PageRecord, now: Instant) {
        let exact = Exact { number: page.number, up_to: page.view.threshold };
        let Some(id) = page.scraper else {
            if self.others.is_none_or(|last| last.number < exact.number) {
                self.others = Some(exact);
            }
            return;
        };
        self.seen_by_any = self.seen_by_any.max(page.view.horizon);
        let entry = self.entry(id, now);
        entry.seen = entry.seen.max(page.view.horizon);
        entry.active = now;
        let last = entry.completed.map(|(last, _)| last).filter(|last| last.number > exact.number);
        entry.completed = Some((last.unwrap_or(exact), now));
    }

    fn entry(&mut self, id: ScraperId, now: Instant) -> &mut Entry {
        let position = self.entries.iter().position(|entry| entry.id == id).unwrap_or_else(|| {
            if self.entries.len() == CAPACITY
                && let Some(oldest) = (0..CAPACITY).min_by_key(|&index| self.entries[index].active)
            {
                self.entries.swap_remove(oldest);
            }
            self.entries.push(Entry { id, seen: self.seen_by_any, completed: None, active: now });
            self.entries.len() - 1
        });
        &mut self.entries[position]
    }

    /// Returns whether the last value of a series has been shown: to each scraper that still scrapes,
    /// and to anybody at all. The series has not changed since the page with the number `changed` was
    /// started.
    #[must_use]
    pub fn have_seen(&self, start: Start, changed: u64, now: Instant) -> bool {
        let mut scrapers = self.entries.iter().filter_map(|entry| entry.completed);
        let by_any = self.others.is_some_and(|page| page.covers(start, changed))
            || scrapers.clone().any(|(page, _)| page.covers(start, changed));
        by_any
            && scrapers.all(|(page, completed)| {
                page.covers(start, changed) || now.saturating_duration_since(completed) >= GONE
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ScraperId = ScraperId(1);
    const B: ScraperId = ScraperId(2);

    fn at(nanoseconds: u64) -> Start {
        Start::from_nanoseconds(nanoseconds)
    }

    struct Fixture {
        scrapers: Scrapers,
        begin: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            Self { scrapers: Scrapers::default(), begin: Instant::now() }
        }

        fn time(&self, seconds: u64) -> Instant {
            self.begin + Duration::from_secs(seconds)
        }

        /// Starts a page with this number, when the last series that started has this start.
        fn page(&mut self, scraper: Option<ScraperId>, horizon: u64, number: u64) -> PageRecord {
            let threshold = scraper.map_or(Start::END, |id| self.threshold(id, number));
            let view = View { horizon: at(horizon), threshold, last_reset: Start::NEVER };
            PageRecord { scraper, view, number }
        }

        fn threshold(&mut self, id: ScraperId, second: u64) -> Start {
            let now = self.time(second);
            self.scrapers.start_page(id, now)
        }

        fn complete(&mut self, page: PageRecord, seconds: u64) {
            let now = self.time(seconds);
            self.scrapers.complete(&page, now);
        }

        /// Starts and completes a page, at the second of its number.
        fn scrape(&mut self, scraper: Option<ScraperId>, horizon: u64, number: u64) {
            let page = self.page(scraper, horizon, number);
            self.complete(page, number);
        }

        fn have_seen(&self, start: u64, changed: u64, now: u64) -> bool {
            self.scrapers.have_seen(at(start), changed, self.time(now))
        }
    }

    #[test]
    fn a_series_is_new_to_a_scraper_until_it_completes_a_page_with_it() {
        let mut f = Fixture::new();
        assert_eq!(f.threshold(A, 0), Start::NEVER, "nobody has seen anything");
        let _cut_short = f.page(Some(A), 5, 0);
        assert_eq!(f.threshold(A, 0), Start::NEVER);
        f.scrape(Some(A), 7, 1);
        assert_eq!(f.threshold(A, 2), at(7));
    }

    #[test]
    fn what_a_scraper_has_seen_is_not_new_to_an_unknown_one() {
        let mut f = Fixture::new();
        f.scrape(Some(A), 7, 1);
        assert_eq!(f.threshold(B, 2), at(7));
        f.scrape(Some(A), 9, 3);
        assert_eq!(f.threshold(B, 4), at(7), "from then on its own pages decide");
    }

    #[test]
    fn pages_of_others_change_no_threshold() {
        let mut f = Fixture::new();
        f.scrape(None, 7, 1);
        assert_eq!(f.threshold(A, 2), Start::NEVER);
    }

    #[test]
    fn pages_that_overlap_count_as_the_later_one() {
        let mut f = Fixture::new();
        let (first, second) = (f.page(Some(A), 5, 1), f.page(Some(A), 8, 2));
        f.complete(second, 3);
        f.complete(first, 4);
        assert_eq!(f.threshold(A, 5), at(8));
        assert!(f.have_seen(0, 1, 5) && !f.have_seen(0, 2, 5));
    }

    #[test]
    fn the_table_is_bounded_and_what_any_scraper_has_seen_is_not_new_to_an_evicted_one() {
        let mut f = Fixture::new();
        for id in 0..=64 {
            f.scrape(Some(ScraperId(id)), 10 + id, id);
        }
        assert_eq!(f.scrapers.entries.len(), CAPACITY);
        assert_eq!(f.threshold(ScraperId(1), 65), at(11));
        assert_eq!(f.threshold(ScraperId(0), 66), at(74), "evicted");
        assert_eq!(f.scrapers.entries.len(), CAPACITY);
    }

    #[test]
    fn a_value_has_been_seen_when_each_scraper_that_still_scrapes_has_seen_it() {
        let mut f = Fixture::new();
        assert!(!f.have_seen(5, 0, 0), "nobody has looked");
        f.scrape(Some(A), 5, 1);
        assert!(!f.have_seen(5, 0, 1), "it was shown at 0");
        f.scrape(Some(A), 5, 2);
        assert!(f.have_seen(5, 1, 2));
        assert!(!f.have_seen(5, 2, 2), "it changed since");
        f.scrape(Some(B), 5, 3);
        f.scrape(Some(A), 5, 5);
        assert!(!f.have_seen(5, 4, 5), "the other scraper has not seen the change");
        assert!(f.have_seen(5, 4, 603), "the other scraper scrapes no more");
    }

    #[test]
    fn without_a_scraper_any_page_shows_a_value() {
        let mut f = Fixture::new();
        f.scrape(None, 5, 2);
        assert!(f.have_seen(5, 1, 2));
        assert!(!f.have_seen(5, 2, 2));
    }
}
