//! What the counter's lock guards.

use std::time::Instant;

use super::{
    expiry::Expiry,
    pages::Shards,
    series::{PARTS, Part, Parts, SITE, SeriesTable},
};
use crate::labels::{self, OVERFLOW};

/// The series, the threads that count them, and how it stands with the bound.
#[derive(Debug, Default)]
pub struct State {
    pub series: SeriesTable,
    pub shards: Shards,
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
        if let Some(expiry) = &mut self.expiry {
            expiry.shown(slot, value);
        }
        value
    }

    pub fn find(&mut self, parts: &Parts<'_>) -> Option<u32> {
        let slot = self.series.find(parts)?;
        if let Some(expiry) = &mut self.expiry {
            expiry.used(slot, Instant::now());
        }
        Some(slot)
    }

    pub fn insert(&mut self, parts: &Parts<'_>) -> u32 {
        let slot = self.series.insert(parts);
        if let Some(expiry) = &mut self.expiry {
            expiry.started(slot, Instant::now());
        }
        slot
    }

    pub fn intern_site(&mut self, site: Part<'_>) -> u32 {
        self.collapsed += 1;
        let mut parts = [Part::Absent; PARTS];
        parts[SITE] = site;
        self.find(&parts).unwrap_or_else(|| self.insert(&parts))
    }

    /// Past the reserve a call site that has its shortened series still counts there.
    pub fn overflow(&mut self, site: Part<'_>) -> u32 {
        let mut parts = [Part::Absent; PARTS];
        parts[SITE] = site;
        if let Some(slot) = self.find(&parts) {
            self.collapsed += 1;
            return slot;
        }
        self.overflowed += 1;
        if let Some(slot) = self.overflow {
            return slot;
        }
        let mut label = Vec::new();
        labels::write_label(&mut label, OVERFLOW, "true");
        parts[SITE] = Part::Text(&label);
        let slot = self.insert(&parts);
        self.overflow = Some(slot);
        slot
    }
}
