//! TLS to the fleet's database, with as much trust as `sslmode` says.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::DatabaseError;
use super::url::{Authorities, Trust};

/// The protocol's name in TLS, which PostgreSQL 17 asks for and older servers pass over.
const ALPN: &[u8] = b"postgresql";

/// What TLS needs to know. Reads files.
pub(super) fn client(trust: &Trust) -> Result<ClientConfig, DatabaseError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(DatabaseError::Tls)?;
    let mut client = match trust {
        Trust::Named(authorities) => builder.with_root_certificates(roots(authorities)?).with_no_client_auth(),
        Trust::Authorities(authorities) => {
            let roots = Arc::new(roots(authorities)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
            let verifier = verifier.map_err(|error| DatabaseError::Tls(Error::General(error.to_string())))?;
            let whoever = Whoever { provider, authorities: Some(verifier) };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(whoever)).with_no_client_auth()
        }
        Trust::Any => {
            let whoever = Whoever { provider, authorities: None };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(whoever)).with_no_client_auth()
        }
    };
    client.alpn_protocols = vec![ALPN.to_vec()];
    Ok(client)
}

fn roots(authorities: &Authorities) -> Result<RootCertStore, DatabaseError> {
    let certificates = match authorities {
        Authorities::System => rustls_native_certs::load_native_certs().certs,
        Authorities::File(path) => read(path)?,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 {
        let nothing = io::Error::new(io::ErrorKind::InvalidData, "there are none");
        return Err(DatabaseError::Certificates(nothing));
    }
    Ok(roots)
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, DatabaseError> {
    let text = std::fs::read(path).map_err(DatabaseError::Certificates)?;
    let certificates: Result<_, _> = CertificateDer::pem_slice_iter(&text).collect();
    certificates.map_err(|error| DatabaseError::Certificates(io::Error::new(io::ErrorKind::InvalidData, error.to_string())))
}

/// Takes a server under any name: `require` takes whatever certificate there is, `verify-ca` one of known authorities (libpq, section 34.19).
#[derive(Debug)]
struct Whoever {
    provider: Arc<CryptoProvider>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        match authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is checked last, once all else is well.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
