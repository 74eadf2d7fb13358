//! Measures the rendering of a page of 100,000 series, with labels like those of hypercore: by this crate,
//! and by other crates. The lower limit of the time is a plain copy of the page's bytes. Run it with
//! `cargo bench --manifest-path benchmark/rust/Cargo.toml`.

use std::{hint::black_box, ptr::NonNull, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hypertrace_prometheus::{
    counter::{CELLS, CellBlock, CounterOptions, TraceCounter},
    exposition::{CHUNK_BYTES, Page, Render, Step},
    labels::{RESERVED, Schema},
};
use metrics_exporter_prometheus::PrometheusBuilder;
use prometheus::{Encoder, IntCounterVec, Opts, Registry, TextEncoder};

const SERIES: usize = 100_000;
const METHODS: [&str; 4] = ["get", "append", "download", "replicate"];
const FILE: &str = "/home/user/app/node_modules/hypercore/lib/session.js";

/// Returns the label values of series `n`, in the order of `RESERVED`. Each parent has ten objects, and each
/// object has four call sites.
fn values(n: usize) -> [String; 7] {
    let (object, method) = (n / 4, METHODS[n % 4]);
    let parent = object / 10;
    let ids = [parent * 11 + 2 + object % 10, parent * 11 + 1];
    let [object, parent] = ids.map(|id| id.to_string());
    let function = format!("Session.{method}");
    ["Session".into(), function, FILE.into(), method.into(), "Core".into(), object, parent]
}

fn counts(n: usize) -> u64 {
    1 + n as u64 % 1000
}

/// Creates a counter with all series. The counter may read its cells at any time, so they are leaked memory.
fn counter() -> Arc<TraceCounter> {
    let options = CounterOptions {
        name: "trace_counter".into(),
        help: "Counts how many times a trace function was called".into(),
        schema: Schema::new::<&str>(&[]),
        default_labels: Vec::new(),
        max_series: 2 * SERIES as u32,
        start_at_zero: true,
        idle_timeout: None,
    };
    let counter = Arc::new(TraceCounter::new(options).expect("valid options"));
    let shard = counter.open_shard();
    for block in 0..SERIES.div_ceil(CELLS) {
        let cells: Vec<f64> = (0..CELLS).map(|cell| counts(block * CELLS + cell) as f64).collect();
        let cells = NonNull::new(cells.leak().as_mut_ptr()).expect("memory");
        // SAFETY: aligned memory of `CELLS` cells, which is never freed or written.
        let lent = unsafe { CellBlock::new(cells) };
        assert!(counter.lend_cells(shard, block, lent));
    }
    for n in 0..SERIES {
        assert_eq!(counter.intern(values(n).iter().map(String::as_str)).slot as usize, n);
    }
    counter
}

/// Renders in chunks, as the server does.
fn render(counter: &Arc<TraceCounter>, out: &mut Vec<u8>) -> usize {
    let mut page = Page::text(Arc::clone(counter), Vec::new());
    let mut length = 0;
    loop {
        out.clear();
        let step = page.render(&|_| None, out);
        length += black_box(&*out).len();
        if step == (Step::Text { more: false }) {
            return length;
        }
    }
}

fn registry() -> Registry {
    let help = "Counts how many times a trace function was called";
    let counters = IntCounterVec::new(Opts::new("trace_counter", help), &RESERVED).expect("valid");
    for n in 0..SERIES {
        counters.with_label_values(&values(n)).inc_by(counts(n));
    }
    let registry = Registry::new();
    registry.register(Box::new(counters)).expect("the registry is empty");
    registry
}

fn pages(criterion: &mut Criterion) {
    let counter = counter();
    let text = Page::text(Arc::clone(&counter), Vec::new()).into_bytes();
    let mut group = criterion.benchmark_group("a page of 100,000 series");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(5));

    let mut out = Vec::with_capacity(2 * CHUNK_BYTES);
    group.bench_function(BenchmarkId::from_parameter("limit: its bytes copied"), |bencher| {
        bencher.iter(|| {
            for chunk in text.chunks(CHUNK_BYTES) {
                out.clear();
                out.extend_from_slice(black_box(chunk));
                black_box(&out);
            }
        });
    });

    assert_eq!(render(&counter, &mut out), text.len());
    group.bench_function(BenchmarkId::from_parameter("ours"), |bencher| {
        bencher.iter(|| render(&counter, &mut out));
    });

    let registry = registry();
    let mut whole = Vec::new();
    group.bench_function(BenchmarkId::from_parameter("prometheus, TextEncoder"), |bencher| {
        bencher.iter(|| {
            whole.clear();
            TextEncoder::new().encode(&registry.gather(), &mut whole).expect("written");
        });
    });
    assert_eq!(whole.iter().filter(|byte| **byte == b'\n').count(), SERIES + 2);

    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        for n in 0..SERIES {
            let labels: Vec<(&str, String)> = RESERVED.into_iter().zip(values(n)).collect();
            metrics::counter!("trace_counter", &labels).increment(counts(n));
        }
    });
    assert!(handle.render().lines().count() > SERIES);
    group.bench_function(BenchmarkId::from_parameter("metrics-exporter-prometheus"), |bencher| {
        bencher.iter(|| handle.render());
    });
    group.finish();
}

criterion_group!(benches, pages);
criterion_main!(benches);
