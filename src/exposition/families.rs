//! The small families, which have the types of the `prometheus` crate, and the user's options for them.
//! The family of the trace counter has its own writer.
//!
//! Pure; any thread.

use prometheus::{
    TextEncoder,
    proto::{LabelPair, MetricFamily, MetricType},
};

use super::{Format, protobuf, text::write_header};

/// Returns a label of a small family.
#[must_use]
pub fn label(name: &str, value: impl Into<String>) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value.into());
    pair
}

/// Adds `prefix` to the name of each family. Adds the default labels to each sample, except those whose names
/// the sample has already: a sample's own label has precedence, as in prom-client.
#[must_use]
pub fn apply_options(
    mut families: Vec<MetricFamily>,
    prefix: &str,
    default_labels: &[(String, String)],
) -> Vec<MetricFamily> {
    for family in &mut families {
        if !prefix.is_empty() {
            family.set_name(format!("{prefix}{}", family.name()));
        }
        let reserved = reserved_label(family.get_field_type());
        for metric in family.mut_metric() {
            let mut labels = metric.take_label();
            add_missing(&mut labels, default_labels, reserved);
            metric.set_label(labels);
        }
    }
    families
}

fn add_missing(labels: &mut Vec<LabelPair>, defaults: &[(String, String)], reserved: &str) {
    for (name, value) in defaults {
        if name != reserved && labels.iter().all(|own| own.name() != name) {
            labels.push(label(name, value));
        }
    }
}

/// Returns the label that the encoder adds to samples of this type. With a default label of the same name, a
/// line would have the label twice, and the whole scrape would fail.
fn reserved_label(kind: MetricType) -> &'static str {
    match kind {
        MetricType::HISTOGRAM => "le",
        MetricType::SUMMARY => "quantile",
        _ => "",
    }
}

/// Adds families to others. Families with the same name become one.
pub fn merge_families(families: &mut Vec<MetricFamily>, more: Vec<MetricFamily>) {
    for mut family in more {
        match families.iter_mut().find(|other| other.name() == family.name()) {
            Some(other) => other.mut_metric().append(family.mut_metric()),
            None => families.push(family),
        }
    }
}

/// Appends families. A family without samples keeps its name, help text and type.
pub fn write_families(out: &mut Vec<u8>, format: Format, families: &[MetricFamily]) {
    match format {
        Format::Text => families.iter().for_each(|family| write_text(out, family)),
        Format::Protobuf => protobuf::write_families(out, families),
    }
}

fn write_text(out: &mut Vec<u8>, family: &MetricFamily) {
    if family.get_metric().is_empty() {
        // For a family without samples, the encoder returns an error.
        write_header(out, family.name(), family.help(), type_name(family.get_field_type()));
        return;
    }
    let mut text = String::new();
    // The encoder fails only on a family without a name, which cannot be on a page anyway.
    if TextEncoder::new().encode_utf8(std::slice::from_ref(family), &mut text).is_ok() {
        out.extend_from_slice(text.as_bytes());
    }
}

fn type_name(kind: MetricType) -> &'static str {
    match kind {
        MetricType::COUNTER => "counter",
        MetricType::GAUGE => "gauge",
        MetricType::HISTOGRAM => "histogram",
        MetricType::SUMMARY => "summary",
        MetricType::UNTYPED => "untyped",
    }
}

#[cfg(test)]
mod tests {
    use prometheus::proto::Summary;

    use super::*;
    use crate::default_metrics::descriptors;

    fn text(families: &[MetricFamily]) -> String {
        let mut out = Vec::new();
        write_families(&mut out, Format::Text, families);
        String::from_utf8(out).unwrap()
    }

    fn defaults(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn gc() -> MetricFamily {
        let buckets = vec![(0.001, 1), (1.0, 3), (5.0, 3)];
        descriptors::GC.histogram([(vec![label("kind", "major")], buckets, 0.75, 4)])
    }

    #[test]
    fn each_family_has_a_header() {
        let families = [
            descriptors::CPU.family([(vec![], 1.25)]),
            descriptors::HANDLES.family([
                (vec![label("type", "Socket")], 2.0),
                (vec![label("type", "a\"\\\n")], 1.0),
            ]),
            descriptors::OPEN_FDS.family([(vec![], 19.0)]),
        ];
        assert_eq!(
            text(&families),
            "# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.\n\
             # TYPE process_cpu_seconds_total counter\n\
             process_cpu_seconds_total 1.25\n\
             # HELP nodejs_active_handles Number of active libuv handles grouped by handle type. \
             Every handle type is C++ class name.\n\
             # TYPE nodejs_active_handles gauge\n\
             nodejs_active_handles{type=\"Socket\"} 2\n\
             nodejs_active_handles{type=\"a\\\"\\\\\\n\"} 1\n\
             # HELP process_open_fds Number of open file descriptors.\n\
             # TYPE process_open_fds gauge\n\
             process_open_fds 19\n"
        );
    }

    #[test]
    fn a_histogram_has_cumulative_buckets_up_to_infinity() {
        assert_eq!(
            text(&[gc()]),
            "# HELP nodejs_gc_duration_seconds Garbage collection duration by kind, one of major, \
             minor, incremental or weakcb.\n\
             # TYPE nodejs_gc_duration_seconds histogram\n\
             nodejs_gc_duration_seconds_bucket{kind=\"major\",le=\"0.001\"} 1\n\
             nodejs_gc_duration_seconds_bucket{kind=\"major\",le=\"1\"} 3\n\
             nodejs_gc_duration_seconds_bucket{kind=\"major\",le=\"5\"} 3\n\
             nodejs_gc_duration_seconds_bucket{kind=\"major\",le=\"+Inf\"} 4\n\
             nodejs_gc_duration_seconds_sum{kind=\"major\"} 0.75\n\
             nodejs_gc_duration_seconds_count{kind=\"major\"} 4\n"
        );
    }

    #[test]
    fn a_family_without_samples_keeps_its_header() {
        let families = [
            descriptors::GC.histogram([]),
            descriptors::CPU.family([]),
            descriptors::MAX_FDS.family([]),
        ];
        assert_eq!(
            text(&families),
            "# HELP nodejs_gc_duration_seconds Garbage collection duration by kind, one of major, \
             minor, incremental or weakcb.\n\
             # TYPE nodejs_gc_duration_seconds histogram\n\
             # HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.\n\
             # TYPE process_cpu_seconds_total counter\n\
             # HELP process_max_fds Maximum number of open file descriptors.\n\
             # TYPE process_max_fds gauge\n"
        );
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn a_family_without_a_name_is_omitted() {
        let mut nameless = descriptors::CPU.family([(vec![], 1.0)]);
        nameless.set_name(String::new());
        assert_eq!(text(&[nameless]), "");
    }

    #[test]
    fn a_value_that_is_not_finite_is_omitted() {
        let family = descriptors::HANDLES.family([
            (vec![label("type", "a")], f64::NAN),
            (vec![label("type", "b")], f64::INFINITY),
            (vec![label("type", "c")], 0.0),
        ]);
        assert_eq!(family.get_metric().len(), 1);
        assert!(text(&[family]).ends_with("nodejs_active_handles{type=\"c\"} 0\n"));
    }

    #[test]
    fn every_name_starts_with_the_prefix() {
        let families =
            apply_options(vec![descriptors::OPEN_FDS.family([(vec![], 1.0)]), gc()], "app_", &[]);
        let page = text(&families);
        assert!(page.starts_with("# HELP app_process_open_fds "));
        assert!(page.contains("\napp_process_open_fds 1\n"));
        assert!(page.contains("\napp_nodejs_gc_duration_seconds_count{kind=\"major\"} 4\n"));
    }

    #[test]
    fn default_labels_follow_a_samples_own_labels_which_have_precedence() {
        let families = vec![
            descriptors::OPEN_FDS.family([(vec![], 1.0)]),
            descriptors::HANDLES.family([(vec![label("type", "Socket")], 2.0)]),
        ];
        let labelled =
            apply_options(families, "", &defaults(&[("type", "default"), ("app", "a\"b")]));
        let page = text(&labelled);
        assert!(page.contains("\nprocess_open_fds{type=\"default\",app=\"a\\\"b\"} 1\n"));
        assert!(page.contains("\nnodejs_active_handles{type=\"Socket\",app=\"a\\\"b\"} 2\n"));
    }

    #[test]
    fn a_default_label_never_duplicates_a_label_of_the_encoder() {
        let mut summary = gc();
        summary.set_field_type(MetricType::SUMMARY);
        summary.mut_metric()[0].set_summary(Summary::default());
        let labels = defaults(&[("le", "x"), ("quantile", "y")]);
        let page = text(&apply_options(vec![gc()], "", &labels));
        assert!(!page.contains("le=\"x\"") && page.contains(",quantile=\"y\""));
        let page = text(&apply_options(vec![summary], "", &labels));
        assert!(page.contains(",le=\"x\"") && !page.contains("quantile=\"y\""));
    }
}
