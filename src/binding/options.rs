//! The options of an exporter, which `lib/options.js` checks before JavaScript passes them.

use std::time::Duration;

use napi_derive::napi;

use crate::{
    counter::{CounterOptions, TraceCounter},
    gather::{DefaultMetricsOptions, Gatherer, ProcessIdentity},
    labels::Schema,
};

/// The help text of the trace counter.
pub const COUNTER_HELP: &str = "Counts how many times a function has been traced";

/// The options of an exporter.
#[napi(object, object_to_js = false)]
pub struct ExporterOptions {
    /// The name of the trace counter.
    pub metric_name: String,
    /// The names of the properties that are shown as labels.
    pub allowed_props: Vec<String>,
    /// Names and values of the labels that every series has.
    #[napi(ts_type = "[name: string, value: string][]")]
    pub default_labels: Vec<Vec<String>>,
    /// The maximum number of series at a time.
    pub max_series: u32,
    /// `true` if each new series is shown at 0 once, to each scraper.
    pub start_at_zero: bool,
    /// The time in milliseconds after which an idle series expires; 0 if series do not expire.
    pub series_idle_timeout: u32,
    /// The number of this worker thread; `undefined` on the main thread.
    pub worker: Option<u32>,
    /// `true` if the page has the families `process_*` and `nodejs_*`. Has no effect without `collect_own`.
    pub collect_runtime: bool,
    /// `true` if the page has the families `hypertrace_*`.
    pub collect_own: bool,
    /// The prefix of the names of `process_*` and `nodejs_*`.
    pub prefix: String,
    /// The length of the recording in seconds; 0 for none.
    pub history: u32,
    /// The title of the process, or the name of its script.
    pub process_name: Option<String>,
    /// The version of the runtime.
    pub node_version: Option<String>,
}

impl ExporterOptions {
    /// Creates a gatherer with the trace counter and the default metrics of these options, without a
    /// recorder.
    ///
    /// # Errors
    ///
    /// If the metric's name or a label name is not valid, or a label name occurs twice.
    pub fn gatherer(&self) -> Result<Gatherer, prometheus::Error> {
        let identity = ProcessIdentity {
            name: self.process_name.clone(),
            node_version: self.node_version.clone(),
        };
        let gatherer = Gatherer::new(self.counter()?.into(), self.default_metrics());
        Ok(gatherer.with_identity(identity))
    }

    /// Returns the time after which an idle series expires; `None` if series do not expire.
    pub fn idle_timeout(&self) -> Option<Duration> {
        (self.series_idle_timeout > 0)
            .then(|| Duration::from_millis(self.series_idle_timeout.into()))
    }

    fn counter(&self) -> Result<TraceCounter, prometheus::Error> {
        TraceCounter::new(CounterOptions {
            name: self.metric_name.clone(),
            help: COUNTER_HELP.to_owned(),
            schema: Schema::new(&self.allowed_props),
            default_labels: self.default_labels(),
            max_series: self.max_series,
            start_at_zero: self.start_at_zero,
            idle_timeout: self.idle_timeout(),
        })
    }

    fn default_metrics(&self) -> Option<DefaultMetricsOptions> {
        self.collect_own.then(|| DefaultMetricsOptions {
            runtime: self.collect_runtime,
            prefix: self.prefix.clone(),
            default_labels: self.default_labels(),
        })
    }

    fn default_labels(&self) -> Vec<(String, String)> {
        let pair = |label: &Vec<String>| match &label[..] {
            [name, value] => Some((name.clone(), value.clone())),
            _ => None,
        };
        self.default_labels.iter().filter_map(pair).collect()
    }
}
