//! Finds the labels that at least one series has. Pure.
//!
//! Reads the text of each fragment once. The fragments of a column are read until all its labels are found.

use super::grouping::by_column;
use crate::{
    counter::{Series, Stored},
    labels::{Schema, read_labels},
};

/// The maximum number of fragments of a column whose text is read. If a column has more, all its labels
/// count as used: a property can have a different value in each series.
const MAX_FRAGMENTS: u32 = 1000;

/// The labels of the schema. Those that at least one series has are marked as used.
pub struct UsedLabels {
    names: Vec<String>,
    used: Vec<bool>,
    /// Columns that have labels which are not found yet.
    open: Vec<OpenColumn>,
}

struct OpenColumn {
    index: usize,
    /// Indexes of its labels in the schema.
    labels: Vec<usize>,
    /// True for fragments that were read.
    read: Vec<bool>,
    fragments: u32,
}

impl UsedLabels {
    /// Creates the labels of a schema, none of which is used yet.
    pub fn new(schema: &Schema) -> Self {
        let names = schema.names().to_vec();
        let labels: Vec<usize> = (0..names.len()).collect();
        let open = by_column(&labels, schema)
            .into_iter()
            .map(|(index, labels)| OpenColumn { index, labels, read: Vec::new(), fragments: 0 })
            .collect();
        Self { used: vec![false; names.len()], names, open }
    }

    /// Adds the labels of a series.
    #[inline]
    pub fn add(&mut self, series: &Series<'_>) {
        let mut at = 0;
        while let Some(column) = self.open.get_mut(at) {
            let is_found = match series.part(column.index) {
                Stored::Absent => false,
                Stored::Number(_) => column.mark_all(&mut self.used),
                Stored::Fragment(number) => {
                    let is_read = column.read.get(number as usize).copied().unwrap_or(false);
                    !is_read && column.read(series, number, &self.names, &mut self.used)
                }
            };
            if is_found {
                self.open.swap_remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Returns the names of the used labels, in the order of the schema.
    pub fn names(&self) -> Vec<&str> {
        let used = self.names.iter().zip(&self.used).filter(|(_, used)| **used);
        used.map(|(name, _)| name.as_str()).collect()
    }
}

impl OpenColumn {
    /// Marks the labels of a fragment. Returns true if all labels of the column are found.
    #[cold]
    fn read(
        &mut self,
        series: &Series<'_>,
        number: u32,
        names: &[String],
        used: &mut [bool],
    ) -> bool {
        if self.read.len() <= number as usize {
            self.read.resize(number as usize + 1, false);
        }
        self.read[number as usize] = true;
        self.fragments += 1;
        if self.fragments > MAX_FRAGMENTS {
            return self.mark_all(used);
        }
        let text = String::from_utf8_lossy(series.fragment(number));
        for (found, _) in read_labels(&text) {
            if let Some(&label) = self.labels.iter().find(|&&label| names[label] == found) {
                used[label] = true;
            }
        }
        self.labels.iter().all(|&label| used[label])
    }

    fn mark_all(&self, used: &mut [bool]) -> bool {
        for &label in &self.labels {
            used[label] = true;
        }
        true
    }
}
