//! The promise: the database's work grows with agents, names and days, not with events; and 200 agents are no burden for one.

use std::cell::OnceCell;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::agent::Agent;
use crate::events;
use crate::fleet::{Server, member, running};
use crate::http;
use crate::peer_postgres::Postgres;
use crate::site::Site;
use crate::template::{Random, Template};
use crate::trial::Demand::AtMost;
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Round, Trial};

const AGENTS: usize = 200;
/// Pairs of service and operation: as many with few events as with many, since the work grows with them.
const NAMES: usize = 2;
const FEW: &str = "200 agents, 2 events/s each";
const MANY: &str = "200 agents, 20 events/s each";
/// Each agent is sent a batch once in a second.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds before and while it is measured.
const WARM_UP_ROUNDS: u32 = 10;
const ROUNDS: u32 = 20;
const LAG_MAX: Duration = Duration::from_secs(60);

pub fn trial(bench: &Bench, server: &Server) -> Trial {
    let contender = |name: &str, events: usize| {
        let (site, server) = (bench.site(), Rc::clone(server));
        Contender::new(name, move |_: &Pace| round(&site, &server, events))
    };
    Trial {
        name: "fleet-agents",
        title: format!("{AGENTS} agents share two budgets over one database, which has the machine in common with them"),
        contenders: vec![contender(FEW, 2), contender(MANY, 20)],
        bars: vec![
            Bar::ratio(Figure::Transactions, MANY, FEW, AtMost(1.1)),
            Bar::ratio(Figure::Rows, MANY, FEW, AtMost(1.1)),
            Bar::alone(Figure::Lag, FEW, AtMost(5.0)),
            Bar::alone(Figure::Lag, MANY, AtMost(5.0)),
        ],
    }
}

fn round(site: &Site, server: &Rc<OnceCell<Postgres>>, events: usize) -> Outcome<Round> {
    let server = running(site, server)?;
    let agents = (0..AGENTS).map(|_| member(site, server)).collect::<Outcome<Vec<Agent>>>()?;
    let mut batch = Template::new(http::post("application/x-ndjson", &events::lines_of(NAMES, events)));
    let mut random = Random::new();
    let mut send = |rounds: u32| -> Outcome<Instant> {
        for _ in 0..rounds {
            let began = Instant::now();
            for agent in &agents {
                http::ask(agent.address, batch.fill(&mut random))?;
            }
            thread::sleep(ROUND.saturating_sub(began.elapsed()));
        }
        Ok(Instant::now())
    };
    send(WARM_UP_ROUNDS)?;
    let (began, before) = (Instant::now(), work(server)?);
    let ended = send(ROUNDS)?;
    let (minutes, after) = (began.elapsed().as_secs_f64() / 60.0, work(server)?);
    let per_agent = |index: usize| (after[index] - before[index]) / minutes / AGENTS as f64;
    let sent = agents.len() * events * (WARM_UP_ROUNDS + ROUNDS) as usize;
    let lag = lag(&agents, events, ended)?;
    Ok(Round::from([
        (Figure::Transactions, per_agent(0)),
        (Figure::Rows, per_agent(1)),
        (Figure::Lag, lag.as_secs_f64()),
        (Figure::Count, sent as f64),
    ]))
}

/// Transactions, and rows that were written, so far.
fn work(server: &Postgres) -> Outcome<[f64; 2]> {
    let said = server.query(
        "SELECT 'work', xact_commit + xact_rollback, tup_inserted + tup_updated + tup_deleted FROM pg_stat_database \
         WHERE datname = current_database()",
    )?;
    let line = said.lines().find(|line| line.trim_start().starts_with("work")).ok_or("no statistics")?;
    let mut numbers = line.split('|').skip(1).map(|number| number.trim().parse::<f64>());
    match (numbers.next(), numbers.next()) {
        (Some(Ok(transactions)), Some(Ok(rows))) => Ok([transactions, rows]),
        _ => Err(said.into()),
    }
}

/// How long it takes until the fleet's total is what all agents have together.
fn lag(agents: &[Agent], events: usize, ended: Instant) -> Outcome<Duration> {
    let [first, ..] = agents else { return Err("no agent".into()) };
    let own = http::ask(first.address, &http::get("/costs/daily?by=operation"))?;
    let own: serde_json::Value = serde_json::from_slice(&own)?;
    let sum = |value: &serde_json::Value| -> f64 {
        let services = value.as_object().into_iter().flat_map(|services| services.values());
        services
            .flat_map(|operations| operations.as_object().into_iter().flat_map(|sums| sums.values()))
            .filter_map(serde_json::Value::as_f64)
            .sum()
    };
    let expected = sum(&own) * agents.len() as f64;
    if events == 0 || expected <= 0.0 {
        return Err("nothing was recorded".into());
    }
    loop {
        let fleet = http::ask(first.address, &http::get("/fleet/costs/daily?by=operation"))?;
        let fleet: serde_json::Value = serde_json::from_slice(&fleet)?;
        if (sum(&fleet) - expected).abs() < expected * 1e-9 {
            return Ok(ended.elapsed());
        }
        if ended.elapsed() > LAG_MAX {
            return Err(format!("the fleet knows of {} of {expected}", sum(&fleet)).into());
        }
        thread::sleep(Duration::from_millis(50));
    }
}
