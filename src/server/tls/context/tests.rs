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

fn made(cert: &str, key: &str, ca: Option<&str>) -> Result<SecureContext, Unusable> {
    SecureContext::new(Pem {
        cert: cert.as_bytes(),
        key: key.as_bytes(),
        ca: ca.map(str::as_bytes),
        min_version: Version::Tls12,
    })
}

fn armoured(label: &str, text: &str) -> String {
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn a_certificate_its_key_and_authorities_are_taken() {
    let (own, other, ca) = (pair(), pair(), authority());
    made(&own.cert, &own.key, None).unwrap();
    made(&own.cert, &own.key, Some(&ca)).unwrap();
    made(&own.cert, &own.key, Some(&(ca.clone() + &authority()))).unwrap();
    // A chain, and files that have more in them than is asked for.
    made(&(own.cert.clone() + &other.cert), &own.key, None).unwrap();
    let both = format!("A comment.\n{}{}", own.cert, own.key);
    made(&both, &both, Some(&both)).unwrap();
    made(&own.cert.replace('\n', "\r\n"), &own.key.replace('\n', "\r\n"), None).unwrap();
}

#[test]
fn what_is_wrong_is_said_and_nothing_of_a_key() {
    let (own, other, ca) = (pair(), pair(), authority());
    let half = &own.cert[..own.cert.len() / 2];
    let no_cert = armoured("CERTIFICATE", "AAAA");
    let encrypted = armoured("ENCRYPTED PRIVATE KEY", "AAAA");
    let older = armoured("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nAAAA");
    let no_key = armoured("PRIVATE KEY", "AAAA");
    let table: [(&str, &str, Option<&str>, Unusable); 17] = [
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
        let error = made(cert, key, ca).expect_err("an error");
        assert_eq!(error, expected, "{number}");
        assert!(error.to_string().starts_with(error.option));
    }
}

#[test]
fn contexts_are_the_same_when_all_of_them_is() {
    let (own, ca) = (pair(), authority());
    let one = made(&own.cert, &own.key, None).unwrap();
    assert!(one.is(&made(&own.cert, &own.key, None).unwrap()));
    assert!(!one.is(&made(&own.cert, &own.key, Some(&ca)).unwrap()));
    assert!(!one.is(&made(&(own.cert.clone() + "\n"), &own.key, None).unwrap()));
    let (cert, key) = (own.cert.as_bytes(), own.key.as_bytes());
    let newer = Pem { cert, key, ca: None, min_version: Version::Tls13 };
    assert!(!one.is(&SecureContext::new(newer).unwrap()));
}

#[test]
fn nothing_secret_is_printed() {
    let own = pair();
    let printed = format!("{:?}", made(&own.cert, &own.key, None).unwrap());
    assert_eq!(printed, "SecureContext { asks_for_certificates: false, .. }");
}
