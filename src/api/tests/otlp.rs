use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
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
