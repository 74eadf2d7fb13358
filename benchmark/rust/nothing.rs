//! There is nothing here but `benches`.
