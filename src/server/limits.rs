//! Every limit of the server in one place, and the one decision that is made from a scraper's own.
//!
//! The defaults protect the application that the server lives in: none of them is reached by a
//! Prometheus that behaves. Tests set short ones instead of waiting.

use std::time::Duration;

/// The limits of one server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a connection may be silent between two requests, and before the first. 120 s:
    /// longer than the usual scrape interval, so that a scraper keeps its connection.
    pub idle: Duration,
    /// From the first byte of a request to the end of its headers. 10 s.
    pub head: Duration,
    /// How long a write may make no progress. 10 s, Prometheus's default scrape time-out: past it
    /// nobody waits for the page any more. The kernel counts progress in parts of `send_buffer`,
    /// so that a reader slower than about 17 kB/s counts as stalled.
    pub stall: Duration,
    /// From a request's end to its answer's, however steadily the peer reads. 60 s.
    pub response: Duration,
    /// Connections open at once; the next one is closed as soon as it is accepted. 1,024: far more
    /// than the scrapers, agents and people of one process, and 16 MiB at the most when all of
    /// them have sent half a request.
    pub connections: usize,
    /// From a connection's acceptance to the end of its TLS handshake. 10 s.
    pub handshake: Duration,
    /// TLS handshakes under way at once; the next one ends the oldest. 128: one takes a few
    /// milliseconds, so that only those are many who do not finish theirs.
    pub handshakes: usize,
    /// Scrapes under way at once; the next one is answered 503. 64: about 64 KiB of page and
    /// 300 KiB of compressor each, so that 64 stalled scrapers cost some 20 MB and not more.
    pub scrapes: usize,
    /// Pages held whole in memory at once, for HTTP/1.0 clients that cannot take them in chunks;
    /// the next one is answered 503. 2.
    pub whole_pages: usize,
    /// Bytes of compressed stretches that are kept from one scrape to the next, so that a scrape
    /// costs what changed. 7 MiB: some 800,000 series of hypercore's; what is past it is
    /// compressed anew each time. With it, one scrape of 1,000,000 series takes less than 10 MB.
    pub kept: usize,
    /// How long they are kept when nobody asks for gzip any more. 10 minutes: longer than any scrape
    /// interval that Prometheus does well with.
    pub kept_for: Duration,
    /// How long `stop` lets the scrapes under way go on. 1 s.
    pub stop_grace: Duration,
    /// How long a page may wait for the JavaScript thread. 100 ms, less if the scraper's own
    /// time-out is short ([`js_timeout`]).
    pub js_timeout: Duration,
    /// Header lines of one request. 64.
    pub headers: usize,
    /// Bytes of one request's line and headers, and of what is written in one go. 16 KiB, and
    /// never under 8 KiB, hyper's least.
    pub buffer: usize,
    /// `SO_SNDBUF` of a connection: what a reader that stalls costs in the kernel. 256 KiB.
    pub send_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(120),
            head: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            response: Duration::from_secs(60),
            connections: 1024,
            handshake: Duration::from_secs(10),
            handshakes: 128,
            scrapes: 64,
            whole_pages: 2,
            kept: 7 * 1024 * 1024,
            kept_for: Duration::from_secs(600),
            stop_grace: Duration::from_secs(1),
            js_timeout: Duration::from_millis(100),
            headers: 64,
            buffer: 16 * 1024,
            send_buffer: 256 * 1024,
        }
    }
}

/// How long a page may wait for the JavaScript thread, from the value of
/// `X-Prometheus-Scrape-Timeout-Seconds` (if any) and the `usual` timeout.
///
/// Never more than half the scraper's time-out: the other half is for writing and sending the page.
/// A value that is no positive number counts as none.
#[must_use]
pub fn js_timeout(timeout_seconds: Option<&[u8]>, usual: Duration) -> Duration {
    timeout_seconds
        .and_then(|value| std::str::from_utf8(value).ok())
        .and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds / 2.0).ok())
        .map_or(usual, |half| half.min(usual))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_scrape_timeout_halves_itself_into_the_patience() {
        let table: [(Option<&str>, u64); 13] = [
            (None, 100),
            (Some("10"), 100),
            (Some("0.2"), 100),
            (Some("0.1"), 50),
            (Some(" 0.05 "), 25),
            (Some("5e-2"), 25),
            (Some("0"), 100),
            (Some("-1"), 100),
            (Some("NaN"), 100),
            (Some("inf"), 100),
            (Some("1e300"), 100),
            (Some("soon"), 100),
            (Some(""), 100),
        ];
        for (value, milliseconds) in table {
            let given = js_timeout(value.map(str::as_bytes), Duration::from_millis(100));
            assert_eq!(given, Duration::from_millis(milliseconds), "{value:?}");
        }
        assert_eq!(js_timeout(Some(b"\xff"), Duration::from_millis(7)), Duration::from_millis(7));
    }
}
