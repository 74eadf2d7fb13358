//! Random bytes do not stop the server: it responds to the next valid request.

mod support;

use std::{net::Shutdown, sync::LazyLock};

use proptest::prelude::*;
use support::*;

const SMALL: usize = 20;

static RUNNING: LazyLock<Running> = LazyLock::new(|| start(small(), short_limits()));

/// Fragments of requests, so that the server accepts more than the first byte of a random sequence.
const PIECES: [&str; 32] = [
    "GET",
    "HEAD",
    "POST",
    "OPTIONS",
    "CONNECT",
    " ",
    "/",
    "/metrics",
    "/metrics?x=%00",
    "*",
    "http://a/metrics",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/2.0",
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "0",
    "Host: localhost\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive, upgrade\r\n",
    "Upgrade: websocket\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Accept-Encoding: gzip;q=\r\n",
    "Accept-Encoding: gzip\r\n",
    "X-Prometheus-Scrape-Timeout-Seconds: 1e-400\r\n",
    ":",
    "\0",
];

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(&PIECES[..]).prop_map(|piece| piece.as_bytes().to_vec()),
        2 => Just(GET.to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn after_any_bytes_the_server_responds_to_the_next_request(bytes in bytes(), cut in 0usize..64) {
        let mut client = RUNNING.connect();
        let (first, rest) = bytes.split_at(cut.min(bytes.len()));
        client.try_send(first);
        client.try_send(rest);
        let _ = client.stream.shutdown(Shutdown::Write);
        // Fails if the connection ends neither by itself nor at a limit.
        let _ = client.read_to_close();
        RUNNING.scrape().assert_page(SMALL);
    }
}
