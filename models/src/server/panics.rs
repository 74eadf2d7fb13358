//! A substitute for the functions that catch panics. It catches none: in a model, each panic is a failure.

/// Runs `work`.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    Ok(work())
}

/// Runs `work`.
pub(crate) fn caught_elsewhere<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    Ok(work())
}
