//! Writes the document of `/history.json` in short units of work. Pure.

use serde::Serialize;

use super::{
    groups::{Group, Groups, SITES_AT_A_TIME, group_labels},
    history::{History, Window},
    point::{Figures, Point},
    query::Query,
    stalls::Stall,
};
use crate::{
    labels::{OVERFLOW, Schema},
    sort::sort_by,
    summary::GroupLabels,
};

/// Selects one of the figures.
type Figure = fn(&Figures) -> Option<f64>;

/// The version of the document's structure.
const SCHEMA: u32 = 1;

/// A document that is being written.
#[derive(Debug)]
pub struct Document {
    query: Query,
    by: Vec<String>,
    window: Window,
    json: Vec<u8>,
    state: State,
    /// The calls of each step that are in no row.
    other: Vec<u64>,
}

#[derive(Debug)]
enum State {
    Grouping(Groups),
    Rows(Rows),
}

/// The rows that are not written yet.
#[derive(Debug)]
struct Rows {
    groups: std::vec::IntoIter<Group>,
    /// The row that is being summed: its group, the index of its next call site, and its calls by step.
    row: Option<(Group, usize, Vec<u64>)>,
    is_first: bool,
}

impl Document {
    /// Starts a document. The caller has pinned the history, and unpins it when the document is complete.
    #[must_use]
    pub fn new(query: Query, schema: &Schema, window: Window) -> Self {
        let name = |label: usize| schema.names()[label].clone();
        let by: Vec<String> = query.by.iter().map(|&label| name(label)).collect();
        let filters =
            query.filters.iter().map(|(label, value)| (name(*label), value.clone())).collect();
        let groups = Groups::new(by.clone(), filters, window.clone());
        let state = State::Grouping(groups);
        Self { query, by, window, json: Vec::new(), state, other: Vec::new() }
    }

    /// Does the next unit of work, of at most about half a millisecond, and returns whether more is left.
    pub fn advance(&mut self, history: &History) -> bool {
        match &mut self.state {
            State::Grouping(groups) => {
                if !groups.advance(history) {
                    self.begin_rows(history);
                }
                true
            }
            State::Rows(rows) => {
                let Self { window, by, json, other, .. } = self;
                let more = rows.advance(history, window, by, json, other);
                if !more {
                    self.end(history);
                }
                more
            }
        }
    }

    /// Returns the document.
    #[must_use]
    pub fn into_json(self) -> Vec<u8> {
        self.json
    }

    fn begin_rows(&mut self, history: &History) {
        let window = self.window.clone();
        let groups = Groups::new(Vec::new(), Vec::new(), window.clone());
        let state = std::mem::replace(&mut self.state, State::Grouping(groups));
        let State::Grouping(groups) = state else { return };
        let groups = groups.into_top(self.query.limit, &self.query.search);
        self.write_points(history);
        self.json.extend_from_slice(br#","rows":["#);
        let mut other = vec![0; window.count as usize];
        for step in window.steps.clone() {
            if let (Some(position), Some(point)) = (window.position(step), history.point(step)) {
                other[position] = point.calls;
            }
        }
        self.other = other;
        self.state = State::Rows(Rows { groups: groups.into_iter(), row: None, is_first: true });
    }

    fn write_points(&mut self, history: &History) {
        let Self { json, window, by, .. } = self;
        json.extend_from_slice(br#"{"schema":"#);
        write(json, &SCHEMA);
        json.extend_from_slice(br#","stepSeconds":"#);
        write(json, &window.step);
        json.extend_from_slice(br#","endTimeSeconds":"#);
        write(json, &window.end);
        json.extend_from_slice(br#","by":"#);
        write(json, by);
        json.extend_from_slice(br#","points":{"calls":"#);
        let calls = |point: &Point| Some(point.calls);
        write_steps(json, window, |step| history.point(step).and_then(calls));
        let figures: [(&str, Figure); 5] = [
            ("lagSeconds", |figures| figures.lag),
            ("cpuSeconds", |figures| figures.cpu),
            ("heapUsedBytes", |figures| figures.heap),
            ("residentMemoryBytes", |figures| figures.resident_memory),
            ("series", |figures| figures.series.map(f64::from)),
        ];
        for (name, figure) in figures {
            json.push(b',');
            write(json, name);
            json.push(b':');
            let value = |step| figure(&history.point(step)?.figures).map(Rounded);
            write_steps(json, window, value);
        }
        json.push(b'}');
    }

    fn end(&mut self, history: &History) {
        let Self { json, window, by, other, .. } = self;
        json.extend_from_slice(br#"],"other":{"calls":"#);
        write_calls(json, window, other, history);
        json.extend_from_slice(br#"},"stalls":["#);
        for (index, stall) in history.stalls.within(window.start(), f64::MAX).enumerate() {
            if index > 0 {
                json.push(b',');
            }
            write(json, &StallDocument::new(stall, by, &sums_of(stall, by)));
        }
        json.extend_from_slice(b"]}");
    }
}

impl Rows {
    fn advance(
        &mut self,
        history: &History,
        window: &Window,
        by: &[String],
        json: &mut Vec<u8>,
        other: &mut [u64],
    ) -> bool {
        let row = self.row.take().or_else(|| {
            let group = self.groups.next()?;
            Some((group, 0, vec![0; window.count as usize]))
        });
        let Some((group, from, mut calls)) = row else { return false };
        let end = group.sites.len().min(from + SITES_AT_A_TIME as usize);
        let sites = group.sites[from..end].iter().filter_map(|&number| history.site(number));
        for (step, count) in sites.flat_map(|site| site.column.within(&window.steps)) {
            if let Some(position) = window.position(step) {
                calls[position] += count;
            }
        }
        if end < group.sites.len() {
            self.row = Some((group, end, calls));
            return true;
        }
        for (other, calls) in other.iter_mut().zip(&calls) {
            *other = other.saturating_sub(*calls);
        }
        if !std::mem::take(&mut self.is_first) {
            json.push(b',');
        }
        json.extend_from_slice(br#"{"labels":"#);
        write(json, &LabelMap { by, labels: &group.labels });
        json.extend_from_slice(br#","calls":"#);
        write_calls(json, window, &calls, history);
        json.push(b'}');
        true
    }
}

/// Writes the calls of each step; `null` where the step was not measured.
fn write_calls(json: &mut Vec<u8>, window: &Window, calls: &[u64], history: &History) {
    write_steps(json, window, |step| {
        history.point(step)?;
        calls.get(window.position(step)?)
    });
}

/// Writes a value for each step of a window: `null` before the first recorded step, and where `value`
/// returns `None`.
fn write_steps<T: Serialize>(
    json: &mut Vec<u8>,
    window: &Window,
    value: impl Fn(u32) -> Option<T>,
) {
    let steps = window.steps.clone();
    let missing = window.count as usize - steps.len();
    json.push(b'[');
    for index in 0..window.count as usize {
        if index > 0 {
            json.push(b',');
        }
        let at = index.checked_sub(missing).and_then(|index| u32::try_from(index).ok());
        write(json, &at.and_then(|index| value(steps.start + index)));
    }
    json.push(b']');
}

fn write<T: Serialize + ?Sized>(json: &mut Vec<u8>, value: &T) {
    // Cannot fail: the keys of all maps are strings, and a `Vec` accepts all bytes.
    let _ = serde_json::to_writer(json, value);
}

/// A number as JavaScript writes it, with at most six digits after the point to shorten the document.
struct Rounded(f64);

impl Serialize for Rounded {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::summary::number(&((self.0 * 1e6).round() / 1e6), serializer)
    }
}

/// The labels of a group, written with their names.
struct LabelMap<'a> {
    by: &'a [String],
    labels: &'a GroupLabels,
}

impl Serialize for LabelMap<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = |index: &usize| self.by.get(*index).map_or(OVERFLOW, String::as_str);
        serializer.collect_map(self.labels.iter().map(|(index, value)| (name(index), value)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StallDocument<'a> {
    #[serde(serialize_with = "crate::summary::number")]
    start_time_seconds: f64,
    #[serde(serialize_with = "crate::summary::number")]
    seconds: f64,
    calls: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<Worker<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ongoing: bool,
    rows: Vec<StallRow<'a>>,
}

/// The label of a worker thread: a number, if the runtime numbers its threads.
#[derive(Serialize)]
#[serde(untagged)]
enum Worker<'a> {
    Number(u32),
    Name(&'a str),
}

#[derive(Serialize)]
struct StallRow<'a> {
    labels: LabelMap<'a>,
    calls: u64,
}

impl<'a> StallDocument<'a> {
    fn new(stall: &'a Stall, by: &'a [String], sums: &'a [(GroupLabels, u64)]) -> Self {
        let row = |(labels, calls): &'a (GroupLabels, u64)| StallRow {
            labels: LabelMap { by, labels },
            calls: *calls,
        };
        let rows = sums.iter().map(row).collect();
        let worker = stall.worker.as_deref();
        let worker = worker.map(|name| name.parse().map_or(Worker::Name(name), Worker::Number));
        Self {
            start_time_seconds: stall.start,
            seconds: stall.seconds,
            calls: stall.calls,
            worker,
            ongoing: stall.ongoing,
            rows,
        }
    }
}

/// Sums the calls of a stall by labels, the most calls first.
fn sums_of(stall: &Stall, by: &[String]) -> Vec<(GroupLabels, u64)> {
    let mut sums: Vec<(GroupLabels, u64)> = Vec::new();
    for (written, calls) in &stall.sites {
        let Some(labels) = group_labels(written, by, &[]) else { continue };
        match sums.iter_mut().find(|(other, _)| *other == labels) {
            Some((_, sum)) => *sum += calls,
            None => sums.push((labels, *calls)),
        }
    }
    sort_by(&mut sums, |(_, a), (_, b)| b.cmp(a));
    sums
}
