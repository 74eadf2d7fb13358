//! A substitute for what catches panics: in a model each one is a failure.

/// Runs `work`.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    Ok(work())
}

/// Runs `work`.
pub(crate) fn caught_elsewhere<T>(work: impl FnOnce() -> T) -> Result<T, ()> {
    Ok(work())
}
