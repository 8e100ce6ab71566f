use serde_json::json;

use super::*;
use crate::budget::{Action, Budget, Limit};
use crate::domain::{Cover, Cycle, Facet, Name, Pattern, PeriodKind, Quantity, UsageCount};

/// Besides `daily` (50 USD) and `monthly`: 5 USD a month for each lead, and 1,000 tokens with 2 pages an hour for some models.
async fn agent() -> TestAgent {
    let mut policy = Policy::example(BudgetZone::UTC, 50);
    let of = |kind: &str, count| UsageCount { kind: Name::new(kind).unwrap(), count: Quantity::of(count) };
    let usd = |name: &str, limit: &str| Budget::example(name, PeriodKind::Monthly, limit);
    policy.budgets.push(Budget { each: Some(Facet::Lead), ..usd("lead-cap", "5") });
    policy.budgets.push(Budget {
        cover: Cover::default().with(Facet::Model, [Pattern::new("GPT-*")]),
        cycle: Cycle::calendar(PeriodKind::Hourly),
        limit: Limit::Usage(vec![of("pages", 2), of("tokens", 1_000)]),
        ..usd("tokens", "0")
    });
    policy.budgets.push(Budget { each: Some(Facet::Worker), action: Action::Watch, ..usd("history", "1") });
    policy.budgets.push(Budget { cycle: Cycle::calendar(PeriodKind::Total), ..usd("pre/paid %", "500") });
    TestAgent::start_under(policy, Settings::default(), Limits::default(), ROUTES, Duration::from_secs(60)).await
}

impl TestAgent {
    async fn budgets(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/budgets{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json().as_array().unwrap().clone()
    }

    async fn budget(&self, name: &str, query: &str) -> Value {
        let budgets = self.budgets(query).await;
        budgets.iter().find(|budget| budget["name"] == name).unwrap_or_else(|| panic!("{name}")).clone()
    }

    async fn history(&self) -> Value {
        self.get("/budgets/history").await.json()
    }

    async fn put_limit(&self, name: &str, body: &Value) -> Answer {
        self.call_json(&format!("PUT /budgets/{name}"), &body.to_string()).await
    }

    async fn checked(&self, query: &str) -> Value {
        let answer = self.get(&format!("/scaling-gate/check?service=openai&{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        answer.json()
    }

    async fn reserve(&self, more: &str) -> Answer {
        let body = format!(r#"{{"service":"openai","operation":"chat",{more}}}"#);
        self.call_json("POST /reservations", &body).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_set_shown_kept_in_the_history_and_lapses() {
    let agent = agent().await;
    agent.post_json(r#"{"service":"openai","amount_usd":44}"#).await;
    assert_eq!(agent.checked("estimated_cost_usd=7").await["budget"], "daily");
    let set = json!({"limit_usd": "80.000000000001", "reason": "the launch", "actor": "ann", "expires_in_seconds": 3600});
    let answer = agent.put_limit("daily", &set).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    let item = answer.json();
    assert!(answer.text().contains(r#""limit_usd":80.000000000001,"spent_usd":44,"#), "{item}");
    assert_eq!(
        item["override"],
        json!({"configured_limit_usd": 50, "reason": "the launch", "actor": "ann", "timestamp": NOON, "expires_at": "2026-11-22T13:00:00Z"})
    );
    assert_eq!(item, agent.budget("daily", "").await);
    assert_eq!(agent.checked("estimated_cost_usd=36").await["allowed"], true);
    assert_eq!(agent.checked("estimated_cost_usd=36.000000000002").await["remaining_usd"], json!(36.000000000001));

    // Without a commit in between: readers look at the clock themselves.
    agent.clock.set("2026-11-22T12:59:59.999Z".parse().unwrap());
    assert_eq!(agent.checked("estimated_cost_usd=7").await["allowed"], true);
    agent.clock.set("2026-11-22T13:00:00Z".parse().unwrap());
    assert_eq!(agent.checked("estimated_cost_usd=7").await["remaining_usd"], 6);
    let lapsed = agent.budget("daily", "").await;
    assert_eq!((&lapsed["limit_usd"], lapsed.get("override")), (&json!(50), None));

    assert_eq!(agent.put_limit("daily", &json!({"limit_usd": 0, "reason": "stop"})).await.json()["state"], "exhausted");
    let lifted = agent.put_limit("daily", &json!({"limit_usd": null, "reason": "over"})).await.json();
    assert_eq!((&lifted["limit_usd"], lifted.get("override")), (&json!(50), None));
    let line = |limit: Value, reason: &str, actor: &str, timestamp: &str, expires_at: Value| json!({"budget": "daily", "limit_usd": limit, "reason": reason, "actor": actor, "timestamp": timestamp, "expires_at": expires_at});
    let one = "2026-11-22T13:00:00Z";
    let first = json!(80.000000000001);
    let lines = [
        line(Value::Null, "over", "", one, Value::Null),
        line(json!(0), "stop", "", one, Value::Null),
        line(first, "the launch", "ann", NOON, json!(one)),
    ];
    assert_eq!(agent.history().await, json!(lines));
    assert_eq!(agent.get("/budgets/history?limit=1").await.json(), json!([lines[0]]));
    for query in ["limit=0", "limit=1001", "limit=x", "days=1"] {
        agent.get(&format!("/budgets/history?{query}")).await.assert_problem(400, "malformed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_breaks_a_rule_changes_nothing() {
    let agent = agent().await;
    let before = agent.budgets("").await;
    let because = |members: &str| format!(r#"{{"reason":"r"{members}}}"#);
    let long = |bytes| "x".repeat(bytes);
    for (name, body, field) in [
        ("daily", because(""), "limit_usd"),
        ("daily", r#"{"limit_usd":1}"#.into(), "reason"),
        ("daily", r#"{"limit_usd":1,"reason":""}"#.into(), "reason"),
        ("daily", r#"{"limit_usd":1,"reason":null}"#.into(), "reason"),
        ("daily", format!(r#"{{"limit_usd":1,"reason":"{}"}}"#, long(501)), "reason"),
        ("daily", because(&format!(r#","limit_usd":1,"actor":"{}""#, long(201))), "actor"),
        ("daily", because(r#","limit_usd":-0.000000000001"#), "limit_usd"),
        ("daily", because(r#","limit_usd":-1e-13"#), "limit_usd"),
        ("daily", because(r#","limit_usd":1e40"#), "limit_usd"),
        ("daily", because(r#","limit_usd":"none""#), "limit_usd"),
        ("daily", because(r#","limit_usd":true"#), "limit_usd"),
        ("daily", because(r#","limit_usd":1,"expires_in_seconds":0"#), "expires_in_seconds"),
        ("daily", because(r#","limit_usd":1,"expires_in_seconds":31536001"#), "expires_in_seconds"),
        ("daily", because(r#","limit_usd":null,"expires_in_seconds":60"#), "expires_in_seconds"),
        ("daily", because(r#","limit_usd":1,"limit_usage":{"tokens":1}"#), "limit_usage"),
        ("daily", because(r#","limit_usd":null,"limit_usage":null"#), "limit_usage"),
        ("daily", because(r#","limit_usage":{"tokens":1}"#), "limit_usage"),
        ("daily", because(r#","limit_usd":1,"limit":1"#), "limit"),
        ("tokens", because(r#","limit_usd":1"#), "limit_usd"),
        ("tokens", because(r#","limit_usage":{}"#), "limit_usage"),
        ("tokens", because(r#","limit_usage":{"tokens":1}"#), "limit_usage"),
        ("tokens", because(r#","limit_usage":{"tokens":1,"pages":1,"images":1}"#), "limit_usage"),
        ("tokens", because(r#","limit_usage":{"tokens":-1,"pages":1}"#), "limit_usage"),
        ("tokens", because(r#","limit_usage":{"tokens":null,"pages":1}"#), "limit_usage"),
        ("tokens", because(r#","limit_usage":[1]"#), "limit_usage"),
    ] {
        let answer = agent.call_json(&format!("PUT /budgets/{name}"), &body).await;
        let document = answer.assert_problem(422, "invalid-request");
        assert_eq!(document["errors"].as_array().map(Vec::len), Some(1), "{body}: {document}");
        assert_eq!(document["errors"][0]["field"], field, "{body}: {document}");
    }
    for body in ["", "{", "1", r#"{"limit_usd":1,"limit_usd":2,"reason":"r"}"#] {
        agent.call_json("PUT /budgets/daily", body).await.assert_problem(400, "malformed");
    }
    let right = json!({"limit_usd": 1, "reason": "r"});
    for name in ["no", "DAILY", "daily%20", "daily/x"] {
        agent.put_limit(name, &right).await.assert_problem(404, "not-found");
    }
    agent.put_limit("%zz", &right).await.assert_problem(400, "malformed");
    agent.put_limit("daily?x=1", &right).await.assert_problem(400, "malformed");
    agent
        .call("PUT /budgets/daily", "Content-Type: text/plain\r\n", right.to_string())
        .await
        .assert_problem(415, "unsupported-media-type");
    agent
        .call("PUT /budgets/daily", "Content-Type: application/json\r\nOrigin: http://x\r\n", right.to_string())
        .await
        .assert_problem(403, "forbidden");
    agent.get("/budgets/daily").await.assert_problem(405, "method-not-allowed");
    agent.call("POST /budgets/history", "", "").await.assert_problem(405, "method-not-allowed");
    assert_eq!(agent.budgets("").await, before);
    assert_eq!(agent.history().await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_found_under_any_name() {
    let agent = agent().await;
    for (path, name) in [("history", "history"), ("pre%2Fpaid%20%25", "pre/paid %"), ("pre/paid%20%25", "pre/paid %")] {
        let item = agent.put_limit(path, &json!({"limit_usd": 7, "reason": "r"})).await.json();
        assert_eq!((&item["name"], &item["limit_usd"]), (&name.into(), &7.into()), "{item}");
        assert_eq!(agent.history().await[0]["budget"], name);
    }
    let item = agent.budget("pre/paid %", "").await;
    assert_eq!((&item["period"], &item["period_start"], &item["period_end"]), (&json!("total"), &Value::Null, &Value::Null));
    let refused = agent.checked("estimated_cost_usd=8").await;
    assert_eq!((&refused["budget"], &refused["period_end"]), (&json!("pre/paid %"), &Value::Null));
    assert_eq!(refused["reason"], "Budget pre/paid % has 7 USD left");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_the_limit_by_itself_and_is_named_in_any_case() {
    let agent = agent().await;
    let body = r#"[{"service":"a","lead_id":"ACME","amount_usd":4.5},{"service":"b","lead_id":"Globex","amount_usd":1},
        {"service":"b","amount_usd":20},{"service":"c","lead_id":"acme","kind":"credit","amount_usd":-0.25}]"#;
    assert_eq!(agent.post_json(body).await.status, 200);
    let held = agent.reserve(r#""lead_id":"Acme","estimated_cost_usd":0.5"#).await;
    assert_eq!(held.status, 201, "{held:?}");
    assert_eq!(agent.reserve(r#""lead_id":"initech","estimated_cost_usd":2,"ttl_seconds":600"#).await.status, 201);
    let item = agent.budget("lead-cap", "").await;
    assert_eq!(
        (&item["each"], &item["keys"], &item["keys_warning"], &item["keys_exhausted"]),
        (&json!("lead"), &json!(3), &json!(1), &json!(0))
    );
    let key = |key: &str, [spent, reserved, remaining]: [f64; 3], percent: f64, state: &str| {
        let mut amounts = json!({"key": key, "utilization_percent": percent, "state": state});
        for (name, amount) in [("spent_usd", spent), ("reserved_usd", reserved), ("remaining_usd", remaining)] {
            amounts[name] = if amount.fract() == 0.0 { json!(amount as i64) } else { json!(amount) };
        }
        amounts
    };
    assert_eq!(
        item["fullest"],
        json!([
            key("acme", [4.25, 0.5, 0.25], 85.0, "warning"),
            key("globex", [1.0, 0.0, 4.0], 20.0, "ok"),
            key("initech", [0.0, 2.0, 3.0], 0.0, "ok"),
        ])
    );
    for absent in ["key", "spent_usd", "reserved_usd", "remaining_usd"] {
        assert_eq!(item.get(absent), None, "{item}");
    }
    assert_eq!((&item["limit_usd"], &item["state"], &item["forecast_usd"]), (&json!(5), &json!("warning"), &Value::Null));

    let of_key = agent.budget("lead-cap", "?key=aCmE").await;
    assert_eq!((&of_key["key"], &of_key["spent_usd"], &of_key["reserved_usd"]), (&json!("acme"), &json!(4.25), &json!(0.5)));
    assert_eq!((of_key.get("keys"), of_key.get("fullest"), &of_key["state"]), (None, None, &json!("warning")));
    let nobody = agent.budget("lead-cap", "?key=no%20body").await;
    assert_eq!((&nobody["key"], &nobody["spent_usd"], &nobody["remaining_usd"]), (&json!("no body"), &json!(0), &json!(5)));
    assert_eq!(agent.budget("daily", "?key=acme").await, agent.budget("daily", "").await);
    for query in ["key=", "key=a&key=b", "keys=a", &format!("key={}", "x".repeat(201))] {
        agent.get(&format!("/budgets?{query}")).await.assert_problem(400, "malformed");
    }

    let refused = agent.checked("lead_id=ACME&estimated_cost_usd=0.26").await;
    assert_eq!(
        refused,
        json!({"allowed": false, "reason": "Budget lead-cap (acme) has 0.25 USD left until 2026-12-01T00:00:00Z", "budget": "lead-cap",
            "key": "acme", "remaining_usd": 0.25, "period_end": "2026-12-01T00:00:00Z"})
    );
    for fits in
        ["lead_id=ACME&estimated_cost_usd=0.25", "lead_id=globex&estimated_cost_usd=4", "lead_id=&estimated_cost_usd=20"]
    {
        assert_eq!(agent.checked(fits).await["allowed"], true, "{fits}");
    }
    let problem =
        agent.reserve(r#""lead_id":"acmE","estimated_cost_usd":0.26"#).await.assert_problem(409, "budget-exhausted");
    assert_eq!(
        (&problem["budget"], &problem["key"], &problem["remaining_usd"]),
        (&json!("lead-cap"), &json!("acme"), &json!(0.25))
    );
    let id = held.json()["reservation_id"].as_str().unwrap().to_owned();
    assert_eq!(agent.call_json(&format!("POST /reservations/{id}/release"), "{}").await.status, 200);
    assert_eq!(agent.checked("lead_id=acme&estimated_cost_usd=0.75").await["allowed"], true);
    agent.clock.advance(Duration::from_secs(601));
    assert_eq!(agent.budget("lead-cap", "?key=initech").await["reserved_usd"], 0, "at once");
    let deadline = Instant::now() + PATIENCE;
    while agent.budget("lead-cap", "").await["keys"] != 2 {
        assert!(Instant::now() < deadline, "what lapsed holds nothing");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    // Each key gets the limit that is set.
    assert_eq!(agent.put_limit("lead-cap", &json!({"limit_usd": 1, "reason": "r"})).await.json()["keys_exhausted"], 2);
    assert_eq!(agent.checked("lead_id=initech&estimated_cost_usd=1.01").await["key"], "initech");
    assert_eq!(agent.get("/scaling-gate/status").await.json()["scaling_gate_active"], false, "it moves no gate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_of_usage_counts_its_kinds_where_its_model_is_asked() {
    let agent = agent().await;
    let body = r#"[{"service":"a","model":"gpt-5","amount_usd":1,"usage":{"tokens":600.5,"images":7}},
        {"service":"a","model":"claude","amount_usd":1,"usage":{"tokens":1000}},{"service":"a","amount_usd":1,"usage":{"tokens":1000}}]"#;
    assert_eq!(agent.post_json(body).await.status, 200);
    let held = agent.reserve(r#""model":"GPT-4o","estimated_cost_usd":0,"usage":{"tokens":300,"pages":0.5}"#).await;
    assert_eq!(held.status, 201, "{held:?}");
    let item = agent.budget("tokens", "").await;
    assert_eq!((&item["match"], &item["period_end"]), (&json!({"model": ["GPT-*"]}), &json!("2026-11-22T13:00:00Z")));
    assert_eq!(item["limit_usage"], json!({"pages": 2, "tokens": 1000}));
    assert_eq!(item["spent_usage"], json!({"pages": 0, "tokens": 600.5}));
    assert_eq!(item["reserved_usage"], json!({"pages": 0.5, "tokens": 300}));
    assert_eq!(item["remaining_usage"], json!({"pages": 1.5, "tokens": 99.5}));
    assert_eq!((item.get("limit_usd"), item.get("spent_usd"), &item["utilization_percent"]), (None, None, &json!(60.05)));

    let usage = |counts: &str| format!("model=gpt-5&estimated_cost_usd=0&usage={}", super::super::percent::encode(counts));
    assert_eq!(agent.checked(&usage(r#"{"tokens":99.5,"pages":1.5}"#)).await["allowed"], true);
    let refused = agent.checked(&usage(r#"{"tokens":99.500001,"pages":1}"#)).await;
    assert_eq!(
        refused,
        json!({"allowed": false, "reason": "Budget tokens has 99.5 tokens left until 2026-11-22T13:00:00Z", "budget": "tokens",
            "remaining_usd": null, "remaining_usage": {"tokens": 99.5}, "period_end": "2026-11-22T13:00:00Z"})
    );
    assert_eq!(agent.checked(&usage(r#"{"pages":2}"#)).await["remaining_usage"], json!({"pages": 1.5}));
    assert_eq!(agent.checked("model=claude&estimated_cost_usd=0&usage=%7B%22tokens%22:5000%7D").await["allowed"], true);
    let problem = agent
        .reserve(r#""model":"gpt-5","estimated_cost_usd":0,"usage":{"tokens":100}"#)
        .await
        .assert_problem(409, "budget-exhausted");
    assert_eq!(
        (&problem["budget"], &problem["remaining_usd"], &problem["remaining_usage"]),
        (&json!("tokens"), &Value::Null, &json!({"tokens": 99.5}))
    );

    let listed = agent.get("/reservations").await.json();
    assert_eq!((&listed[0]["model"], &listed[0]["usage"]), (&json!("GPT-4o"), &json!({"pages": 0.5, "tokens": 300})));
    assert_eq!(listed.as_array().unwrap().len(), 1);

    let set = json!({"limit_usage": {"tokens": 2000.5, "pages": 2}, "reason": "backfill"});
    let item = agent.put_limit("tokens", &set).await.json();
    assert_eq!(
        (&item["limit_usage"], &item["remaining_usage"]["tokens"]),
        (&json!({"pages": 2, "tokens": 2000.5}), &json!(1100))
    );
    assert_eq!(item["override"]["configured_limit_usage"], json!({"pages": 2, "tokens": 1000}));
    for null in ["limit_usage", "limit_usd"] {
        let item = agent.put_limit("tokens", &json!({null: null, "reason": "over"})).await.json();
        assert_eq!((&item["limit_usage"]["tokens"], item.get("override")), (&json!(1000), None));
    }
    let history = agent.history().await;
    assert_eq!((&history[0]["limit_usage"], history[0].get("limit_usd")), (&Value::Null, None));
    assert_eq!(history[2]["limit_usage"], json!({"pages": 2, "tokens": 2000.5}));
    // The hold is of this hour, and of the next: an open one always counts now.
    agent.clock.set("2026-11-22T13:00:00Z".parse().unwrap());
    assert_eq!(agent.budget("tokens", "").await["remaining_usage"], json!({"pages": 1.5, "tokens": 700}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_watches_refuses_nothing() {
    let agent = agent().await;
    agent.post_json(r#"{"service":"a","worker":"W1","amount_usd":3}"#).await;
    let item = agent.budget("history", "").await;
    assert_eq!(
        (&item["action"], &item["state"], &item["keys_exhausted"]),
        (&json!("watch"), &json!("exhausted"), &json!(1))
    );
    assert_eq!(agent.checked("worker=w1&estimated_cost_usd=10").await["allowed"], true);
    assert_eq!(agent.reserve(r#""worker":"w1","estimated_cost_usd":10"#).await.status, 201);
    assert_eq!(agent.budget("history", "?key=w1").await["remaining_usd"], -12);
}
