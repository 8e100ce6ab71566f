//! From a [`Connection`] to a [`Line`]: clients over HTTP and gRPC, with TLS.
//!
//! *Invariants.* Nothing is connected here; a collector that is not there is found out by the first export.

use std::fs;
use std::path::Path;

use hyper::HeaderMap;
use hyper::header::{HeaderValue, USER_AGENT};
use tonic::codec::CompressionEncoding::Gzip;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::line::{GrpcLine, HttpLine, Line};
use super::report::Signal;
use super::settings::{Connection, Protocol, Tls};
use crate::error_chain::ErrorChain;

/// Who we say we are.
const AGENT: &str = concat!("lead-factory-metrics/", env!("CARGO_PKG_VERSION"));

/// Why there can be no push. The settings were checked before, so this is about files that changed, or about the system.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file of certificates or keys cannot be read.
    #[error("cannot read {path}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that should hold certificates holds none.
    #[error("{path} holds no certificate in PEM")]
    NoCertificate {
        /// The file.
        path: String,
    },
    /// No HTTP client, most often because of TLS: a file that holds no certificate, or a system without authorities.
    #[error("the push over HTTP cannot be set up (a system without certificates needs OTEL_EXPORTER_OTLP_CERTIFICATE)")]
    Http(#[source] reqwest::Error),
    /// No gRPC client, for the same reasons.
    #[error("the push over gRPC cannot be set up (a system without certificates needs OTEL_EXPORTER_OTLP_CERTIFICATE)")]
    Grpc(#[source] tonic::transport::Error),
    /// The system gave no thread.
    #[error("no thread for the push")]
    Thread(#[source] std::io::Error),
}

/// The way to a collector for one signal. Needs the push's runtime around it.
pub(super) fn line(connection: &Connection, signal: Signal) -> Result<Line, ConnectError> {
    let headers = headers_of(connection);
    let tls = &connection.tls;
    if connection.protocol == Protocol::HttpProtobuf {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        let client = tls_for_http(builder, tls)?.build().map_err(ConnectError::Http)?;
        return Ok(Line::Http(HttpLine { client, endpoint: connection.endpoint.clone(), headers, gzip: connection.gzip }));
    }
    let endpoint = Endpoint::from_shared(connection.endpoint.clone()).map_err(ConnectError::Grpc)?;
    let endpoint = if connection.endpoint.starts_with("https:") {
        endpoint.tls_config(tls_for_grpc(tls)?).map_err(ConnectError::Grpc)?
    } else {
        endpoint
    };
    let client = tonic::client::Grpc::new(endpoint.connect_lazy());
    let client = if connection.gzip { client.send_compressed(Gzip).accept_compressed(Gzip) } else { client };
    Ok(Line::Grpc(GrpcLine { client, headers, signal }))
}

/// What may be said in PEM, checked while the settings are: the texts complete a sentence that begins with the setting.
///
/// # Errors
/// What is wrong with one of the files, and with which.
pub fn check_tls(tls: &Tls) -> Result<(), String> {
    for path in tls.files() {
        read(path).map_err(|error| ErrorChain(&error).to_string())?;
    }
    let client =
        tls_for_http(reqwest::Client::builder(), tls).and_then(|builder| builder.build().map_err(ConnectError::Http));
    client.map(drop).map_err(|error| match error {
        ConnectError::Http(cause) => format!("cannot be used for TLS: {}", ErrorChain(&cause)),
        other => other.to_string(),
    })
}

fn headers_of(connection: &Connection) -> HeaderMap {
    let mut headers = connection.headers.0.clone();
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    headers
}

fn read(path: &Path) -> Result<Vec<u8>, ConnectError> {
    fs::read(path).map_err(|source| ConnectError::File { path: path.display().to_string(), source })
}

fn tls_for_http(builder: reqwest::ClientBuilder, tls: &Tls) -> Result<reqwest::ClientBuilder, ConnectError> {
    let mut builder = builder;
    if let Some(path) = &tls.authorities {
        let certificates = reqwest::Certificate::from_pem_bundle(&read(path)?).map_err(ConnectError::Http)?;
        if certificates.is_empty() {
            return Err(ConnectError::NoCertificate { path: path.display().to_string() });
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let Some((certificate, key)) = &tls.identity {
        let pem = [read(key)?, b"\n".to_vec(), read(certificate)?].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(ConnectError::Http)?);
    }
    Ok(builder)
}

fn tls_for_grpc(tls: &Tls) -> Result<ClientTlsConfig, ConnectError> {
    let config = match &tls.authorities {
        Some(path) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(path)?)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    Ok(match &tls.identity {
        Some((certificate, key)) => config.identity(Identity::from_pem(read(certificate)?, read(key)?)),
        None => config,
    })
}

// === impl Tls ===

impl Tls {
    fn files(&self) -> impl Iterator<Item = &Path> {
        let identity = self.identity.iter().flat_map(|(certificate, key)| [certificate, key]);
        self.authorities.iter().chain(identity).map(std::path::PathBuf::as_path)
    }
}
