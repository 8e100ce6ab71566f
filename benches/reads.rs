//! The promise: reading costs what HTTP costs, since the answer is in memory.

use crate::Outcome;
use crate::agent::Agent;
use crate::events;
use crate::floor::Floor;
use crate::http::{self, HttpAnswers};
use crate::ingest::AGENT;
use crate::load::Load;
use crate::site::Site;
use crate::template::{Random, Template};
use crate::trial::Demand::AtLeast;
use crate::trial::{Bar, Bench, Contender, Figure, Trial};

pub const WARP: &str = "warp, same bytes";
const CONNECTIONS: usize = 16;
const DAILY: &str = "/costs/daily";

pub fn trials(bench: &Bench) -> Vec<Trial> {
    let bars = vec![Bar::ratio(Figure::Rate, AGENT, WARP, AtLeast(0.8))];
    vec![Trial { bars, ..against_warp(bench, "read-daily", DAILY, DAILY) }]
}

/// A read against a bare warp route with the same answer.
pub fn against_warp(bench: &Bench, name: &'static str, path: &'static str, asked: &'static str) -> Trial {
    let load = Load {
        connections: CONNECTIONS,
        requests: vec![Template::new(http::get(asked))],
        answers: HttpAnswers::default(),
        events_per_request: 1.0,
    };
    let (site, for_agent) = (bench.site(), load.clone());
    let own = Contender::agent(AGENT, move |pace| {
        let agent = with_costs(&site)?;
        for_agent.run(agent.address, pace, || agent.cpu())
    });
    let site = bench.site();
    let floor = Contender::new(WARP, move |pace| {
        let agent = with_costs(&site)?;
        let body = String::from_utf8(http::ask(agent.address, &http::get(asked))?)?;
        drop(agent);
        let floor = Floor::start(&["warp-same", path, "application/json", &body])?;
        load.run(floor.address()?, pace, || floor.cpu())
    });
    let title = format!("GET {path}, connections: {CONNECTIONS}");
    Trial { name, title, contenders: vec![own, floor], bars: Vec::new() }
}

/// An agent with cost of today in each service.
pub fn with_costs(site: &Site) -> Outcome<Agent> {
    let agent = Agent::start_empty(site)?;
    http::ask(agent.address, events::batch_post().fill(&mut Random::new()))?;
    Ok(agent)
}
