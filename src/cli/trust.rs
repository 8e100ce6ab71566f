//! Which certificates an agent may show.
//!
//! With `--ca-file` those that its authorities signed, and those that are in it themselves. An agent that the settings name is on this
//! host and shows what its own settings say, whatever name that is for.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Failure;
use crate::config::{self, OwnTls};

/// Looks at what an agent shows.
#[derive(Debug)]
struct Trust {
    provider: Arc<CryptoProvider>,
    /// Whether anything will do, because nothing is sent that is anybody's secret.
    takes_anything: bool,
    /// The certificate of the agent on this host.
    own: Option<CertificateDer<'static>>,
    /// What `--ca-file` has.
    listed: Vec<CertificateDer<'static>>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

/// TLS with an agent that not the system's authorities vouch for; `None`: they do.
pub fn config(ca_file: Option<&Path>, own: Option<OwnTls>) -> Result<Option<ClientConfig>, Failure> {
    if ca_file.is_none() && own.is_none() {
        return Ok(None);
    }
    let listed = ca_file.map(read).transpose()?.unwrap_or_default();
    let provider = Arc::new(ring::default_provider());
    let authorities = if listed.is_empty() {
        None
    } else {
        let mut roots = RootCertStore::empty();
        for certificate in &listed {
            roots.add(certificate.clone()).map_err(|error| failed(&error))?;
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        Some(verifier.map_err(|error| failed(&Error::General(error.to_string())))?)
    };
    let OwnTls { chain, key } = own.unwrap_or_default();
    let trust = Trust { provider, takes_anything: false, own: chain.first().cloned(), listed, authorities };
    let builder = trusting(trust)?;
    let config = match key {
        // It is the only certificate that there is on this host; whoever signs it often signs those of clients, too.
        Some(key) => builder.with_client_auth_cert(chain, key).map_err(|error| failed(&error))?,
        None => builder.with_no_client_auth(),
    };
    Ok(Some(config))
}

/// TLS with whoever it is, for those who have nothing to lose.
pub fn nobody_vouches() -> Result<ClientConfig, Failure> {
    let provider = Arc::new(ring::default_provider());
    let trust = Trust { provider, takes_anything: true, own: None, listed: Vec::new(), authorities: None };
    Ok(trusting(trust)?.with_no_client_auth())
}

fn trusting(trust: Trust) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Failure> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(&trust.provider)).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| failed(&error))?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(trust)))
}

fn failed(error: &Error) -> Failure {
    Failure::Failed(format!("cannot start TLS: {error}"))
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    config::certificates(path).map_err(|reason| Failure::Usage(format!("--ca-file {} {reason}", path.display())))
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.takes_anything || self.own.as_ref() == Some(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        let Some(authorities) = &self.authorities else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        match authorities.verify_server_cert(end_entity, intermediates, name, stapled, now) {
            // A certificate that signed itself and may sign others, as `openssl req -x509` makes it, is no server's to webpki. It is
            // listed, and within its time: that was looked at before.
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if self.listed.contains(end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, name)?;
                Ok(ServerCertVerified::assertion())
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
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
