//! Many workers of many agents reserve from one budget at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{JSON, Postgres, agent, init, shared, start, wait_until_up};
use crate::support::{Client, TestAgent, within};

const AGENTS: usize = 8;
const RACERS: usize = 16;

/// What workers were granted and spent, in cents.
#[derive(Default)]
struct Spent {
    cents: AtomicU64,
    longest_ms: AtomicU64,
}

/// Reserves and commits a cent after the other until the budget is used up. What could not be known is tried again under the same id.
fn race(addr: std::net::SocketAddr, racer: &str, spent: &Spent) {
    let mut client = Client::new(addr);
    for round in 0.. {
        let id = format!("{racer}-{round}");
        let body =
            format!(r#"{{"id":"{id}","service":"openai","operation":"chat","estimated_cost_usd":0.01,"ttl_seconds":3600}}"#);
        loop {
            let began = Instant::now();
            let Ok(answer) = client.request("POST", "/reservations", &[JSON], body.as_bytes()) else {
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            let slug = if answer.status < 300 { String::new() } else { answer.slug() };
            match slug.as_str() {
                "" => {
                    let waited = u64::try_from(began.elapsed().as_millis()).unwrap();
                    spent.longest_ms.fetch_max(waited, Ordering::Relaxed);
                    break;
                }
                "budget-exhausted" => return,
                "budget-leased-elsewhere" | "fleet-unreachable" | "ledger-unavailable" | "overloaded" | "shutting-down" => {
                    thread::sleep(Duration::from_millis(20));
                }
                other => panic!("{other}: {}", answer.text()),
            }
        }
        loop {
            let path = format!("/reservations/{id}/commit");
            match client.request("POST", &path, &[JSON], br#"{"amount_usd":0.01}"#) {
                Ok(answer) if answer.status == 200 => break,
                _ => thread::sleep(Duration::from_millis(20)),
            }
        }
        spent.cents.fetch_add(1, Ordering::Relaxed);
    }
}

/// All workers of all agents at once, while something else happens.
fn race_all(agents: &[std::net::SocketAddr], meanwhile: impl FnOnce()) -> Spent {
    let spent = Spent::default();
    thread::scope(|scope| {
        for (at, addr) in agents.iter().enumerate() {
            for racer in 0..RACERS {
                let (addr, spent) = (*addr, &spent);
                scope.spawn(move || race(addr, &format!("{at}-{racer}"), spent));
            }
        }
        meanwhile();
    });
    spent
}

fn addresses(agents: &[TestAgent]) -> Vec<std::net::SocketAddr> {
    agents.iter().map(TestAgent::addr).collect()
}

#[test]
fn eight_agents_spend_the_limit_to_the_cent_and_not_one_beyond() {
    let postgres = Postgres::start();
    init(&postgres);
    let setups: Vec<_> = (0..AGENTS).map(|_| agent(&postgres.url(), "20")).collect();
    let agents = start(&setups);
    let spent = race_all(&addresses(&agents), || ());
    assert_eq!(spent.cents.load(Ordering::Relaxed), 2_000);
    within(super::SOON, "the sums arrive", || (shared(&agents[0])["spent_usd"] == 20).then_some(()));
    assert_eq!(postgres.sql("SELECT count(*) FROM lead_factory_fleet.lease WHERE lost > 0"), "0");
    for (setup, mut agent) in setups.iter().zip(agents) {
        assert!(agent.terminate().success(), "{}", agent.log());
        setup.assert_verifies();
    }
}

#[test]
fn nothing_is_overspent_through_cuts_kills_and_restarts_of_the_database() {
    let mut postgres = Postgres::start();
    init(&postgres);
    let way = postgres.way();
    let setups: Vec<_> = (0..AGENTS).map(|at| agent(&if at < 2 { way.url() } else { postgres.url() }, "30")).collect();
    let agents = start(&setups);
    let spent = race_all(&addresses(&agents), || {
        way.cut();
        agents[3].while_stopped(|| thread::sleep(Duration::from_millis(1_500)));
        postgres.kill();
        thread::sleep(Duration::from_millis(500));
        postgres.restart();
        way.mend();
        agents.iter().for_each(wait_until_up);
    });
    assert_eq!(spent.cents.load(Ordering::Relaxed), 3_000);
    for agent in &agents {
        agent.assert_healthy();
    }
}
