//! Merges the documents of several processes into one. Calls are summed, unless the query groups or filters
//! by process. Pure.

mod query;
mod steps;
#[cfg(test)]
mod tests;

use std::{cmp::Ordering, collections::BTreeMap};

use serde::Serialize;
use serde_json::{Value, json};

pub use self::query::Query;
use self::steps::{Kind, Steps};
use crate::{gather::PROCESS_LABEL, sort::sort_by};

/// The maximum number of stalls of a history.
const MAX_STALLS: usize = 100;

/// The document of one process.
pub struct ProcessDocument {
    /// The number of the process.
    pub process: u32,
    /// The document.
    pub document: Value,
}

impl ProcessDocument {
    /// Reads the document of a process. Returns `None` if it is not a JSON object.
    #[must_use]
    pub fn read(process: u32, json: &[u8]) -> Option<Self> {
        let document = serde_json::from_slice(json).ok().filter(Value::is_object)?;
        Some(Self { process, document })
    }

    fn get(&self, path: &[&str]) -> &Value {
        path.iter().fold(&self.document, |value, name| &value[*name])
    }

    fn number(&self, path: &[&str]) -> Option<f64> {
        self.get(path).as_f64()
    }

    fn rows(&self) -> impl Iterator<Item = &Value> {
        self.get(&["rows"]).as_array().into_iter().flatten()
    }

    /// Returns the labels of a row in the order of `by`, with the number of the process for [`PROCESS_LABEL`].
    fn labels(&self, row: &Value, by: &[String]) -> Labels {
        let value = |label: &String| {
            if label == PROCESS_LABEL {
                return Some((label.clone(), self.process.to_string()));
            }
            Some((label.clone(), row["labels"][label].as_str()?.to_owned()))
        };
        let mut labels: Labels = by.iter().filter_map(value).collect();
        // The overflow series has a label that no query has.
        let more = row["labels"].as_object().into_iter().flatten();
        labels.extend(
            more.filter(|(name, _)| !by.contains(name))
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))),
        );
        labels
    }
}

type Labels = Vec<(String, String)>;

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Returns the summary of all processes. The first document is that of the opener. `absent` has the numbers
/// of the processes that have not responded.
#[must_use]
pub fn summary(query: &Query, documents: &[ProcessDocument], absent: &[u32]) -> Vec<u8> {
    let Some(first) = documents.first() else { return Vec::new() };
    let by = query.by(&first.document);
    let sum = |path: &[&str]| number(total(documents, path));
    let most =
        |path: &[&str]| number(documents.iter().filter_map(|p| p.number(path)).reduce(f64::max));
    let least =
        |path: &[&str]| number(documents.iter().filter_map(|p| p.number(path)).reduce(f64::min));
    let is_rate = documents.iter().all(|each| each.document["order"] == "rate");

    let mut labels = texts(&first.document["labels"]);
    let used = |label: &String| {
        documents.iter().any(|each| texts(&each.document["usedLabels"]).contains(label))
    };
    let used_labels: Vec<String> = labels.iter().filter(|label| used(label)).cloned().collect();
    labels.push(PROCESS_LABEL.to_owned());
    let (rows, other) = rows(query, documents, &by, is_rate);

    let mut object = Object::new();
    for name in ["schema", "version", "metric", "startTimeSeconds", "uptimeSeconds"] {
        object.add(name, &first.document[name]);
    }
    object.add("labels", &labels);
    object.add("usedLabels", &used_labels);
    object.add("defaultLabels", &first.document["defaultLabels"]);
    object.nested("series", |object| {
        for name in ["used", "limit", "collapsed", "overflowed", "expired"] {
            object.add(name, &sum(&["series", name]));
        }
    });
    object.nested("calls", |object| {
        for name in ["total", "matched", "rate"] {
            object.add(name, &sum(&["calls", name]));
        }
    });
    object.add("windowSeconds", &least(&["windowSeconds"]));
    object.add("by", &by);
    object.add("order", if is_rate { "rate" } else { "total" });
    object.add_rows(&rows, |object, row| {
        object.add("value", &number(Some(row.value)));
        if let Some(rate) = row.rate {
            object.add("rate", &number(Some(rate)));
        }
    });
    object.add("other", &other);
    object.nested("eventLoop", |object| {
        let answering = documents.iter().all(|each| each.get(&["eventLoop", "answering"]) == true);
        object.add("answering", &answering);
        object.add("lagSeconds", &most(&["eventLoop", "lagSeconds"]));
        object.add("sampleAgeSeconds", &most(&["eventLoop", "sampleAgeSeconds"]));
    });
    object.nested("process", |object| {
        object.add("name", first.get(&["process", "name"]));
        object.add("pid", &Value::Null);
        object.add("nodeVersion", first.get(&["process", "nodeVersion"]));
        object.add("threads", &sum(&["process", "threads"]));
        object.add("startTimeSeconds", &least(&["process", "startTimeSeconds"]));
        for name in ["cpuSeconds", "residentMemoryBytes", "heapUsedBytes", "heapTotalBytes"] {
            object.add(name, &sum(&["process", name]));
        }
    });
    let process = |each: &ProcessDocument| {
        json!({
            "process": each.process,
            "name": each.get(&["process", "name"]),
            "pid": each.get(&["process", "pid"]),
            "calls": each.get(&["calls"]),
            "eventLoop": each.get(&["eventLoop"]),
        })
    };
    let mut sorted: Vec<&ProcessDocument> = documents.iter().collect();
    sort_by(&mut sorted, |a, b| a.process.cmp(&b.process));
    object.add("processes", &sorted.into_iter().map(process).collect::<Vec<_>>());
    object.add("absentProcesses", absent);
    object.end()
}

/// Adds the numbers of all processes to the summary of one process.
#[must_use]
pub fn with_processes(mut summary: Vec<u8>, numbers: &[u32]) -> Vec<u8> {
    if summary.last() == Some(&b'}') {
        summary.pop();
        let processes: Vec<Value> =
            numbers.iter().map(|number| json!({ "process": number })).collect();
        let mut object = Object(summary);
        object.add("processes", &processes);
        summary = object.end();
    }
    summary
}

/// A row of a summary.
struct Row {
    labels: Labels,
    value: f64,
    rate: Option<f64>,
}

fn rows(
    query: &Query,
    documents: &[ProcessDocument],
    by: &[String],
    is_rate: bool,
) -> (Vec<Row>, Value) {
    let mut groups: BTreeMap<Labels, (f64, Option<f64>)> = BTreeMap::new();
    let (mut all, mut others) = (0.0, 0.0);
    for each in documents {
        if query.is_by_process_alone() {
            if query.finds(each.process) && (!query.is_filtered || each.rows().next().is_some()) {
                let value = each.number(&["calls", "matched"]).unwrap_or_default();
                let rate = if query.is_filtered {
                    each.rows().map(|row| row["rate"].as_f64()).sum()
                } else {
                    each.number(&["calls", "rate"])
                };
                groups.insert(each.labels(&Value::Null, by), (value, rate));
                all += value;
            }
            continue;
        }
        for row in each.rows() {
            let (value, rate) = (row["value"].as_f64().unwrap_or_default(), row["rate"].as_f64());
            let group = groups.entry(each.labels(row, by)).or_insert((0.0, Some(0.0)));
            group.0 += value;
            group.1 = group.1.zip(rate).map(|(sum, rate)| sum + rate);
            all += value;
        }
        all += each.number(&["other", "value"]).unwrap_or_default();
        others += each.number(&["other", "groups"]).unwrap_or_default();
    }
    let mut rows: Vec<Row> =
        groups.into_iter().map(|(labels, (value, rate))| Row { labels, value, rate }).collect();
    let key = |row: &Row| if is_rate { row.rate.unwrap_or_default() } else { row.value };
    sort_by(&mut rows, |a, b| key(b).partial_cmp(&key(a)).unwrap_or(Ordering::Equal));
    let left = rows.len().saturating_sub(query.limit);
    rows.truncate(query.limit);
    let shown: f64 = rows.iter().map(|row| row.value).sum();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let groups = others + left as f64;
    (rows, json!({ "groups": number(Some(groups)), "value": number(Some(all - shown)) }))
}

/// Returns the history of all processes. The first document is that of the opener.
#[must_use]
pub fn history(query: &Query, documents: &[ProcessDocument]) -> Vec<u8> {
    let Some(first) = documents.first() else { return Vec::new() };
    let by = query.by(&first.document);
    let steps = Steps::new(documents);
    let column = |name: &str, join: fn(f64, f64) -> f64, kind: Kind| {
        steps.join(documents.iter().map(|each| (each, each.get(&["points", name]))), join, kind)
    };
    let calls = column("calls", |a, b| a + b, Kind::Sum);

    let mut groups: BTreeMap<Labels, Vec<(&ProcessDocument, &Value)>> = BTreeMap::new();
    for each in documents {
        if query.is_by_process_alone() {
            let lists: Vec<&Value> = if query.is_filtered {
                each.rows().map(|row| &row["calls"]).collect()
            } else {
                vec![each.get(&["points", "calls"])]
            };
            if query.finds(each.process) && !lists.is_empty() {
                let lists = lists.into_iter().map(|list| (each, list)).collect();
                groups.insert(each.labels(&Value::Null, &by), lists);
            }
            continue;
        }
        for row in each.rows() {
            groups.entry(each.labels(row, &by)).or_default().push((each, &row["calls"]));
        }
    }
    let mut rows: Vec<(Labels, Vec<Option<f64>>)> = groups
        .into_iter()
        .map(|(labels, lists)| (labels, steps.join(lists.into_iter(), |a, b| a + b, Kind::Sum)))
        .collect();
    let total = |list: &[Option<f64>]| list.iter().flatten().sum::<f64>();
    sort_by(&mut rows, |(_, a), (_, b)| total(b).partial_cmp(&total(a)).unwrap_or(Ordering::Equal));
    rows.truncate(query.limit);
    let mut other = calls.clone();
    for (_, row) in &rows {
        for (other, calls) in other.iter_mut().zip(row) {
            *other = other.map(|other| (other - calls.unwrap_or_default()).max(0.0));
        }
    }

    let mut object = Object::new();
    object.add("schema", &first.document["schema"]);
    object.add("stepSeconds", &number(Some(steps.seconds)));
    object.add("endTimeSeconds", &first.document["endTimeSeconds"]);
    object.add("by", &by);
    object.nested("points", |object| {
        object.add("calls", &numbers(&calls));
        object.add("lagSeconds", &numbers(&column("lagSeconds", f64::max, Kind::Most)));
        object.add("cpuSeconds", &numbers(&column("cpuSeconds", |a, b| a + b, Kind::Sum)));
        for name in ["heapUsedBytes", "residentMemoryBytes", "series"] {
            object.add(name, &numbers(&column(name, |a, b| a + b, Kind::Last)));
        }
    });
    object.add_rows(&rows, |object, (_, calls)| object.add("calls", &numbers(calls)));
    object.nested("other", |object| object.add("calls", &numbers(&other)));
    object.add("stalls", &stalls(documents));
    object.end()
}

/// Returns the stalls of all processes, the oldest first, each with its process.
fn stalls(documents: &[ProcessDocument]) -> Vec<Value> {
    let mut stalls = Vec::new();
    for each in documents {
        for stall in each.get(&["stalls"]).as_array().into_iter().flatten() {
            let mut stall = stall.clone();
            stall[PROCESS_LABEL] = each.process.into();
            stalls.push(stall);
        }
    }
    let start = |stall: &Value| stall["startTimeSeconds"].as_f64().unwrap_or_default();
    sort_by(&mut stalls, |a, b| start(a).partial_cmp(&start(b)).unwrap_or(Ordering::Equal));
    stalls.split_off(stalls.len().saturating_sub(MAX_STALLS))
}

fn total(documents: &[ProcessDocument], path: &[&str]) -> Option<f64> {
    documents.iter().filter_map(|each| each.number(path)).reduce(|all, one| all + one)
}

/// A number as JavaScript writes it, or `null`.
struct Number(Option<f64>);

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let round =
            |value: f64| if value.fract() == 0.0 { value } else { (value * 1e6).round() / 1e6 };
        let rounded = self.0.map_or(f64::NAN, round);
        crate::summary::number(&rounded, serializer)
    }
}

fn number(value: Option<f64>) -> Number {
    Number(value)
}

fn numbers(values: &[Option<f64>]) -> Vec<Number> {
    values.iter().map(|value| Number(*value)).collect()
}

/// An object that is being written, its fields in the order in which they are added.
struct Object(Vec<u8>);

impl Object {
    fn new() -> Self {
        Self(vec![b'{'])
    }

    fn name(&mut self, name: &str) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
        self.write(name);
        self.0.push(b':');
    }

    fn write<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Cannot fail: the keys of all maps are strings, and a `Vec` accepts all bytes.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    fn add<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.name(name);
        self.write(value);
    }

    fn nested(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.name(name);
        self.0.push(b'{');
        write(self);
        self.0.push(b'}');
    }

    fn add_rows<R: HasLabels>(&mut self, rows: &[R], write: impl Fn(&mut Self, &R)) {
        self.name("rows");
        self.0.push(b'[');
        for (index, row) in rows.iter().enumerate() {
            if index > 0 {
                self.0.push(b',');
            }
            self.0.push(b'{');
            self.nested("labels", |object| {
                row.labels().iter().for_each(|(name, value)| object.add(name, value));
            });
            write(self, row);
            self.0.push(b'}');
        }
        self.0.push(b']');
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

trait HasLabels {
    fn labels(&self) -> &Labels;
}

impl HasLabels for Row {
    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl HasLabels for (Labels, Vec<Option<f64>>) {
    fn labels(&self) -> &Labels {
        &self.0
    }
}
