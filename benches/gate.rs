//! The promise: asking costs what HTTP costs, setting money aside costs what recording costs, and open holds slow nothing down.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::Agent;
use crate::floor::Floor;
use crate::http::{self, HttpAnswers};
use crate::ingest::{AGENT, single_load};
use crate::load::Load;
use crate::reads::{WARP, against_warp, with_costs};
use crate::site::Site;
use crate::template::{ID_PLACE, Random, Template};
use crate::trial::Demand::{AtLeast, AtMost};
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Round, Trial};
use crate::{Outcome, machine};

const CHECK: &str = "/scaling-gate/check";
const CHECK_ASKED: &str = "/scaling-gate/check?service=openai&operation=chat&estimated_cost_usd=0.01";
const AUTHORIZE: &str = "/scaling-gate/authorize";
const AUTHORIZE_ASKED: &str = "/scaling-gate/authorize?service=openai&operation=chat&estimated_cost_usd=0.01";
const CONNECTIONS: usize = 16;
const CLIENTS: usize = 50;
const PAIRS: &str = "reserve + commit";
const SINGLE: &str = "single events";
const ALONE: &str = "no holds";
const HELD: &str = "100,000 open holds";
const HOLDS: u64 = 100_000;
/// Recorded beside the checks: a batch of so many events, so many times a second.
const BATCH_EVENTS: usize = 10;
const BETWEEN_BATCHES: Duration = Duration::from_millis(2);
const IDLE: Duration = Duration::from_secs(1);
const KIB_PER_MIB: f64 = 1_024.0;

pub fn trials(bench: &Bench) -> Vec<Trial> {
    let of_few = Trial {
        bars: vec![Bar::ratio(Figure::Rate, PAIRS, SINGLE, AtLeast(0.5))],
        ..pairs(bench, "reserve-commit-16", CONNECTIONS)
    };
    let bars = vec![Bar::ratio(Figure::Rate, PAIRS, SINGLE, AtLeast(0.4)), Bar::alone(Figure::P99, PAIRS, AtMost(10.0))];
    let of_many = Trial { bars, ..pairs(bench, "reserve-commit", CLIENTS) };
    vec![check(bench), authorize(bench), check_beside_recording(bench), of_few, of_many, holds(bench)]
}

fn check(bench: &Bench) -> Trial {
    let bars = vec![Bar::ratio(Figure::Cpu, AGENT, WARP, AtMost(1.5))];
    Trial { bars, ..against_warp(bench, "gate-check", CHECK, CHECK_ASKED) }
}

fn authorize(bench: &Bench) -> Trial {
    let contender = |name, asked: &'static str| {
        let site = bench.site();
        Contender::agent(name, move |pace: &Pace| {
            let agent = with_costs(&site)?;
            asking(asked).run(agent.address, pace, || agent.cpu())
        })
    };
    Trial {
        name: "gate-authorize",
        title: format!("GET {AUTHORIZE_ASKED}, connections: {CONNECTIONS}, against a check"),
        contenders: vec![contender(AUTHORIZE, AUTHORIZE_ASKED), contender(CHECK, CHECK_ASKED)],
        bars: vec![Bar::ratio(Figure::Cpu, AUTHORIZE, CHECK, AtMost(1.1))],
    }
}

fn check_beside_recording(bench: &Bench) -> Trial {
    let site = bench.site();
    let own = Contender::agent(AGENT, move |pace: &Pace| {
        let agent = with_costs(&site)?;
        beside_recording(&agent, || asking(CHECK_ASKED).run(agent.address, pace, || agent.cpu()))
    });
    // What the machine leaves of a bare route while an agent records as much.
    let site = bench.site();
    let floor = Contender::new(WARP, move |pace: &Pace| {
        let agent = with_costs(&site)?;
        let body = String::from_utf8(http::ask(agent.address, &http::get(CHECK_ASKED))?)?;
        let floor = Floor::start(&["warp-same", CHECK, "application/json", &body])?;
        let address = floor.address()?;
        beside_recording(&agent, || asking(CHECK_ASKED).run(address, pace, || floor.cpu()))
    });
    Trial {
        name: "gate-check-beside-recording",
        title: format!("GET {CHECK}, connections: {CONNECTIONS}, while 5,000 events a second are recorded"),
        contenders: vec![own, floor],
        bars: vec![Bar::alone(Figure::P99, AGENT, AtMost(1.0)), Bar::ratio(Figure::P99, AGENT, WARP, AtMost(1.5))],
    }
}

/// Measures while an agent records 5,000 events a second.
fn beside_recording(agent: &Agent, measure: impl FnOnce() -> Outcome<Round>) -> Outcome<Round> {
    let over = Arc::new(AtomicBool::new(false));
    let recorder = {
        let (address, over) = (agent.address, Arc::clone(&over));
        thread::spawn(move || record_until(address, &over).map_err(|error| error.to_string()))
    };
    let round = measure();
    over.store(true, Ordering::Relaxed);
    recorder.join().map_err(|_| "the recorder panicked")??;
    round
}

fn pairs(bench: &Bench, name: &'static str, connections: usize) -> Trial {
    let contender = |name, load: Load<HttpAnswers>| {
        let site = bench.site();
        Contender::agent(name, move |pace: &Pace| {
            let agent = Agent::start_empty(&site)?;
            load.run(agent.address, pace, || agent.cpu())
        })
    };
    Trial {
        name,
        title: format!(
            "POST /reservations and .../commit by turns, connections: {connections}; figures are of pairs but for the times"
        ),
        contenders: vec![contender(PAIRS, pair_load(connections)), contender(SINGLE, single_load(connections))],
        bars: Vec::new(),
    }
}

fn holds(bench: &Bench) -> Trial {
    let contender = |name, holds: u64| {
        let site = bench.site();
        Contender::agent(name, move |pace: &Pace| with_holds(&site, holds, pace))
    };
    Trial {
        name: "holds",
        title: "One event a request, 16 connections, with and without 100,000 open holds".into(),
        contenders: vec![contender(ALONE, 0), contender(HELD, HOLDS)],
        bars: vec![Bar::ratio(Figure::Rate, HELD, ALONE, AtLeast(0.9)), Bar::alone(Figure::Memory, HELD, AtMost(64.0))],
    }
}

fn with_holds(site: &Site, holds: u64, pace: &Pace) -> Outcome<Round> {
    let agent = Agent::start_empty(site)?;
    if holds > 0 {
        reserve_load(64).send(agent.address, holds)?;
    }
    let mut round = single_load(CONNECTIONS).run(agent.address, pace, || agent.cpu())?;
    thread::sleep(IDLE);
    let memory = machine::memory(agent.pid())?;
    round.insert(Figure::Memory, memory.resident_kib as f64 / KIB_PER_MIB);
    round.insert(Figure::MemoryPeak, memory.peak_kib as f64 / KIB_PER_MIB);
    Ok(round)
}

fn record_until(address: SocketAddr, over: &AtomicBool) -> Outcome<()> {
    let event = format!(r#"{{"id":"{ID_PLACE}","service":"openai","operation":"chat","amount_usd":0.0000015}}"#);
    let mut batch = Template::new(http::post("application/x-ndjson", &format!("{event}\n").repeat(BATCH_EVENTS)));
    let mut random = Random::new();
    let mut due = Instant::now();
    while !over.load(Ordering::Relaxed) {
        http::ask(address, batch.fill(&mut random))?;
        due += BETWEEN_BATCHES;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn asking(target: &str) -> Load<HttpAnswers> {
    let requests = vec![Template::new(http::get(target))];
    Load { connections: CONNECTIONS, requests, answers: HttpAnswers::default(), events_per_request: 1.0 }
}

fn reserve_load(connections: usize) -> Load<HttpAnswers> {
    let requests = vec![Template::new(reserve())];
    Load { connections, requests, answers: HttpAnswers::default(), events_per_request: 1.0 }
}

fn pair_load(connections: usize) -> Load<HttpAnswers> {
    let commit = http::post_to(&format!("/reservations/{ID_PLACE}/commit"), "application/json", r#"{"amount_usd":0.00235}"#);
    let requests = vec![Template::new(reserve()), Template::repeating(commit)];
    Load { connections, requests, answers: HttpAnswers::default(), events_per_request: 0.5 }
}

fn reserve() -> Vec<u8> {
    let body = format!(
        r#"{{"id":"{ID_PLACE}","service":"openai","operation":"chat","estimated_cost_usd":0.0025,"ttl_seconds":3600,"worker":"w-17"}}"#
    );
    http::post_to("/reservations", "application/json", &body)
}
