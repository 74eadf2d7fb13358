//! Why a port could not be had, in Node's words.
//!
//! Node's errors carry libuv's name, number and sentence for a failure, and programs match on them
//! (`error.code === 'EADDRINUSE'`). Pure.

use std::{fmt, io, net::SocketAddr};

/// Why a port could not be had: the facts of Node's error of the same kind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BindError {
    /// `EADDRINUSE`, `EACCES`, `ENOTFOUND`, …
    pub code: &'static str,
    /// The system's number, negative as in Node; libuv's own number for what is no system error.
    pub errno: i32,
    /// `listen`, also for what `bind` refused (so says Node), or `getaddrinfo`.
    pub syscall: &'static str,
    /// The address, or the name that was not found.
    pub address: String,
    /// The port that was asked for.
    pub port: u16,
    sentence: String,
}

impl std::error::Error for BindError {}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, syscall, address, port, sentence, .. } = self;
        if *syscall == LOOKUP {
            write!(f, "{syscall} {code} {address}")
        } else {
            write!(f, "{syscall} {code}: {sentence} {address}:{port}")
        }
    }
}

const LISTEN: &str = "listen";
const LOOKUP: &str = "getaddrinfo";

/// libuv's numbers for what a resolver says.
const EAI_AGAIN: i32 = -3001;
const EAI_NONAME: i32 = -3008;

/// One error that listening can meet.
struct Known {
    code: &'static str,
    sentence: &'static str,
    linux: i32,
    apple: i32,
    winsock: i32,
    uv_windows: i32,
}

const fn known(code: &'static str, sentence: &'static str, numbers: (i32, i32, i32, i32)) -> Known {
    let (linux, apple, winsock, uv_windows) = numbers;
    Known { code, sentence, linux, apple, winsock, uv_windows }
}

/// Numbers: Linux, macOS, Winsock, libuv on Windows. Sentences: libuv's.
const TABLE: [Known; 15] = [
    known("EACCES", "permission denied", (13, 13, 10013, -4092)),
    known("EADDRINUSE", "address already in use", (98, 48, 10048, -4091)),
    known("EADDRNOTAVAIL", "address not available", (99, 49, 10049, -4090)),
    known("EAFNOSUPPORT", "address family not supported", (97, 47, 10047, -4089)),
    known("EBADF", "bad file descriptor", (9, 9, 10009, -4083)),
    known("EINVAL", "invalid argument", (22, 22, 10022, -4071)),
    known("EMFILE", "too many open files", (24, 24, 10024, -4066)),
    known("ENFILE", "file table overflow", (23, 23, -1, -4061)),
    known("ENETDOWN", "network is down", (100, 50, 10050, -4063)),
    known("ENETUNREACH", "network is unreachable", (101, 51, 10051, -4062)),
    known("ENOBUFS", "no buffer space available", (105, 55, 10055, -4060)),
    known("ENODEV", "no such device", (19, 19, -1, -4059)),
    known("ENOMEM", "not enough memory", (12, 12, 8, -4057)),
    known("EPERM", "operation not permitted", (1, 1, -1, -4048)),
    known("EPROTONOSUPPORT", "protocol not supported", (93, 43, 10043, -4045)),
];

/// Of anything else.
const UNKNOWN: &str = "UNKNOWN";

impl BindError {
    /// What a socket refused.
    pub(crate) fn listen(error: &io::Error, address: SocketAddr) -> Self {
        let number = error.raw_os_error();
        let known = number.and_then(find);
        Self {
            code: known.map_or(UNKNOWN, |known| known.code),
            errno: known.map_or(-number.unwrap_or(4094), errno_of),
            syscall: LISTEN,
            address: address.ip().to_string(),
            port: address.port(),
            sentence: known.map_or_else(|| error.to_string(), |known| known.sentence.to_owned()),
        }
    }

    /// What the resolver did not know.
    pub(crate) fn lookup(host: &str, port: u16, error: Option<&io::Error>) -> Self {
        // The standard library keeps the resolver's sentence and drops its number.
        let temporary = error.is_some_and(|error| {
            let sentence = error.to_string();
            sentence.contains("Temporary failure") || sentence.contains("Try again")
        });
        let (code, errno) =
            if temporary { ("EAI_AGAIN", EAI_AGAIN) } else { ("ENOTFOUND", EAI_NONAME) };
        let (address, sentence) = (host.to_owned(), String::new());
        Self { code, errno, syscall: LOOKUP, address, port, sentence }
    }

    /// Node's name for a system error.
    pub(crate) fn code_of(error: &io::Error) -> &'static str {
        error.raw_os_error().and_then(find).map_or(UNKNOWN, |known| known.code)
    }
}

fn find(number: i32) -> Option<&'static Known> {
    TABLE.iter().find(|known| system_number(known) == number)
}

fn system_number(known: &Known) -> i32 {
    if cfg!(windows) {
        known.winsock
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        known.linux
    } else {
        known.apple
    }
}

fn errno_of(known: &Known) -> i32 {
    if cfg!(windows) { known.uv_windows } else { -system_number(known) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_table_is_said_as_node_says_it() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4343));
        for known in &TABLE {
            let number = system_number(known);
            if number < 0 {
                continue;
            }
            let error = BindError::listen(&io::Error::from_raw_os_error(number), address);
            assert_eq!((error.code, error.errno), (known.code, errno_of(known)));
            let message = format!("listen {}: {} 127.0.0.1:4343", known.code, known.sentence);
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn what_the_table_lacks_is_unknown_with_the_systems_own_words() {
        let address = "[::1]:80".parse().unwrap();
        let error = BindError::listen(&io::Error::from_raw_os_error(5), address);
        assert_eq!((error.code, error.address.as_str(), error.port), ("UNKNOWN", "::1", 80));
        assert!(error.to_string().starts_with("listen UNKNOWN: "));
        let error = BindError::listen(&io::Error::other("no number"), address);
        assert_eq!(error.to_string(), "listen UNKNOWN: no number ::1:80");
        assert_eq!(error.errno, -4094);
    }

    #[test]
    fn a_resolver_that_is_not_there_is_no_unknown_name() {
        let temporary = io::Error::other("Temporary failure in name resolution");
        let error = BindError::lookup("a.example", 1, Some(&temporary));
        assert_eq!(error.to_string(), "getaddrinfo EAI_AGAIN a.example");
        assert_eq!(error.errno, -3001);
        let unknown = io::Error::other("Name or service not known");
        let error = BindError::lookup("a.example", 1, Some(&unknown));
        assert_eq!((error.code, error.errno), ("ENOTFOUND", -3008));
    }
}
