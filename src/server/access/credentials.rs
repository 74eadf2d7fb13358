//! The credentials of a server and their check. Pure.
//!
//! Only a digest is stored. Digests are compared in constant time, so that the duration of a check
//! reveals nothing about the right credentials, not even their length.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use hyper::header::HeaderValue;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::ConstantTimeEq as _;

/// The name of the protected area, which browsers show when they prompt for credentials.
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

/// The value that each request must carry in its `Authorization` header.
#[derive(Clone)]
pub struct Credentials {
    scheme: Scheme,
    digest: [u8; SHA256_OUTPUT_LEN],
}

impl Credentials {
    /// Creates credentials from a username, which has no colon, and a password (RFC 7617).
    #[must_use]
    pub fn basic(username: &str, password: &str) -> Self {
        let pair = format!("{username}:{password}");
        // This is the digest of the encoded pair, so that the credentials in a request need not be decoded.
        Self {
            scheme: Scheme::Basic,
            digest: sha256(Base64::encode_string(pair.as_bytes()).as_bytes()),
        }
    }

    /// Creates credentials from a token (RFC 6750).
    #[must_use]
    pub fn bearer(token: &str) -> Self {
        Self { scheme: Scheme::Bearer, digest: sha256(token.as_bytes()) }
    }

    /// Returns whether a request has exactly one `Authorization` header, with the right value.
    pub fn admit<'a>(&self, mut values: impl Iterator<Item = &'a [u8]>) -> bool {
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, token)) = split(value) else { return false };
        let is_same = sha256(token).ct_eq(&self.digest);
        scheme.eq_ignore_ascii_case(self.scheme.name().as_bytes()) && is_same.into()
    }

    /// Returns a text that is the same for the same credentials, and reveals nothing about them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut text = self.scheme.name().to_owned();
        text.push_str(&Base64::encode_string(&sha256(&self.digest)));
        text
    }

    /// Returns whether both accept the same requests.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.digest.ct_eq(&other.digest).into()
    }

    /// Returns the value of `WWW-Authenticate`. `failed`: `true` if the request carried wrong credentials.
    pub(crate) fn challenge(&self, failed: bool) -> HeaderValue {
        let parameters = match self.scheme {
            Scheme::Basic => ", charset=\"UTF-8\"",
            Scheme::Bearer if failed => ", error=\"invalid_token\"",
            Scheme::Bearer => "",
        };
        let challenge = format!("{} realm=\"{REALM}\"{parameters}", self.scheme.name());
        // The challenge is always a valid header value; the fallback only avoids a panic.
        HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Basic"))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// Splits a header's value into its scheme and its token.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(credentials: &Credentials, values: &[&str]) -> bool {
        credentials.admit(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn only_the_right_username_and_password_are_accepted() {
        // The example of RFC 7617.
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
    fn usernames_and_passwords_are_utf_8_and_a_password_may_have_colons() {
        assert!(admits(&Credentials::basic("test", "123\u{a3}"), &["Basic dGVzdDoxMjPCow=="]));
        assert!(admits(&Credentials::basic("a", "b:c"), &["Basic YTpiOmM="]));
    }

    #[test]
    fn only_the_right_token_is_accepted() {
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
        for (credentials, failed, expected) in table {
            assert_eq!(credentials.challenge(failed), expected);
        }
    }

    #[test]
    fn credentials_are_the_same_if_scheme_and_secret_are() {
        let basic = Credentials::basic("a", "b");
        assert!(basic.is_same(&Credentials::basic("a", "b")));
        assert!(!basic.is_same(&Credentials::basic("a", "c")));
        assert!(!basic.is_same(&Credentials::bearer("YTpi")));
    }

    #[test]
    fn debug_output_has_no_secret() {
        let printed = format!("{:?}", Credentials::basic("name", "word"));
        assert_eq!(printed, "Credentials { scheme: Basic, .. }");
    }
}
