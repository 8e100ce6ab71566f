//! What befalls files, clocks and the way to the database: copies, restored backups, wrong clocks, leases with an end, poolers.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::postgres::Pooler;
use super::{Postgres, SOON, agent, amount, commit, fleet, init, release, reserve, shared, start, wait_until_up};
use crate::support::{Setup, TestAgent, within};

/// As long as a lease may be at least.
const TTL: Duration = Duration::from_secs(6);

fn spent(agent: &TestAgent) -> f64 {
    amount(&shared(agent)["spent_usd"])
}

fn record(agent: &TestAgent, id: &str, usd: &str) {
    agent.costs(format!(r#"{{"id":"{id}","service":"openai","operation":"chat","amount_usd":{usd}}}"#)).expect(200);
}

fn total(agent: &TestAgent) -> String {
    agent.get("/fleet/costs/daily").expect(200).text()
}

/// An id that no reservation has had.
fn new_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("new-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Has the fleet grant nothing beyond the limit, and all of what is left within it.
#[track_caller]
fn assert_left(agent: &TestAgent, usd: &str, beyond: &str) {
    let refused = reserve(agent, &new_id(), beyond).expect(409);
    assert_eq!(refused.slug(), "budget-exhausted", "{}", refused.text());
    let id = new_id();
    within(SOON, "what is left is granted", || (reserve(agent, &id, usd).status == 201).then_some(()));
    release(agent, &id).expect(200);
}

#[test]
fn an_older_copy_of_a_ledger_is_noticed_and_all_its_sums_are_sent_anew() {
    let postgres = Postgres::start();
    init(&postgres);
    let setup = agent(&postgres.url(), "10");
    let other = agent(&postgres.url(), "10").start();
    let mut first = setup.start();
    [&first, &other].into_iter().for_each(wait_until_up);
    record(&first, "1", "1");
    within(SOON, "the first cost is known", || (total(&other) == r#"{"openai":1}"#).then_some(()));
    assert!(first.terminate().success());
    let backup = setup.folder().join("backup.db");
    fs::copy(setup.ledger(), &backup).unwrap();
    first = setup.start();
    wait_until_up(&first);
    record(&first, "2", "4");
    within(SOON, "the second cost is known", || (total(&other) == r#"{"openai":5}"#).then_some(()));
    within(SOON, "it has something in hand", || (amount(&shared(&first)["own_lease_usd"]) > 0.0).then_some(()));
    first.kill();
    for ending in ["-wal", "-shm"] {
        let mut beside = setup.ledger().as_os_str().to_owned();
        beside.push(ending);
        let _ = fs::remove_file(beside);
    }
    fs::rename(&backup, setup.ledger()).unwrap();
    first = setup.start();
    // It has lost a cost, and its sums are what it has. What was once reported stays spent.
    within(SOON, "the sums are what the ledger has", || (total(&other) == r#"{"openai":1}"#).then_some(()));
    // The file is another one, at another place: whoever had it before is waited for.
    within(Duration::from_secs(90), "the agent takes part", || fleet(&first)["up"].as_bool().filter(|up| *up));
    assert!(first.log().contains("earlier time"), "{}", first.log());
    within(SOON, "what was reported counts", || (spent(&other) == 5.0).then_some(()));
    // What the ledger had in hand at its old place is in doubt until somebody says that it is lost.
    let refused = reserve(&other, "a", "5").expect(409);
    assert_eq!(refused.slug(), "budget-leased-elsewhere", "{}", refused.text());
    assert!(other.cli(&["fleet", "status"]).status.success());
    let ledger = fleet(&other)["agents"].as_array().unwrap().iter().find(|agent| agent["total_usd"] == 1).cloned();
    let ledger = ledger.expect("the agent is known")["ledger_id"].as_str().unwrap().to_owned();
    assert!(setup.verb(&["fleet", "forget", &ledger, "--yes"]).status.success());
    assert_left(&other, "5", "5.000001");
}

#[test]
fn a_restored_database_is_told_everything_again() {
    let mut postgres = Postgres::start();
    init(&postgres);
    let agents = start(&[agent(&postgres.url(), "10"), agent(&postgres.url(), "10")]);
    record(&agents[0], "1", "1");
    within(SOON, "the sums arrive", || (total(&agents[1]) == r#"{"openai":1}"#).then_some(()));
    postgres.kill();
    postgres.back_up();
    postgres.restart();
    agents.iter().for_each(wait_until_up);
    reserve(&agents[0], "a", "3").expect(201);
    commit(&agents[0], "a", "3").expect(200);
    reserve(&agents[1], "b", "5").expect(201);
    within(SOON, "the sums arrive", || (total(&agents[1]) == r#"{"openai":4}"#).then_some(()));
    postgres.kill();
    postgres.restore();
    postgres.restart();
    within(SOON, "the sums are whole again", || (total(&agents[1]) == r#"{"openai":4}"#).then_some(()));
    for agent in &agents {
        within(SOON, "the shares are whole again", || {
            let budget = shared(agent);
            (budget["spent_usd"] == 4 && budget["held_usd"] == 5).then_some(())
        });
    }
    agents.iter().for_each(wait_until_up);
    assert_left(&agents[0], "1", "1.000001");
}

#[test]
fn of_two_agents_with_one_ledger_the_later_takes_no_part() {
    let postgres = Postgres::start();
    init(&postgres);
    let setup = agent(&postgres.url(), "10");
    let mut first = setup.start();
    wait_until_up(&first);
    record(&first, "1", "1");
    assert!(first.terminate().success());
    let copy = agent(&postgres.url(), "10");
    fs::copy(setup.ledger(), copy.ledger()).unwrap();
    first = setup.start();
    wait_until_up(&first);
    let second = copy.start();
    within(SOON, "the later one knows why", || {
        let problem = fleet(&second)["problem"].as_str()?.to_owned();
        problem.contains("one of them has a copy").then_some(())
    });
    assert_eq!(second.metrics().get("lead_factory_fleet_up", &[]), Some(0.0));
    // It records and serves; of what is shared it grants nothing.
    record(&second, "2", "2");
    assert_eq!(reserve(&second, "a", "1").expect(503).slug(), "fleet-unreachable");
    reserve(&first, "a", "9").expect(201);
    assert_eq!(fleet(&first)["up"], true);
}

#[test]
fn a_lease_with_an_end_comes_back_and_what_is_spent_beyond_it_is_shown() {
    let postgres = Postgres::start();
    init(&postgres);
    let way = postgres.way();
    let ttl = |url: &str| agent(url, "10").env("FLEET_LEASE_TTL", "6s");
    let (far, near) = (ttl(&way.url()).start(), ttl(&postgres.url()).start());
    [&far, &near].into_iter().for_each(wait_until_up);
    reserve(&far, "a", "4").expect(201);
    let began = Instant::now();
    way.cut();
    // It grants to its lease's end, and nothing afterwards.
    within(SOON, "its lease ends", || (reserve(&far, &new_id(), "0.000001").status == 503).then_some(()));
    thread::sleep((TTL + Duration::from_millis(500)).saturating_sub(began.elapsed()));
    assert_eq!(reserve(&far, "c", "0.000001").expect(503).slug(), "fleet-unreachable");
    // What it held stays held; what it had in hand comes back to the others.
    within(SOON, "the rest is free", || (reserve(&near, "d", "5.9").status == 201).then_some(()));
    commit(&far, "a", "4.5").expect(200);
    way.mend();
    wait_until_up(&far);
    within(SOON, "the overrun is shown", || (amount(&shared(&near)["overrun_usd"]) > 0.39).then_some(()));
    assert_eq!(reserve(&near, "e", "0.01").expect(409).slug(), "budget-exhausted");
}

#[test]
fn clocks_that_are_an_hour_off_change_nothing_of_what_may_be_spent() {
    let postgres = Postgres::start();
    init(&postgres);
    let at = |utc: &str| agent(&postgres.url(), "10").with_wall_clock(utc);
    let agents = start(&[at("2026-11-20 11:00:00"), at("2026-11-20 12:00:00"), at("2026-11-20 13:00:00")]);
    for (agent, id) in agents.iter().zip(["a", "b", "c"]) {
        reserve(agent, id, "3").expect(201);
    }
    assert_left(&agents[0], "1", "1.000001");
    release(&agents[2], "c").expect(200);
    assert_left(&agents[1], "4", "4.000001");
}

#[test]
fn what_is_held_over_midnight_is_held_in_the_new_day_of_all_agents() {
    let postgres = Postgres::start();
    init(&postgres);
    let daily = || {
        Setup::new()
            .env("FLEET_URL", postgres.url())
            .env("FLEET_BUDGETS", "daily")
            .env("DAILY_BUDGET", "10")
            .env("MONTHLY_BUDGET", "none")
            .with_wall_clock("2026-11-20 23:58:30")
    };
    let setups = [daily(), daily()];
    let agents = start(&setups);
    reserve(&agents[0], "a", "6").expect(201);
    reserve(&agents[1], "b", "1").expect(201);
    let go = |utc: &str| setups.iter().for_each(|setup| fs::write(setup.wall_clock(), utc).unwrap());
    go("2026-11-20 23:59:30");
    // A later day is asked for ahead; of this one as much is left as before.
    within(SOON, "the next day's pool is there", || {
        (postgres.sql("SELECT count(*) FROM lead_factory_fleet.pool") == "2").then_some(())
    });
    within(SOON, "what is left is granted", || (reserve(&agents[1], "c", "3").status == 201).then_some(()));
    release(&agents[1], "c").expect(200);
    go("2026-11-21 00:00:05");
    for agent in &agents {
        within(SOON, "the new day begins", || {
            let budget = shared(agent);
            (budget["period_start"] == "2026-11-21T00:00:00Z" && budget["held_usd"] == 7).then_some(())
        });
    }
    let refused = reserve(&agents[1], "d", "3.000001").expect(409);
    assert_eq!(refused.slug(), "budget-exhausted", "{}", refused.text());
    within(SOON, "what is left is granted", || (reserve(&agents[1], "e", "3").status == 201).then_some(()));
}

#[test]
fn a_limit_that_somebody_sets_holds_for_all_agents() {
    let postgres = Postgres::start();
    init(&postgres);
    // The smallest of their settings holds, and that is told.
    let agents = start(&[agent(&postgres.url(), "10"), agent(&postgres.url(), "8")]);
    within(3 * SOON, "it is told", || (!fleet(&agents[0])["warnings"].as_array().unwrap().is_empty()).then_some(()));
    within(SOON, "the smallest holds", || (shared(&agents[0])["limit_usd"] == 8).then_some(()));
    assert_left(&agents[0], "8", "8.000001");
    let set = |agent: &TestAgent, limit: &str| {
        let body = format!(r#"{{"limit_usd":{limit},"reason":"a busy day","actor":"ann"}}"#);
        agent.client().request("PUT", "/budgets/all", &[super::JSON], body.as_bytes()).unwrap().expect(200).json()
    };
    assert_eq!(set(&agents[1], "20")["limit_usd"], 20);
    for agent in &agents {
        within(SOON, "all have the new limit", || {
            let item: Value = agent.get("/budgets").expect(200).json()[0].clone();
            (item["limit_usd"] == 20 && item["override"]["actor"] == "ann").then_some(())
        });
    }
    assert_left(&agents[0], "19", "20.000001");
    set(&agents[0], "null");
    within(SOON, "the settings hold again", || (shared(&agents[1])["limit_usd"] == 8).then_some(()));
}

#[test]
fn a_pooler_in_transaction_mode_is_as_good_as_the_database() {
    let postgres = Postgres::start();
    let pooler = Pooler::start(&postgres);
    let done = Setup::new().env("FLEET_URL", pooler.url()).verb(&["fleet", "init"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let setups: Vec<_> = (0..4).map(|_| agent(&pooler.url(), "4")).collect();
    let agents = start(&setups);
    for round in 0..16 {
        let agent = &agents[round % 4];
        let id = format!("r{round}");
        within(SOON, "it is granted", || (reserve(agent, &id, "0.25").status == 201).then_some(()));
        record(agent, &format!("e{round}"), "0");
    }
    assert_eq!(reserve(&agents[0], "more", "0.01").expect(409).slug(), "budget-exhausted");
    commit(&agents[3], "r15", "0.25").expect(200);
    within(SOON, "the sums arrive", || (total(&agents[0]) == r#"{"openai":0.25}"#).then_some(()));
}
