use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;
use serde_json::json;

use super::*;
use crate::domain::Usd;
use crate::pricing::Book;

const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";
const JSON: &str = "Content-Type: application/json\r\n";
/// From the agents' noon to the end of the day on which the captures were made.
const TO_CAPTURES: Duration = Duration::from_secs(6 * 86_400 + 12 * 3_600 - 1);

async fn agent() -> TestAgent {
    let agent = TestAgent::start(Settings::default()).await;
    agent.clock.advance(TO_CAPTURES);
    agent.state.book.store(Arc::new(Book::embedded()));
    agent
}

fn capture(file: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/captures/otlp/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

impl TestAgent {
    async fn export(&self, file: &str) -> Answer {
        let path = if file.contains("logs") {
            "POST /v1/logs"
        } else if file.contains("metrics") {
            "POST /v1/metrics"
        } else if file.contains("langfuse") {
            "POST /api/public/otel/v1/traces"
        } else {
            "POST /v1/traces"
        };
        let answer = self.call(path, if file.ends_with("json") { JSON } else { PROTOBUF }, capture(file)).await;
        assert_eq!(answer.status, 200, "{file}: {answer:?}");
        answer
    }

    /// What all calls cost, and of how many that is not known.
    async fn bill(&self) -> (String, usize) {
        let events = self.get("/events?limit=1000").await.json();
        let events = events["events"].as_array().unwrap();
        let unpriced = events.iter().filter(|event| event["unpriced"] == true).count();
        let total: Usd = events.iter().map(|event| Usd::parse(&event["amount_usd"].to_string()).unwrap()).sum();
        (total.to_string(), unpriced)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opentelemetry_tells_costs_what_the_provider_billed() {
    for (files, total, unpriced) in [
        (&["openllmetry_py_traces.pb"][..], "0.01306514", 2),
        (&["openllmetry_py_more_traces.pb"], "0.03116014", 2),
        (&["openllmetry_js_and_anthropic_js_traces_1.pb"], "0.01545", 2),
        (&["openinference_py_traces.pb"], "0.01306514", 2),
        (&["pydantic_ai_traces.pb"], "0.00871", 0),
        (&["logfire_traces_1.pb"], "0.01306514", 0),
        (
            &[
                "openlit_no_prices_traces_1.pb",
                "openlit_no_prices_traces_2.pb",
                "openlit_no_prices_logs_1.pb",
                "openlit_no_prices_logs_2.pb",
            ],
            "0.03050514",
            1,
        ),
        (&["openlit_prices_traces_1.pb"], "0.01306514", 0),
        (&["strands_traces_1.pb"], "0.006", 0),
        (&["strands_traces_2.pb"], "0.007065", 0),
        (&["vercel_ai_sdk_traces.pb"], "0.01071014", 0),
        (&["vercel_traces_1.pb"], "0.02142014", 0),
        (&["langfuse_traces_1.pb"], "0.00400014", 0),
        (&["langfuse_traces_2.pb"], "0.002355", 0),
        (&["litellm_otel_traces_1.pb", "litellm_otel_traces_2.pb"], "0.01559014", 1),
        (&["claude_code_logs.pb", "claude_code_metrics.pb"], "0.002355", 0),
        (&["codex_logs.pb"], "0.00085", 0),
        (&["gemini_cli_logs.json"], "0.00085", 0),
    ] {
        for backwards in [false, true] {
            let agent = agent().await;
            let mut order = files.to_vec();
            if backwards {
                order.reverse();
            }
            for file in &order {
                agent.export(file).await;
            }
            let expected = (total.to_owned(), unpriced);
            assert_eq!(agent.bill().await, expected, "{order:?}: {:#?}", agent.get("/events?limit=1000").await.json());
            for file in &order {
                agent.export(file).await;
            }
            assert_eq!(agent.bill().await, expected, "{order:?} again");
        }
    }
}

/// The spans of a captured body, each with its resource and scope, in the order in which they ended.
fn captured_spans(file: &str) -> Vec<ResourceSpans> {
    let body = ExportTraceServiceRequest::decode(&*capture(file)).unwrap();
    let mut alone = Vec::new();
    for of_resource in &body.resource_spans {
        for of_scope in &of_resource.scope_spans {
            for span in &of_scope.spans {
                let scope_spans = vec![ScopeSpans { spans: vec![span.clone()], ..of_scope.clone() }];
                alone.push((span.end_time_unix_nano, ResourceSpans { scope_spans, ..of_resource.clone() }));
            }
        }
    }
    alone.sort_by_key(|(end, _)| *end);
    alone.into_iter().map(|(_, span)| span).collect()
}

/// Guards against: a call that is charged twice because an export fell between two of its spans.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_bill_comes_to_does_not_depend_on_when_spans_are_exported() {
    let folder = format!("{}/tests/captures/otlp", env!("CARGO_MANIFEST_DIR"));
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut cuts = 0;
    for file in names.filter(|name| name.contains("traces") && name.ends_with(".pb")) {
        let whole = agent().await;
        whole.export(&file).await;
        let expected = whole.bill().await;
        let ended = captured_spans(&file);
        let halves = |at: usize| [ended[..at].to_vec(), ended[at..].to_vec()];
        let mut orders: Vec<Vec<Vec<ResourceSpans>>> = (1..ended.len()).map(|at| halves(at).into()).collect();
        // The first export is tried again, and comes after the second.
        orders.extend((1..ended.len()).map(|at| halves(at).into_iter().rev().collect()));
        orders.push(ended.iter().map(|span| vec![span.clone()]).collect());
        for exports in orders {
            let agent = agent().await;
            for resource_spans in exports {
                let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
                assert_eq!(agent.call("POST /v1/traces", PROTOBUF, body).await.status, 200);
            }
            assert_eq!(agent.bill().await, expected, "{file}, order {cuts}");
            cuts += 1;
        }
    }
    assert!(cuts > 100, "{cuts}");
}

/// A body of spans, each by its scope, its number and attributes.
fn spans(spans: &[(&str, u8, Value)]) -> Vec<u8> {
    let attribute = |(name, value): (&String, &Value)| {
        let kind = if value.is_string() { "stringValue" } else { "intValue" };
        json!({"key": name, "value": {kind: value}})
    };
    let scope = |(scope, number, attributes): &(&str, u8, Value)| {
        let attributes: Vec<Value> = attributes.as_object().unwrap().iter().map(attribute).collect();
        let span_id = format!("{number:02x}").repeat(8);
        json!({"scope": {"name": scope}, "spans": [{"traceId": "07".repeat(16), "spanId": span_id, "name": "x", "kind": 3,
            "endTimeUnixNano": format!("17958700{number:02}500000000"), "attributes": attributes}]})
    };
    json!({"resourceSpans": [{"scopeSpans": spans.iter().map(scope).collect::<Vec<_>>()}]}).to_string().into_bytes()
}

/// What spans come to, each in a body of its own, in either order and told twice: one event of this amount.
async fn assert_one_call(told: &[(&str, u8, Value)], expected: &str) {
    for backwards in [false, true] {
        let agent = agent().await;
        let mut order: Vec<Vec<u8>> = told.iter().map(|span| spans(std::slice::from_ref(span))).collect();
        if backwards {
            order.reverse();
        }
        for body in order.iter().chain(&order) {
            let answer = agent.call("POST /v1/traces", JSON, body).await;
            assert_eq!((answer.status, answer.json()), (200, json!({})), "{told:?}");
        }
        let events = agent.get("/events").await.json();
        assert_eq!(events["events"].as_array().unwrap().len(), 1, "{events:#}");
        assert_eq!(agent.bill().await, (expected.to_owned(), 0), "{events:#}");
        let metrics = agent.metrics().await;
        let mut disagreements = metrics.lines().filter(|line| line.starts_with("lead_factory_ingest_disagreements_total"));
        assert!(disagreements.all(|line| line.ends_with(" 0")), "{metrics}");
    }
}

/// Attributes of a chat by the conventions.
fn gen_ai(provider: &str, model: &str, more: &Value) -> Value {
    let known = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model});
    with(known, more)
}

fn with(mut known: Value, more: &Value) -> Value {
    known.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    known
}

/// As their current versions told them on 30 November 2026 of a provider whose bill was known, with the counts of that bill.
#[tokio::test(flavor = "multi_thread")]
async fn senders_that_keep_counts_in_places_of_their_own_are_read() {
    let claude = "claude-sonnet-4-5-20250929";
    let raw_claude =
        r#""usage":{"input_tokens":100,"output_tokens":50,"cache_creation_input_tokens":300,"cache_read_input_tokens":600}"#;
    for (scope, attributes, expected) in [
        (
            "mlflow.tracing.provider",
            json!({"mlflow.spanType": "\"CHAT_MODEL\"", "mlflow.llm.model": "\"gpt-4o-2024-08-06\"", "mlflow.message.format": "\"openai\"",
                "mlflow.chat.tokenUsage": r#"{"input_tokens": 1000, "output_tokens": 50, "total_tokens": 1050, "cache_read_input_tokens": 800}"#,
                "mlflow.spanOutputs": r#"{"id": "chatcmpl-1"}"#}),
            "0.002",
        ),
        (
            "langsmith",
            gen_ai(
                "openai",
                "gpt-4o",
                &json!({"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 50,
                "langsmith.metadata.usage_metadata": r#"{"input_tokens":1000,"output_tokens":50,"total_tokens":1050,"input_token_details":{"audio":0,"cache_read":800}}"#}),
            ),
            "0.002",
        ),
        // LangChain's Claude has no number for what was written but by how long it is kept.
        (
            "langsmith",
            gen_ai(
                "anthropic",
                claude,
                &json!({"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 50,
                "langsmith.usage_metadata": r#"{"input_tokens":1000,"output_tokens":50,"input_token_details":{"cache_read":600,"cache_creation":0,"ephemeral_5m_input_tokens":300}}"#}),
            ),
            "0.002355",
        ),
        (
            "genkit-tracer",
            json!({"genkit:metadata:subtype": "model", "genkit:name": format!("anthropic/{claude}"),
                "genkit:output": format!(r#"{{"usage":{{"inputTokens":100,"outputTokens":50}},"raw":{{"id":"msg_1",{raw_claude}}}}}"#)}),
            "0.002355",
        ),
        (
            "genkit-tracer",
            json!({"genkit:metadata:subtype": "model", "genkit:name": "googleai/gemini-2.5-pro",
                "genkit:output": r#"{"custom":{"responseId":"r1","usageMetadata":{"promptTokenCount":1000,"cachedContentTokenCount":800,"candidatesTokenCount":30,"thoughtsTokenCount":20}}}"#}),
            "0.00085",
        ),
        (
            "@arizeai/openinference-instrumentation-langchain",
            json!({"openinference.span.kind": "LLM", "llm.model_name": claude, "llm.token_count.prompt": 1000,
                "llm.token_count.completion": 50, "llm.token_count.prompt_details.cache_read": 600,
                "output.value": r#"{"generations":[[{"message":{"kwargs":{"id":"msg_1","usage_metadata":{"input_tokens":1000,"output_tokens":50,"input_token_details":{"cache_creation":300,"cache_read":600}}}}}]]}"#}),
            "0.002355",
        ),
        (
            "openinference.instrumentation.haystack",
            json!({"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 1000, "llm.token_count.completion": 50,
                "output.value": r#"{"meta":{"model":"gpt-4o","usage":{"prompt_tokens":1000,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":800}}}}"#}),
            "0.002",
        ),
    ] {
        assert_one_call(&[(scope, 1, attributes)], expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_of_a_cache_are_taken_as_each_sender_means_them() {
    let claude = "claude-sonnet-4-5-20250929";
    let parts = |input: u32| {
        json!({"gen_ai.usage.input_tokens": input, "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_creation.input_tokens": 300, "gen_ai.usage.cache_read.input_tokens": 600})
    };
    let ai = |more: &Value| {
        let known = json!({"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "anthropic.messages",
            "ai.model.id": claude, "ai.response.id": "msg_1", "ai.usage.inputTokens": 1000, "ai.usage.outputTokens": 50,
            "ai.usage.inputTokenDetails.noCacheTokens": 100, "ai.usage.inputTokenDetails.cacheReadTokens": 600,
            "ai.usage.inputTokenDetails.cacheWriteTokens": 300});
        with(known, more)
    };
    for (scope, attributes, expected) in [
        // OpenInference writes a part of the counts into spans of Vercel's SDK.
        (
            "ai",
            ai(&json!({"openinference.span.kind": "LLM", "llm.token_count.prompt": 1000, "llm.token_count.completion": 50})),
            "0.002355",
        ),
        (
            "ai",
            ai(
                &json!({"ai.response.providerMetadata": r#"{"anthropic":{"usage":{"input_tokens":100,"output_tokens":50,"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":300}}}}"#}),
            ),
            "0.00303",
        ),
        (
            "ai",
            ai(
                &json!({"ai.model.provider": "openrouter", "ai.response.providerMetadata": r#"{"openrouter":{"usage":{"promptTokens":1000,"cost":0.00123}}}"#}),
            ),
            "0.00123",
        ),
        ("@openlit/instrumentation-anthropic", gen_ai("anthropic", claude, &parts(2000)), "0.008055"),
        ("@traceloop/instrumentation-anthropic", gen_ai("anthropic", claude, &parts(2000)), "0.008055"),
        (
            "@arizeai/openinference-instrumentation-bedrock",
            json!({"openinference.span.kind": "LLM", "llm.provider": "anthropic", "llm.model_name": claude, "llm.token_count.prompt": 2000,
                "llm.token_count.completion": 50, "llm.token_count.prompt_details.cache_read": 600, "llm.token_count.prompt_details.cache_write": 300}),
            "0.008055",
        ),
        (
            "@traceloop/instrumentation-google-generativeai",
            gen_ai(
                "gcp.gen_ai",
                "gemini-2.5-pro",
                &json!({"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 30,
                "gen_ai.usage.reasoning_tokens": 20, "gen_ai.usage.cache_read.input_tokens": 800}),
            ),
            "0.00085",
        ),
    ] {
        assert_one_call(&[(scope, 1, attributes)], expected).await;
    }
}

/// What says no more than that a provider was asked, and answered: it cost something.
#[tokio::test(flavor = "multi_thread")]
async fn paid_calls_without_counts_are_unpriced_and_failed_ones_are_none() {
    let chat = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"});
    let langfuse = |name: &str| {
        json!({"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o", name: "ERROR",
            "langfuse.observation.cost_details": r#"{"total":0}"#})
    };
    let llm = json!({"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o"});
    for (scope, name, attributes, unpriced) in [
        ("@traceloop/instrumentation-openai", "x", chat.clone(), 1),
        ("opentelemetry.instrumentation.openai_agents", "x", chat, 1),
        ("langfuse-sdk", "OpenAI.chat", langfuse("langfuse.observation.id"), 1),
        ("langfuse-sdk", "OpenAI.chat", langfuse("langfuse.observation.level"), 0),
        ("openinference.instrumentation.llama_index", "OpenAI.chat", llm.clone(), 1),
        ("openinference.instrumentation.llama_index", "OpenAI._prepare_chat_with_tools", llm, 0),
    ] {
        let agent = agent().await;
        let body = String::from_utf8(spans(&[(scope, 1, attributes)])).unwrap();
        let body = body.replace(r#""name":"x""#, &format!(r#""name":"{name}""#));
        assert_eq!(agent.call("POST /v1/traces", JSON, body).await.status, 200);
        assert_eq!(agent.bill().await, ("0".to_owned(), unpriced), "{scope} {name}");
    }
    // A stream that broke off was answered.
    let agent = agent().await;
    let mut body: Value = serde_json::from_slice(&spans(&[(
        "x",
        1,
        json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.response.id": "c1"}),
    )]))
    .unwrap();
    for (id, unpriced) in [("c1", 1), ("", 1)] {
        body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["status"] = json!({"code": 2});
        body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"][2]["value"]["stringValue"] = id.into();
        assert_eq!(agent.call("POST /v1/traces", JSON, body.to_string()).await.status, 200);
        assert_eq!(agent.bill().await, ("0".to_owned(), unpriced), "{id}");
    }
}

/// Guards against: somebody at night with a provider's response id, who is told that there is no such call.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_found_by_its_id_alone() {
    let agent = agent().await;
    let told = gen_ai("openai", "gpt-4o", &json!({"gen_ai.response.id": "chatcmpl-1", "gen_ai.usage.input_tokens": 9}));
    let nameless = gen_ai("my-own", "m1", &json!({"gen_ai.usage.input_tokens": 9}));
    agent.call("POST /v1/traces", JSON, spans(&[("x", 1, told), ("x", 2, nameless)])).await;
    agent
        .post_json(
            r#"[{"id":"both","service":"s","amount_usd":1},{"id":"both","source":"mine","service":"s","amount_usd":2}]"#,
        )
        .await;
    for (query, amount) in [
        ("id=chatcmpl-1", "0.0000225"),
        ("id=chatcmpl-1&source=call%3Aopenai", "0.0000225"),
        ("id=07070707070707070707070707070707-0202020202020202", "0"),
        ("id=both", "1"),
        ("id=both&source=mine", "2"),
        ("id=both&source=", "1"),
        ("id=chatcmpl-1&source=", ""),
        ("id=chatcmpl-2", ""),
    ] {
        let answer = agent.get(&format!("/events?{query}")).await.json();
        let amounts: Vec<String> =
            answer["events"].as_array().unwrap().iter().map(|event| event["amount_usd"].to_string()).collect();
        assert_eq!(amounts.join(" "), amount, "{query}");
    }
}

/// Guards against: a new worker with each start of a program, and a lead that its tracer put under a name of its own.
#[tokio::test(flavor = "multi_thread")]
async fn whom_a_call_is_for_is_found_under_the_names_of_tracers() {
    let named = |name: &str, instance: &str| {
        let body = String::from_utf8(spans(&[(
            "x",
            1,
            json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 9, name: "L1"}),
        )]))
        .unwrap();
        let resource = json!({"attributes": [{"key": "service.instance.id", "value": {"stringValue": instance}},
            {"key": "service.name", "value": {"stringValue": "score-worker"}}]});
        body.replacen(r#"{"resourceSpans":[{"#, &format!(r#"{{"resourceSpans":[{{"resource":{resource},"#), 1)
    };
    for (name, instance, worker) in [
        ("lead_id", "w7", "w7"),
        ("traceloop.association.properties.lead_id", "", "score-worker"),
        ("langsmith.metadata.lead_id", "d5f9d469-7669-42ae-a17b-a4bf2fd2b485", "score-worker"),
        ("lmnr.association.properties.metadata.lead_id", "D5F9D469-7669-42AE-A17B-A4BF2FD2B485", "score-worker"),
        ("langfuse.trace.metadata.lead_id", "d5f9d469", "d5f9d469"),
        ("metadata", "w7", "w7"),
    ] {
        let agent = agent().await;
        let body = named(name, instance);
        let body = if name == "metadata" { body.replace(r#""L1""#, r#""{\"lead_id\":\"L1\"}""#) } else { body };
        assert_eq!(agent.call("POST /v1/traces", JSON, body).await.status, 200);
        let event = agent.get("/events").await.json()["events"][0].clone();
        assert_eq!((&event["lead_id"], &event["worker"]), (&json!("L1"), &json!(worker)), "{name}: {event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_costs_what_its_tier_costs() {
    let gpt_5 = |tier: &str| {
        json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-5",
            "gen_ai.response.id": "chatcmpl-1", "openai.response.service_tier": tier, "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 50, "gen_ai.usage.cache_read.input_tokens": 800})
    };
    let claude = |tier: &str| {
        json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.response.id": "msg_1",
            "gen_ai.response.model": "claude-sonnet-4-5-20250929", "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_write.input_tokens": 300, "gen_ai.usage.cache_read.input_tokens": 600,
            "anthropic.response.service_tier": tier})
    };
    let langchain = json!({"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "gpt-5",
        "llm.token_count.prompt": 1000, "llm.token_count.completion": 50, "llm.token_count.prompt_details.cache_read": 800,
        "output.value": r#"{"generations":[[]],"llm_output":{"id":"chatcmpl-1","model_name":"gpt-5"},"type":"LLMResult"}"#});
    let (oi, ol) = ("openinference.instrumentation.langchain", "opentelemetry.instrumentation.openai.v1");
    for (told, expected) in [
        (vec![(ol, 1, gpt_5("priority"))], "0.0017"),
        (vec![(ol, 1, gpt_5("default"))], "0.00085"),
        (vec![("com.anthropic.sdk.python", 1, claude("batch"))], "0.0011775"),
        (vec![("com.anthropic.sdk.python", 1, claude("standard"))], "0.002355"),
        // Two spans of one call, of which one does not say the tier, and says the response's id in a text.
        (vec![(ol, 1, gpt_5("priority")), (oi, 2, langchain)], "0.0017"),
    ] {
        assert_one_call(&told, expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn langfuses_details_beside_its_totals_are_charged() {
    for (model, details, expected) in [
        (
            "gpt-4o",
            r#"{"input":200,"output":30,"total":1050,"input_audio":0,"input_cache_read":800,"output_audio":0,"output_reasoning":20}"#,
            "0.002",
        ),
        (
            "gpt-audio",
            r#"{"input":400,"output":0,"total":1050,"input_audio":600,"input_cache_read":0,"output_audio":30,"output_reasoning":20}"#,
            "0.02232",
        ),
        ("gemini-2.5-pro", r#"{"input":200,"input_cached_tokens":800,"output":30,"output_reasoning_tokens":20}"#, "0.00085"),
    ] {
        let span = json!({"langfuse.observation.type": "generation", "langfuse.observation.model.name": model,
            "langfuse.observation.usage_details": details});
        assert_one_call(&[("langfuse-sdk", 1, span)], expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_own_counts_are_charged_where_vercels_sdk_leaves_some_out() {
    for (provider, model, metadata, [input, output], expected) in [
        (
            "anthropic.messages",
            "claude-sonnet-4-5-20250929",
            r#"{"anthropic":{"usage":{"input_tokens":100,"output_tokens":50,"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"service_tier":"standard"}}}"#,
            [100, 50],
            "0.002355",
        ),
        (
            "google.generative-ai",
            "gemini-2.5-pro",
            r#"{"google":{"usageMetadata":{"cachedContentTokenCount":800,"thoughtsTokenCount":20,"promptTokenCount":1000,"candidatesTokenCount":30,"totalTokenCount":1050}}}"#,
            [1000, 30],
            "0.00085",
        ),
    ] {
        let span = json!({"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": provider, "ai.response.model": model,
            "ai.response.id": "r1", "ai.response.providerMetadata": metadata, "ai.usage.promptTokens": input,
            "ai.usage.completionTokens": output});
        assert_one_call(&[("ai", 1, span)], expected).await;
    }
}

/// Guards against: images that came out of a model, charged as text.
#[tokio::test(flavor = "multi_thread")]
async fn images_that_litellm_tells_of_have_their_price() {
    for (model, expected) in [("gemini-2.5-flash-image", "0.038703"), ("gemini-3-pro-image-preview", "0.15482")] {
        let agent = agent().await;
        let payload = json!({"id": "i1", "call_type": "acompletion", "status": "success", "custom_llm_provider": "gemini", "model": model,
            "response_cost": null, "endTime": 1_795_870_001.5, "metadata": {"usage_object": {
                "completion_tokens": 1290, "prompt_tokens": 10, "total_tokens": 1300,
                "completion_tokens_details": {"text_tokens": 0, "image_tokens": 1290},
                "prompt_tokens_details": {"cached_tokens": null, "image_tokens": null, "text_tokens": 10}}}});
        let answer = agent.call("POST /ingest/litellm", JSON, payload.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(agent.bill().await, (expected.to_owned(), 0), "{model}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_and_refusals_are_those_of_the_protocol() {
    let agent = agent().await;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&capture("pydantic_ai_traces.pb")).unwrap();
    let headers = format!("{PROTOBUF}Content-Encoding: gzip\r\n");
    let answer = agent.call("POST /v1/traces", &headers, gzip.finish().unwrap()).await;
    assert_eq!((answer.status, &*answer.body), (200, &[][..]), "{answer:?}");
    assert!(answer.head.to_lowercase().contains("content-type: application/x-protobuf"), "{answer:?}");
    assert_eq!(agent.bill().await.0, "0.00871");
    assert_eq!(agent.export("gemini_cli_logs.json").await.json(), json!({}));
    let total = agent.bill().await;

    let answer = agent.call("POST /v1/traces", JSON, br#"{"resourceSpans":["#).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!(3)), "{answer:?}");
    let answer = agent.call("POST /v1/logs", PROTOBUF, &[0x0a, 0xff]).await;
    assert_eq!((answer.status, answer.body.first()), (400, Some(&8)), "{answer:?}");
    assert_eq!(agent.call("POST /v1/traces", "Content-Type: text/plain\r\n", b"x").await.status, 415);
    let bad = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"gen_ai.usage.input_tokens","value":{"intValue":-1}}]}]}]}]}"#;
    let answer = agent.call("POST /v1/traces", JSON, bad).await;
    assert_eq!((answer.status, &answer.json()["partialSuccess"]["rejectedSpans"]), (200, &json!("1")), "{answer:?}");
    assert_eq!(agent.bill().await, total, "nothing of these is recorded");
    let metrics = agent.metrics().await;
    assert!(metrics.contains(r#"lead_factory_ingest_ignored_total{format="otlp",reason="not_a_call"}"#), "{metrics}");
}
