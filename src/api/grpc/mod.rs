//! OTLP over gRPC: the same calls as `POST /v1/traces` and its like, at a port of its own.
//!
//! *Invariants.* A caller that may not write is refused before its message is read. What may be sent again is `UNAVAILABLE` with a
//! `RetryInfo`, without which senders of this protocol give up (<https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling>).
//!
//! *Limits.* `max_ingest_body_bytes` of a message, inflated; those of its [arrival](super::arrival); messages at once in the [room](super::room), and [`STREAMS_MAX`] of a connection;
//! [`CALL_TIMEOUT`]; of [connections](connection).

mod connection;
mod raw;
mod status;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codec::CompressionEncoding::Gzip;
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use warp::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderValue};
use warp::http::{self, Uri};

use self::connection::{KEEPALIVE, connections};
use self::raw::Raw;
use self::status::status_of;
use super::State;
use super::arrival::Arrival;
use super::call::Call;
use super::cut::Cut;
use super::endpoint::{Endpoint, Verb};
use super::ingest::take;
use super::problem::Problem;
use super::token::Scope;
use crate::formats::{CallFormat, otlp};
use crate::net::{Listener, Peer, Protocol, TlsSwitch};

/// Messages of one connection that are taken at once.
const STREAMS_MAX: u32 = 8;
/// How long a message may take, from its first byte to the answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

static TRACES: Endpoint = Endpoint { scope: Scope::Record, ..Endpoint::new(Verb::Post, "/v1/traces") };
static LOGS: Endpoint = Endpoint { scope: Scope::Record, ..Endpoint::new(Verb::Post, "/v1/logs") };
static METRICS: Endpoint = Endpoint { scope: Scope::Record, ..Endpoint::new(Verb::Post, "/v1/metrics") };

/// The services of the protocol, of which each has one method, `Export`.
const SIGNALS: [Signal; 3] = [
    Signal { service: "opentelemetry.proto.collector.trace.v1.TraceService", endpoint: &TRACES, formats: otlp::TRACES },
    Signal { service: "opentelemetry.proto.collector.logs.v1.LogsService", endpoint: &LOGS, formats: otlp::LOGS },
    Signal {
        service: "opentelemetry.proto.collector.metrics.v1.MetricsService",
        endpoint: &METRICS,
        formats: otlp::METRICS,
    },
];
const METHOD: &str = "Export";

/// A service, and the route that takes the same over HTTP.
#[derive(Clone, Copy)]
struct Signal {
    service: &'static str,
    endpoint: &'static Endpoint,
    formats: &'static [CallFormat],
}

/// A port for OTLP over gRPC that does not answer yet.
#[derive(Debug)]
pub struct GrpcServer {
    listener: Listener,
    connections_max: usize,
}

/// What answers: the service that stands here in [`SIGNALS`].
#[derive(Clone)]
struct Export<const SIGNAL: usize>(Arc<State>);

/// Takes one message.
struct Taking {
    state: Arc<State>,
    call: Arc<Call>,
    formats: &'static [CallFormat],
}

impl GrpcServer {
    /// Takes the port, for so many connections at a time. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// What the system says.
    pub fn bind(address: SocketAddr, connections_max: usize) -> io::Result<Self> {
        Ok(Self { listener: Listener::bind(address, Protocol::Http2)?, connections_max: connections_max.max(1) })
    }

    /// The same, with TLS whenever this has some.
    pub fn with_tls(self, tls: TlsSwitch) -> Self {
        Self { listener: self.listener.with_tls(tls), ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is ready.
    pub(super) async fn serve(self, state: Arc<State>, shutdown: impl Future<Output = ()>) {
        let server = Server::builder()
            .timeout(CALL_TIMEOUT)
            .max_concurrent_streams(STREAMS_MAX)
            .http2_keepalive_interval(Some(KEEPALIVE))
            .add_service(Export::<0>(Arc::clone(&state)))
            .add_service(Export::<1>(Arc::clone(&state)))
            .add_service(Export::<2>(state));
        let connections = Box::pin(connections(self.listener, self.connections_max));
        if let Err(error) = server.serve_with_incoming_shutdown(connections, shutdown).await {
            tracing::error!(%error, "the port for OTLP over gRPC failed");
        }
    }
}

// === impl Export ===

impl<const SIGNAL: usize> NamedService for Export<SIGNAL> {
    const NAME: &'static str = SIGNALS[SIGNAL].service;
}

impl<const SIGNAL: usize> Service<http::Request<Body>> for Export<SIGNAL> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let state = Arc::clone(&self.0);
        Box::pin(async move { Ok(answer(state, SIGNALS[SIGNAL], request).await) })
    }
}

/// Lets those in who may write, before anything of their message is read, and answers.
async fn answer(state: Arc<State>, signal: Signal, request: http::Request<Body>) -> http::Response<Body> {
    let called = request.uri().path().rsplit('/').next();
    if called != Some(METHOD) {
        return Status::unimplemented("There is only Export").into_http();
    }
    let began = Instant::now();
    let (call, request, _places) = match admit(&state, signal, request).await {
        Ok(admitted) => admitted,
        Err(problem) => {
            let path = Some(signal.endpoint.path);
            state.instruments.count_request("POST", path, Some(problem.status().as_u16()), began.elapsed());
            return status_of(&problem).into_http();
        }
    };
    let bytes_max = state.ingest_body_bytes_max;
    let taking = Taking { state, call, formats: signal.formats };
    Grpc::new(Raw).accept_compressed(Gzip).max_decoding_message_size(bytes_max).unary(taking, request).await
}

/// The request as the rules for writing see it.
fn call_of(request: &http::Request<Body>, signal: Signal) -> Result<Call, Problem> {
    let peer = *request.extensions().get::<Peer>().ok_or(Problem::Internal)?;
    let mut headers = request.headers().clone();
    // Only browsers can be made to address somebody else by our name, and they do not speak gRPC.
    headers.insert(HOST, HeaderValue::from_static("localhost"));
    // Of the message as it comes; it is inflated when it is read.
    headers.remove(CONTENT_ENCODING);
    headers.remove(CONTENT_LENGTH);
    let endpoint = signal.endpoint;
    Ok(Call { peer, endpoint, uri: Uri::from_static(endpoint.path), headers, token: None })
}

/// Lets a message in, with places among the writes and the messages, from somebody who may write.
async fn admit(
    state: &Arc<State>,
    signal: Signal,
    request: http::Request<Body>,
) -> Result<(Arc<Call>, http::Request<Body>, [OwnedSemaphorePermit; 2]), Problem> {
    let mut call = call_of(&request, signal)?;
    call.token = state.access.check(&call)?;
    let write = state.room.for_write().await.ok_or(Problem::Overloaded)?;
    let (head, body) = request.into_parts();
    let mut arrival = Arrival::new(Box::pin(body.into_data_stream().map_err(|_broken| Cut::Early)), state.body_timeout);
    let bytes_max = state.ingest_body_bytes_max;
    arrival.begin().await.map_err(|cut| cut.problem(bytes_max))?;
    let message = state.room.messages.take().await.ok_or(Problem::Overloaded)?;
    let rest = stream::try_unfold((arrival, Arc::clone(state)), move |(mut arrival, state)| async move {
        let piece = arrival.next(|| state.room.messages.are_wanted()).await;
        let piece = piece.map_err(|cut| status_of(&cut.problem(bytes_max)))?;
        Ok::<_, Status>(piece.map(|piece| (Frame::data(piece), (arrival, state))))
    });
    Ok((Arc::new(call), http::Request::from_parts(head, Body::new(StreamBody::new(rest))), [write, message]))
}

impl UnaryService<Bytes> for Taking {
    type Response = Vec<u8>;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Status>> + Send>>;

    /// Takes a message, which the reader of bodies reads like any other.
    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (state, call, formats) = (Arc::clone(&self.state), Arc::clone(&self.call), self.formats);
        Box::pin(async move {
            let began = Instant::now();
            // The first format of each signal is the one in protocol buffers.
            let format = formats.first().ok_or_else(|| status_of(&Problem::Internal))?;
            let outcome = take(&state, &call, format, Box::pin(stream::iter([Ok(request.into_inner())]))).await;
            let status = outcome.as_ref().map_or_else(|problem| problem.status().as_u16(), |_| 200);
            state.instruments.count_request("POST", Some(call.endpoint.path), Some(status), began.elapsed());
            let counts = outcome.map_err(|problem| status_of(&problem))?;
            Ok(Response::new((format.answer)(&counts).body.map(|answer| answer.body).unwrap_or_default()))
        })
    }
}
