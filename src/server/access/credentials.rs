//! The credentials that a request has to carry, and whether it does. Pure.
//!
//! Only a digest is kept. Digests are compared, in constant time, so that the time tells nothing of
//! the right ones, not even their length.

use std::fmt;

use hyper::header::HeaderValue;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::ConstantTimeEq as _;

/// What clients show a person who is asked.
const REALM: &str = "hypertrace-prometheus";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scheme {
    Basic,
    Bearer,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Bearer => "Bearer",
        }
    }
}

/// What a request has to carry in its `Authorization` line.
#[derive(Clone)]
pub struct Credentials {
    scheme: Scheme,
    digest: [u8; SHA256_OUTPUT_LEN],
}

impl Credentials {
    /// A name, in which there is no colon, and a password (RFC 7617).
    #[must_use]
    pub fn basic(username: &str, password: &str) -> Self {
        let pair = format!("{username}:{password}");
        Self { scheme: Scheme::Basic, digest: sha256(base64(pair.as_bytes()).as_bytes()) }
    }

    /// A token (RFC 6750).
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        Self { scheme: Scheme::Bearer, digest: sha256(token.as_bytes()) }
    }

    /// Whether the values of a request's `Authorization` lines are the one that is right.
    pub fn admit<'a>(&self, mut values: impl Iterator<Item = &'a [u8]>) -> bool {
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, token)) = split(value) else { return false };
        let is_same = sha256(token).ct_eq(&self.digest);
        scheme.eq_ignore_ascii_case(self.scheme.name().as_bytes()) && is_same.into()
    }

    /// Whether these let in whom those let in.
    #[must_use]
    pub fn are(&self, others: &Self) -> bool {
        self.scheme == others.scheme && self.digest.ct_eq(&others.digest).into()
    }

    /// The value of `WWW-Authenticate`, to a request that has `tried` or has not.
    pub(crate) fn challenge(&self, tried: bool) -> HeaderValue {
        let more = match self.scheme {
            Scheme::Basic => ", charset=\"UTF-8\"",
            Scheme::Bearer if tried => ", error=\"invalid_token\"",
            Scheme::Bearer => "",
        };
        let challenge = format!("{} realm=\"{REALM}\"{more}", self.scheme.name());
        // Made of what a header may have.
        HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Basic"))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// A scheme and what follows the spaces behind it.
fn split(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, token) = value.split_at(space);
    Some((scheme, token.trim_ascii()))
}

fn sha256(bytes: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut out = [0; SHA256_OUTPUT_LEN];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// Encoded, what is right is compared with what was sent as it is: nothing of a stranger's is decoded.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let is_there = digit <= three.len();
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if is_there { DIGITS[index].into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(credentials: &Credentials, values: &[&str]) -> bool {
        credentials.admit(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let table = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
            ("\u{3ff}\u{fff}", "z7/gv78="),
        ];
        for (plain, encoded) in table {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn the_right_name_and_password_alone_are_let_in() {
        // RFC 7617's own example.
        let credentials = Credentials::basic("Aladdin", "open sesame");
        let enormous = format!("Basic {}", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==".repeat(10_000));
        let table: [(&[&str], bool); 19] = [
            (&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="], true),
            (&["basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="], true),
            (&["BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ== "], true),
            (&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"], false),
            (&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==="], false),
            (&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZR=="], false),
            (&["Basic qWxhZGRpbjpvcGVuIHNlc2FtZQ=="], false),
            (&["Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="], false),
            (&["Basic Aladdin:open sesame"], false),
            (&["BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ=="], false),
            (&["QWxhZGRpbjpvcGVuIHNlc2FtZQ=="], false),
            (&["Basic"], false),
            (&["Basic "], false),
            (&[" "], false),
            (&[""], false),
            (&[], false),
            (&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="], false),
            (&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==, Basic x"], false),
            (&[&enormous], false),
        ];
        for (values, expected) in table {
            assert_eq!(admits(&credentials, values), expected, "{values:?}");
        }
    }

    #[test]
    fn names_and_passwords_are_utf_8_and_a_password_may_have_colons() {
        assert!(admits(&Credentials::basic("test", "123\u{a3}"), &["Basic dGVzdDoxMjPCow=="]));
        assert!(admits(&Credentials::basic("a", "b:c"), &["Basic YTpiOmM="]));
    }

    #[test]
    fn the_right_token_alone_is_let_in() {
        let credentials = Credentials::bearer("mF_9.B5f-4.1JqM");
        let table = [
            ("Bearer mF_9.B5f-4.1JqM", true),
            ("bearer  mF_9.B5f-4.1JqM", true),
            ("Bearer mF_9.B5f-4.1JqM=", false),
            ("Bearer mF_9.B5f-4.1Jq", false),
            ("Bearer", false),
            ("Basic mF_9.B5f-4.1JqM", false),
            ("token mF_9.B5f-4.1JqM", false),
        ];
        for (value, expected) in table {
            assert_eq!(admits(&credentials, &[value]), expected, "{value}");
        }
        assert!(!credentials.admit([b"Bearer \xff".as_slice()].into_iter()));
    }

    #[test]
    fn a_challenge_names_the_scheme() {
        let (basic, bearer) = (Credentials::basic("a", "b"), Credentials::bearer("c"));
        let table = [
            (&basic, false, r#"Basic realm="hypertrace-prometheus", charset="UTF-8""#),
            (&basic, true, r#"Basic realm="hypertrace-prometheus", charset="UTF-8""#),
            (&bearer, false, r#"Bearer realm="hypertrace-prometheus""#),
            (&bearer, true, r#"Bearer realm="hypertrace-prometheus", error="invalid_token""#),
        ];
        for (credentials, tried, expected) in table {
            assert_eq!(credentials.challenge(tried), expected);
        }
    }

    #[test]
    fn two_of_them_are_the_same_by_scheme_and_secret() {
        let basic = Credentials::basic("a", "b");
        assert!(basic.are(&Credentials::basic("a", "b")));
        assert!(!basic.are(&Credentials::basic("a", "c")));
        assert!(!basic.are(&Credentials::bearer("YTpi")));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!("{:?}", Credentials::basic("name", "word"));
        assert_eq!(printed, "Credentials { scheme: Basic, .. }");
    }
}
