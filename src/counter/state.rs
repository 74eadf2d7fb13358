//! The data that the counter's lock protects.

use std::time::Instant;

use super::{
    bound::{Detail, detail_for},
    calls::CallReadings,
    cells::Shards,
    definitions::Definitions,
    expiry::Expiry,
    scrapers::Scrapers,
    series::{Key, PARTS, Part, SITE, SeriesTable},
    start::{Start, StartClock},
};
use crate::labels::{self, OVERFLOW};

/// The result of [`TraceCounter::intern`](super::TraceCounter::intern).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interned {
    /// The slot to count in.
    pub slot: u32,
    /// `true` if the slot's series has fewer labels than the call, because of the bound.
    pub shortened: bool,
}

/// The series of a counter, the threads that count them, and the pages that show them.
#[derive(Debug, Default)]
pub struct State {
    pub series: SeriesTable,
    pub shards: Shards,
    pub definitions: Definitions,
    pub overflow: Option<u32>,
    pub collapsed: u64,
    pub overflowed: u64,
    pub starts: StartClock,
    /// The time of the last reset. It is the start of all series that were interned before it.
    pub last_reset: Start,
    /// The number of pages that have been started.
    pub pages: u64,
    pub scrapers: Scrapers,
    pub expiry: Option<Expiry>,
    pub expired: u64,
    /// The calls that were counted by series that have expired, and those before a reset.
    pub past_calls: f64,
    /// The number of slot pins. While there is one, no slot is freed.
    pub slot_pins: u32,
    /// The calls that the recorder has read; `None` without a recorder.
    pub call_readings: Option<CallReadings>,
}

impl State {
    /// Returns the slot of a label set. Near the bound of `limit` series, a new label set gets the slot of its
    /// call site or of the overflow series.
    pub fn intern(&mut self, key: Key, limit: u32) -> Interned {
        if let Some(slot) = self.find(key) {
            return Interned { slot, shortened: false };
        }
        match detail_for(self.series.len(), limit, self.overflow.is_some()) {
            Detail::Full => Interned { slot: self.insert(key), shortened: false },
            Detail::Site => Interned { slot: self.intern_site(key.site()), shortened: true },
            Detail::Overflow => Interned { slot: self.overflow(key.site()), shortened: true },
        }
    }

    /// Sets every series to 0, and their starts to the present time.
    pub fn reset(&mut self) {
        for slot in 0..self.series.slots() {
            self.set_back(slot);
        }
        self.last_reset = self.starts.next();
    }

    /// Frees the slots of series.
    pub fn expire(&mut self, slots: &[u32]) {
        for &slot in slots {
            self.set_back(slot);
            self.series.remove(slot);
        }
        self.expired += slots.len() as u64;
    }

    /// Sets a value back to 0. Its calls remain in the number of all calls.
    fn set_back(&mut self, slot: u32) {
        let value = self.shards.zero(slot as usize);
        self.past_calls += value;
        if let Some(readings) = &mut self.call_readings {
            readings.set_back(slot, value, &mut self.series);
        }
    }

    fn find(&mut self, key: Key) -> Option<u32> {
        let slot = self.series.find(key)?;
        if let Some(expiry) = &mut self.expiry {
            expiry.used(slot, Instant::now());
        }
        Some(slot)
    }

    fn insert(&mut self, key: Key) -> u32 {
        let slot = self.series.insert(key, self.starts.next());
        if let Some(expiry) = &mut self.expiry {
            expiry.started(slot, Instant::now());
        }
        slot
    }

    fn intern_site(&mut self, site: Key) -> u32 {
        self.collapsed += 1;
        self.find(site).unwrap_or_else(|| self.insert(site))
    }

    /// Returns the slot of a label set that gets no new series: the slot of the call site's series if there is
    /// one, or else the slot of the overflow series.
    fn overflow(&mut self, site: Key) -> u32 {
        if let Some(slot) = self.find(site) {
            self.collapsed += 1;
            return slot;
        }
        self.overflowed += 1;
        if let Some(slot) = self.overflow {
            return slot;
        }
        let mut label = Vec::new();
        labels::write_label(&mut label, OVERFLOW, "true");
        let mut parts = [Part::Absent; PARTS];
        parts[SITE] = Part::Text(&label);
        let key = self.series.hold(&parts);
        let slot = self.insert(key);
        self.series.release(key);
        self.overflow = Some(slot);
        slot
    }
}
