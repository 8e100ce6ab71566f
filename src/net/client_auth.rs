//! What is asked of a client's certificate: the five policies of the ecosystem's web configuration, as Go's `crypto/tls` has them.
//!
//! *Invariants.* Whoever shows a certificate proves that its key is theirs, whatever the policy asks beyond that.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

/// What is asked of a client's certificate, named as in the web configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
pub enum ClientAuth {
    /// None is asked for.
    #[default]
    NoClientCert,
    /// One is asked for; none will do, and so will any.
    RequestClientCert,
    /// There must be one, whoever signed it.
    #[strum(serialize = "RequireAnyClientCert", serialize = "RequireClientCert")]
    RequireAnyClientCert,
    /// None will do; one that is shown must be signed by the authorities.
    VerifyClientCertIfGiven,
    /// There must be one that the authorities signed.
    RequireAndVerifyClientCert,
}

/// A policy, with the authorities that it asks.
#[derive(Debug)]
struct Policy {
    /// `None`: whoever signed it.
    authorities: Option<Authorities>,
    is_mandatory: bool,
    /// Told to clients, so that they choose among their certificates.
    subjects: Vec<DistinguishedName>,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
struct Authorities {
    webpki: Arc<dyn ClientCertVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

// === impl ClientAuth ===

impl ClientAuth {
    /// Whether a certificate is held against the authorities, so that there must be some.
    pub fn verifies(self) -> bool {
        matches!(self, Self::VerifyClientCertIfGiven | Self::RequireAndVerifyClientCert)
    }

    /// What asks clients for it, with these authorities.
    pub(super) fn verifier(
        self,
        certificates: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        if self == Self::NoClientCert {
            return Ok(WebPkiClientVerifier::no_client_auth());
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone())?;
        }
        let subjects = roots.subjects();
        let authorities = if self.verifies() {
            let webpki = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .build()
                .map_err(|error| Error::General(error.to_string()))?;
            Some(Authorities { webpki, certificates })
        } else {
            None
        };
        Ok(Arc::new(Policy {
            authorities,
            is_mandatory: matches!(self, Self::RequireAnyClientCert | Self::RequireAndVerifyClientCert),
            subjects,
            algorithms: provider.signature_verification_algorithms,
        }))
    }
}

// === impl Policy ===

impl ClientCertVerifier for Policy {
    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let Some(Authorities { webpki, certificates }) = &self.authorities else {
            return ParsedCertificate::try_from(end_entity).map(|_| ClientCertVerified::assertion());
        };
        match webpki.verify_client_cert(end_entity, intermediates, now) {
            // A certificate that signed itself and may sign others, as `openssl req -x509` makes it, is no client's to webpki. Listed as
            // an authority it is itself what is trusted, and within its time: that was looked at before.
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if certificates.contains(end_entity) => {
                Ok(ClientCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
