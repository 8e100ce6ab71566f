//! What the push may be told. Filled in by `config` from the standard `OTEL_*` names.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hyper::HeaderMap;

/// What is pushed, to where, and how. Nothing is pushed by default.
#[derive(Clone, Debug)]
pub struct OtlpSettings {
    /// Where metrics go, if anywhere.
    pub metrics: Option<Connection>,
    /// Where spans go, if anywhere.
    pub traces: Option<Connection>,
    /// Where log lines go, if anywhere.
    pub logs: Option<Connection>,
    /// Which deployment this is (`ENVIRONMENT`): said as `deployment.environment.name`.
    pub environment: String,
    /// The port that this process listens on: part of the default `service.instance.id`. 0: not known before it runs.
    pub port: u16,
    /// What else is said about this process, instead of the defaults where they meet (`OTEL_RESOURCE_ATTRIBUTES`,
    /// `OTEL_SERVICE_NAME`); later ones win.
    pub resource: Vec<(String, String)>,
    /// From one push of metrics to the next (`OTEL_METRIC_EXPORT_INTERVAL`).
    pub interval: Duration,
    /// How long one push of metrics may take, when that is less than the connection's time-out
    /// (`OTEL_METRIC_EXPORT_TIMEOUT`).
    pub export_timeout: Duration,
    /// Whether metrics are totals or increments.
    pub temporality: Temporality,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// How spans are gathered (`OTEL_BSP_*`).
    pub spans: Batching,
    /// How log lines are gathered (`OTEL_BLRP_*`).
    pub log_records: Batching,
}

/// Where one signal goes, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// The whole URL over HTTP; scheme and authority over gRPC.
    pub endpoint: String,
    /// How it is said.
    pub protocol: Protocol,
    /// Sent with each request; often credentials.
    pub headers: Headers,
    /// Whether bodies are compressed.
    pub gzip: bool,
    /// How long one export may take, its repetitions included.
    pub timeout: Duration,
    /// Who is trusted, and who we are.
    pub tls: Tls,
}

/// Files in PEM that TLS needs beyond what the system has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The authorities to trust instead of the system's.
    pub authorities: Option<PathBuf>,
    /// Our own certificate and its key, for collectors that ask.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Headers that never print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub HeaderMap);

/// The ways to say OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Protobuf in bodies of HTTP/1.
    HttpProtobuf,
    /// gRPC.
    Grpc,
}

/// What a number in a push means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Totals. A push that got lost costs nothing.
    Cumulative,
    /// Increments since the last push.
    Delta,
    /// Increments where that needs less memory in the process; totals for what the ledger knows.
    LowMemory,
}

/// Which traces are recorded (`OTEL_TRACES_SAMPLER`, `OTEL_TRACES_SAMPLER_ARG`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sampler {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// This share of them, from 0 to 1.
    Ratio(f64),
    /// What the caller decided; its own traces by the root's rule.
    ParentBased(Root),
}

/// The rule for traces that begin here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Root {
    /// All.
    AlwaysOn,
    /// None.
    AlwaysOff,
    /// This share of them, from 0 to 1.
    Ratio(f64),
}

/// How spans or log lines are gathered before they are sent. At the bound of the queue further ones are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// How many may wait.
    pub queue_max: usize,
    /// How many are sent at once, at most.
    pub batch_max: usize,
    /// How long the first of a batch waits for others.
    pub delay: Duration,
}

impl Default for OtlpSettings {
    fn default() -> Self {
        let batching = Batching { queue_max: 2_048, batch_max: 512, delay: Duration::from_secs(5) };
        Self {
            metrics: None,
            traces: None,
            logs: None,
            environment: "production".into(),
            port: 8000,
            resource: Vec::new(),
            interval: Duration::from_secs(60),
            export_timeout: Duration::from_secs(30),
            temporality: Temporality::Cumulative,
            sampler: Sampler::ParentBased(Root::AlwaysOn),
            spans: batching,
            log_records: Batching { delay: Duration::from_secs(1), ..batching },
        }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}
