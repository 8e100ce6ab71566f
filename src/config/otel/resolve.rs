//! From the settings as they were given to what each signal's push is told.

use std::collections::BTreeSet;

use super::super::problem::{Conflict, Says};
use super::draft::{ConnectionDraft, OtelDraft, PROTOCOL, TIMEOUT};
use crate::telemetry::otlp::{Connection, OtlpSettings, Protocol, Root, Sampler, Tls, check_tls};

/// Names of the settings of one signal, with the ones for all signals.
struct Names {
    endpoint: [&'static str; 2],
    certificate: [&'static str; 2],
    client_certificate: [&'static str; 2],
    path: &'static str,
}

macro_rules! names {
    ($signal:literal) => {
        Names {
            endpoint: [concat!("otel_exporter_otlp_", $signal, "_endpoint"), "otel_exporter_otlp_endpoint"],
            certificate: [concat!("otel_exporter_otlp_", $signal, "_certificate"), "otel_exporter_otlp_certificate"],
            client_certificate: [
                concat!("otel_exporter_otlp_", $signal, "_client_certificate"),
                "otel_exporter_otlp_client_certificate",
            ],
            path: concat!("v1/", $signal),
        }
    };
}

/// What is pushed, and every rule between settings that is broken.
pub(in crate::config) fn resolve(draft: &OtelDraft, environment: &str, port: u16) -> (OtlpSettings, Vec<Conflict>) {
    let mut wrong = Vec::new();
    let logs = draft.push_logs.unwrap_or(draft.logs.endpoint.is_some());
    let mut signal = |asked: bool, own: &ConnectionDraft, names: &Names| {
        if asked && !draft.disabled { connection(own, &draft.all, names, &mut wrong) } else { None }
    };
    let metrics = signal(draft.push_metrics, &draft.metrics, &names!("metrics"));
    let traces = signal(draft.push_traces, &draft.traces, &names!("traces"));
    let logs = signal(logs, &draft.logs, &names!("logs"));
    let batches = [
        (draft.spans, ["otel_bsp_max_export_batch_size", "otel_bsp_max_queue_size"]),
        (draft.log_records, ["otel_blrp_max_export_batch_size", "otel_blrp_max_queue_size"]),
    ];
    for (batching, keys) in batches.into_iter().filter(|(batching, _)| batching.batch_max > batching.queue_max) {
        let [batch, queue] = keys;
        let says = format!("{batch} ({}) is above {queue} ({})", batching.batch_max, batching.queue_max);
        wrong.push(Conflict { keys, says: Says::Of(says) });
    }
    // The same file is often every signal's: it is complained about once.
    wrong.dedup_by(|later, earlier| later.keys[1] == earlier.keys[1] && later.says == earlier.says);
    let name = draft.service_name.iter().map(|name| ("service.name".to_owned(), name.clone()));
    let settings = OtlpSettings {
        metrics,
        traces,
        logs,
        environment: environment.to_owned(),
        port,
        resource: draft.attributes.iter().cloned().chain(name).collect(),
        interval: draft.interval,
        export_timeout: draft.export_timeout,
        temporality: draft.temporality,
        sampler: sampler(draft.sampler, draft.sampler_share),
        spans: draft.spans,
        log_records: draft.log_records,
    };
    (settings, wrong)
}

/// A sampler with its argument.
fn sampler(sampler: Sampler, share: f64) -> Sampler {
    match sampler {
        Sampler::Ratio(_) => Sampler::Ratio(share),
        Sampler::ParentBased(Root::Ratio(_)) => Sampler::ParentBased(Root::Ratio(share)),
        other => other,
    }
}

/// One signal's connection; none without an endpoint.
fn connection(own: &ConnectionDraft, all: &ConnectionDraft, names: &Names, wrong: &mut Vec<Conflict>) -> Option<Connection> {
    let protocol = own.protocol.or(all.protocol).unwrap_or(PROTOCOL);
    let endpoint = endpoint(own, all, protocol, names)?;
    if protocol == Protocol::Grpc && !path_of(&endpoint).is_empty() {
        let says = "has a path, which gRPC does not use; for http/protobuf, set the protocol".to_owned();
        wrong.push(Conflict { keys: names.endpoint, says: Says::After(says) });
    }
    let certificate = own.certificate.as_ref().or(all.certificate.as_ref());
    let key = own.key.as_ref().or(all.key.as_ref());
    if certificate.is_some() != key.is_some() {
        let says = "and the client key must be set together; only one of them is".to_owned();
        wrong.push(Conflict { keys: names.client_certificate, says: Says::After(says) });
    }
    let tls = Tls {
        authorities: own.authorities.clone().or_else(|| all.authorities.clone()),
        identity: certificate.cloned().zip(key.cloned()),
    };
    if tls != Tls::default()
        && let Err(says) = check_tls(&tls)
    {
        let keys = if tls.authorities.is_some() { names.certificate } else { names.client_certificate };
        wrong.push(Conflict { keys, says: Says::After(says) });
    }
    Some(Connection {
        endpoint,
        protocol,
        headers: own.headers.clone().or_else(|| all.headers.clone()).unwrap_or_default(),
        gzip: own.gzip.or(all.gzip).unwrap_or(false),
        timeout: own.timeout.or(all.timeout).unwrap_or(TIMEOUT),
        tls,
    })
}

/// A signal's own endpoint is taken to the letter; over HTTP, the one for all gets the signal's path.
fn endpoint(own: &ConnectionDraft, all: &ConnectionDraft, protocol: Protocol, names: &Names) -> Option<String> {
    match (&own.endpoint, &all.endpoint) {
        (Some(endpoint), _) => Some(endpoint.clone()),
        (None, Some(endpoint)) if protocol == Protocol::HttpProtobuf => {
            Some(format!("{}/{}", endpoint.trim_end_matches('/'), names.path))
        }
        (None, endpoint) => endpoint.clone(),
    }
}

/// Endpoints where the port of the other protocol is asked, the usual mistake; each once.
pub(in crate::config) fn suspicious<'a>(connections: impl Iterator<Item = &'a Connection>) -> BTreeSet<&'a str> {
    let is_odd = |to: &&Connection| {
        let authority = to.endpoint.split('/').nth(2).unwrap_or_default();
        to.protocol == Protocol::HttpProtobuf && authority.ends_with(":4317")
    };
    connections.filter(is_odd).map(|to| to.endpoint.as_str()).collect()
}

fn path_of(endpoint: &str) -> &str {
    let authority = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    authority.split_once('/').map_or("", |(_, path)| path)
}
