//! The counter as a collector of the `prometheus` crate, for use in its registries.

use std::ops::ControlFlow;

use prometheus::{
    core::{Collector, Desc},
    proto,
};

use super::TraceCounter;
use crate::labels;

impl Collector for TraceCounter {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        let mut metrics = Vec::new();
        let mut text = Vec::new();
        self.visit(0, |series| {
            text.clear();
            series.write_labels(&mut text);
            metrics.push(metric(&text, series.value));
            ControlFlow::Continue(())
        });
        let mut family = proto::MetricFamily::default();
        family.set_name(self.options.name.clone());
        family.set_help(self.options.help.clone());
        family.set_field_type(proto::MetricType::COUNTER);
        family.set_metric(metrics);
        vec![family]
    }
}

fn metric(labels: &[u8], value: f64) -> proto::Metric {
    let text = String::from_utf8_lossy(labels);
    let pairs = labels::read_labels(&text).into_iter().map(|(name, value)| {
        let mut pair = proto::LabelPair::default();
        pair.set_name(name.to_owned());
        pair.set_value(value.into_owned());
        pair
    });
    let mut counter = proto::Counter::default();
    counter.set_value(value);
    let mut metric = proto::Metric::from_label(pairs.collect());
    metric.set_counter(counter);
    metric
}
