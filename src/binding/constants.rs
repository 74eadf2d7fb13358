//! Values that both languages need. They are defined in Rust, and JavaScript reads them once, when it loads.

use napi_derive::napi;

use super::{exporter::Exporter, options::COUNTER_HELP};
use crate::{
    counter::CELLS,
    default_metrics::{descriptors, node::GC_BOUNDS},
    exposition::Format,
    gather::{PROCESS_LABEL, WORKER_LABEL},
    labels::{OVERFLOW, PROP_OWNERS, RESERVED},
};

/// The version of this package, which the loader compares with that of the JavaScript files.
#[napi]
#[cfg_attr(test, expect(dead_code, reason = "napi registers no constant in a test"))]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Names, texts and bounds of the page that JavaScript needs.
#[napi(object, object_from_js = false)]
pub struct Constants {
    /// The content type of the page.
    pub content_type: &'static str,
    /// The binary logarithm of the number of cells of a cell block.
    pub cell_bits: u32,
    /// The help text of the trace counter.
    pub counter_help: &'static str,
    /// The labels of the trace counter that are not properties, in the order of the page.
    pub reserved_labels: Vec<&'static str>,
    /// The label of the overflow series.
    pub overflow_label: &'static str,
    /// The prefixes of the labels of properties, one for each owner.
    pub props_prefixes: Vec<&'static str>,
    /// The label of the figures of a worker thread.
    pub worker_label: &'static str,
    /// The label of the samples of a process that shares its port.
    pub process_label: &'static str,
    /// Upper bounds in seconds of the buckets of `nodejs_gc_duration_seconds`, without +Inf.
    pub gc_bounds: Vec<f64>,
}

#[napi]
impl Exporter {
    /// Returns the family of the page that a counter of this name would collide with. `prefix` is that of
    /// the default families; `null` if they are not collected.
    #[napi]
    #[must_use]
    pub fn colliding_family(metric_name: String, prefix: Option<String>) -> Option<String> {
        descriptors::colliding(&metric_name, prefix.as_deref())
    }

    /// Returns the values that both languages need.
    #[napi]
    #[must_use]
    pub fn constants() -> Constants {
        Constants {
            content_type: Format::Text.content_type(),
            cell_bits: CELLS.trailing_zeros(),
            counter_help: COUNTER_HELP,
            reserved_labels: RESERVED.to_vec(),
            overflow_label: OVERFLOW,
            props_prefixes: PROP_OWNERS.to_vec(),
            worker_label: WORKER_LABEL,
            process_label: PROCESS_LABEL,
            gc_bounds: GC_BOUNDS.to_vec(),
        }
    }
}
