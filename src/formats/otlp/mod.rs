//! Calls that programs tell as OpenTelemetry's traces and logs, over OTLP.
//!
//! A body is read as it comes, in `protobuf` or `json`; the `collect`or puts spans to their scopes, resources and parents; which of them
//! are paid calls, and what they say, is in the table of `senders`. Metrics are read and never charged: their points say nothing of single
//! calls.
//!
//! *Invariants.* What is no call is not looked at any closer. One that cannot be read as a call does not keep the others from being recorded; a
//! body that breaks the syntax of its encoding records nothing.
//! *Limits.* Those of each file here.
//! *What is deliberately not here.* Whether a call was told before, and by whom: that is the writer's question. Prices.

mod answer;
mod call;
mod coding_agents;
mod collect;
mod conventions;
mod count;
mod family;
mod json;
mod members;
mod protobuf;
mod record;
mod scalar;
mod sender;
mod senders;
mod stream;
#[cfg(test)]
mod tests;
mod told;
mod usage_text;
mod wire;

use std::io::BufRead;

use http::HeaderMap;

use super::{CallError, CallFormat, CallSink, JSON, is_json, media_type};
use answer::PROTOBUF;
pub use answer::{code, message};
use collect::Collector;
use record::Signal;
pub use senders::own_sources;

/// The metric label `format` of all of them.
const LABEL: &str = "otlp";

/// What `POST /v1/traces` takes.
pub const TRACES: &[CallFormat] = &[
    CallFormat { read: |_, body, sink| in_protobuf(Signal::Spans, body, sink), ..PROTOBUF_FORMAT },
    CallFormat {
        read: |_, body, sink| in_json(Signal::Spans, body, sink),
        answer: answer::traces_json_answer,
        ..JSON_FORMAT
    },
];

/// What `POST /v1/logs` takes.
pub const LOGS: &[CallFormat] = &[
    CallFormat { read: |_, body, sink| in_protobuf(Signal::Logs, body, sink), ..PROTOBUF_FORMAT },
    CallFormat { read: |_, body, sink| in_json(Signal::Logs, body, sink), answer: answer::logs_json_answer, ..JSON_FORMAT },
];

/// What `POST /v1/metrics` takes.
pub const METRICS: &[CallFormat] = &[
    CallFormat { read: |_, body, sink| in_protobuf(Signal::Metrics, body, sink), ..PROTOBUF_FORMAT },
    CallFormat {
        read: |_, body, sink| in_json(Signal::Metrics, body, sink),
        answer: answer::metrics_json_answer,
        ..JSON_FORMAT
    },
];

const PROTOBUF_FORMAT: CallFormat = CallFormat {
    label: LABEL,
    media_types: &[PROTOBUF],
    matches: is_protobuf,
    read: |_, body, sink| in_protobuf(Signal::Metrics, body, sink),
    answer: answer::protobuf_answer,
    refuse: Some(answer::protobuf_refusal),
};

const JSON_FORMAT: CallFormat = CallFormat {
    media_types: &[JSON],
    matches: is_json,
    answer: answer::metrics_json_answer,
    refuse: Some(answer::json_refusal),
    ..PROTOBUF_FORMAT
};

fn is_protobuf(headers: &HeaderMap) -> bool {
    media_type(headers).is_some_and(|essence| essence.eq_ignore_ascii_case(PROTOBUF))
}

fn in_protobuf(signal: Signal, body: &mut dyn BufRead, sink: &mut dyn CallSink) -> Result<(), CallError> {
    let mut collector = Collector::new(signal, sink);
    protobuf::read(body, &mut collector)?;
    collector.finish()
}

fn in_json(signal: Signal, body: &mut dyn BufRead, sink: &mut dyn CallSink) -> Result<(), CallError> {
    let mut collector = Collector::new(signal, sink);
    json::read(body, &mut collector)?;
    collector.finish()
}
