//! The values of the `OTEL_*` settings before signals' own are put over those for all.

use std::path::PathBuf;
use std::time::Duration;

use crate::telemetry::otlp::{Batching, Headers, OtlpSettings, Protocol, Sampler, Temporality};

/// How an export is pushed unless something else is said; the standard's own default.
pub(super) const PROTOCOL: Protocol = Protocol::HttpProtobuf;
/// How long an export may take; the standard's own default.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// What is known of a connection.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct ConnectionDraft {
    pub endpoint: Option<String>,
    pub protocol: Option<Protocol>,
    pub headers: Option<Headers>,
    pub gzip: Option<bool>,
    pub timeout: Option<Duration>,
    pub authorities: Option<PathBuf>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// The values while layers are put on top of each other.
#[derive(Clone, Debug)]
pub(in crate::config) struct OtelDraft {
    pub disabled: bool,
    pub all: ConnectionDraft,
    pub metrics: ConnectionDraft,
    pub traces: ConnectionDraft,
    pub logs: ConnectionDraft,
    pub push_metrics: bool,
    pub push_traces: bool,
    /// `None`: where logs have an endpoint of their own.
    pub push_logs: Option<bool>,
    pub service_name: Option<String>,
    pub attributes: Vec<(String, String)>,
    pub interval: Duration,
    pub export_timeout: Duration,
    pub temporality: Temporality,
    /// Without its argument.
    pub sampler: Sampler,
    pub sampler_share: f64,
    /// Checked and of no effect.
    pub propagators: (),
    pub spans: Batching,
    pub log_records: Batching,
}

impl Default for OtelDraft {
    fn default() -> Self {
        let OtlpSettings { interval, export_timeout, temporality, sampler, spans, log_records, .. } =
            OtlpSettings::default();
        let none = ConnectionDraft::default();
        Self {
            disabled: false,
            all: ConnectionDraft { protocol: Some(PROTOCOL), gzip: Some(false), timeout: Some(TIMEOUT), ..none.clone() },
            metrics: none.clone(),
            traces: none.clone(),
            logs: none,
            push_metrics: true,
            push_traces: true,
            push_logs: None,
            service_name: None,
            attributes: Vec::new(),
            interval,
            export_timeout,
            temporality,
            sampler,
            sampler_share: 1.0,
            propagators: (),
            spans,
            log_records,
        }
    }
}
