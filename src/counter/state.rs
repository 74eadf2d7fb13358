//! What the counter's lock guards.

use std::time::Instant;

use super::{
    bound::{Detail, detail_for},
    cells::Shards,
    expiry::Expiry,
    known::Known,
    series::{Key, PARTS, Part, SITE, SeriesTable},
};
use crate::labels::{self, OVERFLOW};

/// The answer to [`TraceCounter::intern`](super::TraceCounter::intern).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interned {
    /// The slot to count in.
    pub slot: u32,
    /// Whether the bound took labels away, so that the slot's series shows fewer than were given.
    pub shortened: bool,
}

/// The series, the threads that count them, and how it stands with the bound.
#[derive(Debug, Default)]
pub struct State {
    pub series: SeriesTable,
    pub shards: Shards,
    pub known: Known,
    pub overflow: Option<u32>,
    pub collapsed: u64,
    pub overflowed: u64,
    pub expiry: Option<Expiry>,
    pub expired: u64,
    /// Pages that are being written.
    pub readings: u32,
}

impl State {
    /// A slot's value, for a page.
    pub fn show(&mut self, slot: u32) -> f64 {
        let value = self.shards.value(slot as usize);
        shown(&mut self.expiry, slot, value);
        value
    }

    /// The slot of a label set, or of what the bound of `limit` leaves of it.
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

    fn find(&mut self, key: Key) -> Option<u32> {
        let slot = self.series.find(key)?;
        if let Some(expiry) = &mut self.expiry {
            expiry.used(slot, Instant::now());
        }
        Some(slot)
    }

    fn insert(&mut self, key: Key) -> u32 {
        let slot = self.series.insert(key);
        if let Some(expiry) = &mut self.expiry {
            expiry.started(slot, Instant::now());
        }
        slot
    }

    fn intern_site(&mut self, site: Key) -> u32 {
        self.collapsed += 1;
        self.find(site).unwrap_or_else(|| self.insert(site))
    }

    /// Past the reserve a call site that has its shortened series still counts there.
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

/// A page has shown this value.
#[inline]
pub fn shown(expiry: &mut Option<Expiry>, slot: u32, value: f64) {
    if let Some(expiry) = expiry {
        expiry.shown(slot, value);
    }
}
