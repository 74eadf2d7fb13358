//! The delay of the response to a failed login. Pure: the time is a parameter.
//!
//! - Failures are counted by network: an IPv4 address, or an IPv6 /64, all of whose addresses may belong to
//!   one host.
//! - The first few failures have no delay, because people make typing errors. From then on the delay doubles.
//! - The number of delayed responses to one network is bounded. At the bound, further credentials from this
//!   network are not checked. So the rate of guesses is bounded, even if a client guesses in parallel or does
//!   not wait for the responses.
//! - The table is bounded. A new network replaces the network that failed least recently.
//!
//! A successful login does not reset the count: its client may be another host behind the same address.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// The number of failures that have no delay.
const FREE_FAILURES: u32 = 3;

/// The delay of the first failure after [`FREE_FAILURES`].
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The longest delay: a scraper with a wrong password gets the response within its timeout.
const MAX_DELAY: Duration = Duration::from_secs(3);

/// A network's count restarts at 0 after this time without a failure.
const RESET_AFTER: Duration = Duration::from_secs(300);

/// The maximum number of delayed responses to one network.
const MAX_DELAYED: u32 = 8;

/// The minimum capacity of the table, in networks.
const MIN_CAPACITY: usize = 1024;

/// Returns the delay of the response to the `failures`th failure.
#[must_use]
pub fn delay(failures: u32) -> Duration {
    match failures.checked_sub(FREE_FAILURES + 1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_DELAY.saturating_mul(1 << doublings.min(16)).min(MAX_DELAY),
    }
}

/// The failed logins of one network.
struct Record {
    failures: u32,
    /// The number of responses that are delayed now.
    delayed: u32,
    last: Instant,
}

/// The failed logins of all networks.
pub(crate) struct LoginThrottle {
    records: HashMap<IpAddr, Record>,
    capacity: usize,
}

impl LoginThrottle {
    /// Creates a throttle for a server with at most `connections` connections.
    pub(crate) fn new(connections: usize) -> Self {
        Self { records: HashMap::new(), capacity: connections.max(MIN_CAPACITY) }
    }

    /// Returns whether the number of delayed responses to this address's network is at its bound.
    pub(crate) fn is_full(&self, address: IpAddr) -> bool {
        self.records.get(&network(address)).is_some_and(|record| record.delayed >= MAX_DELAYED)
    }

    /// Counts a failure and returns the delay of its response, which ends with [`Self::end_delay`].
    pub(crate) fn record_failure(&mut self, address: IpAddr, now: Instant) -> Duration {
        let network = network(address);
        if !self.records.contains_key(&network) && self.records.len() >= self.capacity {
            self.evict();
        }
        let record =
            self.records.entry(network).or_insert(Record { failures: 0, delayed: 0, last: now });
        if now.saturating_duration_since(record.last) >= RESET_AFTER {
            record.failures = 0;
        }
        record.failures = record.failures.saturating_add(1);
        record.delayed += 1;
        record.last = now;
        delay(record.failures)
    }

    /// Ends the delay of one failed login.
    pub(crate) fn end_delay(&mut self, address: IpAddr) {
        if let Some(record) = self.records.get_mut(&network(address)) {
            record.delayed = record.delayed.saturating_sub(1);
        }
    }

    /// Evicts the network that failed least recently and has no delayed response. There is such a network,
    /// because the capacity is at least the connection limit.
    fn evict(&mut self) {
        let idle = self.records.iter().filter(|(_, record)| record.delayed == 0);
        let oldest = idle.min_by_key(|(_, record)| record.last).map(|(network, _)| *network);
        if let Some(oldest) = oldest {
            self.records.remove(&oldest);
        }
    }
}

/// Returns the network that counts as one client: the address, or an IPv6 /64.
pub(crate) fn network(address: IpAddr) -> IpAddr {
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
    fn the_delay_doubles_up_to_its_maximum() {
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
    fn each_address_has_its_own_count_which_restarts_after_a_time() {
        let (mut throttle, start) = (LoginThrottle::new(1), Instant::now());
        let (a, b) = (ip("10.0.0.1"), ip("10.0.0.2"));
        for _ in 0..8 {
            throttle.record_failure(a, start);
            throttle.end_delay(a);
        }
        assert_eq!(throttle.record_failure(a, start), MAX_DELAY);
        throttle.end_delay(a);
        assert_eq!(throttle.record_failure(b, start), Duration::ZERO);
        let later = start + RESET_AFTER.mul_f32(0.9);
        assert_eq!(throttle.record_failure(a, later), MAX_DELAY);
        assert_eq!(throttle.record_failure(a, later + RESET_AFTER), Duration::ZERO);
    }

    #[test]
    fn the_bound_on_delayed_responses_is_per_address() {
        let (mut throttle, now) = (LoginThrottle::new(1), Instant::now());
        let (a, b) = (ip("::ffff:10.0.0.1"), ip("10.0.0.2"));
        for delayed in 0..MAX_DELAYED {
            assert!(!throttle.is_full(a), "{delayed}");
            throttle.record_failure(a, now);
        }
        assert!(throttle.is_full(ip("10.0.0.1")));
        assert!(!throttle.is_full(b));
        throttle.end_delay(a);
        assert!(!throttle.is_full(a));
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let (mut throttle, now) = (LoginThrottle::new(1), Instant::now());
        for host in 0..4 {
            throttle.record_failure(ip(&format!("2001:db8::{host:x}")), now);
        }
        assert_eq!(throttle.record_failure(ip("2001:db8::ffff:1"), now), delay(5));
        assert_eq!(throttle.record_failure(ip("2001:db8:0:1::1"), now), delay(1));
    }

    #[test]
    fn the_table_is_bounded_and_evicts_the_network_that_failed_least_recently() {
        let (mut throttle, start) = (LoginThrottle::new(1), Instant::now());
        for number in 0..3_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            throttle.record_failure(address, start + Duration::from_millis(number.into()));
            if number > 0 {
                throttle.end_delay(address);
            }
        }
        assert_eq!(throttle.records.len(), MIN_CAPACITY);
        assert!(throttle.records.contains_key(&ip("0.0.0.0")), "its response is still delayed");
        assert!(throttle.records.contains_key(&IpAddr::from(2_999_u32.to_be_bytes())));
        assert!(!throttle.records.contains_key(&IpAddr::from(1_u32.to_be_bytes())));
    }
}
