//! TLS: what is shown to whoever connects, and how that is changed while connections come.
//!
//! *Invariants.* A connection keeps what it began with; the next one begins with what holds then.
//!
//! *Limits.* Sessions that may be taken up again without a certificate: the 256 that rustls keeps for each [`Tls`].

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::client_auth::ClientAuth;

/// A version of the protocol, named as in the web configuration.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::EnumString, strum::IntoStaticStr, strum::VariantNames,
)]
#[strum(serialize_all = "UPPERCASE")]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// What TLS is to be like.
pub struct TlsParts {
    /// The server's certificate, and those that lead to its authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of the first of them.
    pub key: PrivateKeyDer<'static>,
    /// The oldest and the newest version.
    pub versions: [TlsVersion; 2],
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// Who signs their certificates.
    pub client_authorities: Vec<CertificateDer<'static>>,
}

/// What is shown to whoever connects. Cloning shares it.
#[derive(Clone)]
pub struct Tls {
    http1: Arc<ServerConfig>,
    http2: Arc<ServerConfig>,
}

/// What is spoken inside of TLS.
#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, as gRPC needs it.
    Http2,
}

/// What holds now: TLS, or none. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct TlsSwitch(Arc<ArcSwapOption<Tls>>);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// An authority of clients is none.
    #[error("an authority of clients cannot be used")]
    ClientAuthorities(#[source] rustls::Error),
    /// The key is not that of the certificate, or one of them is of a kind that is not supported.
    #[error("the certificate and the key cannot be used")]
    Certificate(#[source] rustls::Error),
}

// === impl Tls ===

impl Tls {
    /// Makes it ready.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn new(parts: TlsParts) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let verifier =
            parts.client_auth.verifier(parts.client_authorities, &provider).map_err(TlsError::ClientAuthorities)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&between(parts.versions))
            .and_then(|config| config.with_client_cert_verifier(verifier).with_single_cert(parts.chain, parts.key))
            .map_err(TlsError::Certificate)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let http2 = Arc::new(config.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { http1: Arc::new(config), http2 })
    }
}

fn between([oldest, newest]: [TlsVersion; 2]) -> Vec<&'static SupportedProtocolVersion> {
    let all = [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)];
    all.into_iter().filter(|(version, _)| (oldest..=newest).contains(version)).map(|(_, rustls)| rustls).collect()
}

/// There is a key inside.
impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls(…)")
    }
}

// === impl TlsSwitch ===

impl TlsSwitch {
    /// This from the beginning.
    pub fn new(tls: Option<Tls>) -> Self {
        let switch = Self::default();
        switch.set(tls);
        switch
    }

    /// This for the connections that come from now on.
    pub fn set(&self, tls: Option<Tls>) {
        self.0.store(tls.map(Arc::new));
    }

    /// What the next connection begins with.
    pub(super) fn current(&self, protocol: Protocol) -> Option<Arc<ServerConfig>> {
        let tls = self.0.load();
        let Tls { http1, http2 } = tls.as_deref()?;
        Some(Arc::clone(match protocol {
            Protocol::Http1 => http1,
            Protocol::Http2 => http2,
        }))
    }
}
