//! One budget over many agents, with a real database, real processes, and everything between them failing.
//!
//! Guards against: agents that together grant more than the limit, money that is stranded with an agent that does not use it, refusals that are
//! not true, a recorder that waits for the database, and shares that are doubled by kills, copies and restored files.

mod cli;
mod faults;
mod postgres;
mod races;
mod surfaces;
mod tls;

use std::time::Duration;

use serde_json::Value;

use crate::support::{Response, Setup, TestAgent, within};
pub use postgres::{Postgres, Way};

/// For what the program promises within seconds, on two cores that all tests share.
const SOON: Duration = Duration::from_secs(30);
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// An agent of a fleet whose agents share a budget of so many dollars for everything that ever happens.
fn agent(url: &str, limit: &str) -> Setup {
    Setup::new().env("FLEET_URL", url).env("DAILY_BUDGET", "none").env("MONTHLY_BUDGET", "none").setting(format!(
        "[[budget]]\nname = 'all'\nperiod = 'total'\nlimit_usd = {limit}\nscope = 'fleet'\ngate_at = 10\nwarn_at = 10"
    ))
}

/// Makes the database ready for a fleet.
#[track_caller]
fn init(postgres: &Postgres) {
    let done = Setup::new().env("FLEET_URL", postgres.url()).verb(&["fleet", "init"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Starts agents of one fleet, and waits until each takes part.
#[track_caller]
fn start(setups: &[Setup]) -> Vec<TestAgent> {
    let agents: Vec<_> = setups.iter().map(Setup::start).collect();
    agents.iter().for_each(wait_until_up);
    agents
}

#[track_caller]
fn wait_until_up(agent: &TestAgent) {
    within(SOON, "the agent takes part in the fleet", || fleet(agent)["up"].as_bool().filter(|up| *up));
}

#[track_caller]
fn fleet(agent: &TestAgent) -> Value {
    agent.get("/fleet").expect(200).json()
}

/// The one budget that is shared, as this agent knows it.
#[track_caller]
fn shared(agent: &TestAgent) -> Value {
    fleet(agent)["budgets"][0].clone()
}

fn reserve(agent: &TestAgent, id: &str, usd: &str) -> Response {
    let body = format!(r#"{{"id":"{id}","service":"openai","operation":"chat","estimated_cost_usd":{usd}}}"#);
    agent.client().request("POST", "/reservations", &[JSON], body.as_bytes()).unwrap()
}

fn commit(agent: &TestAgent, id: &str, usd: &str) -> Response {
    let body = format!(r#"{{"amount_usd":{usd}}}"#);
    agent.client().request("POST", &format!("/reservations/{id}/commit"), &[JSON], body.as_bytes()).unwrap()
}

fn release(agent: &TestAgent, id: &str) -> Response {
    agent.client().request("POST", &format!("/reservations/{id}/release"), &[JSON], b"{}").unwrap()
}

#[track_caller]
fn amount(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no amount: {value}"))
}

#[test]
fn what_one_agent_does_not_use_another_can_have() {
    let postgres = Postgres::start();
    init(&postgres);
    let agents = start(&[agent(&postgres.url(), "10"), agent(&postgres.url(), "10")]);
    reserve(&agents[0], "a", "6").expect(201);
    reserve(&agents[1], "b", "4").expect(201);
    // All is held, and all who might have some of it have said that they do not.
    let refused = reserve(&agents[1], "c", "0.01").expect(409);
    assert_eq!((refused.slug().as_str(), &refused.json()["budget"]), ("budget-exhausted", &Value::from("all")));
    release(&agents[0], "a").expect(200);
    reserve(&agents[1], "d", "6").expect(201);
    assert_eq!(reserve(&agents[0], "e", "0.000001").expect(409).slug(), "budget-exhausted");
    // Each knows of what all have done.
    for agent in &agents {
        within(SOON, "the sums arrive", || (amount(&shared(agent)["held_usd"]) == 10.0).then_some(()));
    }
    commit(&agents[1], "d", "5").expect(200);
    reserve(&agents[0], "f", "1").expect(201);
}

#[test]
fn costs_without_reservations_count_for_all() {
    let postgres = Postgres::start();
    init(&postgres);
    let agents = start(&[agent(&postgres.url(), "10"), agent(&postgres.url(), "10")]);
    agents[0].costs(r#"{"id":"1","service":"openai","operation":"chat","amount_usd":9.5}"#).expect(200);
    agents[1].costs(r#"{"id":"1","service":"anthropic","operation":"chat","amount_usd":0.25}"#).expect(200);
    let total = |agent: &TestAgent| agent.get("/fleet/costs/daily").expect(200).text();
    for agent in &agents {
        within(SOON, "the sums arrive", || (total(agent) == r#"{"anthropic":0.25,"openai":9.5}"#).then_some(()));
        within(SOON, "the budget knows", || (shared(agent)["spent_usd"] == 9.75).then_some(()));
        let item = agent.get("/budgets").expect(200).json()[0].clone();
        assert_eq!(
            (&item["scope"], &item["spent_usd"], &item["remaining_usd"]),
            (&"fleet".into(), &9.75.into(), &0.25.into())
        );
    }
    assert_eq!(reserve(&agents[1], "a", "0.26").expect(409).slug(), "budget-exhausted");
    reserve(&agents[1], "a", "0.25").expect(201);
}

#[test]
fn an_agent_without_its_database_records_and_grants_what_it_has() {
    let postgres = Postgres::start();
    init(&postgres);
    let way: Way = postgres.way();
    let far = agent(&way.url(), "10").start();
    let near = agent(&postgres.url(), "10").start();
    [&far, &near].into_iter().for_each(wait_until_up);
    reserve(&far, "a", "4").expect(201);
    release(&far, "a").expect(200);
    reserve(&far, "b", "3").expect(201);
    way.cut();
    within(SOON, "the agent notices", || (fleet(&far)["up"] == false).then_some(()));
    far.costs(r#"{"service":"openai","operation":"chat","amount_usd":0.5}"#).expect(200);
    commit(&far, "b", "3").expect(200);
    // It likes to have something in hand for that.
    reserve(&far, "small", "0.05").expect(201);
    release(&far, "small").expect(200);
    let refused = reserve(&far, "c", "6.4").expect(503);
    assert_eq!(refused.slug(), "fleet-unreachable");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(far.metrics().get("lead_factory_fleet_up", &[]), Some(0.0));
    // What it may have, nobody else gets, and it is told who has it.
    let refused = reserve(&near, "d", "9").expect(409);
    let document = refused.json();
    if refused.slug() == "budget-leased-elsewhere" {
        assert!(amount(&document["leased_elsewhere_usd"]) >= 0.0 && document["silent_agents"] == 1, "{document}");
    } else {
        assert_eq!(refused.slug(), "budget-exhausted", "it held all that it had: {document}");
    }
    way.mend();
    wait_until_up(&far);
    within(SOON, "what was spent meanwhile is counted", || (shared(&near)["spent_usd"] == 3.5).then_some(()));
    reserve(&near, "e", "6.5").expect(201);
    assert_eq!(reserve(&far, "f", "0.01").expect(409).slug(), "budget-exhausted");
}

#[test]
fn a_killed_agent_comes_back_to_its_share_and_a_lost_one_is_written_off() {
    let postgres = Postgres::start();
    init(&postgres);
    let setup = agent(&postgres.url(), "10");
    let mut first = setup.start();
    let second = agent(&postgres.url(), "10").start();
    [&first, &second].into_iter().for_each(wait_until_up);
    reserve(&first, "a", "6").expect(201);
    first.kill();
    let refused = reserve(&second, "b", "5").expect(409);
    assert!(["budget-leased-elsewhere", "budget-exhausted"].contains(&refused.slug().as_str()), "{}", refused.text());
    // Its holds are in its ledger, and so is its share in the database.
    first = setup.start();
    wait_until_up(&first);
    commit(&first, "a", "1").expect(200);
    within(SOON, "what it does not use is free again", || (reserve(&second, "b", "5").status == 201).then_some(()));
    let ledger = within(SOON, "what the first agent has spent is known", || {
        let agents = fleet(&second)["agents"].clone();
        let first = agents.as_array().unwrap().iter().find(|agent| agent["total_usd"] == 1)?;
        Some(first["ledger_id"].as_str().unwrap().to_owned())
    });
    reserve(&first, "c", "4").expect(201);
    first.kill();
    // One that was heard of a moment ago may still be there with what it holds.
    within(3 * SOON, "what the lost agent had is free", || {
        let done = setup.verb(&["fleet", "forget", &ledger, "--yes"]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        (reserve(&second, "d", "4").status == 201).then_some(())
    });
}
