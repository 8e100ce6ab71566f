//! A receiver of OTLP that decodes the protocol itself and keeps what it got.

mod grpc;
mod http;
mod points;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;

use super::server::ServerTls;
use super::within;

pub use points::Points;

/// Longest wait for a push; generous because tests share two cores with each other.
const PUSH_MAX: Duration = Duration::from_secs(30);

/// A running receiver. Its threads end with the test process.
pub struct Collector {
    scheme: &'static str,
    addr: SocketAddr,
    kept: Arc<Kept>,
}

/// What came in.
#[derive(Default)]
pub struct Kept {
    metrics: Mutex<Vec<Got<ExportMetricsServiceRequest>>>,
    traces: Mutex<Vec<Got<ExportTraceServiceRequest>>>,
    logs: Mutex<Vec<Got<ExportLogsServiceRequest>>>,
    connections: Mutex<u64>,
    manner: Mutex<Manner>,
}

/// One request, with its headers in lower case.
#[derive(Clone)]
pub struct Got<T> {
    pub headers: BTreeMap<String, String>,
    pub request: T,
}

/// How a receiver treats whoever comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Takes everything.
    #[default]
    Takes,
    /// Takes the connection and never says a word.
    Hangs,
    /// Answers a byte at a time, for ever.
    Drips,
    /// Breaks the connection off with a reset.
    Resets,
    /// Answers this status.
    Refuses(u16),
    /// Answers 200 with this type (none where it is empty) and body; over gRPC with a message of this body. It keeps nothing.
    Answers(&'static str, &'static [u8]),
    /// Takes everything, and hangs up before it answers.
    TakesInSilence,
}

// === impl Collector ===

impl Collector {
    /// Takes protobuf over HTTP.
    pub fn http() -> Self {
        Self::http_that(Manner::Takes)
    }

    pub fn http_that(manner: Manner) -> Self {
        let kept = Arc::new(Kept { manner: Mutex::new(manner), ..Kept::default() });
        Self { scheme: "http", addr: http::listen(Arc::clone(&kept), None), kept }
    }

    pub fn https(tls: &ServerTls) -> Self {
        let kept = Arc::<Kept>::default();
        Self { scheme: "https", addr: http::listen(Arc::clone(&kept), Some(tls)), kept }
    }

    /// Takes gRPC.
    pub fn grpc() -> Self {
        let kept = Arc::<Kept>::default();
        Self { scheme: "http", addr: grpc::listen(Arc::clone(&kept), None), kept }
    }

    pub fn grpc_with_tls(tls: &ServerTls) -> Self {
        let kept = Arc::<Kept>::default();
        Self { scheme: "https", addr: grpc::listen(Arc::clone(&kept), Some(tls)), kept }
    }

    /// Treats whoever comes in this manner from now on.
    pub fn be(&self, manner: Manner) {
        *self.kept.manner.lock().unwrap() = manner;
    }

    /// By name, since certificates are for one.
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.addr.port())
    }

    /// Connections that were made.
    pub fn connections(&self) -> u64 {
        *self.kept.connections.lock().unwrap()
    }

    /// All pushes of metrics so far.
    pub fn metrics(&self) -> Vec<Got<ExportMetricsServiceRequest>> {
        self.kept.metrics.lock().unwrap().clone()
    }

    /// Waits until the newest push of metrics satisfies `good`, and returns what was made of it.
    #[track_caller]
    pub fn wait_for_points<T>(&self, what: &str, good: impl Fn(&Points) -> Option<T>) -> T {
        within(PUSH_MAX, what, || good(&Points::of(&self.kept.metrics.lock().unwrap().last()?.request)))
    }

    /// Waits for a number of further pushes of metrics.
    #[track_caller]
    pub fn wait_for_pushes(&self, count: usize) {
        let pushes = || self.kept.metrics.lock().unwrap().len();
        let begin = pushes();
        within(PUSH_MAX, "further pushes", || (pushes() >= begin + count).then_some(()));
    }

    pub fn spans(&self) -> Vec<Span> {
        let traces = self.kept.traces.lock().unwrap();
        let resources = traces.iter().flat_map(|got| &got.request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    /// Waits for a span.
    #[track_caller]
    pub fn wait_for_span(&self, what: &str, wanted: impl Fn(&Span) -> bool) -> Span {
        within(PUSH_MAX, what, || self.spans().into_iter().find(&wanted))
    }

    pub fn log_records(&self) -> Vec<LogRecord> {
        let logs = self.kept.logs.lock().unwrap();
        let resources = logs.iter().flat_map(|got| &got.request.resource_logs);
        resources.flat_map(|resource| &resource.scope_logs).flat_map(|scope| scope.log_records.clone()).collect()
    }

    /// Waits for a log line that contains a text.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> LogRecord {
        let said = |record: &LogRecord| matches!(record.body.as_ref().and_then(|body| body.value.as_ref()), Some(Value::StringValue(body)) if body.contains(text));
        within(PUSH_MAX, text, || self.log_records().into_iter().find(said))
    }
}

/// Attributes as texts.
pub fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}
