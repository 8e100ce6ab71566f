//! Events as the programs that send them write them: each is recorded as it was meant, or refused with a remedy.
//!
//! Guards against: money that is nowhere because of how something beside it is written.

use jiff::ToSpan;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::{Response, Setup, TestAgent, now};

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

#[test]
fn names_that_cannot_be_told_apart_by_eye_are_refused() {
    let agent = Setup::new().start();
    for name in [
        "openai ",
        " openai",
        "open\u{200b}ai",
        "\u{feff}openai",
        "open\u{a0}ai",
        "open\u{ad}ai",
        "\u{3000}",
        "👩\u{200d}💻",
    ] {
        for field in ["service", "operation", "worker", "batch_id", "lead_id", "model"] {
            let mut event = json!({"service": "openai", "amount_usd": 1});
            event[field] = name.into();
            let problem = agent.costs(event.to_string()).expect(422).json();
            assert_eq!(problem["errors"][0]["field"], field, "{name:?}: {problem}");
        }
        for field in ["service", "operation", "worker", "batch_id", "lead_id"] {
            let mut request = json!({"service": "openai", "estimated_cost_usd": 1});
            request[field] = name.into();
            let problem = post(&agent, "/reservations", &request.to_string()).expect(422).json();
            assert_eq!(problem["errors"][0]["field"], field, "{name:?}: {problem}");
        }
    }
    assert_eq!(agent.get("/scaling-gate/check?service=openai%20").expect(400).slug(), "malformed");
    // Ids are compared by the agent only, and usage has names of its own.
    let event = json!({"id": " k ", "source": "\u{200b}", "service": "日本語 🙂", "amount_usd": 1, "usage": {"a ": 1}});
    agent.costs(event.to_string()).expect(200);
    assert_eq!(agent.get("/costs/daily").json(), json!({"日本語 🙂": 1}));
}

/// Posts JSON under a key.
fn post_under(agent: &TestAgent, path: &str, keys: &[&str], body: &str) -> Response {
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(keys.iter().map(|key| ("Idempotency-Key", *key)));
    agent.client().request("POST", path, &headers, body.as_bytes()).unwrap()
}

#[test]
fn an_event_under_an_idempotency_key_counts_once() {
    let agent = Setup::new().start();
    let event = r#"{"service":"openai","amount_usd":"0.25"}"#;
    let post = |keys: &[&str], body: &str| post_under(&agent, "/costs", keys, body);
    assert_eq!(post(&["k-1"], event).expect(200).text(), r#"{"accepted":1,"duplicates":0}"#);
    assert_eq!(post(&["k-1"], event).expect(200).text(), r#"{"accepted":0,"duplicates":1}"#);
    assert_eq!(post(&["\"k-1\""], event).expect(200).text(), r#"{"accepted":0,"duplicates":1}"#, "as the draft writes it");
    let with_id = event.replace("{", r#"{"id":"k-1","#);
    for (keys, body) in [(&["k-1"][..], &with_id), (&[], &with_id), (&["k-1"], &format!("[{event}]"))] {
        assert_eq!(post(keys, body).expect(200).text(), r#"{"accepted":0,"duplicates":1}"#, "{body}");
    }
    assert_eq!(post(&["k-1"], &event.replace("0.25", "0.26")).expect(409).slug(), "id-conflict");

    for (key, body, field) in [
        ("k-2", with_id, "id"),
        ("k-2", format!("[{event},{event}]"), "Idempotency-Key"),
        ("", event.to_owned(), "Idempotency-Key"),
        (&"k".repeat(201), event.to_owned(), "Idempotency-Key"),
    ] {
        let problem = post(&[key], &body).expect(422).json();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let both = post_under(&agent, "/costs?partial=true", &["k-2"], &format!("[{event},{{}}]"));
    assert_eq!(both.expect(422).json()["errors"][0]["field"], "Idempotency-Key");
    assert_eq!(post(&["k-2", "k-2"], event).expect(400).slug(), "malformed");
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":0.25}"#);
}

#[test]
fn a_reservation_under_an_idempotency_key_is_granted_once() {
    let agent = Setup::new().env("DAILY_BUDGET", "10").start();
    let request = r#"{"service":"openai","estimated_cost_usd":4}"#;
    let reserve = |keys: &[&str], body: &str| post_under(&agent, "/reservations", keys, body);
    let granted = reserve(&["job 1"], request).expect(201);
    assert_eq!(
        (granted.json()["reservation_id"].as_str(), granted.header("location")),
        (Some("job 1"), Some("/reservations/job%201"))
    );
    assert_eq!(reserve(&["job 1"], request).expect(200).text(), granted.text());
    let with_id = request.replace("{", r#"{"id":"job 1","#);
    assert_eq!(reserve(&["job 1"], &with_id).expect(200).text(), granted.text());
    assert_eq!(reserve(&["other"], &with_id).expect(422).json()["errors"][0]["field"], "id");
    assert_eq!(reserve(&[""], request).expect(422).json()["errors"][0]["field"], "Idempotency-Key");
    assert_eq!(reserve(&["a", "b"], request).expect(400).slug(), "malformed");
    assert_eq!(agent.get("/budgets").json()[0]["reserved_usd"], json!(4));
}

#[test]
fn the_good_part_of_a_batch_is_recorded_where_that_is_asked_for() {
    let setup = Setup::new();
    let agent = setup.start();
    agent.costs(r#"{"id":"known","service":"openai","amount_usd":1}"#).expect(200);
    // What a log shipper sends that cannot take the bad ones out: each 40th lacks an amount.
    let line = |at: usize| match at % 40 {
        7 => format!(r#"{{"id":"{at}","service":"openai"}}"#),
        _ => format!(r#"{{"id":"{at}","service":"openai","amount_usd":"0.001"}}"#),
    };
    let lines: Vec<String> = (0..10_000).map(line).collect();
    let partial = |content_type: &str, body: &str| agent.client().post("/costs?partial=true", content_type, body);

    let refused = agent.client().post("/costs", "application/x-ndjson", lines.join("\n"));
    assert_eq!(refused.expect(422).slug(), "invalid-event");
    for (accepted, duplicates) in [(9_750, 0), (0, 9_750)] {
        let answer = partial("application/x-ndjson", &lines.join("\n")).expect(200).json();
        assert_eq!((&answer["accepted"], &answer["duplicates"]), (&json!(accepted), &json!(duplicates)), "{answer}");
        assert_eq!((&answer["rejected"], answer["errors"].as_array().unwrap().len()), (&json!(250), 100));
        assert_eq!(
            answer["errors"][1],
            json!({"index": 47, "id": "47", "field": "amount_usd", "detail": "amount_usd is required, or model and usage, to price it by"})
        );
        assert!(answer.get("revised").is_none());
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":10.75}"#);

    // Conflicts are told among the others, at their places in the request.
    let mixed = r#"[{"service":"a"},{"id":"known","service":"openai","amount_usd":2},{"id":"n","service":"new","amount_usd":3},7,
        {"id":"n","service":"new","amount_usd":4},{"id":"known","service":"openai","amount_usd":5,"revision":1}]"#;
    let answer = partial("application/json", mixed).expect(200).json();
    let counts = ["accepted", "duplicates", "revised", "rejected"].map(|name| answer[name].as_u64());
    assert_eq!(counts, [Some(1), Some(0), Some(1), Some(4)], "{answer}");
    let told: Vec<_> = answer["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| (each["index"].as_u64().unwrap(), each["field"].as_str()))
        .collect();
    assert_eq!(told, [(0, Some("amount_usd")), (1, Some("amount_usd")), (3, None), (4, Some("amount_usd"))]);
    assert_eq!(agent.get("/costs/daily").text(), r#"{"new":3,"openai":14.75}"#);

    assert_eq!(
        partial("application/json", "[]").expect(200).text(),
        r#"{"accepted":0,"duplicates":0,"rejected":0,"errors":[]}"#
    );
    assert_eq!(partial("application/json", "[{},{}]").expect(200).json()["rejected"], 2, "nothing to record");
    for (content_type, body) in [("application/json", "[{},"), ("application/json", ""), ("application/x-ndjson", "{\n}")] {
        assert_eq!(partial(content_type, body).expect(400).slug(), "malformed", "{body}");
    }
    let torn = format!("{}\n{{\"id\":\"torn\",", line(1));
    assert_eq!(partial("application/x-ndjson", &torn).expect(200).json()["errors"][0]["index"], 1, "a line for itself");
    assert_eq!(partial("application/x-ndjson", &"{}\n".repeat(10_001)).expect(413).slug(), "too-large");
    for query in ["partial=yes", "partial", "partial=true&partial=true", "Partial=true"] {
        let answer = agent.client().post(&format!("/costs?{query}"), "application/json", "[]");
        assert_eq!(answer.expect(400).slug(), "malformed", "{query}");
    }
    agent.client().post("/costs?partial=false", "application/json", "[{}]").expect(422);

    let count = |format, result| agent.metrics().get("lead_factory_events_total", &[("format", format), ("result", result)]);
    let counted = ["recorded", "duplicate", "conflict"].map(|result| count("json", result));
    assert_eq!(counted, [Some(3.0), None, Some(2.0)]);
    let counted = ["recorded", "duplicate", "conflict"].map(|result| count("ndjson", result));
    assert_eq!(counted, [Some(9_750.0), Some(9_751.0), None]);
    drop(agent);
    setup.assert_verifies();
}

#[test]
fn lines_go_by_all_their_names_and_two_documents_are_told_of_them() {
    let agent = Setup::new().start();
    let lines = "{\"service\":\"a\",\"amount_usd\":1}\n{\"service\":\"a\",\"amount_usd\":2}\n";
    for name in ["application/x-ndjson", "application/ndjson", "application/jsonl", "Application/X-JSONLines; charset=utf-8"]
    {
        assert_eq!(agent.client().post("/costs", name, lines).expect(200).json()["accepted"], 2, "{name}");
    }
    let problem = agent.costs(lines).expect(400).json();
    assert!(problem["detail"].as_str().unwrap().contains("application/x-ndjson"), "{problem}");
    let other = agent.client().post("/costs", "text/plain", lines).expect(415).json();
    assert!(other["detail"].as_str().unwrap().contains("application/x-ndjson"), "{other}");
    assert_eq!(agent.get("/costs/daily").json(), json!({"a": 12}));
}

#[test]
fn a_charge_told_as_a_negative_number_is_told_how_to_send_it() {
    let agent = Setup::new().start();
    for amount in ["-0.00750", "\"-0.00750\""] {
        let problem = agent.costs(format!(r#"{{"service":"twilio","amount_usd":{amount}}}"#)).expect(422).json();
        let detail = problem["errors"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("Some providers give charges as negative numbers: send 0.00750."), "{detail}");
    }
    post(&agent, "/reservations", r#"{"id":"r","service":"twilio","estimated_cost_usd":1}"#).expect(201);
    let problem = post(&agent, "/reservations/r/commit", r#"{"amount_usd":-0.00750}"#).expect(422).json();
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("send 0.00750."), "{problem}");
}

#[test]
fn a_credit_may_correct_a_day_that_is_long_over() {
    let ago = |days: i64| now().checked_sub((days * 24).hours()).unwrap().to_string();
    let event = |kind: &str, days: i64| {
        let amount = if kind == "credit" { -1 } else { 1 };
        json!({"id": format!("{kind}-{days}"), "service": "s", "amount_usd": amount, "kind": kind, "time": ago(days)})
            .to_string()
    };
    let agent = Setup::new().start();
    let credit = event("credit", 399);
    agent.costs(&credit).expect(200);
    assert_eq!(agent.costs(&credit).expect(200).json()["duplicates"], 1);
    let month = &ago(399)[..7];
    assert_eq!(agent.get(&format!("/costs/monthly?month={month}")).json(), json!({"s": -1}));
    let detail = |agent: &TestAgent, body: String| {
        let problem = agent.costs(body).expect(422).json();
        problem["errors"][0]["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!(detail(&agent, event("credit", 401)), "time is more than 400 days old");
    assert_eq!(detail(&agent, event("charge", 36)), "time is more than 35 days old");
    drop(agent);

    // Ids of credits are known for as long as events are kept.
    let agent = Setup::new().env("RETENTION_DAYS", "90").start();
    agent.costs(event("credit", 88)).expect(200);
    assert_eq!(detail(&agent, event("credit", 90)), "time is more than 89 days old");
    let agent = Setup::new().env("MAX_CREDIT_AGE_SECONDS", "86400").start();
    assert_eq!(detail(&agent, event("credit", 2)), "time is more than 1 day old");
}
