//! From a [`Connection`] to an exporter: clients over HTTP and gRPC, with TLS.
//!
//! *Invariants.* Nothing is connected here; a collector that is not there is found out by the first export. Redirects are not
//! followed: credentials go where the operator said. The headers that are sent are the connection's, wherever else the library
//! may look for some.

use std::fs;
use std::path::Path;
use std::pin::Pin;

use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, USER_AGENT};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{Compression, ExporterBuildError, WithExportConfig, WithHttpConfig, WithTonicConfig};

use super::carrier::Reason;
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
    /// What the exporter itself refuses.
    #[error("the push cannot be set up (a system without certificates needs OTEL_EXPORTER_OTLP_CERTIFICATE)")]
    Exporter(#[source] ExporterBuildError),
    /// The system gave no thread.
    #[error("no thread for the push")]
    Thread(#[source] std::io::Error),
}

/// Says requests over HTTP/1.
#[derive(Debug)]
struct Client {
    inner: reqwest::Client,
    headers: HeaderMap,
    reason: Reason,
}

/// Builds the exporter of any signal: `$build` is its builder in the library. A macro, since the builders share no trait.
macro_rules! exporter {
    ($builder:expr, $connection:expr, $reason:expr) => {{
        let connection: &Connection = $connection;
        match connection.protocol {
            Protocol::HttpProtobuf => {
                let builder = $builder
                    .with_http()
                    .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
                    .with_endpoint(&connection.endpoint)
                    .with_timeout(connection.timeout)
                    .with_http_client(Client::new(connection, $reason)?);
                if connection.gzip { builder.with_compression(Compression::Gzip) } else { builder }.build()
            }
            Protocol::Grpc => {
                let headers = MetadataMap::from_headers(headers_of(connection));
                let builder = $builder
                    .with_tonic()
                    .with_endpoint(&connection.endpoint)
                    .with_timeout(connection.timeout)
                    .with_interceptor(move |mut request: tonic::Request<()>| {
                        *request.metadata_mut() = headers.clone();
                        Ok(request)
                    });
                let builder = if connection.endpoint.starts_with("https:") {
                    builder.with_tls_config(tls_for_grpc(&connection.tls)?)
                } else {
                    builder
                };
                if connection.gzip { builder.with_compression(Compression::Gzip) } else { builder }.build()
            }
        }
        .map_err(ConnectError::Exporter)
    }};
}

/// Needs the push's runtime around it, like the two below.
pub(super) fn metrics(connection: &Connection, reason: &Reason) -> Result<opentelemetry_otlp::MetricExporter, ConnectError> {
    exporter!(opentelemetry_otlp::MetricExporter::builder(), connection, reason)
}

pub(super) fn traces(connection: &Connection, reason: &Reason) -> Result<opentelemetry_otlp::SpanExporter, ConnectError> {
    exporter!(opentelemetry_otlp::SpanExporter::builder(), connection, reason)
}

pub(super) fn logs(connection: &Connection, reason: &Reason) -> Result<opentelemetry_otlp::LogExporter, ConnectError> {
    exporter!(opentelemetry_otlp::LogExporter::builder(), connection, reason)
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

/// The library takes every 2xx for a success, also the sign-in page of a proxy (`findings/otlp-web-page-is-success.sh`).
fn refuse_web_page(answer: Response<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let kind = answer.headers().get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    if answer.status().is_success() && kind.to_ascii_lowercase().starts_with(b"text/html") {
        return Err("a web page answered, not a collector".into());
    }
    Ok(answer)
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

// === impl Client ===

impl Client {
    fn new(connection: &Connection, reason: &Reason) -> Result<Self, ConnectError> {
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(connection.timeout);
        let inner = tls_for_http(builder, &connection.tls)?.build().map_err(ConnectError::Http)?;
        Ok(Self { inner, headers: headers_of(connection), reason: reason.clone() })
    }
}

impl HttpClient for Client {
    fn send_bytes<'client, 'answer>(
        &'client self,
        mut request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'answer>>
    where
        'client: 'answer,
        Self: 'answer,
    {
        // The library puts headers of the environment over those that a flag gave (`findings/otlp-environment-headers-win.sh`).
        let mut headers = self.headers.clone();
        for name in [CONTENT_TYPE, CONTENT_ENCODING] {
            if let Some(value) = request.headers_mut().remove(&name) {
                headers.insert(name, value);
            }
        }
        *request.headers_mut() = headers;
        Box::pin(async move {
            let answer = self.inner.send_bytes(request).await.and_then(refuse_web_page);
            if let Err(error) = &answer {
                self.reason.set(ErrorChain(error.as_ref()).to_string());
            }
            answer
        })
    }
}
