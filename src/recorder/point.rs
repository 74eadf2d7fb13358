//! The figures of one step. Pure.

/// The figures of a step; `None` for a figure that was not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// The longest delay of an event loop in the step, in seconds.
    pub lag: Option<f64>,
    /// The CPU seconds that were used in the step.
    pub cpu: Option<f64>,
    /// The used heap of all threads, in bytes.
    pub heap: Option<f64>,
    /// The resident memory, in bytes.
    pub resident_memory: Option<f64>,
    /// The number of series.
    pub series: Option<u32>,
}

/// One measured step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// All calls in the step.
    pub calls: u64,
    /// The figures.
    pub figures: Figures,
}

/// Merges two consecutive steps.
pub fn merge(first: Option<Point>, second: Option<Point>) -> Option<Point> {
    let (Some(a), Some(b)) = (first, second) else { return first.or(second) };
    let most = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    let sum = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    };
    let (f, g) = (a.figures, b.figures);
    let figures = Figures {
        lag: most(f.lag, g.lag),
        cpu: sum(f.cpu, g.cpu),
        heap: g.heap.or(f.heap),
        resident_memory: g.resident_memory.or(f.resident_memory),
        series: g.series.or(f.series),
    };
    Some(Point { calls: a.calls + b.calls, figures })
}
