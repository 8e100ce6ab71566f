use std::io::Read;

use serde_json::json;

use super::*;
use crate::api::endpoint::{Parameters, Verb};

/// An agent that knows some cost: today, yesterday, and last month.
async fn agent_with_cost() -> TestAgent {
    let agent = TestAgent::start(Settings::default()).await;
    let body = json!([
        { "service": "openai", "operation": "chat", "amount_usd": "6.5", "worker": "w1", "model": "large", "batch_id": "b1" },
        { "service": "openai", "operation": "embeddings", "amount_usd": 2, "worker": "w2", "lead_id": "l1", "attributes": { "team": "r\u{e9}d,\0", "n": 1.0 } },
        { "service": "sendgrid", "amount_usd": "0.0000015" },
        { "service": "zero", "amount_usd": 1 },
        { "service": "zero", "amount_usd": -1, "kind": "credit" },
        { "service": "openai", "operation": "chat", "amount_usd": 1, "time": "2026-11-21T23:59:59Z", "worker": "w1" },
        { "service": "openai", "operation": "chat", "amount_usd": 4, "time": "2026-10-31T12:00:00Z" },
    ]);
    let answer = agent.post_json(body.to_string()).await;
    assert_eq!(answer.text(), r#"{"accepted":7,"duplicates":0}"#);
    agent
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_is_shown_by_day_and_month_and_by_everything() {
    let agent = agent_with_cost().await;
    for (target, expected) in [
        ("/costs/daily", r#"{"openai":8.5,"sendgrid":0.0000015,"zero":0}"#),
        ("/costs/daily?date=2026-11-22", r#"{"openai":8.5,"sendgrid":0.0000015,"zero":0}"#),
        ("/costs/daily?date=2026-11-21", r#"{"openai":1}"#),
        ("/costs/daily?date=2026-11-20", "{}"),
        ("/costs/daily?date=1999-01-01", "{}"),
        ("/costs/daily?date=9999-12-31", "{}"),
        ("/costs/daily?service=openai", r#"{"openai":8.5}"#),
        ("/costs/daily?service=nobody", "{}"),
        ("/costs/daily?by=operation&service=openai", r#"{"openai":{"chat":6.5,"embeddings":2}}"#),
        ("/costs/daily?by=operation&date=2026-11-20", "{}"),
        ("/costs/daily?by=worker&service=openai", r#"{"w1":6.5,"w2":2}"#),
        ("/costs/daily?by=model", r#"{"":2.0000015,"large":6.5}"#),
        ("/costs/daily?by=batch&service=openai", r#"{"":2,"b1":6.5}"#),
        ("/costs/monthly", r#"{"openai":9.5,"sendgrid":0.0000015,"zero":0}"#),
        ("/costs/monthly?month=2026-10", r#"{"openai":4}"#),
        ("/costs/monthly?month=2026-09&by=operation", "{}"),
        ("/costs/monthly?by=lead&service=openai", r#"{"":7.5,"l1":2}"#),
        ("/costs/monthly?by=worker&month=2026-10", r#"{"":4}"#),
        ("/costs/daily?by=operation,service&service=openai", r#"{"chat":{"openai":6.5},"embeddings":{"openai":2}}"#),
        ("/costs/daily?by=model%2Coperation&worker=w1", r#"{"large":{"chat":6.5}}"#),
        (
            "/costs/daily?by=lead,model,attributes.team&service=openai",
            r#"{"":{"large":{"":6.5}},"l1":{"":{"réd,\u0000":2}}}"#,
        ),
        ("/costs/daily?by=attributes.n&model=", r#"{"":0.0000015,"1":2}"#),
        ("/costs/daily?operation=chat", r#"{"openai":6.5}"#),
        ("/costs/daily?batch=b1&lead=&model=large", r#"{"openai":6.5}"#),
        ("/costs/daily?lead=nobody&by=worker", "{}"),
        ("/costs?from=2026-11-21", r#"{"openai":9.5,"sendgrid":0.0000015,"zero":0}"#),
        ("/costs?from=2026-10-31&to=2026-11-21&by=worker", r#"{"":4,"w1":1}"#),
        ("/costs?from=2026-10-01&to=2026-11-22&by=operation&operation=chat", r#"{"openai":{"chat":11.5}}"#),
        ("/costs?from=1999-01-01&to=1999-01-02", "{}"),
        ("/costs?from=2016-11-22&to=2026-11-22&service=openai", r#"{"openai":13.5}"#),
        (
            "/costs/history?from=2026-11-20&to=2026-11-21&by=worker,batch",
            r#"[{"date":"2026-11-20","total_usd":0,"by":{}},{"date":"2026-11-21","total_usd":1,"by":{"w1":{"":1}}}]"#,
        ),
        (
            "/costs/leads",
            r#"{"leads":1,"attributed_usd":2,"unattributed_usd":6.5000015,"total_usd":8.5000015,"mean_usd":2,"median_usd":2,"p95_usd":2,"top":[{"lead":"l1","cost_usd":2}]}"#,
        ),
        (
            "/costs/batches?month=2026-11&service=openai",
            r#"{"batches":1,"attributed_usd":6.5,"unattributed_usd":3,"total_usd":9.5,"mean_usd":6.5,"median_usd":6.5,"p95_usd":6.5,"top":[{"batch":"b1","cost_usd":6.5}]}"#,
        ),
        (
            "/costs/leads?from=2026-10-31&to=2026-11-21&lead=l1",
            r#"{"leads":0,"attributed_usd":0,"unattributed_usd":0,"total_usd":0,"mean_usd":null,"median_usd":null,"p95_usd":null,"top":[]}"#,
        ),
        (
            "/costs/leads?date=2026-11-21",
            r#"{"leads":0,"attributed_usd":0,"unattributed_usd":1,"total_usd":1,"mean_usd":null,"median_usd":null,"p95_usd":null,"top":[]}"#,
        ),
    ] {
        let answer = agent.get(target).await;
        assert_eq!((answer.status, answer.text()), (200, expected), "{target}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_has_every_day_once() {
    let agent = agent_with_cost().await;
    let days = agent.get("/costs/history?days=3").await;
    assert_eq!(
        days.text(),
        r#"[{"date":"2026-11-20","total_usd":0,"by":{}},{"date":"2026-11-21","total_usd":1,"by":{"openai":1}},{"date":"2026-11-22","total_usd":8.5000015,"by":{"openai":8.5,"sendgrid":0.0000015,"zero":0}}]"#
    );
    let days = agent.get("/costs/history?days=2&by=worker&service=openai").await;
    assert_eq!(
        days.text(),
        r#"[{"date":"2026-11-21","total_usd":1,"by":{"w1":1}},{"date":"2026-11-22","total_usd":8.5,"by":{"w1":6.5,"w2":2}}]"#
    );
    assert_eq!(agent.get("/costs/history").await.json().as_array().unwrap().len(), 30);
    for by in ["service", "operation", "worker", "batch", "lead", "model"] {
        let history = agent.get(&format!("/costs/history?days=400&by={by}")).await.json();
        let history = history.as_array().unwrap();
        assert_eq!(history.len(), 400);
        let last_month = history.iter().find(|day| day["date"] == "2026-10-31").unwrap();
        assert_eq!(last_month["total_usd"], 4, "{by}");
        assert_eq!(history.iter().map(|day| day["total_usd"].as_f64().unwrap()).sum::<f64>(), 13.5000015, "{by}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_have_left_memory_are_read_from_the_ledger() {
    let agent = agent_with_cost().await;
    let before = agent.get("/costs/history?days=60&by=operation").await.json();
    // Some months on, those days are beyond the window that memory keeps.
    agent.clock.set("2027-03-01T12:00:00Z".parse().unwrap());
    assert_eq!(agent.post_json(r#"{"service":"new","amount_usd":1}"#).await.status, 200);
    let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while agent.state.board.read().views.resident_from() <= jiff::civil::date(2026, 11, 22) {
        assert!(tokio::time::Instant::now() < patience, "the old days stay in memory");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let after = agent.get("/costs/history?days=200&by=operation").await.json();
    for day in before.as_array().unwrap() {
        assert!(after.as_array().unwrap().contains(day), "{day}");
    }
    assert_eq!(
        agent.get("/costs/monthly?month=2026-11&by=operation&service=openai").await.text(),
        r#"{"openai":{"chat":7.5,"embeddings":2}}"#
    );
    assert_eq!(agent.get("/costs/daily?date=2026-11-22").await.text(), r#"{"openai":8.5,"sendgrid":0.0000015,"zero":0}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_refused_and_probes_ignore_them() {
    let agent = TestAgent::start(Settings::default()).await;
    for target in [
        "/costs/daily?day=1",
        "/costs/daily?month=2026-11",
        "/costs/daily?date=2026-02-30",
        "/costs/daily?date=",
        "/costs/daily?by=colour",
        "/costs/daily?by=service&by=service",
        "/costs/daily?by=service,service",
        "/costs/daily?by=service,operation,worker,lead",
        "/costs/daily?by=attributes.",
        "/costs/daily?model=%00",
        "/costs/daily?from=2026-11-22",
        "/costs",
        "/costs?to=2026-11-22",
        "/costs?from=2026-11-23",
        "/costs?from=2026-11-22&to=2026-11-21",
        "/costs?from=2016-01-01&to=2026-01-01",
        "/costs?from=2026-11-22&date=2026-11-22",
        "/costs/history?days=2&from=2026-11-21",
        "/costs/history?days=2&to=2026-11-21",
        "/costs/history?from=2026-11-22&to=2026-11-21",
        "/costs/history?from=2025-10-18&to=2026-11-22",
        "/costs/leads?date=2026-11-22&month=2026-11",
        "/costs/leads?month=2026-11&from=2026-11-22",
        "/costs/leads?to=2026-11-22",
        "/costs/leads?by=lead",
        "/costs/batches?service=",
        "/costs/daily?service=",
        "/costs/daily?service=%00",
        "/costs/daily?service=%ff",
        "/costs/monthly?month=2026-13",
        "/costs/history?days=0",
        "/costs/history?days=401",
        "/costs/history?days=x",
        "/budgets?x",
        "/scaling-gate/status?x=1",
        "/scaling-gate/history?limit=0",
        "/scaling-gate/history?limit=1001",
        "/openapi.json?x=1",
        "/?x=1",
    ] {
        agent.get(target).await.assert_problem(400, "malformed");
    }
    for endpoint in ROUTES.iter().map(|route| &route.endpoint).filter(|endpoint| endpoint.verb == Verb::Get) {
        let answer = agent.get(&format!("{}?nonsense=1", endpoint.path)).await;
        assert_eq!(answer.status == 400, endpoint.query != Parameters::Ignored, "{}", endpoint.path);
    }
    for target in ["/metrics?x=%ff", "/health?x", "/-/healthy?x", "/-/ready?x&x"] {
        assert_eq!(agent.get(target).await.status, 200, "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_and_gate_show_the_same_numbers() {
    let agent = TestAgent::start(Settings::default()).await;
    let status = agent.get("/scaling-gate/status").await.json();
    assert_eq!(status["scaling_gate_active"], false);
    assert_eq!(status["reason"], "Below threshold");
    assert_eq!(status["timestamp"], NOON);
    assert_eq!(status["mode"], "auto");
    assert_eq!(status["expires_at"], Value::Null);

    agent.post_json(r#"{"service":"openai","amount_usd":45}"#).await;
    let budgets = agent.get("/budgets").await.json();
    let daily = &budgets[0];
    assert_eq!(daily["name"], "daily");
    assert_eq!(daily["service"], Value::Null);
    assert_eq!(daily["period"], "daily");
    assert_eq!(daily["remaining_usd"], 5);
    assert_eq!(daily["utilization_percent"], 90.0);
    assert_eq!(daily["state"], "critical");
    assert_eq!(daily["period_start"], "2026-11-22T00:00:00Z");
    assert_eq!(daily["forecast_usd"], 90);
    let status = agent.get("/scaling-gate/status").await.json();
    assert_eq!(status["scaling_gate_active"], true);
    assert_eq!(status["since"], NOON);
    assert_eq!(status["budgets"][0], json!({ "name": "daily", "utilization": 90.0, "threshold": 90.0 }));
    assert_eq!(status["budgets"].as_array().unwrap().len(), 2);

    let history = agent.get("/scaling-gate/history?limit=1").await.json();
    assert_eq!(history.as_array().unwrap().len(), 1);
    assert_eq!(history[0]["active"], true);
    assert_eq!(history[0]["timestamp"], NOON);
    assert_eq!(history[0]["actor"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_compressed_for_who_wants_it() {
    let agent = TestAgent::start(Settings::default()).await;
    let plain = agent.get("/metrics").await;
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), (None, Some("accept-encoding")));
    let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";
    let packed = agent.send(request).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("content-type"), plain.header("content-type"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
    assert!(text.contains("lead_factory_http_requests_total{endpoint=\"/metrics\",http_status=\"200\",method=\"GET\"} 1\n"));
    assert!(
        text.contains(
            "lead_factory_http_request_duration_seconds_bucket{endpoint=\"/metrics\",method=\"GET\",le=\"0.0001\"}"
        )
    );

    agent.telemetry.shutdown();
    agent.get("/metrics").await.assert_problem(500, "internal");
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_whether_cost_can_be_recorded() {
    let agent = TestAgent::start(Settings::default()).await;
    assert_eq!(agent.get("/health").await.text(), r#"{"status":"healthy"}"#);
    assert_eq!(agent.get("/-/healthy").await.status, 200);
    assert_eq!(agent.get("/-/ready").await.status, 200);
}
