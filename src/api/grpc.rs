//! OTLP over gRPC: the same calls as `POST /v1/traces` and its like, at a port of its own.
//!
//! *Invariants.* A caller that may not write is refused before its message is read. What may be sent again is `UNAVAILABLE` with a
//! `RetryInfo`, without which senders of this protocol give up (<https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling>).
//!
//! *Limits.* `max_ingest_body_bytes` of a message, inflated; [`STREAMS_MAX`] messages of a connection at once; [`CALL_TIMEOUT`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{MetricsService, MetricsServiceServer};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use prost::encoding::{bytes as bytes_field, int32, int64, string};
use tokio::time::Instant;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::metadata::MetadataMap;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use warp::http::Uri;
use warp::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderValue};

use super::State;
use super::call::Call;
use super::endpoint::{Endpoint, Scope, Verb};
use super::ingest::take;
use super::problem::Problem;
use crate::formats::{CallCounts, CallFormat, otlp};

/// Messages of one connection that are taken at once.
const STREAMS_MAX: u32 = 8;
/// How long a message may take, from its first byte to the answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// How often a connection is asked whether somebody is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

static TRACES: Endpoint = Endpoint { scope: Scope::Record, ..Endpoint::new(Verb::Post, "/v1/traces") };
static LOGS: Endpoint = Endpoint { scope: Scope::Record, ..Endpoint::new(Verb::Post, "/v1/logs") };
static METRICS: Endpoint = Endpoint { scope: Scope::Record, ..Endpoint::new(Verb::Post, "/v1/metrics") };

/// A port for OTLP over gRPC that does not answer yet.
#[derive(Debug)]
pub struct GrpcServer(TcpIncoming);

/// What answers.
#[derive(Clone, Debug)]
pub(super) struct Export(pub Arc<State>);

impl GrpcServer {
    /// Takes the port. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpIncoming::bind(address).map(Self)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers until `shutdown` is ready.
    pub(super) async fn serve(self, export: Export, shutdown: impl Future<Output = ()>) {
        let bytes_max = export.0.ingest_body_bytes_max;
        let admit = export.admitting();
        let server = Server::builder()
            .timeout(CALL_TIMEOUT)
            .max_concurrent_streams(STREAMS_MAX)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .add_service(InterceptedService::new(
                TraceServiceServer::new(export.clone()).accept_compressed(Gzip).max_decoding_message_size(bytes_max),
                admit.clone(),
            ))
            .add_service(InterceptedService::new(
                LogsServiceServer::new(export.clone()).accept_compressed(Gzip).max_decoding_message_size(bytes_max),
                admit.clone(),
            ))
            .add_service(InterceptedService::new(
                MetricsServiceServer::new(export).accept_compressed(Gzip).max_decoding_message_size(bytes_max),
                admit,
            ));
        if let Err(error) = server.serve_with_incoming_shutdown(self.0, shutdown).await {
            tracing::error!(%error, "the port for OTLP over gRPC failed");
        }
    }
}

impl Export {
    /// Lets those in who may write, before anything of their message is read.
    fn admitting(&self) -> impl FnMut(Request<()>) -> Result<Request<()>, Status> + Clone + Send + Sync + 'static {
        let state = Arc::clone(&self.0);
        move |request: Request<()>| {
            let call = call_of(request.remote_addr(), request.metadata().clone(), &TRACES)?;
            state.access.check(&call).map_err(|problem| status_of(&problem))?;
            Ok(request)
        }
    }

    /// Takes a message, which the reader of bodies reads like any other.
    async fn export<M: Message>(
        &self,
        request: Request<M>,
        endpoint: &'static Endpoint,
        formats: &'static [CallFormat],
    ) -> Result<CallCounts, Status> {
        let began = Instant::now();
        let address = request.remote_addr();
        let (metadata, _, message) = request.into_parts();
        let call = Arc::new(call_of(address, metadata, endpoint)?);
        let body = Bytes::from(message.encode_to_vec());
        drop(message);
        // The first format of each signal is the one in protocol buffers.
        let format = formats.first().ok_or_else(|| status_of(&Problem::Internal))?;
        let outcome = take(&self.0, &call, format, Box::pin(stream::iter([Ok(body)]))).await;
        let status = outcome.as_ref().map_or_else(|problem| problem.status().as_u16(), |_| 200);
        self.0.instruments.count_request("POST", Some(endpoint.path), Some(status), began.elapsed());
        outcome.map_err(|problem| status_of(&problem))
    }
}

#[tonic::async_trait]
impl TraceService for Export {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let counts = Self::export(self, request, &TRACES, otlp::TRACES).await?;
        let partial_success = refused(counts)
            .map(|(rejected_spans, error_message)| ExportTracePartialSuccess { rejected_spans, error_message });
        Ok(Response::new(ExportTraceServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl LogsService for Export {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let counts = Self::export(self, request, &LOGS, otlp::LOGS).await?;
        let partial_success = refused(counts)
            .map(|(rejected_log_records, error_message)| ExportLogsPartialSuccess { rejected_log_records, error_message });
        Ok(Response::new(ExportLogsServiceResponse { partial_success }))
    }
}

#[tonic::async_trait]
impl MetricsService for Export {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        // Metrics are taken and not kept, so none is refused.
        Self::export(self, request, &METRICS, otlp::METRICS).await?;
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

/// How many calls could not be recorded, and why; `None` where all could.
fn refused(counts: CallCounts) -> Option<(i64, String)> {
    let why = otlp::message(&counts);
    (counts.rejected > 0).then(|| (i64::try_from(counts.rejected).unwrap_or(i64::MAX), why))
}

/// The request as the rules for writing see it. Only browsers can be made to address somebody else by our name, and they do not speak gRPC.
fn call_of(address: Option<SocketAddr>, metadata: MetadataMap, endpoint: &'static Endpoint) -> Result<Call, Status> {
    let peer = address.ok_or_else(|| status_of(&Problem::Internal))?.into();
    let mut headers = metadata.into_headers();
    headers.insert(HOST, HeaderValue::from_static("localhost"));
    // Of the message as it came; it is inflated by now.
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    Ok(Call { peer, endpoint, uri: Uri::from_static(endpoint.path), headers })
}

/// The problem in the terms of gRPC.
fn status_of(problem: &Problem) -> Status {
    let code = otlp::code(problem.status());
    let detail = problem.detail().into_owned();
    match problem.retry_after() {
        Some(seconds) if code == Code::Unavailable as i32 => {
            let details = retry_info(code, &detail, seconds.parse().unwrap_or(1));
            Status::with_details(Code::Unavailable, detail, details)
        }
        _ => Status::new(Code::from_i32(code), detail),
    }
}

/// `google.rpc.Status` with a `google.rpc.RetryInfo`.
fn retry_info(code: i32, detail: &str, seconds: i64) -> Bytes {
    let (mut duration, mut retry, mut any, mut status) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    int64::encode(1, &seconds, &mut duration);
    bytes_field::encode(1, &duration, &mut retry);
    string::encode(1, &"type.googleapis.com/google.rpc.RetryInfo".to_owned(), &mut any);
    bytes_field::encode(2, &retry, &mut any);
    int32::encode(1, &code, &mut status);
    string::encode(2, &detail.to_owned(), &mut status);
    bytes_field::encode(3, &any, &mut status);
    status.into()
}
