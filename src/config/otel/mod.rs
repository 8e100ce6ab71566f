//! The standard `OTEL_*` settings: where telemetry is pushed to, and how.
//!
//! *Invariants.* A signal's own setting goes over the one for all signals, each by itself. What the standard lets pass with a
//! warning (an unknown word, a number that is none) is a problem here like in every other setting.

mod resolve;
mod value;

use std::path::PathBuf;
use std::time::Duration;

use super::table::{Draft, Setting, Shape, put};
use super::value as plain;
use crate::telemetry::otlp::{Batching, Headers, OtlpSettings, Protocol, Temporality};

pub(super) use resolve::{Wrong, resolve, suspicious};

/// What is known of a connection before the signals' settings are put over those for all.
#[derive(Clone, Debug, Default)]
pub(super) struct ConnectionDraft {
    endpoint: Option<String>,
    protocol: Option<Protocol>,
    headers: Option<Headers>,
    gzip: Option<bool>,
    timeout: Option<Duration>,
    authorities: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// A sampler without its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SamplerName {
    AlwaysOn,
    AlwaysOff,
    Ratio,
    ParentAlwaysOn,
    ParentAlwaysOff,
    ParentRatio,
}

/// The values while layers are put on top of each other.
#[derive(Clone, Debug)]
pub(super) struct OtelDraft {
    disabled: bool,
    all: ConnectionDraft,
    metrics: ConnectionDraft,
    traces: ConnectionDraft,
    logs: ConnectionDraft,
    push_metrics: bool,
    push_traces: bool,
    push_logs: Option<bool>,
    service_name: Option<String>,
    attributes: Vec<(String, String)>,
    interval: Duration,
    export_timeout: Duration,
    temporality: Temporality,
    sampler: SamplerName,
    sampler_share: Option<f64>,
    spans: Batching,
    log_records: Batching,
}

impl Default for OtelDraft {
    fn default() -> Self {
        let OtlpSettings { interval, export_timeout, temporality, spans, log_records, .. } = OtlpSettings::default();
        let none = ConnectionDraft::default();
        Self {
            disabled: false,
            all: none.clone(),
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
            sampler: SamplerName::ParentAlwaysOn,
            sampler_share: None,
            spans,
            log_records,
        }
    }
}

const BOOLEAN: &str = "true or false (also 1/0, yes/no, on/off)";
const EXPORTER: &str = "otlp or none";
const MILLISECONDS: &str = "10 to 3600000";
const QUEUE: &str = "1 to 65536";

const fn text(
    key: &'static str,
    value_name: &'static str,
    doc: &'static str,
    allowed: &'static str,
    set: fn(&mut Draft, &str) -> Result<(), String>,
) -> Setting {
    Setting { key, default: "", value_name, doc, allowed, shape: Shape::Text, set }
}

const fn number(
    key: &'static str,
    default: &'static str,
    value_name: &'static str,
    doc: &'static str,
    allowed: &'static str,
    set: fn(&mut Draft, &str) -> Result<(), String>,
) -> Setting {
    Setting { key, default, value_name, doc, allowed, shape: Shape::Number, set }
}

/// The settings of one connection: `$infix` is the signal's part of the name.
macro_rules! connection {
    ($part:ident, $infix:literal, $whose:literal) => {
        [
            text(
                concat!("otel_exporter_otlp_", $infix, "endpoint"),
                "URL",
                concat!("Collector that takes ", $whose, "; the push is on when it is set"),
                "a URL that begins with http:// or https://",
                |draft, text| put(&mut draft.otel.$part.endpoint, value::endpoint(text).map(Some)),
            ),
            text(
                concat!("otel_exporter_otlp_", $infix, "protocol"),
                "PROTOCOL",
                concat!("How ", $whose, " are pushed; default: http/protobuf"),
                "http/protobuf or grpc",
                |draft, text| put(&mut draft.otel.$part.protocol, value::protocol(text).map(Some)),
            ),
            Setting {
                shape: Shape::Secret,
                ..text(
                    concat!("otel_exporter_otlp_", $infix, "headers"),
                    "PAIRS",
                    concat!("Headers sent with ", $whose),
                    "name=value, separated by commas, values percent-encoded",
                    |draft, text| put(&mut draft.otel.$part.headers, value::headers(text).map(Some)),
                )
            },
            text(
                concat!("otel_exporter_otlp_", $infix, "compression"),
                "NAME",
                concat!("Compression of ", $whose, "; default: none"),
                "gzip or none",
                |draft, text| put(&mut draft.otel.$part.gzip, value::compression(text).map(Some)),
            ),
            number(
                concat!("otel_exporter_otlp_", $infix, "timeout"),
                "",
                "MS",
                concat!("How long an export of ", $whose, " may take with its repetitions; default: 10000"),
                MILLISECONDS,
                |draft, text| put(&mut draft.otel.$part.timeout, value::milliseconds(text).map(Some)),
            ),
            text(
                concat!("otel_exporter_otlp_", $infix, "certificate"),
                "FILE",
                concat!("Authorities to trust for ", $whose, ", in PEM; default: the system's"),
                "a path",
                |draft, text| put(&mut draft.otel.$part.authorities, plain::path(text).map(Some)),
            ),
            text(
                concat!("otel_exporter_otlp_", $infix, "client_certificate"),
                "FILE",
                concat!("Our certificate for ", $whose, ", in PEM; needs the key"),
                "a path",
                |draft, text| put(&mut draft.otel.$part.certificate, plain::path(text).map(Some)),
            ),
            text(
                concat!("otel_exporter_otlp_", $infix, "client_key"),
                "FILE",
                concat!("Key of the certificate for ", $whose, ", in PEM"),
                "a path",
                |draft, text| put(&mut draft.otel.$part.key, plain::path(text).map(Some)),
            ),
        ]
    };
}

/// How a batch processor gathers what it sends: `$prefix` is its part of the name.
macro_rules! batching {
    ($part:ident, $prefix:literal, $what:literal, $delay:literal) => {
        [
            number(
                concat!("otel_", $prefix, "_schedule_delay"),
                $delay,
                "MS",
                concat!("How long ", $what, " wait for others to be sent with"),
                MILLISECONDS,
                |draft, text| put(&mut draft.otel.$part.delay, value::milliseconds(text)),
            ),
            number(
                concat!("otel_", $prefix, "_max_queue_size"),
                "2048",
                "COUNT",
                concat!("How many ", $what, " may wait; further ones are dropped"),
                QUEUE,
                |draft, text| put(&mut draft.otel.$part.queue_max, plain::count(text, 1, 65_536)),
            ),
            number(
                concat!("otel_", $prefix, "_max_export_batch_size"),
                "512",
                "COUNT",
                concat!("How many ", $what, " are sent at once"),
                "1 to the size of the queue",
                |draft, text| put(&mut draft.otel.$part.batch_max, plain::count(text, 1, 65_536)),
            ),
        ]
    };
}

/// All of them, in the order in which they are shown.
pub(super) fn settings() -> impl Iterator<Item = Setting> {
    connection!(all, "", "metrics, traces and logs")
        .into_iter()
        .chain(connection!(metrics, "metrics_", "metrics"))
        .chain(connection!(traces, "traces_", "traces"))
        .chain(connection!(logs, "logs_", "logs"))
        .chain(SIGNALS)
        .chain(batching!(spans, "bsp", "spans", "5000"))
        .chain(batching!(log_records, "blrp", "log lines", "1000"))
}

/// What is not about a connection.
const SIGNALS: [Setting; 12] = [
    Setting {
        shape: Shape::Boolean,
        ..number("otel_sdk_disabled", "false", "BOOL", "Pushes nothing, whatever else is set", BOOLEAN, |draft, text| {
            put(&mut draft.otel.disabled, plain::boolean(text))
        })
    },
    text("otel_metrics_exporter", "NAME", "Whether metrics are pushed; default: otlp", EXPORTER, |draft, text| {
        put(&mut draft.otel.push_metrics, value::exporter(text))
    }),
    text("otel_traces_exporter", "NAME", "Whether traces are pushed; default: otlp", EXPORTER, |draft, text| {
        put(&mut draft.otel.push_traces, value::exporter(text))
    }),
    text(
        "otel_logs_exporter",
        "NAME",
        "Whether log lines are pushed; default: none, or otlp where logs have an endpoint of their own",
        EXPORTER,
        |draft, text| put(&mut draft.otel.push_logs, value::exporter(text).map(Some)),
    ),
    text("otel_service_name", "NAME", "service.name in what is pushed", "1 to 128 bytes", |draft, text| {
        put(&mut draft.otel.service_name, plain::label(text).map(Some))
    }),
    Setting {
        shape: Shape::List,
        ..text(
            "otel_resource_attributes",
            "PAIRS",
            "What is said about this process in all that is pushed",
            "key=value, separated by commas, values percent-encoded",
            |draft, text| put(&mut draft.otel.attributes, value::attributes(text)),
        )
    },
    number(
        "otel_metric_export_interval",
        "60000",
        "MS",
        "From one push of metrics to the next",
        MILLISECONDS,
        |draft, text| put(&mut draft.otel.interval, value::milliseconds(text)),
    ),
    number(
        "otel_metric_export_timeout",
        "30000",
        "MS",
        "How long one push of metrics may take at most",
        MILLISECONDS,
        |draft, text| put(&mut draft.otel.export_timeout, value::milliseconds(text)),
    ),
    text(
        "otel_exporter_otlp_metrics_temporality_preference",
        "NAME",
        "Whether metrics are pushed as totals or as increments; default: cumulative",
        "cumulative, delta or lowmemory",
        |draft, text| put(&mut draft.otel.temporality, value::temporality(text)),
    ),
    text(
        "otel_traces_sampler",
        "NAME",
        "Which traces are recorded; default: parentbased_always_on",
        "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio",
        |draft, text| put(&mut draft.otel.sampler, value::sampler(text)),
    ),
    number(
        "otel_traces_sampler_arg",
        "",
        "SHARE",
        "Share of the traces that the traceidratio samplers record; default: 1",
        "0 to 1",
        |draft, text| put(&mut draft.otel.sampler_share, value::share(text).map(Some)),
    ),
    // Not a setting of ours; kept so that images which set it for all their services start.
    text(
        "otel_propagators",
        "NAMES",
        "How callers say which trace they belong to; only tracecontext has an effect",
        "tracecontext, baggage or none, separated by commas",
        |_, text| {
            let known = |name: &str| matches!(name.trim(), "tracecontext" | "baggage" | "none");
            if text.split(',').all(known) { Ok(()) } else { Err("has a propagator that this agent does not know".into()) }
        },
    ),
];

#[cfg(test)]
mod tests;
