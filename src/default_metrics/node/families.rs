//! Renders a sample as families. Pure.

use std::{collections::BTreeMap, time::Duration};

use prometheus::proto::{LabelPair, MetricFamily};

use super::sample::{EventLoopDelay, GC_BOUNDS, GcKind, Sample, Space, Tally};
use crate::{
    default_metrics::descriptors::{self, Descriptor},
    exposition::label,
};

/// Returns the labels `own` of a sample, followed by the labels `common`.
pub(super) fn pairs(common: &[(&str, &str)], own: &[(&str, &str)]) -> Vec<LabelPair> {
    own.iter().chain(common).map(|&(name, value)| label(name, value)).collect()
}

/// Returns the lag and the families of the sample, in prom-client's order.
pub(super) fn render(
    lag: Duration,
    sample: Option<&Sample>,
    labels: &[(&str, &str)],
) -> Vec<MetricFamily> {
    let one = |descriptor: &Descriptor, value| descriptor.family([(pairs(labels, &[]), value)]);
    let mut out = vec![one(&descriptors::LAG, lag.as_secs_f64())];
    let Some(sample) = sample else { return out };

    match sample.event_loop_delay {
        Some(EventLoopDelay::Recorded(figures)) => {
            out.extend(
                descriptors::LOOP_DELAY.iter().zip(figures).map(|(of, value)| one(of, value)),
            );
        }
        Some(EventLoopDelay::Empty) => {
            out.extend(descriptors::LOOP_DELAY.iter().map(|of| of.family([])));
        }
        None => {}
    }
    for (tally, by_type, total) in [
        (&sample.resources, &descriptors::RESOURCES, &descriptors::RESOURCES_TOTAL),
        (&sample.handles, &descriptors::HANDLES, &descriptors::HANDLES_TOTAL),
        (&sample.requests, &descriptors::REQUESTS, &descriptors::REQUESTS_TOTAL),
    ] {
        if let Some(tally) = tally {
            out.push(tally_family(by_type, tally, labels));
            out.push(one(total, tally.total));
        }
    }
    if let Some(heap) = &sample.heap {
        out.extend(descriptors::HEAP.iter().zip(heap).map(|(of, &bytes)| one(of, bytes)));
    }
    if let Some(spaces) = &sample.spaces {
        out.extend(space_families(spaces, labels));
    }
    if let Some(version) = &sample.version {
        out.push(version_family(version, labels));
    }
    if let Some(kinds) = &sample.gc {
        out.push(gc_family(kinds, labels));
    }
    out
}

/// Returns the family of a tally. Types with equal names are added up: strings of JavaScript that differ
/// only in lone surrogates become equal in UTF-8.
fn tally_family(descriptor: &Descriptor, tally: &Tally, labels: &[(&str, &str)]) -> MetricFamily {
    let mut counts = BTreeMap::new();
    for (kind, count) in &tally.by_type {
        *counts.entry(kind.as_str()).or_insert(0.0) += count;
    }
    descriptor
        .family(counts.into_iter().map(|(kind, count)| (pairs(labels, &[("type", kind)]), count)))
}

fn space_families(spaces: &[Space], labels: &[(&str, &str)]) -> impl Iterator<Item = MetricFamily> {
    descriptors::SPACES.iter().enumerate().map(move |(i, descriptor)| {
        let own = |space: &Space| pairs(labels, &[("space", &space.name)]);
        descriptor.family(spaces.iter().map(|space| (own(space), space.sizes[i])))
    })
}

fn version_family(version: &str, labels: &[(&str, &str)]) -> MetricFamily {
    let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']);
    let mut next = || numbers.next().unwrap_or_default();
    let own = [("version", version), ("major", next()), ("minor", next()), ("patch", next())];
    descriptors::VERSION.family([(pairs(labels, &own), 1.0)])
}

fn gc_family(kinds: &[GcKind], labels: &[(&str, &str)]) -> MetricFamily {
    descriptors::GC.histogram(kinds.iter().map(|GcKind { kind, buckets, sum }| {
        let cumulative = GC_BOUNDS.iter().zip(buckets).scan(0, |all, (&bound, &count)| {
            *all += count;
            Some((bound, *all))
        });
        let own = pairs(labels, &[("kind", kind)]);
        (own, cumulative.collect(), *sum, buckets.iter().sum())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::{Format, write_families};

    fn text(sample: Option<&Sample>, labels: &[(&str, &str)]) -> String {
        let mut out = Vec::new();
        write_families(
            &mut out,
            Format::Text,
            &render(Duration::from_millis(1500), sample, labels),
        );
        String::from_utf8(out).unwrap()
    }

    fn full() -> Sample {
        let tally = |kind: &str| Tally { by_type: vec![(kind.to_owned(), 2.0)], total: 3.0 };
        let delay = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7];
        let buckets = [1, 2, 0, 0, 0, 0, 1];
        Sample {
            version: Some("v20.19.1".to_owned()),
            heap: Some(vec![3.0, 2.0, 1.0]),
            spaces: Some(vec![Space { name: "old".to_owned(), sizes: [9.0, 8.0, 7.0] }]),
            resources: Some(tally("Timeout")),
            handles: Some(tally("Socket")),
            requests: Some(tally("FSReqCallback")),
            event_loop_delay: Some(EventLoopDelay::Recorded(delay)),
            gc: Some(vec![GcKind { kind: "minor".to_owned(), buckets, sum: 6.5 }]),
            lost_calls: 0.0,
            process: None,
        }
    }

    #[test]
    fn without_a_sample_there_is_only_the_lag() {
        assert_eq!(
            text(None, &[]),
            "# HELP nodejs_eventloop_lag_seconds Lag of event loop in seconds.\n\
             # TYPE nodejs_eventloop_lag_seconds gauge\n\
             nodejs_eventloop_lag_seconds 1.5\n"
        );
    }

    #[test]
    fn a_full_sample_gives_all_families_of_prom_client_in_its_order() {
        let families = render(Duration::ZERO, Some(&full()), &[]);
        let expected: Vec<_> =
            descriptors::defaults().skip(9).map(|descriptor| descriptor.name).collect();
        assert_eq!(families.iter().map(MetricFamily::name).collect::<Vec<_>>(), expected);
        assert_eq!(descriptors::defaults().count(), 31);
    }

    #[test]
    fn each_figure_of_a_sample_is_in_its_family() {
        let page = text(Some(&full()), &[]);
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = "nodejs_eventloop_lag_seconds 1.5
nodejs_eventloop_lag_min_seconds 0.1
nodejs_eventloop_lag_max_seconds 0.2
nodejs_eventloop_lag_mean_seconds 0.3
nodejs_eventloop_lag_stddev_seconds 0.4
nodejs_eventloop_lag_p50_seconds 0.5
nodejs_eventloop_lag_p90_seconds 0.6
nodejs_eventloop_lag_p99_seconds 0.7
nodejs_active_resources{type=\"Timeout\"} 2
nodejs_active_resources_total 3
nodejs_active_handles{type=\"Socket\"} 2
nodejs_active_handles_total 3
nodejs_active_requests{type=\"FSReqCallback\"} 2
nodejs_active_requests_total 3
nodejs_heap_size_total_bytes 3
nodejs_heap_size_used_bytes 2
nodejs_external_memory_bytes 1
nodejs_heap_space_size_total_bytes{space=\"old\"} 9
nodejs_heap_space_size_used_bytes{space=\"old\"} 8
nodejs_heap_space_size_available_bytes{space=\"old\"} 7
nodejs_version_info{version=\"v20.19.1\",major=\"20\",minor=\"19\",patch=\"1\"} 1
nodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"0.001\"} 1
nodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"0.01\"} 3
nodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"0.1\"} 3
nodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"1\"} 3
nodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"2\"} 3
nodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"5\"} 3
nodejs_gc_duration_seconds_bucket{kind=\"minor\",le=\"+Inf\"} 4
nodejs_gc_duration_seconds_sum{kind=\"minor\"} 6.5
nodejs_gc_duration_seconds_count{kind=\"minor\"} 4";
        assert_eq!(samples, expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn a_figure_that_the_runtime_lacks_has_no_family() {
        let sample = Sample { heap: Some(vec![3.0, 2.0]), ..Sample::default() };
        let families = render(Duration::ZERO, Some(&sample), &[]);
        let expected = [
            "nodejs_eventloop_lag_seconds",
            "nodejs_heap_size_total_bytes",
            "nodejs_heap_size_used_bytes",
        ];
        assert_eq!(families.iter().map(MetricFamily::name).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_family_without_samples_keeps_its_header() {
        let sample = Sample {
            event_loop_delay: Some(EventLoopDelay::Empty),
            requests: Some(Tally::default()),
            gc: Some(vec![]),
            ..Sample::default()
        };
        let families = render(Duration::ZERO, Some(&sample), &[]);
        assert_eq!(families.len(), 1 + 7 + 2 + 1);
        let with_samples: Vec<_> = families
            .iter()
            .filter(|family| !family.get_metric().is_empty())
            .map(MetricFamily::name)
            .collect();
        assert_eq!(with_samples, ["nodejs_eventloop_lag_seconds", "nodejs_active_requests_total"]);
    }

    #[test]
    fn common_labels_follow_the_labels_of_a_sample() {
        let page = text(Some(&full()), &[("worker", "3")]);
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.contains("worker=\"3\""), "{line}");
        }
        assert!(page.contains("\nnodejs_active_handles{type=\"Socket\",worker=\"3\"} 2\n"));
    }

    #[test]
    fn types_with_equal_names_are_added_up() {
        let by_type = vec![("\u{fffd}".to_owned(), 1.0), ("\u{fffd}".to_owned(), 2.0)];
        let handles = Some(Tally { by_type, total: 3.0 });
        let page = text(Some(&Sample { handles, ..Sample::default() }), &[]);
        assert!(page.contains("\nnodejs_active_handles{type=\"\u{fffd}\"} 3\n"));
    }

    #[test]
    fn a_version_is_split_into_its_three_numbers() {
        let line = |version: &str| {
            let version = Some(version.to_owned());
            let page = text(Some(&Sample { version, ..Sample::default() }), &[]);
            page.lines().last().unwrap().to_owned()
        };
        assert_eq!(
            line("v27.0.1-nightly2026"),
            "nodejs_version_info{version=\"v27.0.1-nightly2026\",major=\"27\",minor=\"0\",patch=\"1\"} 1"
        );
        assert_eq!(
            line("odd"),
            "nodejs_version_info{version=\"odd\",major=\"odd\",minor=\"\",patch=\"\"} 1"
        );
    }
}
