//! X.509 certificates of version 1, which have no extensions. Pure.
//!
//! `openssl x509 -req` without `-extfile` makes such certificates. webpki reads only version 3. Except for the
//! field of the version, a certificate of version 1 is the same as a certificate of version 3 without extensions.
//! Only the signature must be verified on the original certificate.

use std::borrow::Cow;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

/// The encoded field of version 3: `[0] EXPLICIT INTEGER 2`.
const VERSION_3: [u8; 5] = [0xa0, 3, INTEGER, 1, 2];

/// A certificate of version 1.
pub(super) struct Version1<'a> {
    /// The signed part, encoded.
    pub(super) tbs: &'a [u8],
    /// The issuer's name, without its tag and length.
    pub(super) issuer: &'a [u8],
    /// The algorithm of the signature, without its tag and length.
    pub(super) algorithm: &'a [u8],
    /// The issuer's signature.
    pub(super) signature: &'a [u8],
    /// The algorithm and the signature, encoded.
    rest: &'a [u8],
}

impl<'a> Version1<'a> {
    /// Reads a certificate in DER form. Returns `None` if it has another version or is malformed.
    pub(super) fn parse(certificate: &'a [u8]) -> Option<Self> {
        let mut outer = certificate;
        let mut certificate = read(&mut outer, SEQUENCE)?;
        let start = certificate;
        let mut fields = read(&mut certificate, SEQUENCE)?;
        let tbs = &start[..start.len() - certificate.len()];
        let rest = certificate;
        // Version 3 has the field of the version here.
        read(&mut fields, INTEGER)?;
        let algorithm = read(&mut fields, SEQUENCE)?;
        let issuer = read(&mut fields, SEQUENCE)?;
        let is_same = read(&mut certificate, SEQUENCE)? == algorithm;
        let signature = bits(read(&mut certificate, BIT_STRING)?)?;
        let is_end = outer.is_empty() && certificate.is_empty();
        (is_same && is_end).then_some(Self { tbs, issuer, algorithm, signature, rest })
    }

    /// Returns the same certificate with version 3. Its signature is not valid.
    pub(super) fn with_version_3(&self) -> Vec<u8> {
        let mut tbs = self.tbs;
        let fields = read(&mut tbs, SEQUENCE).unwrap_or_default();
        let mut certificate = Vec::with_capacity(self.tbs.len() + self.rest.len() + 16);
        let tbs_length = VERSION_3.len() + fields.len();
        let content = header(tbs_length).len() + tbs_length + self.rest.len();
        certificate.extend_from_slice(&header(content));
        certificate.extend_from_slice(&header(tbs_length));
        certificate.extend_from_slice(&VERSION_3);
        certificate.extend_from_slice(fields);
        certificate.extend_from_slice(self.rest);
        certificate
    }
}

/// Returns a certificate as one of version 3, for the use of its public key only.
pub(super) fn as_version_3(certificate: &[u8]) -> Cow<'_, [u8]> {
    match Version1::parse(certificate) {
        Some(version1) => version1.with_version_3().into(),
        None => certificate.into(),
    }
}

/// Splits a public key (`SubjectPublicKeyInfo`, without its tag and length) into its algorithm and its
/// bits.
pub(super) fn split_key(mut key: &[u8]) -> Option<(&[u8], &[u8])> {
    let algorithm = read(&mut key, SEQUENCE)?;
    Some((algorithm, bits(read(&mut key, BIT_STRING)?)?))
}

/// Reads one value with this tag, and returns its content.
fn read<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let rest = input.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // No certificate is longer than 65,535 bytes.
        0x81 | 0x82 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 3))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *input = rest;
    Some(content)
}

/// Returns the bytes of a bit string that consists of whole bytes.
fn bits(content: &[u8]) -> Option<&[u8]> {
    content.strip_prefix(&[0])
}

/// Returns the tag and length of a sequence.
fn header(length: usize) -> Vec<u8> {
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..=0x7f => vec![SEQUENCE, low],
        0x80..=0xff => vec![SEQUENCE, 0x81, low],
        _ => vec![SEQUENCE, 0x82, high, low],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes a sequence of these contents.
    fn sequence(contents: &[&[u8]]) -> Vec<u8> {
        let content = contents.concat();
        [header(content.len()), content].concat()
    }

    fn certificate(issuer: usize) -> Vec<u8> {
        let algorithm = sequence(&[b"algorithm"]);
        let issuer = sequence(&[&vec![b'i'; issuer]]);
        let tbs = sequence(&[&[INTEGER, 1, 7], &algorithm, &issuer, b"dates, subject, key"]);
        sequence(&[&tbs, &algorithm, &[BIT_STRING, 4, 0, 1, 2, 3]])
    }

    #[test]
    fn the_fields_of_version_1_are_read_and_version_3_has_one_more() {
        for length in [0, 1, 60, 100, 127, 128, 200, 255, 256, 300, 40_000] {
            let original = certificate(length);
            let version1 = Version1::parse(&original).unwrap();
            assert_eq!(version1.issuer, vec![b'i'; length]);
            assert_eq!(
                (version1.algorithm, version1.signature),
                (&b"algorithm"[..], &[1, 2, 3][..])
            );
            let newer = version1.with_version_3();
            assert!(Version1::parse(&newer).is_none());
            assert_eq!(as_version_3(&newer), newer);
            assert_eq!(as_version_3(&original), newer);
            let mut input = &newer[..];
            let mut content = read(&mut input, SEQUENCE).unwrap();
            let fields = read(&mut content, SEQUENCE).unwrap();
            assert!(fields.starts_with(&VERSION_3) && input.is_empty());
            assert!(version1.tbs.ends_with(&fields[VERSION_3.len()..]));
        }
    }

    #[test]
    fn malformed_certificates_are_rejected() {
        let good = certificate(3);
        for end in 0..good.len() {
            assert!(Version1::parse(&good[..end]).is_none(), "{end}");
        }
        assert!(Version1::parse(&[&good[..], b"x"].concat()).is_none());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = 0xff;
            // A change of some bytes leaves the certificate valid; no change may cause a panic.
            let _ = Version1::parse(&bad);
        }
        assert!(split_key(&[SEQUENCE, 0x80]).is_none());
    }
}
