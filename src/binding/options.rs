//! What JavaScript hands over at the start. It has been checked there (`lib/options.js`).

use napi_derive::napi;

use crate::{
    counter::{CounterOptions, TraceCounter},
    labels::Schema,
};

/// What `trace_counter` is for, on the page.
const HELP: &str = "Counts how many times a function has been traced";

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

    /// The counter that these options describe.
    pub fn counter(&self) -> napi::Result<TraceCounter> {
        TraceCounter::new(CounterOptions {
            name: self.metric_name.clone(),
            help: HELP.to_owned(),
            schema: Schema::new(&self.allowed_props),
            default_labels: self.default_labels(),
            max_series: self.max_series,
        })
        .map_err(|error| napi::Error::from_reason(error.to_string()))
    }
}
