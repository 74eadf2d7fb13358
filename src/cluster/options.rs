//! The options of a port that is shared. Pure.

use std::{borrow::Cow, path::PathBuf};

use ring::digest::{SHA256, digest};

use crate::server::listen::Target;

/// Options that must be equal in all threads and processes that share a port: their names, and their values
/// in a canonical form.
pub type SharedOptions = Vec<(String, String)>;

/// The longest value that a process sends when it joins, in bytes. In place of a longer value it sends the digest.
const MAX_VALUE: usize = 1024;

/// Returns the first option of `ours` whose value differs in `theirs`, with its value in `ours`. `theirs` may be
/// [`brief`].
#[must_use]
pub fn differing(ours: &SharedOptions, theirs: &SharedOptions) -> Option<(String, String)> {
    let differs = |(name, value): &&(String, String)| {
        let other = theirs.iter().find(|(other, _)| other == name);
        other.is_none_or(|(_, other)| brief_value(other) != brief_value(value))
    };
    ours.iter().find(differs).cloned()
}

/// Returns the options with digests in place of long values, so that they fit into the first message.
#[must_use]
pub fn brief(options: &SharedOptions) -> SharedOptions {
    let brief = |(name, value): &(String, String)| (name.clone(), brief_value(value).into_owned());
    options.iter().map(brief).collect()
}

fn brief_value(value: &str) -> Cow<'_, str> {
    if value.len() <= MAX_VALUE {
        return Cow::Borrowed(value);
    }
    Cow::Owned(format!("{:?}", digest(&SHA256, value.as_bytes())))
}

/// The port, and the options that all its processes have.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The address to listen on.
    pub target: Target,
    /// The port. With 0 the system chooses a free port, which other processes can join.
    pub port: u16,
    /// The options that must be equal in all processes.
    pub shared: SharedOptions,
    /// The maximum number of series of a process.
    pub max_series: u32,
    /// The folders in which processes of a user can find each other.
    pub folders: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(value: &str) -> SharedOptions {
        vec![("a".to_owned(), "1".to_owned()), ("b".to_owned(), value.to_owned())]
    }

    #[test]
    fn options_with_a_long_value_are_compared_although_they_are_brief() {
        let long = "x".repeat(100_000);
        let ours = options(&long);
        assert_eq!(differing(&ours, &ours), None);
        assert_eq!(differing(&ours, &brief(&ours)), None);
        let brief = brief(&ours);
        assert!(brief.iter().all(|(name, value)| name.len() + value.len() < 2 * MAX_VALUE));
        for other in [format!("{long}y"), "x".to_owned()] {
            assert_eq!(differing(&options(&other), &brief), Some(("b".to_owned(), other)));
        }
        assert_eq!(differing(&ours, &Vec::new()), Some(("a".to_owned(), "1".to_owned())));
    }
}
