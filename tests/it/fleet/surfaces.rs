//! What every surface of an agent says of a budget that the fleet shares.
//!
//! Guards against: one agent's spending that another one's gate, metrics, messages or page do not know of, and a limit that is set for
//! one agent alone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Postgres, SOON, init, wait_until_up};
use crate::support::{Receiver, Setup, TestAgent, within};

fn agent(database: &Postgres) -> Setup {
    Setup::new()
        .env("FLEET_URL", database.url())
        .env("FLEET_BUDGETS", "daily")
        .env("DAILY_BUDGET", "10")
        .env("MONTHLY_BUDGET", "none")
}

fn put(agent: &TestAgent, path: &str, body: &str) -> u16 {
    let headers = [("Content-Type", "application/json")];
    agent.client().request("PUT", path, &headers, body.as_bytes()).unwrap().status
}

#[test]
fn gate_metrics_messages_and_page_follow_what_others_spend() {
    let mut database = Postgres::start();
    init(&database);
    let receiver = Receiver::that_answers(200);
    let spends = agent(&database).start();
    let watches = agent(&database).env("WEBHOOK_URL", receiver.url("/hook")).env("WEBHOOK_FORMAT", "json").start();
    [&spends, &watches].into_iter().for_each(wait_until_up);
    spends.costs(r#"{"service":"openai","operation":"chat","amount_usd":9.5}"#).expect(200);

    let labels = [("budget", "daily"), ("period", "daily")];
    within(SOON, "metrics know what the fleet spent", || {
        (watches.metrics().get("lead_factory_budget_spent_usd", &labels) == Some(9.5)).then_some(())
    });
    assert_eq!(watches.metrics().get("lead_factory_daily_cost", &[("service", "openai")]), None, "costs are its own");
    within(SOON, "the gate is closed everywhere", || {
        let gate = watches.get("/scaling-gate/status").expect(200).json();
        (gate["scaling_gate_active"] == true && gate["budgets"][0]["utilization"] == 95.0).then_some(())
    });
    let item = watches.get("/budgets").expect(200).json()[0].clone();
    assert_eq!((&item["state"], &item["scope"]), (&Value::from("critical"), &Value::from("fleet")), "{item}");
    let types = || -> BTreeSet<String> {
        receiver.posted().iter().map(|posted| posted.json()["type"].as_str().unwrap().to_owned()).collect()
    };
    let expected = ["budget.critical", "gate.active"].map(str::to_owned);
    let mut told = BTreeSet::new();
    within(SOON, "messages tell of it", || {
        let now = types();
        if now != told {
            println!("told: {now:?}");
            told = now;
        }
        expected.iter().all(|kind| told.contains(kind)).then_some(())
    });
    let page = || {
        let answer = watches.client().request("GET", "/", &[("Accept", "text/html")], b"").unwrap().expect(200);
        answer.text()
    };
    assert!(page().contains("id=\"fleet\""), "{}", page());

    // One limit for all, at whichever agent somebody sets it.
    let order = r#"{"limit_usd":100,"reason":"The launch is tonight","actor":"ann"}"#;
    assert_eq!(put(&watches, "/budgets/daily", order), 200);
    within(SOON, "the limit holds everywhere, and the gate opens", || {
        let limit = |agent: &TestAgent| agent.get("/budgets").expect(200).json()[0]["limit_usd"].clone();
        let is_open = spends.get("/scaling-gate/status").expect(200).json()["scaling_gate_active"] == false;
        (is_open && [&spends, &watches].into_iter().all(|agent| limit(agent) == 100)).then_some(())
    });
    let history = spends.get("/budgets/history").expect(200).json();
    assert_eq!((&history[0]["reason"], &history[0]["actor"]), (&"The launch is tonight".into(), &"ann".into()));
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");

    database.kill();
    within(SOON, "it is noticed", || (watches.get("/fleet").expect(200).json()["up"] == false).then_some(()));
    assert_eq!(put(&watches, "/budgets/daily", &order.replace("100", "200")), 503);
    assert_eq!(watches.get("/budgets").expect(200).json()[0]["limit_usd"], 100, "nothing has changed");
    assert!(page().contains("takes no part"), "{}", page());
    [&spends, &watches].into_iter().for_each(TestAgent::assert_healthy);
}
