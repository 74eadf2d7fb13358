//! The protobuf format: a stream of `MetricFamily` messages, each preceded by its length.
//!
//! `prost` encodes the small families. The counter's family is written here, series by series, because it
//! may be larger than the memory that a scrape may use.
//!
//! Schema: <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>.

use prometheus::proto;
use prost::Message as _;

use crate::{
    counter::{EncodedLabels, Series},
    labels::protobuf::{reserve_length, varint_length, write_length, write_varint},
};

/// `MetricFamily.name`, `help`, `type` and `metric`.
const NAME: u8 = 0x0a;
const HELP: u8 = 0x12;
const TYPE: u8 = 0x18;
const METRIC: u8 = 0x22;
/// `MetricType.COUNTER`.
const COUNTER: u8 = 0;

/// Appends the start of the counter's family. The series that follow it have the length `series_length`.
pub fn write_counter_header(out: &mut Vec<u8>, name: &str, help: &str, series_length: u64) {
    let mut header = Vec::with_capacity(name.len() + help.len() + 16);
    for (tag, text) in [(NAME, name), (HELP, help)] {
        header.push(tag);
        write_varint(&mut header, text.len() as u64);
        header.extend_from_slice(text.as_bytes());
    }
    header.extend_from_slice(&[TYPE, COUNTER]);
    write_varint(out, header.len() as u64 + series_length);
    out.append(&mut header);
}

/// Writes the series of one page.
pub struct SeriesWriter(EncodedLabels);

impl SeriesWriter {
    /// Creates a writer for one page, during which no label text of a series is freed.
    pub fn new() -> Self {
        Self(EncodedLabels::new())
    }

    /// Appends the field of a series.
    #[inline]
    pub fn write(&mut self, out: &mut Vec<u8>, series: &Series<'_>) {
        out.push(METRIC);
        let start = reserve_length(out);
        series.write_message(out, &mut self.0);
        write_length(out, start);
    }
}

/// Appends small families.
pub fn write_families(out: &mut Vec<u8>, families: &[proto::MetricFamily]) {
    for family in families {
        let message = MetricFamily::from(family);
        out.reserve(varint_length(message.encoded_len() as u64) + message.encoded_len());
        write_varint(out, message.encoded_len() as u64);
        // Cannot fail: a vector grows as needed.
        let _ = message.encode(out);
    }
}

/// Reads families that [`write_families`] has written. Returns `None` if the bytes are not families.
#[must_use]
pub fn read_families(mut bytes: &[u8]) -> Option<Vec<proto::MetricFamily>> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        let message = MetricFamily::decode_length_delimited(&mut bytes).ok()?;
        families.push(message.try_into().ok()?);
    }
    Some(families)
}

#[derive(Clone, PartialEq, prost::Message)]
struct MetricFamily {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    label: Vec<LabelPair>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Value>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Value>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Value>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

/// `Gauge`, `Counter` and `Untyped`, which have the same field.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Value {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Histogram {
    #[prost(uint64, optional, tag = "1")]
    sample_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sample_sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bucket: Vec<Bucket>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Bucket {
    #[prost(uint64, optional, tag = "1")]
    cumulative_count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
}

impl From<&proto::MetricFamily> for MetricFamily {
    fn from(family: &proto::MetricFamily) -> Self {
        let kind = family.get_field_type();
        Self {
            name: Some(family.name().to_owned()),
            help: Some(family.help().to_owned()),
            kind: Some(match kind {
                proto::MetricType::COUNTER => 0,
                proto::MetricType::GAUGE => 1,
                proto::MetricType::SUMMARY => 2,
                proto::MetricType::UNTYPED => 3,
                proto::MetricType::HISTOGRAM => 4,
            }),
            metric: family.get_metric().iter().map(|metric| Metric::new(kind, metric)).collect(),
        }
    }
}

/// The family has a type that this package does not write.
struct UnknownType;

impl TryFrom<MetricFamily> for proto::MetricFamily {
    type Error = UnknownType;

    fn try_from(message: MetricFamily) -> Result<Self, UnknownType> {
        let kind = match message.kind {
            Some(0) => proto::MetricType::COUNTER,
            Some(1) => proto::MetricType::GAUGE,
            Some(4) => proto::MetricType::HISTOGRAM,
            _ => return Err(UnknownType),
        };
        let mut family = Self::default();
        family.set_name(message.name.unwrap_or_default());
        family.set_help(message.help.unwrap_or_default());
        family.set_field_type(kind);
        family.set_metric(message.metric.into_iter().map(|metric| metric.read(kind)).collect());
        Ok(family)
    }
}

impl Metric {
    fn read(self, kind: proto::MetricType) -> proto::Metric {
        let label = |pair: LabelPair| {
            super::label(&pair.name.unwrap_or_default(), pair.value.unwrap_or_default())
        };
        let mut metric = proto::Metric::from_label(self.label.into_iter().map(label).collect());
        let value = |value: Option<Value>| value.and_then(|it| it.value).unwrap_or_default();
        match kind {
            proto::MetricType::COUNTER => {
                let mut counter = proto::Counter::default();
                counter.set_value(value(self.counter));
                metric.set_counter(counter);
            }
            proto::MetricType::HISTOGRAM => {
                metric.set_histogram(self.histogram.unwrap_or_default().into());
            }
            _ => {
                let mut gauge = proto::Gauge::default();
                gauge.set_value(value(self.gauge));
                metric.set_gauge(gauge);
            }
        }
        metric
    }

    /// Converts a metric of a family of this type. No family of this crate is a summary.
    fn new(kind: proto::MetricType, metric: &proto::Metric) -> Self {
        let label = metric.get_label().iter().map(|pair| LabelPair {
            name: Some(pair.name().to_owned()),
            value: Some(pair.value().to_owned()),
        });
        let mut message = Self { label: label.collect(), ..Self::default() };
        let value = |value: f64| Some(Value { value: Some(value) });
        match kind {
            proto::MetricType::COUNTER => message.counter = value(metric.get_counter().get_value()),
            proto::MetricType::GAUGE => message.gauge = value(metric.get_gauge().get_value()),
            proto::MetricType::HISTOGRAM => {
                message.histogram = Some(metric.get_histogram().into());
            }
            proto::MetricType::SUMMARY | proto::MetricType::UNTYPED => {}
        }
        message
    }
}

impl From<Histogram> for proto::Histogram {
    fn from(message: Histogram) -> Self {
        let bucket = |message: Bucket| {
            let mut bucket = proto::Bucket::default();
            bucket.set_cumulative_count(message.cumulative_count.unwrap_or_default());
            bucket.set_upper_bound(message.upper_bound.unwrap_or_default());
            bucket
        };
        let mut histogram = Self::default();
        histogram.set_sample_count(message.sample_count.unwrap_or_default());
        histogram.set_sample_sum(message.sample_sum.unwrap_or_default());
        histogram.set_bucket(message.bucket.into_iter().map(bucket).collect());
        histogram
    }
}

impl From<&proto::Histogram> for Histogram {
    fn from(histogram: &proto::Histogram) -> Self {
        let bucket = histogram.get_bucket().iter().map(|bucket| Bucket {
            cumulative_count: Some(bucket.cumulative_count()),
            upper_bound: Some(bucket.upper_bound()),
        });
        Self {
            sample_count: Some(histogram.get_sample_count()),
            sample_sum: Some(histogram.get_sample_sum()),
            bucket: bucket.collect(),
        }
    }
}
