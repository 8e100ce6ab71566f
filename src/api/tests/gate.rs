use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_answered_and_its_refusal_is_no_error() {
    let agent = TestAgent::start(Settings::default()).await;
    let fits = r#"{"allowed":true,"reason":"Within budget"}"#;
    for query in [
        "service=openai",
        "service=openai&operation=chat&estimated_cost_usd=50",
        "estimated_cost_usd=5e1&service=open%20ai",
        "service=a&estimated_cost_usd=-0",
    ] {
        let answer = agent.get(&format!("/scaling-gate/check?{query}")).await;
        assert_eq!((answer.status, answer.text()), (200, fits), "{query}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let answer = agent.get("/scaling-gate/check?service=openai&estimated_cost_usd=50.000000000001").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.text(),
        r#"{"allowed":false,"reason":"Budget daily has 50 USD left until 2026-11-23T00:00:00Z","budget":"daily","remaining_usd":50,"period_end":"2026-11-23T00:00:00Z"}"#
    );
    agent.post_json(r#"{"service":"openai","operation":"chat","amount_usd":45}"#).await;
    let answer = agent.get("/scaling-gate/check?service=openai&operation=chat").await.json();
    assert_eq!(
        (&answer["allowed"], &answer["budget"], &answer["remaining_usd"]),
        (&false.into(), &"daily".into(), &5.into())
    );
    assert!(answer["reason"].as_str().unwrap().starts_with("Scaling gate is active: Budget daily is at 90%"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_under_names_that_cost_has() {
    let agent = TestAgent::start(Settings::default()).await;
    agent.post_json(r#"{"service":"openai","operation":"chat","amount_usd":45}"#).await;
    for _ in 0..2 {
        agent.get("/scaling-gate/check?service=openai&operation=chat").await;
    }
    agent.get("/scaling-gate/check?service=openai&operation=new").await;
    agent.get("/scaling-gate/check?service=nobody&operation=chat").await;
    let metrics = agent.metrics().await;
    let counted: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("lead_factory_scaling_gate_blocked_total{")).collect();
    assert_eq!(
        counted,
        [
            r#"lead_factory_scaling_gate_blocked_total{operation="chat",service="openai"} 2"#,
            r#"lead_factory_scaling_gate_blocked_total{operation="other",service="openai"} 1"#,
            r#"lead_factory_scaling_gate_blocked_total{operation="other",service="other"} 1"#,
        ]
    );
    assert!(!metrics.contains("nobody"), "a check takes no name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_makes_no_sense_is_malformed() {
    let agent = TestAgent::start(Settings::default()).await;
    for query in [
        "",
        "operation=chat",
        "service=",
        "service=a&operation=",
        "service=%00",
        "service=a&estimated_cost_usd=",
        "service=a&estimated_cost_usd=-0.1",
        "service=a&estimated_cost_usd=-1e-30",
        "service=a&estimated_cost_usd=1,5",
        "service=a&estimated_cost_usd=1e18",
        "service=a&estimate=1",
        "service=a&service=a",
    ] {
        agent.get(&format!("/scaling-gate/check?{query}")).await.assert_problem(400, "malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_breaks_a_rule_leaves_the_gate_alone() {
    let agent = TestAgent::start(Settings::default()).await;
    for body in ["", "{", "{}{}", "3", r#"{"state":"auto","state":"auto","reason":"x"}"#] {
        agent.call_json("PUT /scaling-gate", body).await.assert_problem(400, "malformed");
    }
    for body in ["[]", "{}", r#"{"state":"active"}"#, r#"{"state":"on","reason":"x"}"#] {
        let document = agent.call_json("PUT /scaling-gate", body).await.assert_problem(422, "invalid-request");
        assert!(document["errors"][0].get("index").is_none(), "{document}");
        assert!(document["errors"][0]["detail"].is_string());
    }
    let body = r#"{"state":"active","reason":"x"}"#;
    agent.call("PUT /scaling-gate", "", body).await.assert_problem(415, "unsupported-media-type");
    let lines = "Content-Type: application/x-ndjson\r\n";
    agent.call("PUT /scaling-gate", lines, body).await.assert_problem(415, "unsupported-media-type");
    agent.call_json("PUT /scaling-gate?x=1", body).await.assert_problem(400, "malformed");
    let browser = "Origin: http://evil.example\r\nContent-Type: application/json\r\n";
    agent.call("PUT /scaling-gate", browser, body).await.assert_problem(403, "forbidden");
    for method in ["GET", "POST", "DELETE"] {
        let answer = agent.call_json(&format!("{method} /scaling-gate"), body).await;
        answer.assert_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some("PUT"));
    }
    let status = agent.get("/scaling-gate/status").await.json();
    assert_eq!((&status["scaling_gate_active"], &status["mode"]), (&false.into(), &"auto".into()));
    assert_eq!(agent.get("/scaling-gate/history").await.text(), "[]");
}
