//! The call sites of a recording and their calls in each step, in a bounded memory. Pure.

use hashbrown::{DefaultHashBuilder, HashMap};

use super::column::Column;
use crate::counter::SiteRef;

/// The memory of one call site without its labels and its column, in bytes. It includes a share of the
/// tables, which may be half empty, and of the overhead of the allocator.
const SITE_BYTES: usize = 240;

/// The number of turns in which all call sites drop the steps that are older than the recording. Each end of
/// a step is one turn.
const DROP_TURNS: usize = 16;

/// All call sites. The number of a call site does not change. When the call site is removed, its number is
/// not used again while a query runs.
#[derive(Debug, Default)]
pub struct Sites {
    list: Vec<Option<Site>>,
    free: Vec<u32>,
    /// Numbers of removed call sites, which a query may still use.
    removed: Vec<u32>,
    numbers: HashMap<SiteRef, u32, DefaultHashBuilder>,
    /// The call sites with calls in the step that has not ended.
    called: Vec<u32>,
    /// The memory of all call sites, in bytes.
    bytes: usize,
}

/// One call site.
#[derive(Debug)]
pub struct Site {
    reference: SiteRef,
    /// Its labels in the text format, each preceded by a comma.
    pub labels: Box<[u8]>,
    /// Its calls in each step.
    pub column: Column,
    /// Its calls in the step that has not ended.
    pending: u64,
}

impl Site {
    fn bytes(&self) -> usize {
        SITE_BYTES + self.labels.len() + self.column.bytes()
    }
}

impl Sites {
    /// Returns the number of a call site, if it is recorded.
    #[inline]
    pub fn find(&self, site: SiteRef) -> Option<u32> {
        self.numbers.get(&site).copied()
    }

    /// Adds a call site. The caller holds it in the counter until [`Sites::shrink`] or [`Sites::drop_old`]
    /// returns it.
    pub fn insert(&mut self, site: SiteRef, labels: &[u8]) -> u32 {
        let added =
            Site { reference: site, labels: labels.into(), column: Column::default(), pending: 0 };
        self.bytes += added.bytes();
        let number = if let Some(number) = self.free.pop() {
            self.list[number as usize] = Some(added);
            number
        } else {
            self.list.push(Some(added));
            u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
        };
        self.numbers.insert(site, number);
        number
    }

    /// Adds calls of a call site to the step that has not ended.
    #[inline]
    pub fn add(&mut self, number: u32, calls: u64) {
        let Some(Some(site)) = self.list.get_mut(number as usize) else { return };
        if site.pending == 0 {
            self.called.push(number);
        }
        site.pending += calls;
    }

    /// Ends `count` steps from the step `first` on, and divides the calls evenly among them.
    pub fn end_steps(&mut self, first: u32, count: u32) {
        for number in self.called.drain(..) {
            let Some(Some(site)) = self.list.get_mut(number as usize) else { continue };
            let before = site.column.bytes();
            let calls = std::mem::take(&mut site.pending);
            for step in 0..count {
                site.column.push(first + step, share(calls, step, count));
            }
            self.bytes += site.column.bytes() - before;
        }
    }

    /// Drops the steps before `oldest` of some call sites. After [`DROP_TURNS`] turns, all call sites have been
    /// visited. Removes and returns the call sites that have no calls any more.
    pub fn drop_old(&mut self, turn: u32, oldest: u32) -> Vec<SiteRef> {
        let first = turn as usize % DROP_TURNS;
        let numbers = (first..self.list.len()).step_by(DROP_TURNS);
        let mut dropped = Vec::new();
        for number in numbers {
            let Some(Some(site)) = self.list.get_mut(number) else { continue };
            site.column.drop_before(oldest);
            if site.column.is_empty() && site.pending == 0 {
                dropped.push(number);
            }
        }
        dropped.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// Removes the call sites with the lowest rates until the memory is at most `bytes`. Returns the removed
    /// call sites and the highest of their rates. `next` is the number of the next step.
    pub fn shrink(&mut self, bytes: usize, next: u32) -> (Vec<SiteRef>, f64) {
        let mut order: Vec<(f64, usize)> = (0..)
            .zip(&self.list)
            .filter_map(|(number, site)| Some((site.as_ref()?.column.rate(next), number)))
            .collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (mut removed, mut highest) = (Vec::new(), 0.0);
        for (rate, number) in order {
            if self.bytes <= bytes {
                break;
            }
            removed.extend(self.remove(number));
            highest = rate;
        }
        (removed, highest)
    }

    /// Merges each pair of steps into one step.
    pub fn double_steps(&mut self) {
        for site in self.list.iter_mut().flatten() {
            let before = site.column.bytes();
            site.column.double_steps();
            self.bytes = self.bytes - before + site.column.bytes();
        }
    }

    /// Returns a number that is greater than those of all call sites.
    pub fn numbers(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap_or(u32::MAX)
    }

    /// Returns a call site.
    pub fn get(&self, number: u32) -> Option<&Site> {
        self.list.get(number as usize)?.as_ref()
    }

    /// Returns the memory of all call sites.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of call sites.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    fn remove(&mut self, number: usize) -> Option<SiteRef> {
        let site = self.list.get_mut(number)?.take()?;
        self.bytes -= site.bytes();
        self.numbers.remove(&site.reference);
        self.removed.push(u32::try_from(number).unwrap_or(u32::MAX));
        Some(site.reference)
    }

    /// Allows the numbers of removed call sites to be used again. The caller ensures that no query runs.
    pub fn reuse_numbers(&mut self) {
        self.free.append(&mut self.removed);
    }
}

/// Divides `calls` evenly among `count` steps, and returns the calls of the step with the index `step`.
pub fn share(calls: u64, step: u32, count: u32) -> u64 {
    let upto = |step: u64| u128::from(calls) * u128::from(step) / u128::from(count.max(1));
    u64::try_from(upto(u64::from(step) + 1) - upto(step.into())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_differ_by_at_most_one_and_lose_nothing() {
        for (calls, count) in [(0, 1), (7, 1), (7, 3), (2, 5), (u64::MAX, 10)] {
            let shares: Vec<_> = (0..count).map(|step| share(calls, step, count)).collect();
            let sum: u64 = shares.iter().sum();
            assert_eq!(sum, calls, "{shares:?}");
            let (least, most) = (shares.iter().min(), shares.iter().max());
            assert!(most.expect("a share") - least.expect("a share") <= 1, "{shares:?}");
        }
    }
}
