//! What JavaScript hands over at the start. It has been checked there (`lib/options.js`).

use std::time::Duration;

use napi_derive::napi;

use crate::{
    counter::{CounterOptions, TraceCounter},
    gather::DefaultMetricsOptions,
    labels::Schema,
};

/// What `trace_counter` is for, on the page.
pub const HELP: &str = "Counts how many times a function has been traced";

/// The options of an exporter.
#[napi(object, object_to_js = false)]
pub struct ExporterOptions {
    /// The trace counter's name.
    pub metric_name: String,
    /// The properties that become labels.
    pub allowed_props: Vec<String>,
    /// Labels of every series: names and values.
    pub default_labels: Vec<Vec<String>>,
    /// The bound on series.
    pub max_series: u32,
    /// Scrapers are shown each new series at 0 once.
    pub start_at_zero: bool,
    /// How long a series may be idle, in milliseconds; 0: for ever.
    pub series_idle_timeout: u32,
    /// The number of this worker thread; missing on the main thread.
    pub worker: Option<u32>,
    /// Whether the default metrics are on the page.
    pub collect_defaults: bool,
    /// Put before the default metrics' names.
    pub prefix: String,
}

impl ExporterOptions {
    /// The labels of every series, as pairs.
    pub fn default_labels(&self) -> Vec<(String, String)> {
        let pair = |label: &Vec<String>| match &label[..] {
            [name, value] => Some((name.clone(), value.clone())),
            _ => None,
        };
        self.default_labels.iter().filter_map(pair).collect()
    }

    /// What the default metrics are given, if they are collected.
    pub fn default_metrics(&self) -> Option<DefaultMetricsOptions> {
        let default_labels = self.default_labels();
        self.collect_defaults
            .then(|| DefaultMetricsOptions { prefix: self.prefix.clone(), default_labels })
    }

    /// The counter that these options describe.
    pub fn counter(&self) -> napi::Result<TraceCounter> {
        TraceCounter::new(CounterOptions {
            name: self.metric_name.clone(),
            help: HELP.to_owned(),
            schema: Schema::new(&self.allowed_props),
            default_labels: self.default_labels(),
            max_series: self.max_series,
            start_at_zero: self.start_at_zero,
            idle_timeout: (self.series_idle_timeout > 0)
                .then(|| Duration::from_millis(self.series_idle_timeout.into())),
        })
        .map_err(|error| napi::Error::from_reason(error.to_string()))
    }
}
