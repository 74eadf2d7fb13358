//! How long a wrong guess waits for its answer. Pure: the time is given.
//!
//! - Each address has its own count, an IPv6 network of 64 bits (what one host is given) one together.
//! - The first few failures are answered at once: people mistype. From then on the wait doubles.
//! - A bounded number of guesses of one address waits; the next are not looked at. So guesses are few
//!   however many are made at a time, and whether or not their answers are waited for.
//! - The table is bounded. A new address takes the place of the one whose failure is longest ago.
//!
//! Right credentials do not clear the count: they may be a neighbour's behind the same address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Failures that are answered at once.
const FREE: u32 = 3;

/// The wait after the first that is not.
const FIRST: Duration = Duration::from_millis(100);

/// No answer waits longer: a scraper with a wrong password hears of it within its time-out.
const LONGEST: Duration = Duration::from_secs(3);

/// How long a failure is remembered.
const MEMORY: Duration = Duration::from_secs(300);

/// Guesses of one address that wait at once.
const CROWD: u32 = 8;

/// Addresses that are remembered, if there are not more visitors than that.
const ADDRESSES: usize = 1024;

/// How long the answer to the `failures`th failure waits.
#[must_use]
pub fn delay(failures: u32) -> Duration {
    match failures.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST.saturating_mul(1 << doublings.min(16)).min(LONGEST),
    }
}

/// What is known of an address.
struct Record {
    failures: u32,
    waiting: u32,
    last: Instant,
}

/// The failures of each address.
pub(crate) struct LoginThrottle {
    records: HashMap<IpAddr, Record>,
    capacity: usize,
}

impl LoginThrottle {
    /// For so many visitors at once at the most.
    pub(crate) fn new(visitors: usize) -> Self {
        Self { records: HashMap::new(), capacity: visitors.max(ADDRESSES) }
    }

    /// Whether so many guesses of this address wait that no more of them are looked at.
    pub(crate) fn is_crowded(&self, address: IpAddr) -> bool {
        self.records.get(&network(address)).is_some_and(|record| record.waiting >= CROWD)
    }

    /// A guess of this address was wrong, and waits from now on: for how long.
    pub(crate) fn failed(&mut self, address: IpAddr, now: Instant) -> Duration {
        let address = network(address);
        if !self.records.contains_key(&address) && self.records.len() >= self.capacity {
            self.make_room();
        }
        let record =
            self.records.entry(address).or_insert(Record { failures: 0, waiting: 0, last: now });
        if now.saturating_duration_since(record.last) >= MEMORY {
            record.failures = 0;
        }
        record.failures = record.failures.saturating_add(1);
        record.waiting += 1;
        record.last = now;
        delay(record.failures)
    }

    /// A guess of this address waits no longer.
    pub(crate) fn answered(&mut self, address: IpAddr) {
        if let Some(record) = self.records.get_mut(&network(address)) {
            record.waiting = record.waiting.saturating_sub(1);
        }
    }

    /// Forgets the address whose failure is longest ago. One of whom nothing waits is there: visitors
    /// that wait are fewer than places.
    fn make_room(&mut self) {
        let idle = self.records.iter().filter(|(_, record)| record.waiting == 0);
        let oldest = idle.min_by_key(|(_, record)| record.last).map(|(address, _)| *address);
        if let Some(oldest) = oldest {
            self.records.remove(&oldest);
        }
    }
}

/// Whom an address belongs to.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_wait_doubles_up_to_its_longest() {
        let table = [
            (0, 0),
            (1, 0),
            (3, 0),
            (4, 100),
            (5, 200),
            (6, 400),
            (7, 800),
            (8, 1600),
            (9, 3000),
            (10, 3000),
            (1000, 3000),
            (u32::MAX, 3000),
        ];
        for (failures, milliseconds) in table {
            assert_eq!(delay(failures), Duration::from_millis(milliseconds), "{failures}");
        }
    }

    #[test]
    fn each_address_has_its_own_count_and_is_forgiven_in_time() {
        let (mut attempts, start) = (LoginThrottle::new(1), Instant::now());
        let (a, b) = (ip("10.0.0.1"), ip("10.0.0.2"));
        for _ in 0..8 {
            attempts.failed(a, start);
            attempts.answered(a);
        }
        assert_eq!(attempts.failed(a, start), LONGEST);
        attempts.answered(a);
        assert_eq!(attempts.failed(b, start), Duration::ZERO);
        let later = start + MEMORY.mul_f32(0.9);
        assert_eq!(attempts.failed(a, later), LONGEST);
        assert_eq!(attempts.failed(a, later + MEMORY), Duration::ZERO);
    }

    #[test]
    fn a_crowd_is_of_one_address_and_ends_with_its_answers() {
        let (mut attempts, now) = (LoginThrottle::new(1), Instant::now());
        let (a, b) = (ip("::ffff:10.0.0.1"), ip("10.0.0.2"));
        for waiting in 0..CROWD {
            assert!(!attempts.is_crowded(a), "{waiting}");
            attempts.failed(a, now);
        }
        assert!(attempts.is_crowded(ip("10.0.0.1")));
        assert!(!attempts.is_crowded(b));
        attempts.answered(a);
        assert!(!attempts.is_crowded(a));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let (mut attempts, now) = (LoginThrottle::new(1), Instant::now());
        for host in 0..4 {
            attempts.failed(ip(&format!("2001:db8::{host:x}")), now);
        }
        assert_eq!(attempts.failed(ip("2001:db8::ffff:1"), now), delay(5));
        assert_eq!(attempts.failed(ip("2001:db8:0:1::1"), now), delay(1));
    }

    #[test]
    fn the_table_is_bounded_and_drops_whose_failure_is_longest_ago() {
        let (mut attempts, start) = (LoginThrottle::new(1), Instant::now());
        for number in 0..3_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            attempts.failed(address, start + Duration::from_millis(number.into()));
            if number > 0 {
                attempts.answered(address);
            }
        }
        assert_eq!(attempts.records.len(), ADDRESSES);
        assert!(attempts.records.contains_key(&ip("0.0.0.0")), "it waits still");
        assert!(attempts.records.contains_key(&IpAddr::from(2_999_u32.to_be_bytes())));
        assert!(!attempts.records.contains_key(&IpAddr::from(1_u32.to_be_bytes())));
    }
}
