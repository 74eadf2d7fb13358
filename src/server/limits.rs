//! All limits of the server, and the timeouts that are derived from the scraper's timeout.
//!
//! The defaults protect the application that the server runs in; a Prometheus with ordinary settings
//! reaches none of them. Tests use short limits instead of waiting.

use std::time::Duration;

/// The limits of one server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The time without a byte before the first request of a connection and between two requests. 120 s:
    /// longer than the usual scrape interval, so that a scraper can reuse its connection.
    pub idle: Duration,
    /// The time from the first byte of a request to the end of its headers. 10 s.
    pub head: Duration,
    /// The time of a write without progress. 10 s, the default scrape timeout of Prometheus: after
    /// it the scraper no longer waits for the page. Linux reports progress in steps
    /// of about two thirds of `send_buffer`, so that a reader slower than about 17 kB/s counts as stalled.
    pub stall: Duration,
    /// The time from the end of a request to the end of its response, however steadily the peer reads.
    /// 60 s, or the scraper's own timeout if that is longer ([`response_timeout`]).
    pub response: Duration,
    /// The number of open connections. A connection beyond it ends one that has no response under way.
    /// 512: far more than the scrapers, agents and people of one process, and at most 17 MB, as a
    /// connection that was answered and stays open takes about 34 kB.
    pub connections: usize,
    /// The number of open connections of one network. 384: three quarters, so that the clients of one
    /// network leave some to the others.
    pub connections_per_network: usize,
    /// The time from the acceptance of a connection to the end of its TLS handshake. 10 s.
    pub handshake: Duration,
    /// The number of TLS handshakes under way. A handshake beyond it ends another one. 128: a handshake
    /// takes a few milliseconds, so that only unfinished ones accumulate.
    pub handshakes: usize,
    /// The number of scrapes under way. A scrape beyond it ends one whose client does not read, or gets a
    /// 503. 128: each takes about 100 KiB, so that 128 slow clients cost some 13 MB.
    pub scrapes: usize,
    /// The number of scrapes under way of one network. 96: three quarters, so that the clients of one
    /// network leave some to the others.
    pub scrapes_per_network: usize,
    /// The number of summaries under way. 1: each takes memory and time in proportion to the number of
    /// series.
    pub summaries: usize,
    /// The number of requests that wait for the permit of a summary. A request beyond it gets a 503. 64.
    pub waiting_summaries: usize,
    /// The number of pages held in memory as a whole, for HTTP/1.0 clients, which cannot decode chunks. A
    /// page beyond it gets a 503. 2.
    pub buffered_pages: usize,
    /// The number of bytes of compressed ranges in the cache. 7 MiB: some 800,000 of hypercore's series;
    /// ranges beyond it are compressed at each scrape. With this cache, a scrape of 1,000,000 series takes
    /// less than 10 MB.
    pub cache_bytes: usize,
    /// The cache is dropped after this time without a scrape that accepts gzip. 10 minutes: longer
    /// than any scrape interval that Prometheus handles well.
    pub cache_idle: Duration,
    /// The time for which responses under way may continue after `stop`. 1 s.
    pub stop_grace: Duration,
    /// The longest wait of a page for the JavaScript thread. 100 ms, less if the scraper's own
    /// timeout is short ([`js_timeout`]).
    pub js_timeout: Duration,
    /// The number of header lines of one request. 100, as many as Envoy accepts: each proxy of a chain may
    /// add some.
    pub headers: usize,
    /// The number of bytes of the request line and headers of one request, and of one write. 16 KiB; hyper
    /// requires at least 8 KiB.
    pub buffer: usize,
    /// `SO_SNDBUF` of a connection: the kernel memory of a stalled reader. 256 KiB.
    pub send_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(120),
            head: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            response: Duration::from_secs(60),
            connections: 512,
            connections_per_network: 384,
            handshake: Duration::from_secs(10),
            handshakes: 128,
            scrapes: 128,
            scrapes_per_network: 96,
            summaries: 1,
            waiting_summaries: 64,
            buffered_pages: 2,
            cache_bytes: 7 * 1024 * 1024,
            cache_idle: Duration::from_secs(600),
            stop_grace: Duration::from_secs(1),
            js_timeout: Duration::from_millis(100),
            headers: 100,
            buffer: 16 * 1024,
            send_buffer: 256 * 1024,
        }
    }
}

/// Returns the time for which a page may wait for the JavaScript thread: the `usual` timeout, but at most half
/// the scraper's timeout, the value of `X-Prometheus-Scrape-Timeout-Seconds`. The other half is for
/// writing and sending the page. A value that is not a positive number is ignored.
#[must_use]
pub fn js_timeout(timeout_seconds: Option<&[u8]>, usual: Duration) -> Duration {
    timeout_seconds.and_then(seconds).map_or(usual, |timeout| (timeout / 2).min(usual))
}

/// Returns the time for which a page may wait for the registry of the user: the scraper's timeout minus a
/// margin for writing and sending the page; 8 s for a client that sends no timeout.
#[must_use]
pub fn register_timeout(timeout_seconds: Option<&[u8]>) -> Duration {
    let margin = |timeout: Duration| (timeout / 4).min(Duration::from_secs(1));
    timeout_seconds
        .and_then(seconds)
        .map_or(Duration::from_secs(8), |timeout| timeout.saturating_sub(margin(timeout)))
}

/// Returns the time for which a page may wait for another process: 2 s, but at most half of the scraper's
/// timeout. A process responds in milliseconds, unless it is suspended or the machine is busy.
#[must_use]
pub fn process_timeout(timeout_seconds: Option<&[u8]>) -> Duration {
    js_timeout(timeout_seconds, Duration::from_secs(2))
}

/// Parses a positive number of seconds in the notation of Prometheus, such as `10` or `9.5`.
/// `parse::<f64>` would add 18 kB of tables to the binary.
fn seconds(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9.9}").parse().ok()?;
    let seconds = Duration::new(whole.parse().ok()?, nanoseconds);
    (!seconds.is_zero()).then_some(seconds)
}

/// The maximum time of a response. Without this maximum, a client could set any time by its header.
const MAX_RESPONSE: Duration = Duration::from_secs(900);

/// Returns the maximum time of a response: the `usual` time, or the scraper's timeout if it is longer, up to
/// 15 minutes.
#[must_use]
pub fn response_timeout(timeout_seconds: Option<&[u8]>, usual: Duration) -> Duration {
    timeout_seconds.and_then(seconds).map_or(usual, |timeout| timeout.min(MAX_RESPONSE).max(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_has_the_timeout_of_the_scraper_minus_a_margin() {
        let table: [(Option<&str>, u64); 9] = [
            (None, 8000),
            (Some("10"), 9000),
            (Some("30"), 29_000),
            (Some("4"), 3000),
            (Some("1"), 750),
            (Some("0.2"), 150),
            (Some("0"), 8000),
            (Some("inf"), 8000),
            (Some("soon"), 8000),
        ];
        for (value, milliseconds) in table {
            let timeout = register_timeout(value.map(str::as_bytes));
            assert_eq!(timeout, Duration::from_millis(milliseconds), "{value:?}");
        }
    }

    #[test]
    fn the_js_timeout_is_half_of_a_short_scrape_timeout() {
        let table: [(Option<&str>, u64); 17] = [
            (None, 100),
            (Some("10"), 100),
            (Some("0.2"), 100),
            (Some("0.1"), 50),
            (Some(" 0.05 "), 25),
            (Some("0.0500000000001"), 25),
            (Some("0.05."), 100),
            (Some(".05"), 100),
            (Some("5e-2"), 100),
            (Some("99999999999999999999"), 100),
            (Some("0"), 100),
            (Some("-1"), 100),
            (Some("NaN"), 100),
            (Some("inf"), 100),
            (Some("1e300"), 100),
            (Some("soon"), 100),
            (Some(""), 100),
        ];
        for (value, milliseconds) in table {
            let timeout = js_timeout(value.map(str::as_bytes), Duration::from_millis(100));
            assert_eq!(timeout, Duration::from_millis(milliseconds), "{value:?}");
        }
        assert_eq!(js_timeout(Some(b"\xff"), Duration::from_millis(7)), Duration::from_millis(7));
    }

    #[test]
    fn a_response_may_take_as_long_as_the_scraper_waits() {
        let table: [(Option<&str>, u64); 8] = [
            (None, 60),
            (Some("10"), 60),
            (Some("60.5"), 60),
            (Some("300"), 300),
            (Some("1000000"), 900),
            (Some("1e6"), 60),
            (Some("inf"), 60),
            (Some("soon"), 60),
        ];
        for (value, expected) in table {
            let usual = Duration::from_secs(60);
            let timeout = response_timeout(value.map(str::as_bytes), usual);
            assert_eq!(timeout.as_secs(), expected, "{value:?}");
        }
    }
}
