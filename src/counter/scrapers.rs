//! The scrapers that announce themselves by a header, and the last page that each has completed. Pure: the
//! time is an argument.
//!
//! # Invariants
//!
//! - No page shows a series at 0 to a scraper that may have seen it at a higher value: Prometheus would
//!   treat the 0 as a restart and count all calls of the series twice. In doubt the page shows the value;
//!   then Prometheus misses the first increase.
//! - Two scrapers with the same id count as one scraper, whose last page is the later of their pages.
//! - The table is bounded. The scraper whose last page is the oldest is evicted; a scraper that is
//!   not in the table is shown 0 only for series that no scraper has seen.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    time::{Duration, Instant},
};

use super::{cells::ShardId, start::Start, view::View};

/// The maximum number of scrapers in the table.
const CAPACITY: usize = 64;

/// If a scraper completes no page for this time, series expire although it has not seen their last values.
/// The time is longer than any scrape interval that Prometheus supports well.
const SCRAPER_TIMEOUT: Duration = Duration::from_secs(600);

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

/// The properties of a page that are recorded when it is completed.
#[derive(Clone, Copy, Debug)]
pub struct PageRecord {
    /// The scraper that the page is for; `None` if the reader does not announce itself.
    pub scraper: Option<ScraperId>,
    /// The rules by which the page contains a series and shows its value.
    pub view: View,
    /// The number of the page, in the order in which pages are started: 1 for the first.
    pub number: u64,
}

/// A scraper in the table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: ScraperId,
    /// The scraper may have seen each series that started at this time or before, and no other.
    seen: Start,
    /// The last page that it completed, and the time at which it completed a page for the last time.
    completed: Option<(CompletedPage, Instant)>,
    /// The time at which it started or completed a page for the last time.
    active: Instant,
}

/// A page that was completed.
#[derive(Clone, Copy, Debug)]
struct CompletedPage {
    number: u64,
    /// The page showed a series at its value if the series started at this time or before.
    exact_until: Start,
}

impl CompletedPage {
    /// Returns whether the page showed the last value of a series. The series started at `start`. Every page
    /// with a number above `changed` was started after the series had got its last value.
    fn showed(&self, start: Start, changed: u64) -> bool {
        self.number > changed && start <= self.exact_until
    }
}

/// The table of scrapers, and the last completed page of all other readers.
#[derive(Debug, Default)]
pub struct Scrapers {
    entries: Vec<Entry>,
    /// Each series that started at this time or before may have been seen by a scraper, and no other.
    seen_by_any: Start,
    /// The last completed page of a reader that does not announce itself.
    others: Option<CompletedPage>,
}

impl Scrapers {
    /// Records that a scraper starts a page. Returns a threshold: series that started after it are new to
    /// the scraper.
    ///
    /// A scraper that is not in the table may have been evicted, so a series that any scraper has seen is
    /// not new to it. It is added to the table; from then on only the pages that it completes count.
    pub fn start_page(&mut self, id: ScraperId, now: Instant) -> Start {
        let entry = self.entry(id, now);
        entry.active = now;
        entry.seen
    }

    /// Records that a page was completed.
    pub fn complete(&mut self, page: &PageRecord, now: Instant) {
        let completed = CompletedPage { number: page.number, exact_until: page.view.threshold };
        let Some(id) = page.scraper else {
            if self.others.is_none_or(|last| last.number < completed.number) {
                self.others = Some(completed);
            }
            return;
        };
        self.seen_by_any = self.seen_by_any.max(page.view.horizon);
        let entry = self.entry(id, now);
        entry.seen = entry.seen.max(page.view.horizon);
        entry.active = now;
        let later =
            entry.completed.map(|(last, _)| last).filter(|last| last.number > completed.number);
        entry.completed = Some((later.unwrap_or(completed), now));
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

    /// Returns whether each scraper that still scrapes, and at least one reader, has seen the last value of
    /// a series. `start` and `changed` are those of [`CompletedPage::showed`].
    #[must_use]
    pub fn have_seen(&self, start: Start, changed: u64, now: Instant) -> bool {
        let mut scrapers = self.entries.iter().filter_map(|entry| entry.completed);
        let by_any = self.others.is_some_and(|page| page.showed(start, changed))
            || scrapers.clone().any(|(page, _)| page.showed(start, changed));
        by_any
            && scrapers.all(|(page, completed)| {
                page.showed(start, changed)
                    || now.saturating_duration_since(completed) >= SCRAPER_TIMEOUT
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

        /// Starts a page with this number, at a time when the newest series has the start `horizon`.
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

        /// Starts and completes a page. Its number is also the time in seconds.
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
        assert_eq!(f.threshold(A, 0), Start::NEVER, "no scraper has seen a series");
        let _cut_short = f.page(Some(A), 5, 0);
        assert_eq!(f.threshold(A, 0), Start::NEVER);
        f.scrape(Some(A), 7, 1);
        assert_eq!(f.threshold(A, 2), at(7));
    }

    #[test]
    fn a_series_that_a_scraper_has_seen_is_not_new_to_one_that_is_not_in_the_table() {
        let mut f = Fixture::new();
        f.scrape(Some(A), 7, 1);
        assert_eq!(f.threshold(B, 2), at(7));
        f.scrape(Some(A), 9, 3);
        assert_eq!(f.threshold(B, 4), at(7), "after its first page, only its own pages count");
    }

    #[test]
    fn pages_of_other_readers_change_no_threshold() {
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
    fn the_table_is_bounded_and_a_series_that_a_scraper_has_seen_is_not_new_to_an_evicted_one() {
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
        assert!(!f.have_seen(5, 0, 0), "no page was completed");
        f.scrape(Some(A), 5, 1);
        assert!(!f.have_seen(5, 0, 1), "it was shown at 0");
        f.scrape(Some(A), 5, 2);
        assert!(f.have_seen(5, 1, 2));
        assert!(!f.have_seen(5, 2, 2), "it changed since");
        f.scrape(Some(B), 5, 3);
        f.scrape(Some(A), 5, 5);
        assert!(!f.have_seen(5, 4, 5), "the other scraper has not seen the change");
        assert!(f.have_seen(5, 4, 603), "the other scraper has completed no page for ten minutes");
    }

    #[test]
    fn without_a_scraper_a_value_has_been_seen_when_any_reader_has_completed_a_page_with_it() {
        let mut f = Fixture::new();
        f.scrape(None, 5, 2);
        assert!(f.have_seen(5, 1, 2));
        assert!(!f.have_seen(5, 2, 2));
    }
}
