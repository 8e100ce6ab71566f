use serde_json::json;

use super::*;
use crate::domain::{Attribution, Name, Reservation, ReservationRequest, ReservationState, Usd, after};
use crate::views::{Hold, Published};
use crate::writer::Taking;

/// Puts holds on the board as if they had been granted at noon, each for so many seconds.
async fn hold(agent: &TestAgent, holds: &[(i64, &str, u32)]) {
    let now = agent.clock.instant();
    let mut published = Published::clone(&agent.state.board.read());
    for (seq, id, ttl_seconds) in holds {
        let request = ReservationRequest {
            id: (*id).into(),
            id_given: *seq != 1,
            service: Name::new("openai").unwrap(),
            operation: Name::new("chat").unwrap(),
            estimated_cost: Usd::parse("0.5").unwrap(),
            ttl_seconds: *ttl_seconds,
            attribution: Attribution { worker: Some("w1".into()), ..Attribution::default() }.shared(),
            model: None,
            usage: Vec::new(),
        };
        let reservation = Reservation {
            request,
            critical: false,
            created_at: now.time,
            expires_at: after(now.time, *ttl_seconds),
            ended_at: None,
            state: ReservationState::Held,
        };
        let given = Duration::from_secs(u64::from(*ttl_seconds));
        published.views.holds.put(Hold::until(now.steady + given, *seq, &reservation));
    }
    // The writer may be about to publish what it began with before.
    while agent.state.board.read().views.holds.len() != published.views.holds.len() {
        agent.state.board.publish(published.clone());
        agent.state.writer.record(Vec::new(), Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    }
}

fn ids(answer: &Answer) -> Vec<String> {
    let items = answer.json();
    items.as_array().unwrap().iter().map(|item| item["reservation_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_is_shown_with_all_that_is_known_of_it() {
    let agent = TestAgent::start(Settings::default()).await;
    hold(&agent, &[(1, "made", 60), (2, "job/7 +%", 60)]).await;
    let expected = json!({
        "reservation_id": "job/7 +%", "id": "job/7 +%", "service": "openai", "operation": "chat", "estimated_cost_usd": 0.5,
        "state": "held", "critical": false, "created_at": NOON, "expires_at": "2026-11-22T12:01:00Z",
        "worker": "w1", "batch_id": null, "lead_id": null, "model": null,
    });
    for path in ["/reservations/job%2F7%20+%25", "/reservations/job/7%20%2b%25"] {
        let answer = agent.get(path).await;
        assert_eq!((answer.status, answer.json()), (200, expected.clone()), "{path}");
    }
    assert_eq!(agent.get("/reservations/made").await.json()["id"], Value::Null, "the agent made it");
    agent.clock.advance(Duration::from_secs(60));
    assert_eq!(agent.get("/reservations/made").await.json()["state"], "expired", "at once, before the ledger knows");
    agent.get("/reservations/unknown").await.assert_problem(404, "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_in_order_and_can_be_gone_through() {
    let agent = TestAgent::start(Settings::default()).await;
    assert_eq!(agent.get("/reservations").await.text(), "[]");
    hold(&agent, &[(5, "e", 3_600), (1, "a", 60), (3, "c", 3_600), (2, "b/2", 60)]).await;
    for (query, expected) in [
        ("", vec!["a", "b/2", "c", "e"]),
        ("?state=held", vec!["a", "b/2", "c", "e"]),
        ("?state=expired", vec![]),
        ("?limit=2", vec!["a", "b/2"]),
        ("?limit=2&after=b%2F2", vec!["c", "e"]),
        ("?after=e", vec![]),
    ] {
        let answer = agent.get(&format!("/reservations{query}")).await;
        assert_eq!((answer.status, ids(&answer)), (200, expected.iter().map(ToString::to_string).collect()), "{query}");
    }
    agent.clock.advance(Duration::from_secs(60));
    for (query, expected) in [
        ("", vec!["a", "b/2", "c", "e"]),
        ("?state=held", vec!["c", "e"]),
        ("?state=expired", vec!["a", "b/2"]),
        ("?state=expired&after=a", vec!["b/2"]),
        ("?state=held&limit=1", vec!["c"]),
    ] {
        let answer = agent.get(&format!("/reservations{query}")).await;
        assert_eq!(ids(&answer), expected, "{query}");
    }
    for query in ["?state=released", "?state=", "?limit=0", "?limit=1001", "?after=", "?after=nobody", "?before=a"] {
        agent.get(&format!("/reservations{query}")).await.assert_problem(400, "malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_have_one_id_and_methods_are_told() {
    let agent = TestAgent::start(Settings::default()).await;
    for path in ["/reservations/", "/reservations//commit", "/reservations//extend", "/reservation/a"] {
        for method in ["GET", "POST", "DELETE"] {
            agent.call_json(&format!("{method} {path}"), "{}").await.assert_problem(404, "not-found");
        }
    }
    for (what, allow) in [
        ("DELETE /reservations", "GET, HEAD, POST"),
        ("POST /reservations/a", "GET, HEAD"),
        ("GET /reservations/a/commit", "POST"),
        ("PUT /reservations/a/b/release", "POST"),
        ("PATCH /reservations/commit/extend", "POST"),
        ("POST /reservations/commit", "GET, HEAD"),
    ] {
        let answer = agent.call_json(what, "{}").await;
        answer.assert_problem(405, "method-not-allowed");
        let mut methods: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
        methods.sort_unstable();
        assert_eq!(methods.join(", "), allow, "{what}");
    }
    for id in ["%", "%zz", "%ff", "a%2"] {
        agent.get(&format!("/reservations/{id}")).await.assert_problem(400, "malformed");
        agent.call_json(&format!("POST /reservations/{id}/extend"), "{}").await.assert_problem(400, "malformed");
    }
    // Who may not write is not told what is wrong with the id.
    let browser = "Origin: http://evil.example\r\n";
    agent.call("POST /reservations/%zz/release", browser, "").await.assert_problem(403, "forbidden");
    let metrics = agent.metrics().await;
    for endpoint in ["/reservations", "/reservations/{id}", "/reservations/{id}/commit", "/reservations/{id}/extend"] {
        assert!(metrics.contains(&format!("http_requests_total{{endpoint=\"{endpoint}\",")), "{endpoint} in {metrics}");
    }
    assert!(!metrics.contains("zz"), "no path becomes a label");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_a_rule_is_refused_by_field() {
    let agent = TestAgent::start(Settings::default()).await;
    let good = r#"{"service":"s","estimated_cost_usd":1}"#;
    for (what, body, field) in [
        ("POST /reservations", r#"{"service":"s"}"#, "estimated_cost_usd"),
        ("POST /reservations", r#"{"service":"s","estimated_cost_usd":1,"ttl":5}"#, "ttl"),
        ("POST /reservations/a/commit", "{}", "amount_usd"),
        ("POST /reservations/a/release", r#"{"reason":""}"#, "reason"),
        ("POST /reservations/a/extend", "{}", "ttl_seconds"),
    ] {
        let document = agent.call_json(what, body).await.assert_problem(422, "invalid-request");
        assert_eq!(document["errors"].as_array().unwrap().len(), 1, "{document}");
        assert_eq!(document["errors"][0]["field"], field);
        assert!(document["errors"][0].get("index").is_none() && document["errors"][0].get("id").is_none());
        agent.call_json(what, "[]").await.assert_problem(422, "invalid-request");
        agent.call_json(what, "{").await.assert_problem(400, "malformed");
        agent.call_json(&format!("{what}?x=1"), good).await.assert_problem(400, "malformed");
        agent.call(what, "", body).await.assert_problem(415, "unsupported-media-type");
        let browser = "Sec-Fetch-Site: cross-site\r\n";
        agent.call(what, browser, body).await.assert_problem(403, "forbidden");
    }
    for what in ["POST /reservations", "POST /reservations/a/commit", "POST /reservations/a/extend"] {
        agent.call_json(what, "").await.assert_problem(400, "malformed");
    }
    let large = format!(r#"{{"service":"s","estimated_cost_usd":1,"x":"{}"}}"#, "x".repeat(40_000));
    agent.call_json("POST /reservations", &large).await.assert_problem(422, "invalid-request");
    assert_eq!(agent.get("/reservations").await.text(), "[]");
    // Of the commits: {} and [] and two that are no JSON.
    let line = r#"lead_factory_events_total{format="reservation",result="rejected"} 4"#;
    assert!(agent.metrics().await.contains(line));
    assert_eq!(agent.state.bodies.free_bytes(), Settings::default().body_bytes_in_flight_max);
}
