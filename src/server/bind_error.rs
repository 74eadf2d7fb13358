//! Errors of listening, with the codes and messages of Node.js. Pure.
//!
//! Errors of Node.js carry libuv's name, number and sentence of a failure, and programs compare them
//! (`error.code === 'EADDRINUSE'`).

use std::{fmt, io, net::SocketAddr};

/// An error of listening, with the properties of the same error of Node.js.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BindError {
    /// `EADDRINUSE`, `EACCES`, `ENOTFOUND`, …
    pub code: &'static str,
    /// The system's error number, negative as in Node.js; libuv's number if there is none.
    pub errno: i32,
    /// `listen`, also for an error of `bind` (as in Node.js), or `getaddrinfo`.
    pub syscall: &'static str,
    /// The address, or the name that does not resolve.
    pub address: String,
    /// The requested port; `None` if any free one was requested, as in Node.js.
    pub port: Option<u16>,
    sentence: String,
}

impl std::error::Error for BindError {}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, syscall, address, port, sentence, .. } = self;
        if *syscall == LOOKUP {
            return write!(f, "{syscall} {code} {address}");
        }
        write!(f, "{syscall} {code}: {sentence} {address}")?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

const LISTEN: &str = "listen";
const LOOKUP: &str = "getaddrinfo";

/// libuv's numbers for errors of the resolver.
const EAI_AGAIN: i32 = -3001;
const EAI_NONAME: i32 = -3008;

/// A system error that listening can return.
struct SystemError {
    code: &'static str,
    sentence: &'static str,
    linux: i32,
    apple: i32,
    winsock: i32,
    uv_windows: i32,
}

const fn row(
    code: &'static str,
    sentence: &'static str,
    numbers: (i32, i32, i32, i32),
) -> SystemError {
    let (linux, apple, winsock, uv_windows) = numbers;
    SystemError { code, sentence, linux, apple, winsock, uv_windows }
}

/// The sentences are libuv's; the numbers are those of Linux, macOS, Winsock and libuv on Windows.
const TABLE: [SystemError; 16] = [
    row("EACCES", "permission denied", (13, 13, 10013, -4092)),
    row("EADDRINUSE", "address already in use", (98, 48, 10048, -4091)),
    row("EADDRNOTAVAIL", "address not available", (99, 49, 10049, -4090)),
    row("EAFNOSUPPORT", "address family not supported", (97, 47, 10047, -4089)),
    row("EAGAIN", "resource temporarily unavailable", (11, 35, 10035, -4088)),
    row("EBADF", "bad file descriptor", (9, 9, 10009, -4083)),
    row("EINVAL", "invalid argument", (22, 22, 10022, -4071)),
    row("EMFILE", "too many open files", (24, 24, 10024, -4066)),
    row("ENFILE", "file table overflow", (23, 23, -1, -4061)),
    row("ENETDOWN", "network is down", (100, 50, 10050, -4063)),
    row("ENETUNREACH", "network is unreachable", (101, 51, 10051, -4062)),
    row("ENOBUFS", "no buffer space available", (105, 55, 10055, -4060)),
    row("ENODEV", "no such device", (19, 19, -1, -4059)),
    row("ENOMEM", "not enough memory", (12, 12, 8, -4057)),
    row("EPERM", "operation not permitted", (1, 1, -1, -4048)),
    row("EPROTONOSUPPORT", "protocol not supported", (93, 43, 10043, -4045)),
];

/// The code of any other error.
const UNKNOWN: &str = "UNKNOWN";

impl BindError {
    /// Returns the error of a socket that could not listen.
    pub(crate) fn listen(error: &io::Error, address: SocketAddr) -> Self {
        let number = error.raw_os_error();
        let entry = number.and_then(find);
        Self {
            code: entry.map_or(UNKNOWN, |entry| entry.code),
            errno: entry.map_or(-number.unwrap_or(4094), errno_of),
            syscall: LISTEN,
            address: address.ip().to_string(),
            port: requested(address.port()),
            sentence: entry.map_or_else(|| error.to_string(), |entry| entry.sentence.to_owned()),
        }
    }

    /// Returns the error of an address that is in use.
    pub(crate) fn in_use(address: SocketAddr) -> Self {
        let entry = TABLE.iter().find(|entry| entry.code == "EADDRINUSE").map(system_number);
        Self::listen(&io::Error::from_raw_os_error(entry.unwrap_or_default()), address)
    }

    /// Returns the error of a name that does not resolve.
    pub(crate) fn lookup(host: &str, port: u16, error: Option<&io::Error>) -> Self {
        // The standard library returns the resolver's sentence, but not its number.
        let temporary = error.is_some_and(|error| {
            let sentence = error.to_string();
            sentence.contains("Temporary failure") || sentence.contains("Try again")
        });
        let (code, errno) =
            if temporary { ("EAI_AGAIN", EAI_AGAIN) } else { ("ENOTFOUND", EAI_NONAME) };
        let (address, sentence) = (host.to_owned(), String::new());
        let port = requested(port);
        Self { code, errno, syscall: LOOKUP, address, port, sentence }
    }

    /// Returns the code of a system error, as in Node.js.
    pub(crate) fn code_of(error: &io::Error) -> &'static str {
        error.raw_os_error().and_then(find).map_or(UNKNOWN, |entry| entry.code)
    }
}

fn requested(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}

fn find(number: i32) -> Option<&'static SystemError> {
    TABLE.iter().find(|entry| system_number(entry) == number)
}

fn system_number(entry: &SystemError) -> i32 {
    if cfg!(windows) {
        entry.winsock
    } else if cfg!(any(target_os = "linux", target_os = "android")) {
        entry.linux
    } else {
        entry.apple
    }
}

fn errno_of(entry: &SystemError) -> i32 {
    if cfg!(windows) { entry.uv_windows } else { -system_number(entry) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_table_has_the_message_of_node_js() {
        let address = SocketAddr::from(([127, 0, 0, 1], 4343));
        for entry in &TABLE {
            let number = system_number(entry);
            if number < 0 {
                continue;
            }
            let error = BindError::listen(&io::Error::from_raw_os_error(number), address);
            assert_eq!((error.code, error.errno), (entry.code, errno_of(entry)));
            let message = format!("listen {}: {} 127.0.0.1:4343", entry.code, entry.sentence);
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn an_error_that_is_not_in_the_table_is_unknown_with_the_systems_message() {
        let address = "[::1]:80".parse().unwrap();
        let error = BindError::listen(&io::Error::from_raw_os_error(5), address);
        assert_eq!((error.code, error.address.as_str(), error.port), ("UNKNOWN", "::1", Some(80)));
        assert!(error.to_string().starts_with("listen UNKNOWN: "));
        let error = BindError::listen(&io::Error::other("no number"), address);
        assert_eq!(error.to_string(), "listen UNKNOWN: no number ::1:80");
        assert_eq!(error.errno, -4094);
    }

    #[test]
    fn an_error_for_any_free_port_has_no_port() {
        let address = SocketAddr::from(([192, 0, 2, 1], 0));
        let entry = TABLE.iter().find(|entry| entry.code == "EADDRNOTAVAIL").unwrap();
        let error = io::Error::from_raw_os_error(system_number(entry));
        let error = BindError::listen(&error, address);
        assert_eq!(error.port, None);
        let message = "listen EADDRNOTAVAIL: address not available 192.0.2.1";
        assert_eq!(error.to_string(), message);
    }

    #[test]
    fn an_unreachable_resolver_is_not_an_unknown_name() {
        let temporary = io::Error::other("Temporary failure in name resolution");
        let error = BindError::lookup("a.example", 1, Some(&temporary));
        assert_eq!(error.to_string(), "getaddrinfo EAI_AGAIN a.example");
        assert_eq!(error.errno, -3001);
        let unknown = io::Error::other("Name or service not known");
        let error = BindError::lookup("a.example", 1, Some(&unknown));
        assert_eq!((error.code, error.errno), ("ENOTFOUND", -3008));
    }
}
