//! The JSON document that `/summary.json` returns, as types. [`super`] describes its fields. Pure.

use serde::{Serialize, Serializer};

use crate::counter::CounterStats;

/// The version of the document's structure.
pub const SCHEMA: u32 = 1;

/// State of the process and of its event loops at the time of a summary.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuntimeStats {
    /// The start of the counter, in seconds since the epoch.
    pub start_time: f64,
    /// Seconds since the start of the counter, by a monotonic clock.
    pub uptime: f64,
    /// The event loops.
    pub event_loop: EventLoopStats,
    /// The process.
    pub process: ProcessStats,
    /// Labels that every series has in addition: names and values.
    pub default_labels: Vec<(String, String)>,
}

/// State of the event loop; with several threads, of the slowest.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventLoopStats {
    /// True if the event loop responded to the last request for a sample in time.
    pub answering: bool,
    /// The delay of that response so far, in seconds.
    #[serde(serialize_with = "number")]
    pub lag_seconds: f64,
    /// The age of the last sample in seconds, `None` without a sample.
    #[serde(serialize_with = "number_or_null")]
    pub sample_age_seconds: Option<f64>,
}

/// State of the process. A figure is `None` if it is unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessStats {
    /// Its title or the name of its script.
    pub name: Option<String>,
    /// Its number.
    pub pid: u32,
    /// The version of the runtime, as `process.version` has it.
    pub node_version: Option<String>,
    /// The number of JavaScript threads that count.
    pub threads: usize,
    /// The start of the process, in seconds since the epoch.
    #[serde(serialize_with = "number_or_null")]
    pub start_time_seconds: Option<f64>,
    /// The CPU time that the process has used.
    #[serde(serialize_with = "number_or_null")]
    pub cpu_seconds: Option<f64>,
    /// Its memory in RAM.
    #[serde(serialize_with = "number_or_null")]
    pub resident_memory_bytes: Option<f64>,
    /// Memory that V8's heap uses.
    #[serde(serialize_with = "number_or_null")]
    pub heap_used_bytes: Option<f64>,
    /// Memory that V8's heap has reserved.
    #[serde(serialize_with = "number_or_null")]
    pub heap_total_bytes: Option<f64>,
}

/// A group of series: the labels that it has, in the order of the query, and its sum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Names and values.
    #[serde(serialize_with = "map")]
    pub labels: Vec<(String, String)>,
    /// The sum.
    #[serde(serialize_with = "number")]
    pub value: f64,
    /// The calls per second, if they are known.
    #[serde(serialize_with = "number_or_null", skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// Calls: all of them, and those that pass the filters.
#[derive(Clone, Copy, Serialize)]
pub struct Calls {
    #[serde(serialize_with = "number")]
    pub total: f64,
    #[serde(serialize_with = "number")]
    pub matched: f64,
    #[serde(serialize_with = "number_or_null")]
    pub rate: Option<f64>,
}

/// The groups beyond `limit`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Other {
    pub groups: usize,
    #[serde(serialize_with = "number")]
    pub value: f64,
}

/// The counter's series, as [`CounterStats`] has them.
#[derive(Clone, Copy, Serialize)]
pub struct SeriesStats {
    used: u32,
    limit: u32,
    collapsed: u64,
    overflowed: u64,
    expired: u64,
}

impl From<CounterStats> for SeriesStats {
    fn from(stats: CounterStats) -> Self {
        let CounterStats { series, limit, collapsed, overflowed, expired } = stats;
        Self { used: series, limit, collapsed, overflowed, expired }
    }
}

/// The document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<'a> {
    pub schema: u32,
    pub version: &'a str,
    pub metric: &'a str,
    #[serde(serialize_with = "number")]
    pub start_time_seconds: f64,
    #[serde(serialize_with = "number")]
    pub uptime_seconds: f64,
    pub labels: &'a [String],
    pub used_labels: Vec<&'a str>,
    #[serde(serialize_with = "map")]
    pub default_labels: &'a [(String, String)],
    pub series: SeriesStats,
    pub calls: Calls,
    pub window_seconds: Option<u32>,
    pub by: Vec<&'a str>,
    pub order: &'a str,
    pub rows: Vec<Row>,
    pub other: Other,
    pub event_loop: &'a EventLoopStats,
    pub process: &'a ProcessStats,
}

impl Document<'_> {
    /// Returns the document as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        // Cannot fail: the keys of all maps are strings.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Writes whole numbers without a fraction, as JavaScript does, and numbers that are not finite as `null`.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
pub fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    /// The end of the range in which each whole number is an `f64`.
    const END: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && (0.0..=END).contains(value) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
        return serializer.serialize_u64(*value as u64);
    }
    serializer.serialize_f64(*value)
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn number_or_null<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    number(&value.unwrap_or(f64::NAN), serializer)
}

fn map<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        let table = [
            (0.0, "0"),
            (-1.5, "-1.5"),
            (225_600.0, "225600"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (0.000_25, "0.00025"),
            (f64::NAN, "null"),
            (f64::INFINITY, "null"),
        ];
        for (value, expected) in table {
            let row = Row { labels: Vec::new(), value, rate: None };
            let text = serde_json::to_string(&row).expect("JSON");
            assert_eq!(text, format!(r#"{{"labels":{{}},"value":{expected}}}"#));
        }
    }
}
