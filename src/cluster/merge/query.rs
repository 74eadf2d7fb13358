//! A query for the documents of all processes. Pure.

use std::fmt::Write as _;

use serde_json::Value;

use super::texts;
use crate::{
    gather::PROCESS_LABEL,
    summary::{
        MAX_LIMIT,
        query::{DEFAULT_LIMIT, parameters, parse_number, short},
    },
};

/// A query for the documents of all processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The process whose document is requested; `None` for all processes.
    pub process: Option<u32>,
    /// The query string that each process receives.
    pub forwarded: String,
    /// The labels to group by, if the query has the parameter `by`.
    pub(super) by: Option<Vec<String>>,
    pub(super) limit: usize,
    /// `true` if the query filters by labels, so that the rows may not have all calls.
    pub(super) is_filtered: bool,
    /// The text that the number of a process must contain, if the rows are grouped by process only.
    search: String,
}

impl Query {
    /// Splits a query string into the parameters of the merge and the query that each process receives.
    ///
    /// # Errors
    ///
    /// If the query is not valid. The error is a sentence that says why.
    pub fn parse(query: &str) -> Result<Self, String> {
        let mut parsed = Self {
            process: None,
            forwarded: String::new(),
            by: None,
            limit: DEFAULT_LIMIT,
            is_filtered: false,
            search: String::new(),
        };
        let mut given_limit = None;
        let mut others = Vec::new();
        for (name, value) in parameters(query).map_err(|error| error.to_string())? {
            match &*name {
                PROCESS_LABEL => {
                    parsed.process = Some(parse_number(&value, u32::MAX).ok_or_else(|| {
                        format!(
                            "{PROCESS_LABEL:?} must be the number of a process, not {:?}.",
                            short(&value)
                        )
                    })?);
                }
                "by" => {
                    let mut own: Vec<&str> = value.split(',').collect();
                    parsed.by = Some(own.iter().map(|&label| label.to_owned()).collect());
                    if let Some(index) = own.iter().position(|&label| label == PROCESS_LABEL) {
                        own.remove(index);
                    }
                    if !own.is_empty() {
                        parsed.forward("by", &own.join(","));
                    }
                }
                "limit" => given_limit = Some(value),
                _ => others.push((name, value)),
            }
        }
        let is_by_process_alone = parsed.is_by_process_alone();
        let mut filter = None;
        for (name, value) in &others {
            match &**name {
                // The label of the process is in no row of a process.
                "search" if is_by_process_alone => {
                    parsed.search = value.clone().into_owned();
                    continue;
                }
                "search" | "order" | "window" | "seconds" => {}
                label => filter = Some(label),
            }
            parsed.forward(name, value);
        }
        parsed.is_filtered = filter.is_some();
        if let Some(label) = filter.filter(|_| is_by_process_alone) {
            // All series that pass the filter have the same value of this label, so they are one row.
            parsed.forward("by", label);
        }
        // A wrong value is forwarded, so that the process reports it.
        let limit = given_limit
            .as_deref()
            .map_or(Some(parsed.limit), |value| parse_number(value, MAX_LIMIT));
        let forwarded = limit.map_or(given_limit.unwrap_or_default().into_owned(), |limit| {
            parsed.limit = limit;
            // Each process returns more rows than the limit, because a group that is among the first in all
            // processes together need not be among the first in each of them.
            let limit = if parsed.process.is_some() { limit } else { 2 * limit + 100 };
            limit.min(MAX_LIMIT).to_string()
        });
        parsed.forward("limit", &forwarded);
        Ok(parsed)
    }

    fn forward(&mut self, name: &str, value: &str) {
        if !self.forwarded.is_empty() {
            self.forwarded.push('&');
        }
        encode(name, &mut self.forwarded);
        self.forwarded.push('=');
        encode(value, &mut self.forwarded);
    }

    /// Returns whether the rows are grouped by process only.
    pub(super) fn is_by_process_alone(&self) -> bool {
        self.by.as_ref().is_some_and(|by| matches!(&by[..], [label] if label == PROCESS_LABEL))
    }

    /// Returns whether the rows of a query that groups by process only have one of this process.
    pub(super) fn finds(&self, process: u32) -> bool {
        process.to_string().contains(&self.search)
    }

    /// Returns the labels to group by: those of the query, else those of a document.
    pub(super) fn by(&self, document: &Value) -> Vec<String> {
        self.by.clone().unwrap_or_else(|| texts(&document["by"]))
    }
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b',') {
            out.push(char::from(byte));
        } else {
            // Writing to a string never fails.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}
