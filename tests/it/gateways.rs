//! `/scaling-gate/authorize`, and gateways that ask it.
//!
//! Guards against: a gateway that lets requests pass because the agent's answer was no answer to it.

use std::time::Duration;

use rusqlite::Connection;

use crate::support::{Setup, within};

#[test]
fn an_agent_that_cannot_record_cannot_tell() {
    let setup = Setup::new().env("CRITICAL_OPERATIONS", "rescue");
    let agent = setup.start();
    let status = |query: &str| agent.get(&format!("/scaling-gate/authorize?{query}")).status;
    assert_eq!(status("service=s"), 204);
    let other = Connection::open(setup.ledger()).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    agent.costs(r#"{"id":"a","service":"s","amount_usd":1}"#).expect(503);

    // Whoever recorded hears of it a moment before everybody else does.
    within(Duration::from_secs(20), "it is known that nothing can be recorded", || {
        (status("service=s") == 503).then_some(())
    });
    let answer = agent.get("/scaling-gate/authorize?service=s").expect(503);
    assert_eq!(answer.slug(), "ledger-unavailable");
    assert!(answer.header("retry-after").is_some() && answer.header("x-gate-reason").is_none());
    assert_eq!(status("service=s&estimated_cost_usd=9000"), 503, "nor is it known that this does not fit");
    assert_eq!(status("service=s&operation=rescue"), 204, "what is always allowed needs no ledger");
    assert_eq!(status(""), 400);
    let refused = agent.metrics().get("lead_factory_scaling_gate_blocked_total", &[("service", "other")]);
    assert_eq!(refused, None, "nothing was refused");

    other.execute_batch("ROLLBACK").unwrap();
    within(Duration::from_secs(20), "it can tell again", || (status("service=s") == 204).then_some(()));
    assert_eq!(status("service=s&estimated_cost_usd=9000"), 403);
}

#[test]
fn a_gate_that_only_watches_lets_everything_pass() {
    let agent = Setup::new().env("SCALING_GATE_ENABLED", "false").env("DAILY_BUDGET", "1").start();
    agent.costs(r#"{"id":"a","service":"s","amount_usd":2}"#).expect(200);
    assert_eq!(agent.get("/scaling-gate/authorize?service=s&estimated_cost_usd=5").status, 204);
}
