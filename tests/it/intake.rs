//! Events as the programs that send them write them: each is recorded as it was meant, or refused with a remedy.
//!
//! Guards against: money that is nowhere because of how something beside it is written.

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::{Response, Setup, TestAgent};

#[track_caller]
fn post(agent: &TestAgent, path: &str, body: &str) -> Response {
    agent.client().post(path, "application/json", body)
}

/// A column of a ledger that no agent has open, as texts.
fn column(setup: &Setup, sql: &str) -> Vec<String> {
    let ledger = Connection::open_with_flags(setup.ledger(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut statement = ledger.prepare(sql).unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn usage_is_any_exact_quantity_and_what_is_null_is_absent() {
    let setup = Setup::new();
    let mut agent = setup.start();
    agent
        .costs(
            r#"[{"id":"w1","service":"openai","model":"whisper","amount_usd":"0.0521","usage":{"audio_seconds":521.5}},
            {"id":"w2","service":"openai","model":"whisper","amount_usd":0,
             "usage":{"audio_seconds":10.0,"cached_tokens":null,"credits":1e-6,"tokens":1000}}]"#,
        )
        .expect(200);
    // The same, otherwise written.
    let retry = agent.costs(
        r#"{"id":"w2","service":"openai","model":"whisper","amount_usd":0,
            "usage":{"tokens":1e3,"credits":0.0000010,"audio_seconds":10,"images":null}}"#,
    );
    assert_eq!(retry.expect(200).text(), r#"{"accepted":0,"duplicates":1}"#);
    let other = agent.costs(
        r#"{"id":"w1","service":"openai","model":"whisper","amount_usd":"0.0521","usage":{"audio_seconds":521.500001}}"#,
    );
    assert_eq!(other.expect(409).json()["errors"][0]["field"], "usage");

    post(&agent, "/reservations", r#"{"id":"r","service":"openai","estimated_cost_usd":1}"#).expect(201);
    let settled = r#"{"amount_usd":"0.25","model":"whisper","usage":{"audio_seconds":0.25,"cached_tokens":null}}"#;
    post(&agent, "/reservations/r/commit", settled).expect(200);
    assert_eq!(post(&agent, "/reservations/r/commit", settled).expect(200).json()["amount_usd"], json!(0.25));

    let record =
        ["record", "--service", "openai", "--model", "whisper", "--amount-usd", "0", "--usage", "audio_seconds=0.250"];
    assert!(agent.cli(&record).status.success());

    let audio_seconds = |agent: &TestAgent| {
        let labels = [("service", "openai"), ("model", "whisper"), ("kind", "audio_seconds")];
        agent.metrics().get("lead_factory_usage_total", &labels)
    };
    assert_eq!(audio_seconds(&agent), Some(532.0));
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.3021}"#);
    assert!(agent.terminate().success());

    assert_eq!(
        column(&setup, "SELECT coalesce(usage, '') FROM event ORDER BY seq"),
        [
            r#"{"audio_seconds":521.5}"#,
            r#"{"audio_seconds":10,"credits":0.000001,"tokens":1000}"#,
            r#"{"audio_seconds":0.25}"#,
            r#"{"audio_seconds":0.25}"#,
        ]
    );
    assert_eq!(column(&setup, "SELECT count FROM usage_series ORDER BY kind"), ["532", "0.000001", "1000"]);
    setup.assert_verifies();
    assert_eq!(audio_seconds(&setup.start()), Some(532.0), "after a restart");
}

#[test]
fn a_provider_s_nested_usage_is_refused_with_the_way_to_flatten_it() {
    let agent = Setup::new().start();
    let nested =
        r#"{"service":"openai","amount_usd":1,"usage":{"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":5}}}"#;
    let problem: Value = agent.costs(nested).expect(422).json();
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    let remedy = r#"flatten it: "prompt_tokens_details_NAME":1 in place of "prompt_tokens_details":{"NAME":1}"#;
    assert!(detail.ends_with(remedy), "{detail}");
    let flat = nested.replace(r#"_details":{"cached_tokens":5}"#, r#"_details_cached_tokens":5"#);
    agent.costs(flat).expect(200);
}
