use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value as Json, json};

use super::super::{CallCounts, CallError, CallFormat, CallSink};
use super::{LOGS, METRICS, TRACES};
use crate::domain::{Quality, Quantity, Rank, SpanId, Usd, Zero};
use crate::ingest::{Call, CallKeys, Ignored};

/// Keeps what it is given.
#[derive(Debug, Default, PartialEq)]
struct Told {
    keys: CallKeys,
    calls: Vec<Call<'static>>,
    ignored: BTreeMap<Ignored, usize>,
    rejected: Vec<String>,
}

impl CallSink for Told {
    fn keys(&self) -> &CallKeys {
        &self.keys
    }

    fn call(&mut self, call: &Call<'_>) -> Result<(), CallError> {
        self.calls.push(owned(call));
        Ok(())
    }

    fn ignore(&mut self, why: Ignored, count: usize) {
        if count > 0 {
            *self.ignored.entry(why).or_default() += count;
        }
    }

    fn reject(&mut self, why: &dyn Fn() -> String) {
        self.rejected.push(why());
    }
}

fn owned(call: &Call<'_>) -> Call<'static> {
    let text = |text: &str| -> std::borrow::Cow<'static, str> { text.to_owned().into() };
    Call {
        road: text(&call.road),
        provider: text(&call.provider),
        service_otherwise: text(&call.service_otherwise),
        operation: text(&call.operation),
        model: text(&call.model),
        response_id: text(&call.response_id),
        own_key: call.own_key.as_ref().map(|(source, id)| (text(source), text(id))),
        usage: call.usage.iter().map(|(name, count)| (text(name), *count)).collect(),
        worker: text(&call.worker),
        batch_id: text(&call.batch_id),
        lead_id: text(&call.lead_id),
        span: call.span.clone(),
        links_below: call.links_below.clone(),
        attributes: call.attributes.clone(),
        ..*call
    }
}

fn headers(media_type: &str) -> HeaderMap {
    HeaderMap::from_iter([(CONTENT_TYPE, media_type.parse().unwrap())])
}

fn format_of(formats: &'static [CallFormat], media_type: &str) -> &'static CallFormat {
    formats.iter().find(|format| (format.matches)(&headers(media_type))).unwrap()
}

fn read_from(formats: &'static [CallFormat], media_type: &str, body: &mut dyn BufRead) -> Result<Told, CallError> {
    let mut told = Told::default();
    (format_of(formats, media_type).read)(&headers(media_type), body, &mut told)?;
    Ok(told)
}

/// What is told by a body that comes in pieces of several sizes.
fn read(formats: &'static [CallFormat], media_type: &str, body: &[u8]) -> Result<Told, CallError> {
    let whole = read_from(formats, media_type, &mut &body[..]);
    for bytes in [1, 7, 100] {
        let pieces = read_from(formats, media_type, &mut BufReader::with_capacity(bytes, body));
        match (&whole, &pieces) {
            (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces, "in pieces of {bytes}"),
            (Err(_), Err(_)) => {}
            _ => panic!("{whole:?} as a whole, {pieces:?} in pieces of {bytes}"),
        }
    }
    whole
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

fn attribute(key: &str, value: Any) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Any::StringValue(value.to_owned()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Any::IntValue(value))
}

/// A call by the conventions.
fn chat(span: u8, parent: u8, more: Vec<KeyValue>) -> Span {
    let mut attributes = vec![
        text("http.route", "/v1"),
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        int("gen_ai.usage.input_tokens", 1000),
        int("gen_ai.usage.output_tokens", 50),
    ];
    attributes.extend(more);
    Span {
        trace_id: vec![7; 16],
        span_id: vec![span; 8],
        parent_span_id: if parent == 0 { vec![] } else { vec![parent; 8] },
        name: "chat gpt-4o".to_owned(),
        kind: 3,
        start_time_unix_nano: 1_795_870_000_000_000_000,
        end_time_unix_nano: 1_795_870_001_500_000_000,
        attributes,
        ..Span::default()
    }
}

fn other(span: u8, parent: u8) -> Span {
    Span { attributes: vec![text("http.method", "GET")], name: "GET".to_owned(), ..chat(span, parent, vec![]) }
}

fn request(scope: &str, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope { name: scope.to_owned(), version: "1".to_owned(), ..InstrumentationScope::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "score-worker"), text("batch_id", "b1")],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans, schema_url: String::new() }],
            schema_url: "https://opentelemetry.io".to_owned(),
        }],
    }
}

fn told_by(scope: &str, spans: Vec<Span>) -> Told {
    read(TRACES, PROTOBUF, &request(scope, spans).encode_to_vec()).unwrap()
}

fn usage(call: &Call<'_>) -> Vec<(String, u64)> {
    let units = |count: Quantity| u64::try_from(count.micros() / 1_000_000).unwrap();
    call.usage.iter().map(|(name, count)| (name.to_string(), units(*count))).collect()
}

#[test]
fn a_span_by_the_conventions_is_a_call() {
    let spans = vec![other(3, 2), other(4, 1), chat(1, 3, vec![text("lead_id", "l1")]), other(2, 0)];
    let told = told_by("my.scope", spans);
    let [call] = &told.calls[..] else { panic!("{told:?}") };
    assert_eq!(told.ignored, BTreeMap::from([(Ignored::NotACall, 3)]));
    assert_eq!(
        (&*call.road, &*call.provider, &*call.model, &*call.operation),
        ("otlp:my.scope", "openai", "gpt-4o", "chat")
    );
    assert_eq!((&*call.worker, &*call.batch_id, &*call.lead_id), ("score-worker", "b1", "l1"));
    assert_eq!(usage(call), [("input_tokens".to_owned(), 1000), ("output_tokens".to_owned(), 50)]);
    assert_eq!(call.duration_seconds, Some(1.5));
    assert_eq!(call.end.unwrap().to_string(), "2026-11-28T12:46:41.5Z");
    let place = call.span.as_ref().unwrap();
    assert_eq!(
        place.ancestors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["0303030303030303", "0202020202020202"]
    );
    assert!(place.is_rooted && !call.is_wrapper && call.response_id.is_empty());
    assert_eq!(call.links_below, [(SpanId([4; 8]), SpanId([1; 8]))]);
}

#[test]
fn what_adds_up_others_is_said_to_and_what_says_nothing_is_no_call() {
    let operation = |name: &str| {
        let mut span = chat(1, 0, vec![text("gen_ai.response.id", "r1")]);
        span.attributes[1] = text("gen_ai.operation.name", name);
        span
    };
    for (name, wrapper) in
        [("invoke_agent", Some(true)), ("chat", Some(false)), ("new_operation", Some(false)), ("execute_tool", None)]
    {
        let told = told_by("x", vec![operation(name)]);
        assert_eq!(told.calls.first().map(|call| call.is_wrapper), wrapper, "{name}");
    }
    let told = told_by("x", vec![Span { kind: 2, ..operation("chat") }]);
    assert!(told.calls[0].is_wrapper && told.calls[0].response_id.is_empty(), "a server's span is above the call");
    let mut silent = chat(1, 0, vec![]);
    silent.attributes.truncate(4);
    assert_eq!(told_by("x", vec![silent.clone()]).calls, []);
    silent.attributes.push(text("gen_ai.response.id", "r1"));
    assert_eq!(told_by("x", vec![silent]).calls.len(), 1, "its counts are not known, but that it was");
}

#[test]
fn counts_are_brought_to_one_meaning() {
    let cached =
        vec![int("gen_ai.usage.cache_read.input_tokens", 600), int("gen_ai.usage.cache_creation.input_tokens", 300)];
    let mut span = chat(1, 0, cached);
    span.attributes[4] = int("gen_ai.usage.input_tokens", 100);
    span.attributes[2] = text("gen_ai.provider.name", "anthropic");
    let expected =
        [("input_tokens", 1000), ("cached_input_tokens", 600), ("cache_write_input_tokens", 300), ("output_tokens", 50)];
    let expected: Vec<(String, u64)> = expected.map(|(name, count)| (name.to_owned(), count)).into();
    assert_eq!(usage(&told_by("openlit.instrumentation.anthropic", vec![span.clone()]).calls[0]), expected);
    assert_eq!(usage(&told_by("x", vec![span.clone()]).calls[0]), expected, "the whole is not smaller than its parts");
    span.attributes[4] = int("gen_ai.usage.input_tokens", 1000);
    assert_eq!(usage(&told_by("x", vec![span.clone()]).calls[0]), expected);
    span.attributes.push(int("anthropic.usage.cache_creation.ephemeral_1h_input_tokens", 300));
    let names: Vec<String> =
        usage(&told_by("com.anthropic.sdk.python", vec![span]).calls[0]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["input_tokens", "cached_input_tokens", "cache_write_1h_input_tokens", "output_tokens"]);
}

#[test]
fn a_price_of_zero_is_none_and_costs_keep_their_digits() {
    for (value, cost) in [
        (Any::IntValue(0), None),
        (Any::DoubleValue(0.0), None),
        (Any::DoubleValue(0.002_355_000_000_000_000_3), Some("0.002355")),
        (Any::DoubleValue(1.4e-7), Some("0.00000014")),
        (Any::StringValue("0.002".to_owned()), Some("0.002")),
    ] {
        let told = told_by("openlit.x", vec![chat(1, 0, vec![attribute("gen_ai.usage.cost", value.clone())])]);
        assert_eq!(told.calls[0].cost, cost.map(|cost| Usd::parse(cost).unwrap()), "{value:?}");
    }
}

/// Guards against: a span of the priority tier, or of a batch, that was charged as any other call.
#[test]
fn the_tier_that_a_response_was_given_in_is_kept() {
    for (told, kept) in [
        (&[("openai.response.service_tier", "priority")][..], Some("priority")),
        (&[("gen_ai.openai.response.service_tier", "flex")], Some("flex")),
        (&[("anthropic.response.service_tier", "batch")], Some("batch")),
        (&[("openai.response.service_tier", "default"), ("openai.request.service_tier", "priority")], None),
        (&[("openai.response.service_tier", ""), ("openai.request.service_tier", "priority")], Some("priority")),
        (&[("gen_ai.openai.request.service_tier", "flex")], Some("flex")),
        (&[("openai.request.service_tier", "auto")], None),
        (&[("anthropic.response.service_tier", "standard")], None),
        (&[], None),
    ] {
        let attributes = told.iter().map(|(name, value)| text(name, value)).collect();
        let call = &told_by("x", vec![chat(1, 0, attributes)]).calls[0];
        let expected = kept.map(|tier| format!(r#"{{"service_tier":"{tier}"}}"#));
        assert_eq!(call.attributes.as_deref(), expected.as_deref(), "{told:?}");
    }
}

/// Guards against: a call that was charged twice because OpenInference says the response's id of LangChain deep in a text.
#[test]
fn openinferences_langchain_spans_tell_the_responses_id_and_tier() {
    let answer = r#"{"generations":[[{"text":"hi","generation_info":null,"type":"ChatGeneration","message":{"lc":1,"type":"constructor","id":["langchain","schema","messages","AIMessage"],"kwargs":{"content":"hi","response_metadata":{"id":"msg_01x","model":"claude-sonnet-4-5-20250929","usage":{"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"input_tokens":100,"output_tokens":50,"service_tier":"batch"},"model_provider":"anthropic"},"type":"ai","id":"lc_run--01a22c05-0"}}}]],"llm_output":{"id":"msg_01x","model":"claude-sonnet-4-5-20250929","usage":{"input_tokens":100,"service_tier":"batch"}},"run":null,"type":"LLMResult"}"#;
    let span = |answer: &str| {
        let attributes = vec![
            text("openinference.span.kind", "LLM"),
            text("llm.provider", "anthropic"),
            text("llm.model_name", "claude-sonnet-4-5-20250929"),
            int("llm.token_count.prompt", 1000),
            int("llm.token_count.completion", 50),
            text("output.value", answer),
        ];
        told_by("openinference.instrumentation.langchain", vec![Span { attributes, ..chat(1, 0, vec![]) }]).calls.remove(0)
    };
    let call = span(answer);
    assert_eq!((&*call.response_id, call.attributes.as_deref()), ("msg_01x", Some(r#"{"service_tier":"batch"}"#)));
    let call = span(&answer[..answer.len() - 1]);
    assert_eq!((&*call.response_id, call.attributes), ("", None), "it is not whole");
}

/// A call as version 5 of Vercel's AI SDK tells it.
fn vercel_5(provider: &str, metadata: &str, counts: Vec<KeyValue>) -> Span {
    let mut attributes = vec![
        text("operation.name", "ai.generateText.doGenerate"),
        text("ai.operationId", "ai.generateText.doGenerate"),
        text("ai.model.provider", provider),
        text("ai.response.model", "m"),
        text("ai.response.id", "r1"),
        text("ai.response.providerMetadata", metadata),
    ];
    attributes.extend(counts);
    Span { attributes, ..chat(1, 0, vec![]) }
}

/// Guards against: calls that cost a tenth because what was cached was nowhere, and said to be exact.
#[test]
fn what_vercels_sdk_leaves_out_is_read_from_the_provider_or_doubted() {
    let old = |input, output| vec![int("ai.usage.promptTokens", input), int("ai.usage.completionTokens", output)];
    let streamed = |input, output| {
        vec![
            int("ai.usage.inputTokens", input),
            int("ai.usage.outputTokens", output),
            int("ai.usage.cachedInputTokens", 600),
        ]
    };
    let claude = r#"{"anthropic":{"usage":{"input_tokens":100,"output_tokens":50,"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"cache_creation":{"ephemeral_5m_input_tokens":300,"ephemeral_1h_input_tokens":0},"service_tier":"standard"},"cacheCreationInputTokens":300}}"#;
    let early = claude.replace("\"output_tokens\":50", "\"output_tokens\":1");
    let batch = claude.replace("standard", "batch");
    let gemini = r#"{"google":{"serviceTier":null,"usageMetadata":{"cachedContentTokenCount":600,"thoughtsTokenCount":20,"promptTokenCount":1000,"candidatesTokenCount":30,"totalTokenCount":1050}}}"#;
    let openai = r#"{"openai":{"responseId":"resp_1","serviceTier":"flex"}}"#;
    let cached_and_written = "1000 600 300 50";
    for (provider, metadata, counts, quality, expected, tier) in [
        ("anthropic.messages", claude, old(100, 50), Quality::Exact, cached_and_written, None),
        ("anthropic.messages", &*batch, old(100, 50), Quality::Exact, cached_and_written, Some("batch")),
        ("anthropic.messages", claude, streamed(100, 50), Quality::Exact, cached_and_written, None),
        ("anthropic.messages", &*early, streamed(100, 50), Quality::Exact, cached_and_written, None),
        ("google.generative-ai", gemini, old(1000, 30), Quality::Exact, "1000 600 0 50", None),
        ("google.generative-ai", gemini, streamed(1000, 30), Quality::Exact, "1000 600 0 50", None),
        ("openai.responses", openai, old(1000, 50), Quality::Doubtful, "1000 0 0 50", Some("flex")),
        ("openai.responses", openai, streamed(1000, 50), Quality::Exact, "1000 600 0 50", Some("flex")),
        ("anthropic.messages", "{}", streamed(100, 50), Quality::Doubtful, "700 600 0 50", None),
        ("google.generative-ai", "{}", vec![int("ai.usage.tokens", 7)], Quality::Exact, "7 0 0 0", None),
    ] {
        let call = &told_by("ai", vec![vercel_5(provider, metadata, counts)]).calls[0];
        let usage = usage(call);
        let of = |name: &str| usage.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count).to_string();
        let found = ["input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens"].map(of).join(" ");
        assert_eq!((call.quality, &*found), (quality, expected), "{provider} {metadata}");
        let tier = tier.map(|tier| format!(r#"{{"service_tier":"{tier}"}}"#));
        assert_eq!(call.attributes, tier.map(Into::into), "{provider} {metadata}");
    }
    // What adds up several calls has the metadata of the last one.
    let mut outer = vercel_5("anthropic.messages", claude, old(900, 70));
    outer.attributes[1] = text("ai.operationId", "ai.generateText");
    let call = &told_by("ai", vec![outer]).calls[0];
    assert_eq!((call.is_wrapper, call.quality, usage(call)[0].1), (true, Quality::Doubtful, 900));
}

#[test]
fn one_bad_span_does_not_keep_the_others_out() {
    for (name, value) in [
        ("gen_ai.usage.input_tokens", Any::IntValue(-1)),
        ("gen_ai.usage.input_tokens", Any::StringValue("many".to_owned())),
        ("gen_ai.usage.output_tokens", Any::DoubleValue(f64::NAN)),
        ("gen_ai.usage.output_tokens", Any::BoolValue(true)),
        ("gen_ai.usage.cost", Any::DoubleValue(f64::INFINITY)),
        ("gen_ai.usage.cost", Any::StringValue("a dollar".to_owned())),
    ] {
        let mut bad = chat(1, 0, vec![]);
        bad.attributes.retain(|attribute| attribute.key != name);
        bad.attributes.push(attribute(name, value));
        let told = told_by("x", vec![bad, chat(2, 0, vec![])]);
        assert_eq!((told.calls.len(), told.rejected.len()), (1, 1), "{told:?}");
        assert!(told.rejected[0].contains(name), "{told:?}");
    }
}

#[test]
fn what_stands_twice_counts_once_and_times_of_zero_say_nothing() {
    let mut span = chat(1, 0, vec![int("gen_ai.usage.input_tokens", 7), text("lead_id", "a"), text("lead_id", "b")]);
    (span.start_time_unix_nano, span.end_time_unix_nano) = (0, 0);
    let told = told_by("x", vec![span]);
    assert_eq!(usage(&told.calls[0])[0].1, 1000);
    assert_eq!((&*told.calls[0].lead_id, told.calls[0].end, told.calls[0].duration_seconds), ("a", None, None));
}

#[test]
fn names_and_resources_may_come_behind_what_they_belong_to() {
    let whole = request("com.anthropic.sdk.x", vec![chat(1, 2, vec![]), other(2, 0)]);
    let expected = read(TRACES, PROTOBUF, &whole.encode_to_vec()).unwrap();
    // The same fields with those of messages in reverse.
    let scope = &whole.resource_spans[0].scope_spans[0];
    let mut inner = Vec::new();
    for span in &scope.spans {
        prost::encoding::message::encode(2, span, &mut inner);
    }
    prost::encoding::message::encode(1, scope.scope.as_ref().unwrap(), &mut inner);
    let mut outer = Vec::new();
    prost::encoding::bytes::encode(2, &inner, &mut outer);
    prost::encoding::message::encode(1, whole.resource_spans[0].resource.as_ref().unwrap(), &mut outer);
    let mut body = Vec::new();
    prost::encoding::bytes::encode(1, &outer, &mut body);
    assert_eq!(read(TRACES, PROTOBUF, &body).unwrap(), expected);
    assert_eq!((expected.calls[0].rank, &*expected.calls[0].worker), (Rank::Higher, "score-worker"));
}

#[test]
fn more_calls_than_may_wait_are_handed_on_with_what_is_known() {
    let spans: Vec<Span> =
        (0..9_000_u64).map(|number| Span { span_id: (number + 1).to_be_bytes().to_vec(), ..chat(1, 0, vec![]) }).collect();
    let told = read_from(TRACES, PROTOBUF, &mut &request("x", spans).encode_to_vec()[..]).unwrap();
    assert_eq!(told.calls.len(), 9_000);
    assert!(told.calls.iter().all(|call| call.worker == "score-worker" && call.batch_id == "b1"));
}

#[test]
fn logs_of_coding_agents_are_calls() {
    let log = |attributes: Vec<KeyValue>, body: &str| LogRecord {
        observed_time_unix_nano: 1_795_870_001_500_000_000,
        body: Some(AnyValue { value: Some(Any::StringValue(body.to_owned())) }),
        attributes,
        trace_id: vec![7; 16],
        span_id: vec![1; 8],
        ..LogRecord::default()
    };
    let codex = |counts: bool| {
        let mut attributes = vec![
            text("event.name", "codex.sse_event"),
            text("event.kind", "response.completed"),
            text("conversation.id", "c1"),
            text("event.timestamp", "2026-11-28T12:51:34.785Z"),
            text("model", "gpt-5.1-codex"),
        ];
        if counts {
            attributes.extend([
                text("input_token_count", "1000"),
                int("cached_token_count", 800),
                text("output_token_count", "50"),
            ]);
        }
        log(attributes, "")
    };
    let operation =
        vec![text("event.name", "gen_ai.client.inference.operation.details"), int("gen_ai.usage.input_tokens", 9)];
    let records = vec![codex(false), codex(true), log(operation, ""), log(vec![text("event.name", "x")], "y")];
    let body = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }],
            ..ResourceLogs::default()
        }],
    };
    let told = read(LOGS, PROTOBUF, &body.encode_to_vec()).unwrap();
    let [call] = &told.calls[..] else { panic!("{told:?}") };
    assert_eq!(call.own_key, Some(("codex".into(), "c1/2026-11-28T12:51:34.785Z".into())));
    assert_eq!((call.span.as_ref(), &*call.service_otherwise), (None, "openai"), "several calls log in one span");
    assert_eq!(usage(call).iter().map(|(_, count)| *count).collect::<Vec<_>>(), [1000, 800, 50]);
    assert_eq!(told.ignored[&Ignored::NotACall], 3);
}

/// Details of a call as a log come beside its span: only who says the response's id tells of the same call.
#[test]
fn details_of_a_call_with_its_id_are_that_call() {
    let details = |more: Vec<KeyValue>| LogRecord {
        time_unix_nano: 1_795_870_001_500_000_000,
        event_name: "gen_ai.client.inference.operation.details".to_owned(),
        attributes: [vec![int("gen_ai.usage.input_tokens", 9), text("gen_ai.provider.name", "openai")], more].concat(),
        trace_id: vec![7; 16],
        span_id: vec![1; 8],
        ..LogRecord::default()
    };
    let calls = |scope: &str, record: LogRecord| {
        let scope = Some(InstrumentationScope { name: scope.to_owned(), ..InstrumentationScope::default() });
        let scope_logs = vec![ScopeLogs { scope, log_records: vec![record], ..ScopeLogs::default() }];
        let body = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] };
        read(LOGS, PROTOBUF, &body.encode_to_vec()).unwrap().calls
    };
    let named = || details(vec![text("gen_ai.response.id", "r1")]);
    let [call] = &calls("opentelemetry.util.genai", named())[..] else { panic!("{:?}", named()) };
    assert_eq!((&*call.response_id, usage(call)), ("r1", vec![("input_tokens".to_owned(), 9)]));
    assert_eq!(calls("opentelemetry.util.genai", details(vec![])), []);
    assert_eq!(calls("openlit.otel", named()), [], "nobody says how it counts");
}

#[test]
fn a_cost_is_taken_under_each_name_that_senders_have_for_it() {
    for name in ["gen_ai.usage.cost", "operation.cost", "usage.cost", "cost_usd", "response_cost"] {
        let told = told_by("x", vec![chat(1, 0, vec![text(name, "0.5")])]);
        assert_eq!(told.calls[0].cost, Some(Usd::parse("0.5").unwrap()), "{name}");
        let told = told_by("x", vec![chat(1, 0, vec![text(name, "0")])]);
        assert_eq!((told.calls[0].cost, told.calls[0].zero), (None, Zero::Unsure), "{name}");
    }
}

/// Every file, and how many calls it tells.
#[test]
fn the_captures_tell_their_calls() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/otlp/");
    for (file, calls, wrappers, costs, not_exact) in [
        ("openllmetry_py_traces.pb", 13, 0, 0, 3),
        ("openinference_py_traces.pb", 13, 0, 0, 0),
        ("pydantic_ai_traces.pb", 6, 0, 4, 0),
        ("openlit_no_prices_traces_1.pb", 5, 0, 0, 1),
        ("strands_traces_1.pb", 3, 2, 0, 0),
        ("langfuse_traces_1.pb", 4, 0, 0, 0),
        ("langfuse_traces_2.pb", 2, 0, 0, 0),
        ("claude_code_logs.pb", 1, 0, 1, 1),
        ("codex_logs.pb", 1, 0, 0, 0),
        ("gemini_cli_logs.json", 1, 0, 0, 0),
        ("openlit_no_prices_logs_1.pb", 0, 0, 0, 0),
    ] {
        let body = std::fs::read(format!("{folder}{file}")).unwrap();
        let formats = if file.contains("logs") { LOGS } else { TRACES };
        let media_type = if file.ends_with("json") { JSON } else { PROTOBUF };
        let told = read(formats, media_type, &body).unwrap();
        let (above, below): (Vec<_>, Vec<_>) = told.calls.iter().partition(|call| call.is_wrapper);
        let costed = below.iter().filter(|call| call.cost.is_some()).count();
        let doubted = below.iter().filter(|call| call.quality != Quality::Exact).count();
        let summary: Vec<_> =
            told.calls.iter().map(|call| (&call.road, &call.model, &call.response_id, usage(call))).collect();
        assert_eq!((below.len(), above.len(), costed, doubted), (calls, wrappers, costs, not_exact), "{file}: {summary:#?}");
        assert_eq!(told.rejected, Vec::<String>::new(), "{file}");
        for call in &below {
            assert!(!call.model.is_empty() || call.has_failed, "{file}: {call:?}");
        }
    }
}

#[test]
fn metrics_are_counted_and_no_calls() {
    let body = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/otlp/claude_code_metrics.pb")).unwrap();
    let told = read(METRICS, PROTOBUF, &body).unwrap();
    assert!(told.calls.is_empty() && told.ignored[&Ignored::Metric] > 3, "{told:?}");
    let json = json!({"resourceMetrics":[{"scopeMetrics":[{"metrics":[
        {"name":"a","sum":{"dataPoints":[{"asInt":"1"},{"asDouble":2.0}]}},{"name":"b","gauge":{"dataPoints":null}}]}]}]});
    assert_eq!(read(METRICS, JSON, json.to_string().as_bytes()).unwrap().ignored, BTreeMap::from([(Ignored::Metric, 2)]));
}

#[test]
fn json_is_taken_in_every_spelling_of_its_mapping() {
    let body = json!({"unknown":[1,{"x":[]}],"resource_spans":[{"scope_spans":[{"spans":[{
        "trace_id":"07070707070707070707070707070707","span_id":"0101010101010101","parent_span_id":null,
        "name":"chat","kind":"SPAN_KIND_CLIENT","status":{"code":"STATUS_CODE_ERROR"},"events":null,
        "start_time_unix_nano":1_795_870_000_000_000_000_u64,"end_time_unix_nano":"1795870001500000000",
        "attributes":[
            {"value":{"string_value":"chat"},"key":"gen_ai.operation.name"},
            {"key":"gen_ai.usage.input_tokens","value":{"intValue":1000}},
            {"key":"gen_ai.usage.output_tokens","value":{"intValue":"50"}},
            {"key":"gen_ai.usage.cost","value":{"doubleValue":0.002}},
            {"key":"gen_ai.request.seed","value":{}},{"key":"x","value":null},{"key":"y"},
            {"key":"z","value":{"arrayValue":{"values":[{"stringValue":"a"}]}}}]}],
        "scope":{"name":"late"}}],
        "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"w"}}]}}]});
    let told = read(TRACES, JSON, body.to_string().as_bytes()).unwrap();
    let [call] = &told.calls[..] else { panic!("{told:?}") };
    assert_eq!((&*call.road, &*call.worker, call.has_failed, call.duration_seconds), ("otlp:late", "w", true, Some(1.5)));
    assert_eq!((usage(call)[1].1, call.cost), (50, Some(Usd::parse("0.002").unwrap())));
    assert!(call.span.as_ref().unwrap().is_rooted);
    for fine in
        ["{}", "{\"resourceSpans\":null}", " {\"resourceSpans\":[]} ", "{\"resourceSpans\":[null,{\"scopeSpans\":[null]}]}"]
    {
        assert_eq!(read(TRACES, JSON, fine.as_bytes()).unwrap(), Told::default(), "{fine}");
    }
}

#[test]
fn what_is_no_otlp_is_refused() {
    let deep = format!("{{\"resourceSpans\":{}", "[".repeat(100_000));
    let deep_object =
        "{\"resourceSpans\":[{\"resource\":".to_owned() + &"{\"attributes\":[{\"value\":{\"kvlistValue\":".repeat(10_000);
    for body in [
        "",
        "[]",
        "7",
        "null x",
        "{",
        "{}{}",
        "{\"resourceSpans\":{}}",
        "{\"resourceSpans\":[7]}",
        "\u{feff}{}",
        &deep,
        &deep_object,
    ] {
        assert!(matches!(read_from(TRACES, JSON, &mut body.as_bytes()), Err(CallError::Malformed(_))), "{:.50}", body);
    }
    for body in
        [&b"{}"[..], b"\x0a", b"\x0a\x05abc", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x0b\x0c", b"\x0a\x02\x12\x05"]
    {
        assert!(matches!(read(TRACES, PROTOBUF, body), Err(CallError::Malformed(_))), "{body:?}");
    }
    assert_eq!(read(TRACES, PROTOBUF, b"").unwrap(), Told::default(), "a request without anything is valid");
}

#[test]
fn a_body_that_is_cut_is_never_taken_for_a_shorter_one() {
    let body = request("x", vec![chat(1, 2, vec![]), other(2, 0), chat(3, 0, vec![])]).encode_to_vec();
    for end in 1..body.len() {
        assert!(read_from(TRACES, PROTOBUF, &mut &body[..end]).is_err(), "cut at {end}");
    }
    let json = json_of(&request("x", vec![chat(1, 2, vec![]), other(2, 0)])).to_string();
    for end in 0..json.len() {
        assert!(read_from(TRACES, JSON, &mut &json.as_bytes()[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn an_item_beyond_the_bound_is_too_large_and_ten_thousand_attributes_are_not() {
    let many: Vec<KeyValue> = (0..10_000).map(|number| int(&format!("gen_ai.unknown.{number}"), 1)).collect();
    assert_eq!(told_by("x", vec![chat(1, 0, many)]).calls.len(), 1);
    let same = vec![text("gen_ai.response.id", "r"); 10_000];
    assert_eq!(told_by("x", vec![chat(1, 0, same)]).calls.len(), 1);
    let huge = chat(1, 0, vec![text("gen_ai.input.messages", &"x".repeat(super::super::ITEM_BYTES_MAX))]);
    let body = request("x", vec![huge]).encode_to_vec();
    assert!(matches!(read_from(TRACES, PROTOBUF, &mut &body[..]), Err(CallError::TooLarge(_))));
    let long_id = vec![text("gen_ai.response.id", &"r".repeat(100_000))];
    assert_eq!(told_by("x", vec![chat(1, 0, long_id)]).calls[0].response_id, "");
}

#[test]
fn answers_are_those_of_the_protocol() {
    let counts = CallCounts { rejected: 2, why_rejected: Some("its cost is negative".to_owned()), ..CallCounts::default() };
    let body = (format_of(TRACES, PROTOBUF).answer)(&counts).body.unwrap().body;
    let partial = ExportTraceServiceResponse::decode(&body[..]).unwrap().partial_success.unwrap();
    assert_eq!(
        (partial.rejected_spans, &*partial.error_message),
        (2, "2 are not recorded: its cost is negative (the first of them)")
    );
    assert_eq!((format_of(TRACES, PROTOBUF).answer)(&CallCounts::default()).body.unwrap().body, b"");
    for (formats, name) in [(TRACES, "rejectedSpans"), (LOGS, "rejectedLogRecords"), (METRICS, "rejectedDataPoints")] {
        let answer = (format_of(formats, JSON).answer)(&counts).body.unwrap();
        let json: Json = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.media_type, &json["partialSuccess"][name]), (JSON, &json!("2")));
    }
    let refusal = format_of(LOGS, JSON).refuse.unwrap()(http::StatusCode::SERVICE_UNAVAILABLE, "later");
    assert_eq!(serde_json::from_slice::<Json>(&refusal.body).unwrap(), json!({"code": 14, "message": "later"}));
    let refusal = format_of(LOGS, PROTOBUF).refuse.unwrap()(http::StatusCode::BAD_REQUEST, "no");
    assert_eq!(refusal.body, [8, 3, 18, 2, b'n', b'o']);
}

/// A request in the other encoding.
fn json_of(request: &ExportTraceServiceRequest) -> Json {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let value = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => json!({"stringValue": text}),
        Some(Any::IntValue(int)) => json!({"intValue": int.to_string()}),
        Some(Any::DoubleValue(double)) => json!({"doubleValue": double}),
        Some(Any::BoolValue(bool)) => json!({"boolValue": bool}),
        Some(_) => json!({"arrayValue": {"values": []}}),
        None => json!({}),
    };
    let attributes = |list: &[KeyValue]| -> Json {
        list.iter().map(|pair| json!({"key": pair.key, "value": value(&pair.value)})).collect()
    };
    let span = |span: &Span| {
        json!({"traceId": hex(&span.trace_id), "spanId": hex(&span.span_id), "parentSpanId": hex(&span.parent_span_id), "name": span.name,
            "kind": span.kind, "startTimeUnixNano": span.start_time_unix_nano.to_string(),
            "endTimeUnixNano": span.end_time_unix_nano.to_string(), "attributes": attributes(&span.attributes),
            "status": {"code": span.status.as_ref().map_or(0, |status| status.code)}})
    };
    let scope = |scope: &ScopeSpans| json!({"scope": {"name": scope.scope.as_ref().map_or("", |scope| &scope.name)}, "spans": scope.spans.iter().map(span).collect::<Vec<_>>()});
    let resource = |resource: &ResourceSpans| {
        json!({"resource": {"attributes": attributes(&resource.resource.as_ref().unwrap().attributes)},
            "scopeSpans": resource.scope_spans.iter().map(scope).collect::<Vec<_>>()})
    };
    json!({"resourceSpans": request.resource_spans.iter().map(resource).collect::<Vec<_>>()})
}

fn any_attribute() -> impl Strategy<Value = KeyValue> {
    let names = prop::sample::select(vec![
        "gen_ai.operation.name",
        "gen_ai.request.model",
        "gen_ai.response.id",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.cost",
        "ai.operationId",
        "openinference.span.kind",
        "langfuse.observation.type",
        "langfuse.observation.usage_details",
        "output.value",
        "lead_id",
        "http.route",
        "",
    ]);
    let value = prop_oneof![
        "[a-zé]{0,6}".prop_map(|text| Some(Any::StringValue(text))),
        prop::sample::select(vec![
            "chat",
            "LLM",
            "generation",
            "ai.x.doEmbed",
            "invoke_agent",
            "{\"input\":7}",
            "{\"id\":\"r\"}"
        ])
        .prop_map(|text| Some(Any::StringValue(text.to_owned()))),
        any::<i64>().prop_map(|int| Some(Any::IntValue(int))),
        (0..5_000_i64).prop_map(|int| Some(Any::IntValue(int))),
        (-1.0e6..1.0e6).prop_map(|double| Some(Any::DoubleValue(double))),
        any::<bool>().prop_map(|bool| Some(Any::BoolValue(bool))),
        Just(Some(Any::ArrayValue(ArrayValue { values: vec![] }))),
        Just(None),
    ];
    (names, value).prop_map(|(name, value)| KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value }),
        ..KeyValue::default()
    })
}

fn any_span() -> impl Strategy<Value = Span> {
    (1..6_u8, 0..6_u8, 0..6_i32, prop::collection::vec(any_attribute(), 0..8), any::<bool>(), 0..3_u64).prop_map(
        |(span, parent, kind, attributes, failed, time)| Span {
            kind,
            attributes,
            status: Some(Status { code: if failed { 2 } else { 1 }, message: "why".to_owned() }),
            end_time_unix_nano: time * 1_795_870_001_500_000_000,
            ..chat(span, parent, vec![])
        },
    )
}

proptest! {
    /// The two ways into the table share nothing but the table.
    #[test]
    fn both_encodings_tell_the_same(spans in prop::collection::vec(any_span(), 0..6), scope in "(x|ai|litellm|openlit.x|strands.y)?") {
        let request = request(&scope, spans);
        let in_protobuf = read(TRACES, PROTOBUF, &request.encode_to_vec()).unwrap();
        let in_json = read(TRACES, JSON, json_of(&request).to_string().as_bytes()).unwrap();
        prop_assert_eq!(in_protobuf, in_json);
    }

    /// What prost takes is taken, and whatever comes is answered.
    #[test]
    fn no_bytes_panic_and_what_is_valid_is_read(
        spans in prop::collection::vec(any_span(), 1..4), at in any::<prop::sample::Index>(), byte in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut body = request("x", spans).encode_to_vec();
        let at = at.index(body.len());
        body[at] = byte;
        let valid = ExportTraceServiceRequest::decode(&body[..]);
        let told = read_from(TRACES, PROTOBUF, &mut &body[..]);
        if let Ok(valid) = valid {
            let told = told.unwrap();
            let spans: usize = valid.resource_spans.iter().flat_map(|resource| &resource.scope_spans).map(|scope| scope.spans.len()).sum();
            let ignored: usize = told.ignored.values().sum();
            prop_assert_eq!(told.calls.len() + told.rejected.len() + ignored, spans);
        }
        let _ = read_from(TRACES, PROTOBUF, &mut &noise[..]);
        let _ = read_from(LOGS, PROTOBUF, &mut &noise[..]);
        let _ = read_from(METRICS, PROTOBUF, &mut &noise[..]);
        let _ = read_from(LOGS, JSON, &mut &noise[..]);
    }
}
