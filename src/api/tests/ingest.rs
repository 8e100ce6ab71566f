use serde_json::json;

use super::*;
use crate::pricing::Book;

const JSON: &str = "Content-Type: application/json\r\n";
const EVENT: &str = "Content-Type: application/cloudevents+json\r\n";
const BATCH: &str = "Content-Type: application/cloudevents-batch+json\r\n";
/// From the agents' noon to the end of the day on which the captures were made.
const TO_CAPTURES: Duration = Duration::from_secs(6 * 86_400 + 12 * 3_600 - 1);

const FALLBACK_PAIR: &[u8] = include_bytes!("../../../tests/captures/litellm/fallback_pair.json");
const ANTHROPIC: &[u8] = include_bytes!("../../../tests/captures/litellm/anthropic.json");
const UNKNOWN_MODEL: &[u8] = include_bytes!("../../../tests/captures/litellm/unknown_model.json");
const ALL_1: &[u8] = include_bytes!("../../../tests/captures/litellm/all_1.json");
const ALL_2: &[u8] = include_bytes!("../../../tests/captures/litellm/all_2.json");
const TINY: &[u8] = include_bytes!("../../../tests/captures/cloudevents/openmeter_tiny.json");
const FLOAT_NOISE: &[u8] = include_bytes!("../../../tests/captures/cloudevents/openmeter_float_noise.json");
const CACHE_MISS: &[u8] = include_bytes!("../../../tests/captures/cloudevents/openmeter_cache_miss.json");
const CACHE_HIT: &[u8] = include_bytes!("../../../tests/captures/cloudevents/openmeter_cache_hit.json");
const COST_NULL: &[u8] = include_bytes!("../../../tests/captures/cloudevents/openmeter_cost_null.json");
const RESPONSES: &[u8] = include_bytes!("../../../tests/captures/cloudevents/openmeter_responses_no_tokens.json");

async fn agent() -> TestAgent {
    let agent = TestAgent::start(Settings::default()).await;
    agent.clock.advance(TO_CAPTURES);
    agent.state.book.store(Arc::new(Book::embedded()));
    agent
}

impl TestAgent {
    async fn litellm(&self, body: &[u8]) -> Value {
        let answer = self.call("POST /ingest/litellm", JSON, body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    async fn event(&self, body: &[u8]) -> u16 {
        self.call("POST /api/v1/events", EVENT, body).await.status
    }

    async fn total(&self) -> Value {
        self.get("/costs/history?from=2026-11-28&to=2026-11-28").await.json()[0]["total_usd"].clone()
    }

    async fn events(&self) -> Vec<Value> {
        self.get("/events?limit=1000").await.json()["events"].as_array().unwrap().clone()
    }
}

fn counts(accepted: u32, duplicates: u32, revised: u32, ignored: u32, rejected: u32) -> Value {
    json!({"accepted": accepted, "duplicates": duplicates, "revised": revised, "ignored": ignored, "rejected": rejected})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_litellm_logs_costs_what_the_provider_billed() {
    let agent = agent().await;
    assert_eq!(agent.litellm(FALLBACK_PAIR).await, counts(1, 0, 0, 1, 0));
    assert_eq!(agent.total().await, json!(0.002));
    assert_eq!(agent.litellm(ANTHROPIC).await, counts(2, 0, 0, 0, 0));
    assert_eq!(agent.total().await, json!(0.00671));
    assert_eq!(agent.litellm(UNKNOWN_MODEL).await, counts(1, 0, 0, 0, 0));
    assert_eq!(agent.litellm(ALL_1).await, counts(7, 0, 0, 1, 0));
    assert_eq!(agent.litellm(ALL_2).await, counts(4, 0, 0, 1, 0));
    assert_eq!(agent.total().await, json!(0.02230014));
    // The same again, as after a timeout.
    assert_eq!(agent.litellm(ALL_1).await, counts(0, 7, 0, 1, 0));
    assert_eq!(agent.litellm(ALL_2).await, counts(0, 4, 0, 1, 0));
    assert_eq!(agent.total().await, json!(0.02230014));

    let events = agent.events().await;
    let of = |id: &str| events.iter().find(|event| event["id"] == id).unwrap_or_else(|| panic!("{id}: {events:#?}"));
    let claude = of("chatcmpl-f508e137-db71-4228-beb4-3113ca4a4be6");
    assert_eq!((&claude["source"], &claude["service"]), (&json!("call:anthropic"), &json!("anthropic")));
    assert_eq!(claude["time"], "2026-11-28T12:53:57.315469Z");
    assert_eq!(of("resp_703c6b9ec7bb000110")["source"], "call:openai");
    let metrics = agent.metrics().await;
    for line in [
        r#"lead_factory_ingest_ignored_total{format="litellm",reason="failed"} 3"#,
        r#"lead_factory_ingest_ignored_total{format="litellm",reason="cache_hit"} 2"#,
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_openmeter_is_told_is_the_same_call() {
    let agent = agent().await;
    for event in [TINY, FLOAT_NOISE, CACHE_MISS, CACHE_HIT, COST_NULL, RESPONSES, CACHE_HIT, CACHE_MISS] {
        assert_eq!(agent.event(event).await, 204);
    }
    assert_eq!(agent.total().await, json!(0.00635514));
    assert_eq!(agent.events().await.len(), 5);
    assert_eq!(agent.litellm(b"[]").await, counts(0, 0, 0, 0, 0));
    let generic = json!([{
        "id": "chatcmpl-A638", "status": "success", "call_type": "acompletion", "custom_llm_provider": "openai", "model": "gpt-4o",
        "response_cost": 0.002, "endTime": 1_795_870_428.1,
        "metadata": {"usage_object": {"prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 800}}},
    }]);
    assert_eq!(agent.litellm(generic.to_string().as_bytes()).await, counts(0, 0, 1, 0, 0), "it says what was cached");
    assert_eq!(agent.total().await, json!(0.00635514));
}

/// As `openmeter` says it, nobody is the provider of an unknown model; as the generic callback does, it is OpenAI.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_whichever_callback_names_its_provider() {
    for openmeter_is_first in [true, false] {
        let agent = agent().await;
        if openmeter_is_first {
            assert_eq!(agent.event(COST_NULL).await, 204);
        }
        agent.litellm(UNKNOWN_MODEL).await;
        assert_eq!(agent.event(COST_NULL).await, 204);
        let events = agent.events().await;
        let keys: Vec<_> = events.iter().map(|event| (&event["source"], &event["id"], &event["unpriced"])).collect();
        let source = if openmeter_is_first { "call:unknown" } else { "call:openai" };
        assert_eq!(keys, [(&json!(source), &json!("chatcmpl-A644"), &json!(true))]);
    }
}

/// A zero beside counts is what a sender says that knows no price; of a call that has a cost, that a cache answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_cost_of_zero_beside_counts_is_no_cost() {
    let agent = agent().await;
    let told = |id: &str, model: &str, cost: f64| {
        let data =
            json!({"provider": "openai", "model": model, "cost": cost, "prompt_tokens": 1000, "completion_tokens": 50});
        json!({"specversion": "1.0", "type": "t", "source": "s", "id": id, "data": data}).to_string()
    };
    for (id, model, cost) in [("1", "gpt-4o", 0.0), ("2", "my-own-model", 0.0), ("3", "gpt-4o", 0.5), ("3", "gpt-4o", 0.0)] {
        assert_eq!(agent.event(told(id, model, cost).as_bytes()).await, 204);
    }
    let events = agent.events().await;
    let of = |id: &str| events.iter().find(|event| event["id"] == id).unwrap();
    assert_eq!((events.len(), &of("1")["amount_usd"], &of("3")["amount_usd"]), (3, &json!(0.003), &json!(0.5)));
    assert_eq!((&of("2")["amount_usd"], &of("2")["unpriced"]), (&json!(0), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_events_are_taken_with_and_without_a_media_type() {
    let agent = agent().await;
    let head = "ce-specversion: 1.0\r\nce-type: llm.cost\r\nce-source: /w/%C3%A4\r\nce-subject: kunde 100%\r\nce-id: ";
    let post = |rest: &str, body: &'static str| agent.call_owned(format!("{head}{rest}\r\n"), body);
    assert_eq!(post("a%201", "{\"cost\": 1.5e-07, \"tokens\": 7}").await.status, 204);
    let answer = post("b1\r\nContent-Type: application/json; charset=utf-8", "{\"cost\": 0.30000000000000004}").await;
    assert_eq!(answer.status, 204);
    assert!(answer.body.is_empty());
    assert_eq!(agent.total().await, json!(0.30000015));
    let events = agent.events().await;
    let first = events.iter().find(|event| event["id"] == "a 1").unwrap();
    assert_eq!((&first["source"], &first["service"]), (&json!("/w/\u{e4}"), &json!("llm.cost")));
    assert_eq!(first["worker"], "kunde 100%");
    post("c1\r\nContent-Type: text/plain", "{\"cost\": 1}").await.assert_problem(400, "malformed");
    post("c1", "{\"cost\": -1}").await.assert_problem(400, "malformed");
    post("c1", "{\"cost\": 1").await.assert_problem(400, "malformed");
    assert_eq!(agent.events().await.len(), 2);
}

impl TestAgent {
    async fn call_owned(&self, headers: String, body: &str) -> Answer {
        self.call("POST /ingest/cloudevents", &headers, body).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_good_events_of_a_batch_are_recorded() {
    let agent = agent().await;
    let event = |id: &str, data: Value| json!({"specversion": "1.0", "id": id, "source": "s", "type": "t", "data": data});
    let (good, bad) = (event("1", json!({"cost": 0.5})), event("2", json!({"cost": "much"})));
    let old = json!({"specversion": "1.0", "id": "3", "source": "s", "type": "t", "time": "2001-01-01T00:00:00Z", "data": {"cost": 1}});
    let answer = agent.call("POST /ingest/cloudevents", BATCH, json!([good, bad, old]).to_string()).await;
    assert_eq!((answer.status, answer.json()), (200, counts(1, 0, 0, 0, 2)));
    let told = agent.call("POST /ingest/cloudevents", EVENT, old.to_string()).await.assert_problem(400, "malformed");
    assert!(told["detail"].as_str().unwrap().contains("too long ago"), "{told}");
    assert_eq!(agent.total().await, json!(0.5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_cannot_be_read_leaves_no_trace() {
    let agent = agent().await;
    let half = &ANTHROPIC[..ANTHROPIC.len() - 5];
    agent.call("POST /ingest/litellm", JSON, half).await.assert_problem(400, "malformed");
    agent.call("POST /ingest/litellm", JSON, [ANTHROPIC, b"x"].concat()).await.assert_problem(400, "malformed");
    agent.call("POST /ingest/litellm", JSON, "").await.assert_problem(400, "malformed");
    agent
        .call("POST /ingest/litellm", "Content-Type: text/html\r\n", ANTHROPIC)
        .await
        .assert_problem(415, "unsupported-media-type");
    agent.call("POST /api/v1/events", JSON, "{").await.assert_problem(400, "malformed");
    let gzip = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    agent.call("POST /ingest/litellm", gzip, ANTHROPIC).await.assert_problem(400, "malformed");
    assert_eq!(agent.events().await, Vec::<Value>::new());
}

/// A call of an OpenAI-compatible client: its tracer's word for the provider, its model, and the id of its response.
fn span(provider: &str, model: &str, id: &str) -> Vec<u8> {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let count = |key: &str, value: u32| json!({"key": key, "value": {"intValue": value.to_string()}});
    let attributes = json!([
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", provider),
        text("gen_ai.response.model", model),
        text("gen_ai.response.id", id),
        count("gen_ai.usage.input_tokens", 1_000),
        count("gen_ai.usage.output_tokens", 1_000),
    ]);
    let span_id = format!("{:016x}", provider.len());
    let ended = "1796034055000000000";
    let span = json!({"traceId": "0123456789abcdef0123456789abcdef", "spanId": span_id, "name": "chat", "kind": 3,
        "startTimeUnixNano": ended, "endTimeUnixNano": ended, "attributes": attributes});
    let scope = json!({"name": "opentelemetry.instrumentation.openai.v1"});
    json!({"resourceSpans": [{"scopeSpans": [{"scope": scope, "spans": [span]}]}]}).to_string().into_bytes()
}

/// Guards against: a call that is charged twice because whoever asked a proxy, or a compatible API, takes another provider for the one who was paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_one_whoever_its_roads_take_for_its_provider() {
    let litellm = |provider: &str, model: &str, cost: f64| {
        json!([{"id": "chatcmpl-1", "status": "success", "call_type": "acompletion", "custom_llm_provider": provider, "model": model,
            "response_cost": cost, "startTime": 1_796_034_055, "endTime": 1_796_034_055, "prompt_tokens": 1_000, "completion_tokens": 1_000}])
        .to_string()
        .into_bytes()
    };
    let spans = |of: &[(&str, &str)]| {
        of.iter().map(|(provider, model)| ("POST /v1/traces", span(provider, model, "chatcmpl-1"))).collect()
    };
    let by_proxy = |provider: &str, model: &str, cost: f64, of: &[(&str, &str)]| {
        let mut roads: Vec<(&str, Vec<u8>)> = spans(of);
        roads.push(("POST /ingest/litellm", litellm(provider, model, cost)));
        roads
    };
    for (roads, total) in [
        (by_proxy("azure", "gpt-4o", 0.0125, &[("openai", "gpt-4o")]), 0.0125),
        (by_proxy("azure", "gpt-4o", 0.0125, &[("azure.ai.openai", "gpt-4o")]), 0.0125),
        (by_proxy("anthropic", "claude-sonnet-4-5", 0.018, &[("openai", "claude-sonnet-4-5")]), 0.018),
        (by_proxy("gemini", "gemini-2.5-pro", 0.011_25, &[("openai", "gemini-2.5-pro")]), 0.011_25),
        (spans(&[("openai", "gpt-4o"), ("azure", "gpt-4o")]), 0.0125),
        (by_proxy("groq", "llama-3.3-70b-versatile", 0.001_38, &[("openai", "llama-3.3-70b-versatile")]), 0.001_38),
    ] {
        let orders = [roads.clone(), roads.into_iter().rev().collect()];
        for roads in orders {
            let agent = agent().await;
            agent.clock.advance(Duration::from_secs(4 * 86_400));
            for (road, body) in roads.iter().chain(&roads) {
                assert_eq!(agent.call(road, JSON, body).await.status, 200);
            }
            let events = agent.events().await;
            assert_eq!(events.len(), 1, "{roads:?}: {events:#?}");
            assert_eq!(events[0]["amount_usd"], json!(total), "{events:#?}");
            assert!(events[0].get("unpriced").is_none(), "{events:#?}");
        }
    }
}
