//! Verifies client certificates. Accepts those that webpki accepts, and two kinds that OpenSSL accepts and
//! webpki does not:
//!
//! - A certificate that is itself in `ca`. It often has the extension of an authority, as
//!   `openssl req -x509` sets it, and webpki accepts no authority as a client.
//! - A certificate of version 1 ([`Version1`]).

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

use super::version1::{Version1, as_version_3, split_key};

/// Requires a certificate of each client.
pub(super) struct ClientAuth {
    webpki: Arc<dyn ClientCertVerifier>,
    authorities: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientAuth {
    /// Creates a verifier that accepts the certificates that these authorities have signed. Returns `None` if
    /// an authority cannot be read.
    pub(super) fn new(
        authorities: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Option<Self> {
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots.add(authority.clone()).ok()?;
        }
        let roots = Arc::new(roots);
        let algorithms = provider.signature_verification_algorithms;
        let webpki = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider);
        Some(Self { webpki: webpki.build().ok()?, authorities, roots, algorithms })
    }

    /// Returns whether one of the authorities has signed a certificate.
    fn have_signed(&self, certificate: &Version1<'_>) -> bool {
        let issuers = self.roots.roots.iter();
        issuers.filter(|root| root.subject.as_ref() == certificate.issuer).any(|root| {
            let Some((key_algorithm, key)) = split_key(&root.subject_public_key_info) else {
                return false;
            };
            self.algorithms.all.iter().any(|algorithm| {
                algorithm.signature_alg_id().as_ref() == certificate.algorithm
                    && algorithm.public_key_alg_id().as_ref() == key_algorithm
                    && algorithm
                        .verify_signature(key, certificate.tbs, certificate.signature)
                        .is_ok()
            })
        })
    }

    fn verify_version_1(
        &self,
        certificate: &Version1<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let newer = certificate.with_version_3().into();
        match self.webpki.verify_client_cert(&newer, intermediates, now) {
            // webpki verifies the signature last, so all other checks have succeeded.
            Err(Error::InvalidCertificate(CertificateError::BadSignature))
                if self.have_signed(certificate) =>
            {
                Ok(ClientCertVerified::assertion())
            }
            Err(error) => Err(error),
            Ok(_) => Err(CertificateError::BadSignature.into()),
        }
    }
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuth").finish_non_exhaustive()
    }
}

impl ClientCertVerifier for ClientAuth {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.webpki.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(certificate) = Version1::parse(end_entity) {
            return self.verify_version_1(&certificate, intermediates, now);
        }
        match self.webpki.verify_client_cert(end_entity, intermediates, now) {
            // The client has the certificate of an authority. webpki has checked the dates before this error.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if self.authorities.contains(end_entity) =>
            {
                Ok(ClientCertVerified::assertion())
            }
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = CertificateDer::from(&*as_version_3(certificate)).into_owned();
        self.webpki.verify_tls12_signature(message, &certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = CertificateDer::from(&*as_version_3(certificate)).into_owned();
        self.webpki.verify_tls13_signature(message, &certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
    use rustls::{crypto::ring::default_provider, pki_types::pem::PemObject as _};

    use super::*;

    /// The times of the tests, in years after 1970. All certificates have expired at `LATER`.
    const NOW: u64 = 60;
    const LATER: u64 = 300;

    fn verify(
        client: &CertificateDer<'static>,
        authorities: &[CertificateDer<'static>],
        years: u64,
    ) -> Result<(), Error> {
        let provider = Arc::new(default_provider());
        let auth = ClientAuth::new(authorities.to_vec(), provider).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(years * 31_557_600));
        auth.verify_client_cert(client, &[], now).map(|_| ())
    }

    /// Makes a self-signed certificate for `localhost` that is an authority, as `openssl req -x509` does.
    fn authority() -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, "localhost");
        params.not_after = rcgen::date_time_ymd(2126, 1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn version_1() -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(include_bytes!("tests/version1.pem")).unwrap()
    }

    #[test]
    fn a_certificate_in_ca_is_accepted_until_it_expires() {
        let (own, other) = (authority(), authority());
        assert_eq!(verify(&own, &[other.clone(), own.clone()], NOW), Ok(()));
        assert!(verify(&own, &[other], NOW).is_err());
        let error = verify(&own, std::slice::from_ref(&own), LATER).unwrap_err();
        assert!(error.to_string().contains("expired"), "{error}");
    }

    #[test]
    fn a_certificate_of_version_1_is_accepted_if_an_authority_has_signed_it() {
        let own = version_1();
        assert_eq!(verify(&own, &[authority(), own.clone()], NOW), Ok(()));
        let error = verify(&own, std::slice::from_ref(&own), LATER).unwrap_err();
        assert!(error.to_string().contains("expired"), "{error}");
        // An authority of the same name with another key has not signed it.
        let error = verify(&own, &[authority()], NOW).unwrap_err();
        assert_eq!(error, CertificateError::BadSignature.into());
        let mut changed = own.to_vec();
        let last = changed.len() - 1;
        changed[last] ^= 1;
        assert!(verify(&changed.into(), &[own], NOW).is_err());
    }
}
