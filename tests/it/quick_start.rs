//! The first five minutes: what the README promises, and what dashboards made for the original exporter expect.

use serde_json::json;

use crate::support::{Exposition, Setup, amounts_in, exact, same_day};

#[test]
fn one_recorded_event_shows_on_every_surface() {
    let agent = Setup::new().start();
    agent.assert_healthy();
    let answer = agent.costs(r#"{"id":"call-1","service":"openai","operation":"chat","amount_usd":0.0015}"#).expect(200);
    assert_eq!(answer.json(), json!({"accepted": 1, "duplicates": 0}));

    assert_eq!(amounts_in(&agent.get("/costs/daily")), [("openai".to_owned(), exact("0.0015"))].into());
    assert_eq!(amounts_in(&agent.get("/costs/monthly")), [("openai".to_owned(), exact("0.0015"))].into());
    let metrics = agent.metrics();
    assert_eq!(metrics.get("lead_factory_daily_cost", &[("service", "openai")]), Some(0.0015));
    assert_eq!(metrics.get("lead_factory_monthly_cost", &[("service", "openai")]), Some(0.0015));
    assert_eq!(metrics.get("lead_factory_cost_usd_total", &[("service", "openai"), ("operation", "chat")]), Some(0.0015));
}

#[test]
fn the_original_exporters_surface_is_kept() {
    let agent = Setup::new().start();
    let scrape = agent.get("/metrics").expect(200);
    assert_eq!(scrape.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let scrape = Exposition::parse(&scrape.text());
    assert_eq!(scrape.get("lead_factory_scaling_gate_active", &[]), Some(0.0));
    assert_eq!(scrape.get("lead_factory_budget_utilization", &[("period", "daily")]), Some(0.0));
    assert_eq!(scrape.get("lead_factory_budget_utilization", &[("period", "monthly")]), Some(0.0));

    assert_eq!(agent.get("/health").expect(200).json(), json!({"status": "healthy"}));
    for path in ["/costs/daily", "/costs/monthly"] {
        let answer = agent.get(path).expect(200);
        assert_eq!(answer.text(), "{}", "{path} without cost");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let gate = agent.get("/scaling-gate/status").expect(200).json();
    assert_eq!(gate["scaling_gate_active"], json!(false));
    assert_eq!(gate["reason"], json!("Below threshold"));
    let timestamp = gate["timestamp"].as_str().expect("a timestamp");
    assert!(timestamp.parse::<jiff::Timestamp>().is_ok(), "RFC 3339: {timestamp}");
}

#[test]
fn the_gate_closes_at_its_threshold_and_a_credit_opens_it() {
    let agent = Setup::new().env("DAILY_BUDGET", "10").env("MONTHLY_BUDGET", "none").start();
    agent.costs(r#"{"service":"openai","amount_usd":"8.999999999999"}"#).expect(200);
    assert_eq!(agent.get("/scaling-gate/status").json()["scaling_gate_active"], json!(false));
    agent.costs(r#"{"service":"openai","amount_usd":"0.000000000001"}"#).expect(200);
    let gate = agent.get("/scaling-gate/status").json();
    assert_eq!(gate["scaling_gate_active"], json!(true), "{gate}");
    assert!(gate["reason"].as_str().unwrap().contains("daily"), "the reason names the budget: {gate}");
    let metrics = agent.metrics();
    assert_eq!(metrics.get("lead_factory_scaling_gate_active", &[]), Some(1.0));
    assert_eq!(metrics.get("lead_factory_budget_utilization", &[("period", "daily")]), Some(90.0));
    assert_eq!(metrics.get("lead_factory_budget_utilization", &[("period", "monthly")]), None, "no such budget");
    agent.costs(r#"{"service":"openai","amount_usd":-1,"kind":"credit"}"#).expect(200);
    assert_eq!(agent.get("/scaling-gate/status").json()["scaling_gate_active"], json!(false));

    let history = agent.get("/scaling-gate/history").expect(200).json();
    let active: Vec<bool> = history.as_array().unwrap().iter().map(|change| change["active"].as_bool().unwrap()).collect();
    assert_eq!(active[..2], [false, true], "newest first: {history}");
}

#[test]
fn budgets_say_where_they_stand() {
    let agent = Setup::new().env("DAILY_BUDGET", "25").start();
    agent.costs(r#"[{"service":"openai","amount_usd":16},{"service":"sendgrid","amount_usd":4}]"#).expect(200);
    let budgets = agent.get("/budgets").expect(200).json();
    let named = |name: &str| budgets.as_array().unwrap().iter().find(|budget| budget["name"] == name).cloned().unwrap();
    let daily = named("daily");
    assert_eq!((&daily["spent_usd"], &daily["limit_usd"], &daily["remaining_usd"]), (&json!(20), &json!(25), &json!(5)));
    assert_eq!((&daily["service"], &daily["period"], &daily["reserved_usd"]), (&json!(null), &json!("daily"), &json!(0)));
    assert_eq!((&daily["state"], &daily["utilization_percent"]), (&json!("warning"), &json!(80.0)), "80 % is a warning");
    let monthly = named("monthly");
    assert_eq!((&monthly["state"], &monthly["utilization_percent"]), (&json!("ok"), &json!(2.0)));
    for instant in ["period_start", "period_end"] {
        assert!(daily[instant].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{daily}");
    }
    let forecast = &daily["forecast_usd"];
    assert!(forecast.is_null() || forecast.as_f64().unwrap() >= 20.0, "at this pace it is at least what was spent: {daily}");
    agent.costs(r#"{"service":"openai","amount_usd":2.5}"#).expect(200);
    assert_eq!(agent.get("/budgets").json()[0]["state"], "critical", "90 % closes the gate");
    agent.costs(r#"{"service":"openai","amount_usd":3}"#).expect(200);
    let daily = agent.get("/budgets").json()[0].clone();
    assert_eq!((&daily["state"], &daily["remaining_usd"]), (&json!("exhausted"), &json!(-0.5)));
}

#[test]
fn reads_answer_head_and_refuse_unknown_parameters() {
    let agent = Setup::new().start();
    for path in ["/", "/metrics", "/health", "/-/healthy", "/-/ready", "/costs/daily", "/budgets", "/openapi.json"] {
        let answer = agent.client().request("HEAD", path, &[], b"").unwrap();
        assert_eq!(answer.status, 200, "HEAD {path}");
        assert!(answer.body.is_empty());
    }
    assert_eq!(agent.get("/costs/daily?dat=2026-11-22").expect(400).slug(), "malformed");
    for path in ["/metrics?x=1", "/health?x=1", "/-/ready?x=1"] {
        agent.get(path).expect(200);
    }
}

#[test]
fn history_shows_days_without_cost_as_zero_oldest_first() {
    let agent = Setup::new().start();
    same_day(|today| {
        agent.costs(r#"{"id":"only","service":"openai","amount_usd":"1.25"}"#).expect(200);
        let history = agent.get("/costs/history?days=3").expect(200).json();
        let days: Vec<&str> = history.as_array().unwrap().iter().map(|day| day["date"].as_str().unwrap()).collect();
        let yesterday = today.yesterday().unwrap();
        let expected = [yesterday.yesterday().unwrap(), yesterday, today].map(|day| day.to_string());
        assert_eq!(days, expected);
        assert_eq!(history[0]["total_usd"], json!(0));
        assert_eq!(history[0]["by"], json!({}));
        assert_eq!(history[2]["total_usd"].to_string(), "1.25");
        assert_eq!(history[2]["by"], json!({"openai": 1.25}));
    });
}
