//! A substitute for the samples of a JavaScript thread.

/// The `nodejs_*` families.
pub mod node {
    use std::time::Duration;

    use prometheus::proto::MetricFamily;

    /// A sample.
    pub struct Sample {
        /// Calls that were not counted.
        pub lost_calls: f64,
    }

    /// No samples.
    #[derive(Default)]
    pub struct NodeMetrics;

    impl NodeMetrics {
        /// Creates no samples.
        #[must_use]
        pub fn new() -> Self {
            Self
        }

        /// Returns no sample.
        #[must_use]
        pub fn sample(&self) -> Option<Sample> {
            None
        }

        /// Requests nothing.
        pub async fn refresh(&self, _: Duration) -> bool {
            true
        }

        /// Requests nothing.
        pub async fn peek(&self, _: Duration) -> bool {
            true
        }

        /// Returns no families.
        #[must_use]
        pub fn families(&self, _: &[(&str, &str)]) -> Vec<MetricFamily> {
            Vec::new()
        }

        /// Returns no family.
        #[must_use]
        pub fn age_family(&self, _: &[(&str, &str)]) -> Option<MetricFamily> {
            None
        }
    }
}
