//! The promise: the traces of a busy service are looked through for paid calls faster than half as fast as they could be decoded at all.

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use flate2::Compression;
use flate2::write::GzEncoder;
use lead_factory_metrics::clock::Clock;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::Outcome;
use crate::agent::Agent;
use crate::http::HttpAnswers;
use crate::load::Load;
use crate::template::Template;
use crate::trial::Demand::AtLeast;
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Round, Trial};

const SPANS: &str = "spans, 1 % of them paid, gzip";
const DECODING: &str = "prost, decodes only, one thread, no gzip";
const SPANS_PER_BODY: u64 = 1_000;
/// One span of so many is a paid call.
const PAID_OF: u64 = 100;
/// Bodies that are made beforehand. When all were sent, their calls are known: still looked through, no longer recorded.
const BODIES: u64 = 400;
const CONNECTIONS: usize = 4;

pub fn trials(bench: &Bench) -> Vec<Trial> {
    let site = bench.site();
    let bodies: Vec<Vec<u8>> = (0..BODIES).map(|number| body(number).encode_to_vec()).collect();
    let plain = bodies.iter().take(20).cloned().collect::<Vec<_>>();
    let agent = Contender::agent(SPANS, move |pace| {
        let agent = Agent::start_empty(&site)?;
        let requests = bodies.iter().map(|body| post(body)).collect::<Outcome<_>>()?;
        let answers = HttpAnswers::default();
        let load = Load { connections: CONNECTIONS, requests, answers, events_per_request: SPANS_PER_BODY as f64 };
        load.run(agent.address, pace, || agent.cpu())
    });
    let floor = Contender::new(DECODING, move |pace| decode(&plain, pace));
    vec![Trial {
        name: "otlp",
        title: format!("{SPANS_PER_BODY} spans a request, connections: {CONNECTIONS}"),
        contenders: vec![agent, floor],
        bars: vec![
            Bar::alone(Figure::Rate, SPANS, AtLeast(300_000.0)),
            Bar::ratio(Figure::Rate, SPANS, DECODING, AtLeast(0.5)),
        ],
    }]
}

/// Spans a second of a loop that makes messages of the bytes and nothing else.
fn decode(bodies: &[Vec<u8>], pace: &Pace) -> Outcome<Round> {
    let began = Instant::now();
    let mut spans = 0_u64;
    for body in bodies.iter().cycle() {
        black_box(ExportTraceServiceRequest::decode(body.as_slice())?);
        spans += SPANS_PER_BODY;
        if began.elapsed() >= pace.measure {
            break;
        }
    }
    Ok(Round::from([(Figure::Rate, spans as f64 / began.elapsed().as_secs_f64()), (Figure::Count, spans as f64)]))
}

fn post(body: &[u8]) -> Outcome<Template> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body)?;
    let body = encoder.finish()?;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Ok(Template::new([head.into_bytes(), body].concat()))
}

/// The spans of one batch: requests, queries, and now and then a model's answer.
fn body(number: u64) -> ExportTraceServiceRequest {
    let now = Clock::System.now().as_nanosecond() as u64;
    let spans: Vec<Span> = (0..SPANS_PER_BODY).map(|at| span(number, at, now)).collect();
    let scope = |name: &str| Some(InstrumentationScope { name: name.into(), version: "1.0.0".into(), ..Default::default() });
    let (paid, others): (Vec<Span>, Vec<Span>) = spans.into_iter().partition(|span| span.name.starts_with("chat"));
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "checkout"), text("service.instance.id", "checkout-7c9d")],
                ..Default::default()
            }),
            scope_spans: vec![
                ScopeSpans { scope: scope("opentelemetry.instrumentation.asgi"), spans: others, ..Default::default() },
                ScopeSpans { scope: scope("opentelemetry.instrumentation.openai.v1"), spans: paid, ..Default::default() },
            ],
            ..Default::default()
        }],
    }
}

fn span(body: u64, at: u64, now: u64) -> Span {
    let number = body * SPANS_PER_BODY + at;
    let is_paid = at.is_multiple_of(PAID_OF);
    let attributes = if is_paid {
        vec![
            text("gen_ai.system", "openai"),
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.request.model", "gpt-4o"),
            text("gen_ai.response.model", "gpt-4o-2024-08-06"),
            text("gen_ai.response.id", &format!("chatcmpl-bench-{number}")),
            count("gen_ai.usage.input_tokens", 1_000),
            count("gen_ai.usage.cache_read_input_tokens", 800),
            count("gen_ai.usage.output_tokens", 50),
        ]
    } else {
        vec![
            text("http.request.method", "GET"),
            text("url.path", &format!("/orders/{number}")),
            text("url.scheme", "https"),
            text("server.address", "shop.example.org"),
            text("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
            text("network.protocol.version", "1.1"),
            count("http.response.status_code", 200),
            count("server.port", 443),
        ]
    };
    Span {
        trace_id: [[0; 8], (number / 10 + 1).to_be_bytes()].concat(),
        span_id: (number + 1).to_be_bytes().into(),
        parent_span_id: if at.is_multiple_of(10) { Vec::new() } else { number.to_be_bytes().into() },
        name: if is_paid { "chat gpt-4o".into() } else { "GET /orders/{id}".into() },
        kind: if is_paid { 3 } else { 2 },
        start_time_unix_nano: now - 20_000_000,
        end_time_unix_nano: now,
        attributes,
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.into())) }),
        ..Default::default()
    }
}

fn count(key: &str, value: i64) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(Value::IntValue(value)) }), ..Default::default() }
}
