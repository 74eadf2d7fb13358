use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::*;

struct Pair {
    cert: String,
    key: String,
}

fn pair() -> Pair {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    Pair { cert: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

fn authority() -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap().pem()
}

fn context(cert: &str, key: &str, ca: Option<&str>) -> Result<SecureContext, Unusable> {
    SecureContext::new(Pem {
        cert: cert.as_bytes(),
        key: key.as_bytes(),
        ca: ca.map(str::as_bytes),
        min_version: Version::Tls12,
    })
}

fn pem_section(label: &str, text: &str) -> String {
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn a_certificate_its_key_and_authorities_are_accepted() {
    let (own, other, ca) = (pair(), pair(), authority());
    context(&own.cert, &own.key, None).unwrap();
    context(&own.cert, &own.key, Some(&ca)).unwrap();
    context(&own.cert, &own.key, Some(&(ca.clone() + &authority()))).unwrap();
    // A chain, and files with more than the expected section.
    context(&(own.cert.clone() + &other.cert), &own.key, None).unwrap();
    let with_mark = |text: &str| format!("\u{feff}{text}");
    context(&with_mark(&own.cert), &with_mark(&own.key), Some(&with_mark(&ca))).unwrap();
    let both = format!("A comment.\n{}{}", own.cert, own.key);
    context(&both, &both, Some(&both)).unwrap();
    context(&own.cert.replace('\n', "\r\n"), &own.key.replace('\n', "\r\n"), None).unwrap();
}

#[test]
fn an_error_names_the_fault_and_has_no_text_of_the_key() {
    let (own, other, ca) = (pair(), pair(), authority());
    let half = &own.cert[..own.cert.len() / 2];
    let no_cert = pem_section("CERTIFICATE", "AAAA");
    let encrypted = pem_section("ENCRYPTED PRIVATE KEY", "AAAA");
    let older = pem_section("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA");
    let no_key = pem_section("PRIVATE KEY", "AAAA");
    let not_a_path = |error| Unusable { expected: NOT_A_PATH, ..error };
    let table: [(&str, &str, Option<&str>, Unusable); 22] = [
        ("cert.pem", &own.key, None, not_a_path(BAD_CERT)),
        ("C:\\cert", &own.key, None, not_a_path(BAD_CERT)),
        (&own.cert, "/etc/key.pem\n", None, not_a_path(BAD_KEY)),
        (&own.cert, &own.key, Some("./ca"), not_a_path(BAD_CA)),
        (include_str!("../tests/version1.pem"), &own.key, None, OLD_CERT),
        ("", &own.key, None, BAD_CERT),
        ("nonsense", &own.key, None, BAD_CERT),
        (half, &own.key, None, BAD_CERT),
        (&own.key, &own.key, None, BAD_CERT),
        (&no_cert, &own.key, None, BAD_CERT),
        (&own.cert, "", None, BAD_KEY),
        (&own.cert, "nonsense", None, BAD_KEY),
        (&own.cert, &own.cert, None, BAD_KEY),
        (&own.cert, &own.key[..own.key.len() / 2], None, BAD_KEY),
        (&own.cert, &no_key, None, BAD_KEY),
        (&own.cert, &encrypted, None, ENCRYPTED_KEY),
        (&own.cert, &older, None, ENCRYPTED_KEY),
        (&own.cert, &other.key, None, OTHER_KEY),
        (&own.cert, &own.key, Some(""), BAD_CA),
        (&own.cert, &own.key, Some("nonsense"), BAD_CA),
        (&own.cert, &own.key, Some(&own.key), BAD_CA),
        (&own.cert, &own.key, Some(&(ca + &no_cert)), BAD_CA),
    ];
    for (number, (cert, key, ca, expected)) in table.into_iter().enumerate() {
        let error = context(cert, key, ca).expect_err("an error");
        assert_eq!(error, expected, "{number}");
        assert!(error.to_string().starts_with(error.option));
    }
}

#[test]
fn contexts_are_the_same_if_all_options_are_the_same() {
    let (own, ca) = (pair(), authority());
    let one = context(&own.cert, &own.key, None).unwrap();
    assert!(one.is_same(&context(&own.cert, &own.key, None).unwrap()));
    assert!(!one.is_same(&context(&own.cert, &own.key, Some(&ca)).unwrap()));
    assert!(!one.is_same(&context(&(own.cert.clone() + "\n"), &own.key, None).unwrap()));
    let (cert, key) = (own.cert.as_bytes(), own.key.as_bytes());
    let newer = Pem { cert, key, ca: None, min_version: Version::Tls13 };
    assert!(!one.is_same(&SecureContext::new(newer).unwrap()));
}

#[test]
fn a_renewal_keeps_the_options_that_it_does_not_change() {
    let (own, next, ca) = (pair(), pair(), authority());
    let (cert, key) = (own.cert.as_bytes(), own.key.as_bytes());
    let first = Pem { cert, key, ca: Some(ca.as_bytes()), min_version: Version::Tls13 };
    let first = SecureContext::new(first).unwrap();
    let (cert, key) = (next.cert.as_bytes(), next.key.as_bytes());
    let renewal = Renewal { cert, key, ca: Authorities::Keep, min_version: None };
    let table = [
        (renewal, Some(&ca), Version::Tls13),
        (Renewal { ca: Authorities::Drop, ..renewal }, None, Version::Tls13),
        (Renewal { min_version: Some(Version::Tls12), ..renewal }, Some(&ca), Version::Tls12),
        (Renewal { ca: Authorities::Set(cert), ..renewal }, Some(&next.cert), Version::Tls13),
    ];
    for (renewal, ca, min_version) in table {
        let expected = Pem { cert, key, ca: ca.map(String::as_bytes), min_version };
        let renewed = first.renewed(renewal).unwrap();
        assert!(renewed.is_same(&SecureContext::new(expected).unwrap()));
    }
    assert_eq!(first.renewed(Renewal { cert: b"x", ..renewal }).err(), Some(BAD_CERT));
}

#[test]
fn debug_output_has_no_secret() {
    let own = pair();
    let printed = format!("{:?}", context(&own.cert, &own.key, None).unwrap());
    assert_eq!(printed, "SecureContext { has_client_auth: false, .. }");
}
