//! One request to a collector, over HTTP/1 with protobuf or over gRPC, again where that may help.
//!
//! *Invariants.* The headers that are sent are the connection's, wherever a library may look for some. Redirects are not
//! followed: credentials go where the operator said.
//!
//! *Limits.* [`TRIES_MAX`] tries until a deadline. [`ANSWER_BYTES_MAX`] of an answer are read; a longer one is none.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flate2::write::GzEncoder;
use http::uri::PathAndQuery;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

use super::answer::{Fate, HttpAnswer, Outcome};
use super::report::Signal;
use crate::error_chain::ErrorChain;

/// How often a request is sent within one export.
const TRIES_MAX: u32 = 4;
/// Before the second try; doubled before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// What a collector may ask us to wait within one export.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Added to a wait, so that agents that failed together do not return together.
const JITTER_MILLIS: u64 = 100;
/// An answer of OTLP is a number and a sentence.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The way to one collector, for one signal.
#[derive(Clone, Debug)]
pub(super) enum Line {
    Http(HttpLine),
    Grpc(GrpcLine),
}

#[derive(Clone, Debug)]
pub(super) struct HttpLine {
    pub client: reqwest::Client,
    pub endpoint: String,
    pub headers: HeaderMap,
    pub gzip: bool,
}

#[derive(Clone, Debug)]
pub(super) struct GrpcLine {
    pub client: tonic::client::Grpc<Channel>,
    pub headers: HeaderMap,
    pub signal: Signal,
}

/// A request as bytes, made once for all tries.
#[derive(Clone, Debug, Default)]
struct Body {
    bytes: Bytes,
    packed: bool,
}

// === impl Line ===

impl Line {
    /// Sends a request until it is taken, refused, or out of time.
    pub async fn send<M: Message + Clone + Default + 'static>(&self, request: &M, deadline: Instant) -> Outcome {
        let body = match self {
            Self::Http(line) => line.body(request),
            Self::Grpc(_) => Body::default(),
        };
        let mut wait = FIRST_WAIT;
        let mut in_doubt = false;
        for tries_left in (0..TRIES_MAX).rev() {
            let mut outcome = self.try_once(request, &body, deadline).await;
            in_doubt |= outcome.fate == Fate::Unknown;
            if in_doubt && matches!(outcome.fate, Fate::Refused | Fate::Unreached) {
                // An earlier try may have been taken.
                outcome.fate = Fate::Unknown;
            }
            let pause = outcome.again.map(|asked| wait.max(asked.min(WAIT_MAX)) + jitter());
            match pause {
                Some(pause) if tries_left > 0 && Instant::now() + pause < deadline => tokio::time::sleep(pause).await,
                _ => return outcome,
            }
            wait *= 2;
        }
        Outcome::unreached("it was never tried")
    }

    async fn try_once<M: Message + Clone + Default + 'static>(
        &self,
        request: &M,
        body: &Body,
        deadline: Instant,
    ) -> Outcome {
        let left = deadline.saturating_duration_since(Instant::now());
        let answer = async {
            match self {
                Self::Http(line) => line.send(body.clone()).await,
                Self::Grpc(line) => line.send(request.clone()).await,
            }
        };
        tokio::time::timeout(left, answer).await.unwrap_or_else(|_| Outcome::unknown(format!("no answer within {left:?}")))
    }
}

/// Any number will do; the standard library's hasher begins at a random one.
fn jitter() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(()) % JITTER_MILLIS)
}

// === impl HttpLine ===

impl HttpLine {
    fn body<M: Message>(&self, request: &M) -> Body {
        let plain = request.encode_to_vec();
        let mut packer = GzEncoder::new(Vec::new(), flate2::Compression::default());
        let packed = self.gzip.then(|| packer.write_all(&plain).and_then(|()| packer.finish()));
        match packed {
            Some(Ok(packed)) => Body { bytes: packed.into(), packed: true },
            // Writing to memory does not fail.
            None | Some(Err(_)) => Body { bytes: plain.into(), packed: false },
        }
    }

    async fn send(&self, Body { bytes, packed }: Body) -> Outcome {
        let request = self.client.post(&self.endpoint).headers(self.headers.clone());
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        let request = if packed { request.header(CONTENT_ENCODING, HeaderValue::from_static("gzip")) } else { request };
        let mut answer = match request.body(bytes).send().await {
            Ok(answer) => answer,
            Err(error) => return broken(&error),
        };
        let mut read = Vec::new();
        loop {
            match answer.chunk().await {
                Ok(Some(chunk)) if read.len() + chunk.len() > ANSWER_BYTES_MAX => {
                    return Outcome::unknown("an answer without end, not a collector's");
                }
                Ok(Some(chunk)) => read.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return broken(&error),
            }
        }
        let header = |name| answer.headers().get(name).map(HeaderValue::as_bytes);
        let retry_after = header(RETRY_AFTER).and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
        Outcome::of_http(HttpAnswer {
            status: answer.status().as_u16(),
            content_type: header(CONTENT_TYPE),
            retry_after,
            body: &read,
        })
    }
}

/// There was no whole answer. Only where there was no connection is it sure that nothing was taken.
fn broken(error: &reqwest::Error) -> Outcome {
    let why = ErrorChain(error).to_string();
    if error.is_connect() { Outcome::unreached(why) } else { Outcome::unknown(why).again_after(Duration::ZERO) }
}

// === impl GrpcLine ===

impl GrpcLine {
    async fn send<M: Message + Default + 'static>(&self, message: M) -> Outcome {
        let mut client = self.client.clone().max_decoding_message_size(ANSWER_BYTES_MAX);
        if let Err(error) = client.ready().await {
            return Outcome::unreached(ErrorChain(&error).to_string());
        }
        let mut request = tonic::Request::new(message);
        *request.metadata_mut() = MetadataMap::from_headers(self.headers.clone());
        let path = PathAndQuery::from_static(match self.signal {
            Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        });
        let codec = tonic_prost::ProstCodec::<M, ExportMetricsServiceResponse>::default();
        Outcome::of_grpc(client.unary(request, path, codec).await.map(tonic::Response::into_inner))
    }
}
