//! The rendezvous of the processes of one user: they can find the opener of a port, and no process of another
//! user can act as the opener.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::path::PathBuf;

use ring::rand::{SecureRandom as _, SystemRandom};

#[cfg(unix)]
pub use self::unix::{Candidate, Rendezvous, find, folders, remove_stale};
#[cfg(windows)]
pub use self::windows::{Candidate, Rendezvous, find, folders, remove_stale};

/// The start of the name of each opener.
const PREFIX: &str = "hypertrace-";

/// Returns a new name, which cannot be predicted, for the opener of a port. `number` is that of the opener.
fn new_name(port: u16, number: u32) -> std::io::Result<String> {
    let mut random = [0; 8];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| std::io::Error::other("no random numbers"))?;
    Ok(format!("{PREFIX}{port}-{number}-{:016x}", u64::from_le_bytes(random)))
}

/// Returns the number in the name of an opener of this port; `None` for any other name.
fn number_of(name: &str, port: u16) -> Option<u32> {
    let (of, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let (number, random) = rest.split_once('-')?;
    let is_name = of.parse() == Ok(port)
        && random.len() == 16
        && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    number.parse().ok().filter(|&number| is_name && number != 0)
}

/// Lists the paths of the openers of this port in a folder, and the numbers of the openers.
fn names(folder: &std::path::Path, port: u16) -> Vec<(PathBuf, u32)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let entry = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let number = number_of(entry.file_name().to_str()?, port)?;
        Some((entry.path(), number))
    };
    entries.filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_number_and_is_a_new_one_each_time() {
        let names = [new_name(4343, 12).unwrap(), new_name(4343, 12).unwrap()];
        assert_ne!(names[0], names[1]);
        for name in names {
            assert_eq!(number_of(&name, 4343), Some(12));
            assert_eq!(number_of(&name, 434), None);
            assert_eq!(number_of(&name[1..], 4343), None);
            assert_eq!(number_of(&format!("{name}0"), 4343), None);
        }
        assert_eq!(number_of("hypertrace-4343-0-0123456789abcdef", 4343), None);
        assert_eq!(number_of("hypertrace-4343-1-0123456789abcdeg", 4343), None);
        assert_eq!(number_of("hypertrace-4343-1", 4343), None);
    }
}
