//! The default families in the form that JavaScript registers in the user's registry.

use napi_derive::napi;
use prometheus::proto::{Histogram, Metric, MetricFamily, MetricType};

use crate::default_metrics::descriptors;

/// One family and its samples.
#[napi(object, object_from_js = false)]
pub struct JsFamily {
    /// The family's name.
    pub name: String,
    /// Its help text.
    pub help: String,
    /// Its type.
    #[napi(js_name = "type", ts_type = "'counter' | 'gauge' | 'histogram'")]
    pub kind: &'static str,
    /// The method by which prom-client aggregates its values over the processes of a cluster.
    pub aggregator: &'static str,
    /// Its samples.
    pub samples: Vec<JsSample>,
}

/// One line of a family.
#[napi(object, object_from_js = false)]
pub struct JsSample {
    /// The name on the line: the family's, with a suffix for a histogram.
    pub name: String,
    /// Names and values, alternating.
    pub labels: Vec<String>,
    /// The value.
    pub value: f64,
}

impl From<&MetricFamily> for JsFamily {
    fn from(family: &MetricFamily) -> Self {
        let name = family.name();
        let kind = family.get_field_type();
        let samples = family.get_metric().iter().flat_map(|metric| match kind {
            MetricType::HISTOGRAM => histogram(name, metric, metric.get_histogram()),
            MetricType::COUNTER => vec![sample(name, metric, metric.get_counter().get_value())],
            _ => vec![sample(name, metric, metric.get_gauge().get_value())],
        });
        Self {
            name: name.to_owned(),
            help: family.help().to_owned(),
            kind: match kind {
                MetricType::HISTOGRAM => "histogram",
                MetricType::COUNTER => "counter",
                _ => "gauge",
            },
            aggregator: descriptors::aggregator(name),
            samples: samples.collect(),
        }
    }
}

fn sample(name: &str, metric: &Metric, value: f64) -> JsSample {
    let labels = metric
        .get_label()
        .iter()
        .flat_map(|pair| [pair.name().to_owned(), pair.value().to_owned()])
        .collect();
    JsSample { name: name.to_owned(), labels, value }
}

#[expect(clippy::cast_precision_loss, reason = "counts are exact below 2^53")]
fn histogram(name: &str, metric: &Metric, histogram: &Histogram) -> Vec<JsSample> {
    let bucket = |bound: String, count: u64| {
        let mut bucket = sample(&format!("{name}_bucket"), metric, count as f64);
        bucket.labels.splice(0..0, ["le".to_owned(), bound]);
        bucket
    };
    let count = histogram.get_sample_count();
    let mut samples: Vec<JsSample> = histogram
        .get_bucket()
        .iter()
        .map(|of| bucket(of.upper_bound().to_string(), of.cumulative_count()))
        .collect();
    samples.push(bucket("+Inf".to_owned(), count));
    samples.push(sample(&format!("{name}_sum"), metric, histogram.get_sample_sum()));
    samples.push(sample(&format!("{name}_count"), metric, count as f64));
    samples
}
