//! Descriptors of the default families, and the builder of families. Names, help texts, types and
//! aggregators are those of prom-client 15, which existing dashboards rely on.
//!
//! Pure data and functions; any thread.

use prometheus::proto::MetricType;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily};

use crate::exposition::label;

/// The fixed properties of one family.
#[derive(Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name, without any prefix.
    pub name: &'static str,
    /// Its help text.
    pub help: &'static str,
    /// The method by which prom-client aggregates its values over the processes of a cluster.
    pub aggregator: &'static str,
    kind: Kind,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

const fn counter(name: &'static str, help: &'static str) -> Descriptor {
    Descriptor { name, help, aggregator: "sum", kind: Kind::Counter }
}

const fn gauge(name: &'static str, help: &'static str) -> Descriptor {
    aggregated(name, help, "sum")
}

const fn aggregated(
    name: &'static str,
    help: &'static str,
    aggregator: &'static str,
) -> Descriptor {
    Descriptor { name, help, aggregator, kind: Kind::Gauge }
}

/// Seconds.
pub static CPU_USER: Descriptor =
    counter("process_cpu_user_seconds_total", "Total user CPU time spent in seconds.");
/// Seconds.
pub static CPU_SYSTEM: Descriptor =
    counter("process_cpu_system_seconds_total", "Total system CPU time spent in seconds.");
/// Seconds.
pub static CPU: Descriptor =
    counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
/// Seconds since the epoch.
pub static START_TIME: Descriptor = aggregated(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
    "omit",
);
/// Bytes.
pub static RESIDENT_MEMORY: Descriptor =
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
/// Bytes; Linux only.
pub static VIRTUAL_MEMORY: Descriptor =
    gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
/// Bytes; Linux only.
pub static PROCESS_HEAP: Descriptor = gauge("process_heap_bytes", "Process heap size in bytes.");
/// Linux only.
pub static OPEN_FDS: Descriptor = gauge("process_open_fds", "Number of open file descriptors.");
/// Linux only.
pub static MAX_FDS: Descriptor =
    gauge("process_max_fds", "Maximum number of open file descriptors.");

/// Seconds.
pub static LAG: Descriptor =
    aggregated("nodejs_eventloop_lag_seconds", "Lag of event loop in seconds.", "average");
/// Seconds: min, max, mean, stddev, p50, p90, p99, in the order of the sample.
pub static LOOP_DELAY: [Descriptor; 7] = [
    aggregated("nodejs_eventloop_lag_min_seconds", "The minimum recorded event loop delay.", "min"),
    aggregated("nodejs_eventloop_lag_max_seconds", "The maximum recorded event loop delay.", "max"),
    aggregated(
        "nodejs_eventloop_lag_mean_seconds",
        "The mean of the recorded event loop delays.",
        "average",
    ),
    aggregated(
        "nodejs_eventloop_lag_stddev_seconds",
        "The standard deviation of the recorded event loop delays.",
        "average",
    ),
    aggregated(
        "nodejs_eventloop_lag_p50_seconds",
        "The 50th percentile of the recorded event loop delays.",
        "average",
    ),
    aggregated(
        "nodejs_eventloop_lag_p90_seconds",
        "The 90th percentile of the recorded event loop delays.",
        "average",
    ),
    aggregated(
        "nodejs_eventloop_lag_p99_seconds",
        "The 99th percentile of the recorded event loop delays.",
        "average",
    ),
];

/// By label `type`.
pub static RESOURCES: Descriptor = gauge(
    "nodejs_active_resources",
    "Number of active resources that are currently keeping the event loop alive, grouped by async \
     resource type.",
);
/// A gauge, despite its name.
pub static RESOURCES_TOTAL: Descriptor =
    gauge("nodejs_active_resources_total", "Total number of active resources.");
/// By label `type`.
pub static HANDLES: Descriptor = gauge(
    "nodejs_active_handles",
    "Number of active libuv handles grouped by handle type. Every handle type is C++ class name.",
);
/// A gauge, despite its name.
pub static HANDLES_TOTAL: Descriptor =
    gauge("nodejs_active_handles_total", "Total number of active handles.");
/// By label `type`.
pub static REQUESTS: Descriptor = gauge(
    "nodejs_active_requests",
    "Number of active libuv requests grouped by request type. Every request type is C++ class \
     name.",
);
/// A gauge, despite its name.
pub static REQUESTS_TOTAL: Descriptor =
    gauge("nodejs_active_requests_total", "Total number of active requests.");

/// Bytes: total, used, external, in the order of the sample.
pub static HEAP: [Descriptor; 3] = [
    gauge("nodejs_heap_size_total_bytes", "Process heap size from Node.js in bytes."),
    gauge("nodejs_heap_size_used_bytes", "Process heap size used from Node.js in bytes."),
    gauge("nodejs_external_memory_bytes", "Node.js external memory size in bytes."),
];
/// Bytes by label `space`: total, used, available, in the order of the sample.
pub static SPACES: [Descriptor; 3] = [
    gauge(
        "nodejs_heap_space_size_total_bytes",
        "Process heap space size total from Node.js in bytes.",
    ),
    gauge(
        "nodejs_heap_space_size_used_bytes",
        "Process heap space size used from Node.js in bytes.",
    ),
    gauge(
        "nodejs_heap_space_size_available_bytes",
        "Process heap space size available from Node.js in bytes.",
    ),
];
/// Always 1; by labels `version`, `major`, `minor`, `patch`.
pub static VERSION: Descriptor =
    aggregated("nodejs_version_info", "Node.js version info.", "first");
/// Seconds by label `kind`.
pub static GC: Descriptor = Descriptor {
    name: "nodejs_gc_duration_seconds",
    help: "Garbage collection duration by kind, one of major, minor, incremental or weakcb.",
    aggregator: "sum",
    kind: Kind::Histogram,
};

/// Seconds. This family and the families below describe this exporter.
pub static SAMPLE_AGE: Descriptor = aggregated(
    "hypertrace_sample_age_seconds",
    "Seconds since the JavaScript thread last delivered the nodejs_ figures.",
    "max",
);

/// Calls.
pub static CALLS: Descriptor = counter(
    "hypertrace_calls_total",
    "Calls counted since the start, those of expired series included.",
);
/// Series in use, including the overflow series.
pub static SERIES: Descriptor =
    gauge("hypertrace_series", "Series that the trace counter has in use.");
/// The option `maxSeries`.
pub static SERIES_LIMIT: Descriptor =
    gauge("hypertrace_series_limit", "The most series that the trace counter may have.");
/// A label set counts at least once, and again after a thread has dropped it from its cache.
pub static COLLAPSED: Descriptor = counter(
    "hypertrace_collapsed_total",
    "Label sets that were counted without object ids and properties, as series neared their bound.",
);
/// Counted in the same way as [`COLLAPSED`].
pub static OVERFLOWED: Descriptor = counter(
    "hypertrace_overflowed_total",
    "Label sets that were counted in the overflow series, as series had reached their bound.",
);
/// Grows only with the option `seriesIdleTimeout`.
pub static EXPIRED: Descriptor = counter(
    "hypertrace_expired_total",
    "Series that expired because they had not been counted for the idle timeout.",
);
/// Calls.
pub static LOST: Descriptor =
    counter("hypertrace_lost_total", "Calls that were not counted because the stack was full.");
/// Only with a recorder.
pub static STALLS: Descriptor = counter(
    "hypertrace_eventloop_stalls_total",
    "Times that the event loop did not answer for 250 ms or longer.",
);
/// Seconds; only with a recorder. Includes a stall that goes on.
pub static STALL_SECONDS: Descriptor = counter(
    "hypertrace_eventloop_stall_seconds_total",
    "Seconds for which the event loop did not answer, in stalls of 250 ms or longer.",
);
/// Always 1; by label `version`.
pub static BUILD_INFO: Descriptor =
    aggregated("hypertrace_build_info", "Version of the package hypertrace-prometheus.", "first");
/// 1 if the page is incomplete, else 0.
pub static INCOMPLETE: Descriptor = aggregated(
    "hypertrace_scrape_incomplete",
    "1 if JavaScript did not answer in time and the page lacks what only its register holds, or if this \
     process did not answer in time and the page lacks its lines.",
    "max",
);

/// Returns the 31 families of prom-client 15, in its order.
pub fn defaults() -> impl Iterator<Item = &'static Descriptor> {
    [
        &CPU_USER,
        &CPU_SYSTEM,
        &CPU,
        &START_TIME,
        &RESIDENT_MEMORY,
        &VIRTUAL_MEMORY,
        &PROCESS_HEAP,
        &OPEN_FDS,
        &MAX_FDS,
        &LAG,
    ]
    .into_iter()
    .chain(&LOOP_DELAY)
    .chain([&RESOURCES, &RESOURCES_TOTAL, &HANDLES, &HANDLES_TOTAL, &REQUESTS, &REQUESTS_TOTAL])
    .chain(&HEAP)
    .chain(&SPACES)
    .chain([&VERSION, &GC])
}

/// Returns the families of this exporter.
fn own() -> impl Iterator<Item = &'static Descriptor> {
    [
        &CALLS,
        &SERIES,
        &SERIES_LIMIT,
        &COLLAPSED,
        &OVERFLOWED,
        &EXPIRED,
        &LOST,
        &STALLS,
        &STALL_SECONDS,
        &BUILD_INFO,
        &SAMPLE_AGE,
        &INCOMPLETE,
    ]
    .into_iter()
}

/// Returns the family that a metric of this name would collide with. `prefix` is that of the default
/// families; `None` if they are not collected.
#[must_use]
pub fn colliding(name: &str, prefix: Option<&str>) -> Option<String> {
    let defaults = prefix.into_iter().flat_map(|prefix| {
        defaults().map(move |family| (format!("{prefix}{}", family.name), &family.kind))
    });
    defaults
        .chain(own().map(|family| (family.name.to_owned(), &family.kind)))
        .find(|(family, kind)| {
            matches!(
                (name.strip_prefix(family.as_str()), kind),
                (Some(""), _) | (Some("_bucket" | "_sum" | "_count"), Kind::Histogram)
            )
        })
        .map(|(family, _)| family)
}

/// Returns the family of the page that has this name. `prefix` is that of the default families.
#[must_use]
pub fn find(name: &str, prefix: &str) -> Option<&'static Descriptor> {
    let is_default =
        |family: &&Descriptor| name.strip_prefix(prefix).is_some_and(|name| name == family.name);
    defaults().find(is_default).or_else(|| own().find(|family| family.name == name))
}

/// Returns the family of the version.
#[must_use]
pub fn build_info() -> MetricFamily {
    BUILD_INFO.family([(vec![label("version", env!("CARGO_PKG_VERSION"))], 1.0)])
}

/// Returns the aggregator of the family with this name, with or without a prefix.
#[must_use]
pub fn aggregator(name: &str) -> &'static str {
    defaults()
        .chain(own())
        .find(|descriptor| name.ends_with(descriptor.name))
        .map_or("sum", |descriptor| descriptor.aggregator)
}

impl Descriptor {
    /// Returns the help text.
    #[must_use]
    pub fn help(&self) -> &'static str {
        self.help
    }

    /// Returns the type.
    #[must_use]
    pub fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
            Kind::Histogram => MetricType::HISTOGRAM,
        }
    }

    /// Returns a family with one sample for each label set, in the given order. Samples whose value is
    /// not finite are dropped.
    #[must_use]
    pub fn family(&self, samples: impl IntoIterator<Item = (Vec<LabelPair>, f64)>) -> MetricFamily {
        let samples = samples.into_iter().filter(|(_, value)| value.is_finite());
        self.of(samples.map(|(labels, value)| {
            let mut metric = Metric::from_label(labels);
            if self.kind == Kind::Counter {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            } else {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            metric
        }))
    }

    /// Returns a histogram family. Each item has its labels, bounds with *cumulative* counts, and the
    /// sum and number of all observations.
    #[must_use]
    pub fn histogram(
        &self,
        samples: impl IntoIterator<Item = (Vec<LabelPair>, Vec<(f64, u64)>, f64, u64)>,
    ) -> MetricFamily {
        self.of(samples.into_iter().map(|(labels, buckets, sum, count)| {
            let mut histogram = Histogram::default();
            histogram.set_bucket(
                buckets
                    .into_iter()
                    .map(|(bound, cumulative)| {
                        let mut bucket = Bucket::default();
                        bucket.set_upper_bound(bound);
                        bucket.set_cumulative_count(cumulative);
                        bucket
                    })
                    .collect(),
            );
            histogram.set_sample_sum(sum);
            histogram.set_sample_count(count);
            let mut metric = Metric::from_label(labels);
            metric.set_histogram(histogram);
            metric
        }))
    }

    fn of(&self, metrics: impl Iterator<Item = Metric>) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.metric_type());
        family.set_metric(metrics.collect());
        family
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_collides_with_a_family_of_the_page_and_with_the_lines_of_a_histogram() {
        let table = [
            ("trace_counter", Some(""), None),
            ("process_open_fds", Some(""), Some("process_open_fds")),
            ("process_open_fds", Some("app_"), None),
            ("app_process_open_fds", Some("app_"), Some("app_process_open_fds")),
            ("process_open_fds", None, None),
            ("nodejs_gc_duration_seconds_sum", Some(""), Some("nodejs_gc_duration_seconds")),
            ("nodejs_version_info_sum", Some(""), None),
            ("hypertrace_series", Some("app_"), Some("hypertrace_series")),
            ("hypertrace_build_info", None, Some("hypertrace_build_info")),
            ("hypertrace_scrape_incomplete", None, Some("hypertrace_scrape_incomplete")),
        ];
        for (name, prefix, family) in table {
            assert_eq!(colliding(name, prefix).as_deref(), family, "{name} {prefix:?}");
        }
    }
}
