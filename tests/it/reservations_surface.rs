//! The scaling gate's check and order, and reservations, as a worker and an operator use them: every call once as it is meant, every
//! repeat, every refusal.
//!
//! Guards against: a retry that reserves twice, a refusal that reads as an outage, an answer that changes under its id.

use serde_json::{Value, json};

use crate::support::{Response, Setup, TestAgent};

/// Sends a request, as JSON where it has a body.
#[track_caller]
fn send(agent: &TestAgent, method: &str, path: &str, body: &str) -> Response {
    let headers: &[(&str, &str)] = if body.is_empty() { &[] } else { &[("Content-Type", "application/json")] };
    agent.client().request(method, path, headers, body.as_bytes()).unwrap()
}

#[track_caller]
fn post(agent: &TestAgent, path: &str, body: &str) -> Response {
    send(agent, "POST", path, body)
}

#[track_caller]
fn assert_problem(answer: &Response, status: u16, slug: &str) -> Value {
    assert_eq!((answer.status, answer.slug().as_str()), (status, slug), "{}", answer.text());
    answer.json()
}

fn reserved_usd(agent: &TestAgent) -> Value {
    agent.get("/budgets").expect(200).json()[0]["reserved_usd"].clone()
}

const JOB: &str = r#"{"id":"job/7","service":"openai","operation":"chat","estimated_cost_usd":"0.50","ttl_seconds":600,
    "worker":"w7","batch_id":"b1"}"#;

#[test]
fn a_check_is_answered_and_counted() {
    let agent = Setup::new().env("DAILY_BUDGET", "1").start();
    let check = |query: &str| agent.get(&format!("/scaling-gate/check?{query}")).expect(200).json();
    assert_eq!(check("service=openai&estimated_cost_usd=1"), json!({ "allowed": true, "reason": "Within budget" }));
    let refused = check("service=openai&operation=chat&estimated_cost_usd=1.01");
    assert_eq!(
        (&refused["allowed"], &refused["budget"], &refused["remaining_usd"]),
        (&json!(false), &json!("daily"), &json!(1))
    );
    assert!(refused["reason"].is_string() && refused["period_end"].is_string());
    assert_eq!(check("service=a&operation=health_check&estimated_cost_usd=9")["allowed"], true, "critical");
    agent.costs(r#"{"service":"openai","operation":"chat","amount_usd":"0.9"}"#).expect(200);
    assert_eq!(check("service=openai&operation=chat")["allowed"], false, "the gate is active");
    let metrics = agent.metrics();
    let blocked = |service, operation| {
        metrics.get("lead_factory_scaling_gate_blocked_total", &[("service", service), ("operation", operation)])
    };
    assert_eq!((blocked("openai", "chat"), blocked("other", "other")), (Some(1.0), Some(1.0)));
    assert_eq!(agent.cli(&["gate", "check", "--service", "openai"]).status.code(), Some(3));
    assert_eq!(agent.cli(&["gate", "check", "--service", "a", "--operation", "health_check"]).status.code(), Some(0));
    for query in ["", "service=", "service=a&estimated_cost_usd=-1", "service=a&cost=1"] {
        assert_problem(&agent.get(&format!("/scaling-gate/check?{query}")), 400, "malformed");
    }
}

#[test]
fn while_nothing_is_enforced_every_check_is_allowed() {
    let agent = Setup::new().env("DAILY_BUDGET", "0").env("SCALING_GATE_ENABLED", "false").start();
    let answer = agent.get("/scaling-gate/check?service=a&estimated_cost_usd=1e6").expect(200).json();
    assert_eq!(answer, json!({ "allowed": true, "reason": "Scaling gate is disabled" }));
}

#[test]
fn an_operator_stops_work_and_lets_it_go_on() {
    let agent = Setup::new().start();
    let body = r#"{"state":"active","reason":"the provider bills twice","actor":"ann","expires_in_seconds":3600}"#;
    let status = send(&agent, "PUT", "/scaling-gate", body).expect(200).json();
    assert_eq!(
        (&status["scaling_gate_active"], &status["mode"], &status["reason"]),
        (&json!(true), &json!("manual"), &json!("the provider bills twice"))
    );
    assert!(status["expires_at"].is_string() && status["since"].is_string());
    assert_eq!(agent.get("/scaling-gate/check?service=a").json()["budget"], Value::Null, "an operator closed it");
    let refused = post(&agent, "/reservations", r#"{"service":"a","estimated_cost_usd":0}"#);
    let document = assert_problem(&refused, 409, "gate-active");
    assert_eq!((&document["budget"], &document["remaining_usd"]), (&Value::Null, &Value::Null));

    let arguments = ["gate", "deactivate", "--reason", "launch", "--actor", "ben", "--expires-in", "1h", "--output", "json"];
    let output = agent.cli(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&status["scaling_gate_active"], &status["mode"]), (&json!(false), &json!("manual")));
    assert_eq!(agent.cli(&["gate", "auto", "--reason", "over"]).status.code(), Some(0));
    let history = agent.get("/scaling-gate/history").expect(200).json();
    let lines: Vec<_> = history.as_array().unwrap().iter().map(|line| (&line["mode"], &line["active"])).collect();
    assert_eq!(
        lines,
        [(&json!("auto"), &json!(false)), (&json!("manual"), &json!(false)), (&json!("manual"), &json!(true))],
        "newest first"
    );
    assert_eq!((&history[1]["actor"], &history[1]["reason"]), (&json!("ben"), &json!("launch")));
}

#[test]
fn an_order_that_breaks_a_rule_changes_nothing() {
    let agent = Setup::new().start();
    for body in [
        "{}",
        "[]",
        r#"{"state":"active"}"#,
        r#"{"state":"on","reason":"x"}"#,
        r#"{"state":"active","reason":""}"#,
        r#"{"state":"active","reason":"x","expires_in_seconds":0}"#,
        r#"{"state":"auto","reason":"x","expires_in_seconds":60}"#,
        r#"{"state":"active","reason":"x","until":"tomorrow"}"#,
    ] {
        assert_problem(&send(&agent, "PUT", "/scaling-gate", body), 422, "invalid-request");
    }
    for body in ["{", "3", r#"{"state":"auto","state":"auto","reason":"x"}"#] {
        assert_problem(&send(&agent, "PUT", "/scaling-gate", body), 400, "malformed");
    }
    assert_problem(&agent.get("/scaling-gate"), 405, "method-not-allowed");
    assert_eq!(agent.get("/scaling-gate/status").json()["scaling_gate_active"], false);
}

#[test]
fn a_reservation_is_granted_once_committed_once_and_counts_once() {
    let agent = Setup::new().start();
    let first = post(&agent, "/reservations", JOB).expect(201);
    assert_eq!(first.header("location"), Some("/reservations/job%2F7"));
    let granted = first.json();
    assert_eq!((&granted["reservation_id"], &granted["state"]), (&json!("job/7"), &json!("held")));
    assert_eq!((&granted["estimated_cost_usd"], &granted["critical"]), (&json!(0.5), &json!(false)));
    assert_eq!(reserved_usd(&agent), json!(0.5));
    assert_eq!(post(&agent, "/reservations", JOB).expect(200).text(), first.text(), "the first answer to the letter");
    assert_eq!(reserved_usd(&agent), json!(0.5), "a retry reserves nothing more");
    assert_eq!(agent.get("/reservations").json()[0]["reservation_id"], "job/7");

    let commit = r#"{"amount_usd":"0.7","model":"large","usage":{"input_tokens":7}}"#;
    let committed = post(&agent, "/reservations/job%2F7/commit", commit).expect(200);
    assert_eq!(
        committed.json(),
        json!({ "reservation_id": "job/7", "state": "committed", "amount_usd": 0.7, "over_estimate_usd": 0.2 })
    );
    assert_eq!(post(&agent, "/reservations/job/7/commit", commit).expect(200).text(), committed.text());
    assert_eq!(agent.get("/costs/daily?by=operation").text(), r#"{"openai":{"chat":0.7}}"#);
    assert_eq!(agent.get("/costs/daily?by=worker").text(), r#"{"w7":0.7}"#);
    assert_eq!(reserved_usd(&agent), json!(0));
    let event = r#"{"id":"job/7","service":"openai","operation":"chat","amount_usd":"0.7","worker":"w7","batch_id":"b1",
        "model":"large","usage":{"input_tokens":7}}"#;
    assert_eq!(agent.costs(event).expect(200).text(), r#"{"accepted":0,"duplicates":1}"#, "it is the same event");
    assert_eq!(post(&agent, "/reservations", JOB).expect(200).text(), first.text(), "also after it has ended");

    let other = post(&agent, "/reservations/job%2F7/commit", r#"{"amount_usd":"0.8"}"#);
    assert_eq!(assert_problem(&other, 409, "reservation-finished")["state"], "committed");
    for (call, body) in [("release", ""), ("extend", r#"{"ttl_seconds":60}"#)] {
        let answer = post(&agent, &format!("/reservations/job%2F7/{call}"), body);
        assert_eq!(assert_problem(&answer, 409, "reservation-finished")["state"], "committed", "{call}");
    }
    let shown = agent.get("/reservations/job%2F7").expect(200).json();
    assert_eq!((&shown["state"], &shown["amount_usd"], &shown["id"]), (&json!("committed"), &json!(0.7), &json!("job/7")));
    assert_eq!((&shown["worker"], &shown["lead_id"]), (&json!("w7"), &Value::Null));
    assert_eq!(agent.get("/reservations").text(), "[]");
    let metrics = agent.metrics();
    for (result, count) in [("recorded", 1.0), ("duplicate", 1.0), ("conflict", 1.0)] {
        let labels = [("format", "reservation"), ("result", result)];
        assert_eq!(metrics.get("lead_factory_events_total", &labels), Some(count), "{result}");
    }
    assert_eq!(agent.cli(&["reservations", "job/7"]).status.code(), Some(0));
}

#[test]
fn a_reservation_is_released_with_and_without_a_reason() {
    let agent = Setup::new().start();
    for (id, body) in [("a", ""), ("b", "{}"), ("c", r#"{"reason":"not needed"}"#)] {
        post(&agent, "/reservations", &format!(r#"{{"id":"{id}","service":"s","estimated_cost_usd":1}}"#)).expect(201);
        let path = format!("/reservations/{id}/release");
        let released = post(&agent, &path, body).expect(200);
        assert_eq!(released.json(), json!({ "reservation_id": id, "state": "released" }));
        assert_eq!(post(&agent, &path, body).expect(200).text(), released.text(), "{id} again");
        let commit = post(&agent, &format!("/reservations/{id}/commit"), r#"{"amount_usd":1}"#);
        assert_eq!(assert_problem(&commit, 409, "reservation-finished")["state"], "released");
    }
    assert_eq!(agent.get("/reservations/c").json()["reason"], "not needed");
    assert_eq!(agent.get("/reservations/a").json().get("reason"), None);
    assert_eq!((reserved_usd(&agent), agent.get("/costs/daily").text()), (json!(0), "{}".to_owned()));
}

#[test]
fn an_extension_moves_the_end_later_and_never_earlier() {
    let agent = Setup::new().start();
    let granted = post(&agent, "/reservations", JOB).expect(201).json();
    let later = post(&agent, "/reservations/job%2F7/extend", r#"{"ttl_seconds":86400}"#).expect(200).json();
    assert_eq!((&later["reservation_id"], &later["state"]), (&json!("job/7"), &json!("held")));
    assert!(later["expires_at"].as_str() > granted["expires_at"].as_str(), "{later}");
    let sooner = post(&agent, "/reservations/job%2F7/extend", r#"{"ttl_seconds":1}"#).expect(200).json();
    assert_eq!(sooner["expires_at"], later["expires_at"]);
    assert_eq!(post(&agent, "/reservations", JOB).expect(200).json(), granted, "the first answer stays the first");
}

#[test]
fn an_expired_reservation_is_listed_and_can_still_be_settled() {
    let agent = Setup::new().start();
    for id in ["a", "b"] {
        let body = format!(r#"{{"id":"{id}","service":"s","estimated_cost_usd":1,"ttl_seconds":1}}"#);
        post(&agent, "/reservations", &body).expect(201);
    }
    crate::support::within(std::time::Duration::from_secs(20), "both have expired", || {
        (agent.get("/reservations?state=expired").json().as_array().unwrap().len() == 2).then_some(())
    });
    assert_eq!(reserved_usd(&agent), json!(0));
    let listed = agent.get("/reservations?limit=1&after=a").json();
    assert_eq!((&listed[0]["reservation_id"], &listed[0]["state"]), (&json!("b"), &json!("expired")));
    let extend = post(&agent, "/reservations/a/extend", r#"{"ttl_seconds":60}"#);
    assert_eq!(assert_problem(&extend, 409, "reservation-finished")["state"], "expired");
    post(&agent, "/reservations/a/commit", r#"{"amount_usd":2}"#).expect(200);
    post(&agent, "/reservations/b/release", "").expect(200);
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":2}"#);
    assert_eq!(agent.get("/reservations").text(), "[]");
}

#[test]
fn what_does_not_fit_is_refused_with_what_is_left_and_not_remembered() {
    let agent = Setup::new().env("DAILY_BUDGET", "1").start();
    post(&agent, "/reservations", r#"{"id":"a","service":"s","estimated_cost_usd":0.75}"#).expect(201);
    let refused = post(&agent, "/reservations", r#"{"id":"b","service":"s","operation":"o","estimated_cost_usd":0.5}"#);
    let document = assert_problem(&refused, 409, "budget-exhausted");
    assert_eq!((&document["budget"], &document["remaining_usd"]), (&json!("daily"), &json!(0.25)));
    assert!(document["period_end"].is_string() && document["detail"].as_str().unwrap().contains("daily"));
    assert_problem(&agent.get("/reservations/b"), 404, "not-found");
    let labels = [("service", "other"), ("operation", "other")];
    assert_eq!(agent.metrics().get("lead_factory_scaling_gate_blocked_total", &labels), Some(1.0));
    let critical = r#"{"id":"c","service":"s","operation":"health_check","estimated_cost_usd":0.5}"#;
    assert_eq!(post(&agent, "/reservations", critical).expect(201).json()["critical"], true);
    post(&agent, "/reservations/a/release", "").expect(200);
    post(&agent, "/reservations", r#"{"id":"b","service":"s","operation":"o","estimated_cost_usd":0.5}"#).expect(201);
}

#[test]
fn an_id_belongs_to_one_reservation() {
    let agent = Setup::new().start();
    post(&agent, "/reservations", JOB).expect(201);
    let other = JOB.replace("chat", "embed").replace("600", "60");
    let document = assert_problem(&post(&agent, "/reservations", &other), 409, "id-conflict");
    let fields: Vec<_> = document["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, [&json!("operation"), &json!("ttl_seconds")]);
    assert_eq!(document["errors"][0].get("index"), None);
    assert_eq!(reserved_usd(&agent), json!(0.5));
    let made = |_| {
        let granted = post(&agent, "/reservations", r#"{"service":"s","estimated_cost_usd":1}"#).expect(201).json();
        granted["reservation_id"].as_str().unwrap().to_owned()
    };
    let ids: Vec<String> = (0..2).map(made).collect();
    assert_ne!(ids[0], ids[1], "without an id each is a new one");
    assert_eq!(agent.get(&format!("/reservations/{}", ids[0])).expect(200).json()["id"], Value::Null);
}

#[test]
fn what_nobody_reserved_is_not_found() {
    let agent = Setup::new().start();
    assert_problem(&agent.get("/reservations/nobody"), 404, "not-found");
    for (call, body) in [
        ("commit", r#"{"amount_usd":1}"#),
        ("release", ""),
        ("release", r#"{"reason":"x"}"#),
        ("extend", r#"{"ttl_seconds":60}"#),
    ] {
        assert_problem(&post(&agent, &format!("/reservations/nobody/{call}"), body), 404, "not-found");
        assert_problem(&agent.get(&format!("/reservations/nobody/{call}")), 405, "method-not-allowed");
        let misspelled = format!("/reservations/nobody/{call}s");
        assert_problem(&agent.client().post(&misspelled, "application/json", "{}"), 404, "not-found");
        assert_problem(&post(&agent, &format!("/reservations//{call}"), body), 404, "not-found");
        assert_problem(&post(&agent, &format!("/reservations/%zz/{call}"), body), 400, "malformed");
    }
    assert_problem(&agent.get("/reservations?after=nobody"), 400, "malformed");
    assert_eq!(agent.get("/costs/daily").text(), "{}");
    assert_eq!(agent.cli(&["reservations", "nobody"]).status.code(), Some(1));
}
