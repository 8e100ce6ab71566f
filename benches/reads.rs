//! The promise: reading costs what HTTP costs, since the answer is in memory.

use crate::Outcome;
use crate::agent::Agent;
use crate::events::{self, Template};
use crate::floor::Floor;
use crate::http::{self, HttpAnswers};
use crate::ingest::AGENT;
use crate::load::Load;
use crate::trial::Demand::AtLeast;
use crate::trial::{Bar, Bench, Contender, Figure, Trial};

const WARP: &str = "warp, same bytes";
const CONNECTIONS: usize = 16;
const DAILY: &str = "/costs/daily";
const CHECK: &str = "/scaling-gate/check";
const CHECK_ASKED: &str = "/scaling-gate/check?service=openai&operation=chat&estimated_cost_usd=0.01";

/// `/scaling-gate/check` only where the program knows it.
pub fn trials(bench: &Bench) -> Outcome<Vec<Trial>> {
    let mut trials = vec![trial(bench, "read-daily", DAILY, DAILY)];
    if bench.options.wants("read-gate-check") && knows_checks(bench)? {
        trials.push(trial(bench, "read-gate-check", CHECK, CHECK_ASKED));
    }
    for trial in &mut trials {
        trial.bars.push(Bar::ratio(Figure::Rate, AGENT, WARP, AtLeast(0.8)));
    }
    Ok(trials)
}

fn trial(bench: &Bench, name: &'static str, path: &'static str, asked: &'static str) -> Trial {
    let load = Load {
        connections: CONNECTIONS,
        requests: vec![Template::new(http::get(asked))],
        answers: HttpAnswers::default(),
        events_per_request: 1,
    };
    let (folder, for_agent) = (bench.folder().to_owned(), load.clone());
    let own = Contender::new(AGENT, move |pace| {
        let agent = with_costs(&folder)?;
        for_agent.run(agent.address, pace, || agent.cpu())
    });
    let folder = bench.folder().to_owned();
    let floor = Contender::new(WARP, move |pace| {
        let agent = with_costs(&folder)?;
        let body = String::from_utf8(http::ask(agent.address, &http::get(asked))?)?;
        drop(agent);
        let floor = Floor::start(&["warp-same", path, "application/json", &body])?;
        load.run(floor.address()?, pace, || floor.cpu())
    });
    let title = format!("GET {path}, connections: {CONNECTIONS}");
    Trial { name, title, contenders: vec![own, floor], bars: Vec::new() }
}

/// An agent with cost of today in each service.
fn with_costs(folder: &std::path::Path) -> Outcome<Agent> {
    let agent = Agent::start_empty(folder)?;
    http::ask(agent.address, events::batch_post().fill(&mut events::Random::new()))?;
    Ok(agent)
}

fn knows_checks(bench: &Bench) -> Outcome<bool> {
    let agent = Agent::start_empty(bench.folder())?;
    Ok(http::ask(agent.address, &http::get(CHECK_ASKED)).is_ok())
}
