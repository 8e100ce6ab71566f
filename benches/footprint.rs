//! The promise: it is small beside what it serves, and there as soon as it is started, however long its ledger.

use std::thread;
use std::time::Duration;

use crate::agent::Agent;
use crate::events::BATCH;
use crate::ingest::{batch_load, single_load};
use crate::ledgers::{Ledgers, MILLION};
use crate::site::Site;
use crate::trial::Demand::AtMost;
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Round, Trial};
use crate::{Outcome, machine};

const EMPTY: &str = "empty ledger";
const LARGE: &str = "10 million events";
const AFTER_MILLION: &str = "after 1 million events";
const LARGE_USED: &str = "10 million, and recording";
/// So long nobody asks for anything before memory is looked at.
const IDLE: Duration = Duration::from_secs(1);
/// Of a million events, so many come one a request.
const SINGLE_EVENTS: u64 = 20_000;
const KIB_PER_MIB: f64 = 1_024.0;
const LARGE_MILLIONS: u64 = 10;

pub fn trials(bench: &Bench) -> Vec<Trial> {
    vec![start(bench), memory(bench)]
}

fn start(bench: &Bench) -> Trial {
    let site = bench.site();
    let mut contenders = vec![Contender::agent(EMPTY, move |_| {
        let agent = Agent::start_empty(&site)?;
        let ready = ready(&agent);
        Ok([ready, memory_when_idle(&agent)?].into_iter().flatten().collect())
    })];
    let mut bars = vec![Bar::alone(Figure::Ready, EMPTY, AtMost(50.0)), Bar::alone(Figure::Memory, EMPTY, AtMost(13.0))];
    if !bench.options.quick {
        let ledgers = Ledgers::of(bench);
        let mut copy = None;
        contenders.push(Contender::agent(LARGE, move |_| {
            let copy = match &copy {
                Some(copy) => copy,
                None => copy.insert(ledgers.copy(LARGE_MILLIONS)?),
            };
            let agent = copy.start()?;
            let round = [ready(&agent), memory_when_idle(&agent)?].into_iter().flatten().collect();
            agent.stop()?;
            Ok(round)
        }));
        bars.push(Bar::alone(Figure::Ready, LARGE, AtMost(1_000.0)));
        bars.push(Bar::alone(Figure::Memory, LARGE, AtMost(64.0)));
    }
    Trial { name: "start", title: "From the start of the process until ready, and idle memory".into(), contenders, bars }
}

fn memory(bench: &Bench) -> Trial {
    let site = bench.site();
    let mut contenders = vec![Contender::agent(AFTER_MILLION, move |_| after_a_million(&site))];
    let mut bars = vec![Bar::alone(Figure::Memory, AFTER_MILLION, AtMost(40.0))];
    if !bench.options.quick {
        let ledgers = Ledgers::of(bench);
        contenders.push(Contender::agent(LARGE_USED, move |pace| {
            let copy = ledgers.copy(LARGE_MILLIONS)?;
            used(&copy.start()?, pace)
        }));
        bars.push(Bar::alone(Figure::Memory, LARGE_USED, AtMost(64.0)));
    }
    Trial { name: "memory", title: "Memory after recording".into(), contenders, bars }
}

fn after_a_million(site: &Site) -> Outcome<Round> {
    let agent = Agent::start_empty(site)?;
    batch_load().send(agent.address, (MILLION - SINGLE_EVENTS) / BATCH as u64)?;
    single_load(16).send(agent.address, SINGLE_EVENTS)?;
    memory_when_idle(&agent)
}

/// Both kinds of load, one after the other.
fn used(agent: &Agent, pace: &Pace) -> Outcome<Round> {
    batch_load().run(agent.address, pace, || agent.cpu())?;
    single_load(64).run(agent.address, pace, || agent.cpu())?;
    memory_when_idle(agent)
}

fn ready(agent: &Agent) -> Round {
    Round::from([(Figure::Ready, agent.ready_after.as_secs_f64() * 1e3)])
}

fn memory_when_idle(agent: &Agent) -> Outcome<Round> {
    thread::sleep(IDLE);
    let memory = machine::memory(agent.pid())?;
    Ok(Round::from([
        (Figure::Memory, memory.resident_kib as f64 / KIB_PER_MIB),
        (Figure::MemoryPeak, memory.peak_kib as f64 / KIB_PER_MIB),
    ]))
}
