//! The promise: recording is as fast as Redis and faster than PostgreSQL, with every event on the disk before its answer.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

use crate::agent::Agent;
use crate::events::{self, BATCH, PAIRS};
use crate::floor::Floor;
use crate::http::HttpAnswers;
use crate::load::Load;
use crate::peer_postgres::Postgres;
use crate::peer_redis::Way;
use crate::site::Site;
use crate::trial::Demand::{AtLeast, AtMost};
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Round, Trial};
use crate::{Outcome, floor_disk, floor_sqlite, peer_redis};

/// The contender that all others are there for.
pub const AGENT: &str = "agent";
const WARP: &str = "warp, parses only";
const APPEND: &str = "warp, append and group commit";
const SQLITE: &str = "SQLite loop, 1,000 rows";
const DISK: [(&str, &str); 2] = [("disk, append and sync", "append"), ("disk, overwrite and sync", "overwrite")];
const SQLITE_SINGLE: &str = "SQLite loop, 1 row";
const REDIS_SCRIPT: &str = "Redis, script";
const REDIS_PAIR: &str = "Redis, 2 commands";
const REDIS_BATCH: &str = "Redis, pipelined";
const POSTGRES: &str = "PostgreSQL";
const BATCH_CONNECTIONS: usize = 4;

/// Demands on single events at one number of connections.
struct Bars {
    name: &'static str,
    connections: usize,
    over_redis: f64,
    /// Of the 99th percentile of Redis with the script, which does the same work.
    p99_over_redis_max: Option<f64>,
    /// Of a floor that only appends.
    over_append: Option<f64>,
    over_postgres: Option<f64>,
    p99_ms_max: Option<f64>,
}

const SINGLE: [Bars; 3] = [
    Bars {
        name: "ingest-single-1",
        connections: 1,
        over_redis: 0.95,
        p99_over_redis_max: None,
        over_append: None,
        over_postgres: None,
        p99_ms_max: None,
    },
    Bars {
        name: "ingest-single-16",
        connections: 16,
        over_redis: 1.0,
        p99_over_redis_max: Some(1.5),
        over_append: None,
        over_postgres: Some(1.7),
        p99_ms_max: None,
    },
    Bars {
        name: "ingest-single-64",
        connections: 64,
        over_redis: 0.8,
        p99_over_redis_max: None,
        over_append: Some(0.9),
        over_postgres: Some(3.5),
        p99_ms_max: Some(8.0),
    },
];

pub fn trials(bench: &Bench) -> Vec<Trial> {
    let postgres = Rc::new(OnceCell::new());
    let mut trials: Vec<Trial> = SINGLE.iter().map(|bars| single(bench, bars, &postgres)).collect();
    trials.push(batch(bench));
    trials
}

/// One event a request.
pub fn single_load(connections: usize) -> Load<HttpAnswers> {
    Load {
        connections,
        requests: events::single_posts(),
        answers: HttpAnswers::expecting(r#"{"accepted":1,"duplicates":0}"#),
        events_per_request: 1.0,
    }
}

/// NDJSON of a thousand events a request.
pub fn batch_load() -> Load<HttpAnswers> {
    Load {
        connections: BATCH_CONNECTIONS,
        requests: vec![events::batch_post()],
        answers: HttpAnswers::expecting(r#"{"accepted":1000,"duplicates":0}"#),
        events_per_request: BATCH as f64,
    }
}

/// The agent on an empty ledger, every round anew.
pub fn on_empty_ledger(site: Site, load: Load<HttpAnswers>) -> impl FnMut(&Pace) -> Outcome<Round> {
    move |pace| {
        let agent = Agent::start_empty(&site)?;
        load.run(agent.address, pace, || agent.cpu())
    }
}

/// A loop of transactions of so many rows, every round in a new file.
fn sqlite_loop(below: PathBuf, rows: usize) -> impl FnMut(&Pace) -> Outcome<Round> {
    move |pace| {
        let folder = tempfile::Builder::new().prefix("sqlite-").tempdir_in(&below)?;
        floor_sqlite::round(&folder.path().join("events.db"), rows, pace)
    }
}

fn single(bench: &Bench, bars: &Bars, postgres: &Rc<OnceCell<Postgres>>) -> Trial {
    let connections = bars.connections;
    let folder = bench.folder().to_owned();
    let load = single_load(connections);
    let mut contenders = vec![Contender::agent(AGENT, on_empty_ledger(bench.site(), load.clone()))];
    let append_load = load.clone();
    contenders.push(Contender::new(WARP, move |pace| {
        let floor = Floor::start(&["warp-parse"])?;
        load.run(floor.address()?, pace, || floor.cpu())
    }));
    let below = folder.clone();
    contenders.push(Contender::new(APPEND, move |pace| {
        let folder = tempfile::Builder::new().prefix("append-").tempdir_in(&below)?;
        let file = folder.path().join("events.db");
        let floor = Floor::start(&["append", file.to_str().ok_or("a path that is not text")?])?;
        append_load.run(floor.address()?, pace, || floor.cpu())
    }));
    if connections == 1 {
        contenders.push(Contender::new(SQLITE_SINGLE, sqlite_loop(folder.clone(), 1)));
        for (name, way) in DISK {
            let below = folder.clone();
            contenders.push(Contender::new(name, move |pace| {
                let folder = tempfile::Builder::new().prefix("disk-").tempdir_in(&below)?;
                floor_disk::round(&folder.path().join("log"), way, pace)
            }));
        }
    }
    let mut demands: Vec<Bar> = Vec::new();
    demands.extend(bars.over_append.map(|least| Bar::ratio(Figure::Rate, AGENT, APPEND, AtLeast(least))));
    demands.extend(bars.p99_ms_max.map(|most| Bar::alone(Figure::P99, AGENT, AtMost(most))));
    if bench.options.peers {
        for (name, way) in [(REDIS_SCRIPT, Way::Script), (REDIS_PAIR, Way::Pair)] {
            let folder = folder.clone();
            contenders.push(Contender::new(name, move |pace| peer_redis::single_round(&folder, way, connections, pace)));
            demands.push(Bar::ratio(Figure::Rate, AGENT, name, AtLeast(bars.over_redis)));
        }
        demands.extend(bars.p99_over_redis_max.map(|most| Bar::ratio(Figure::P99, AGENT, REDIS_SCRIPT, AtMost(most))));
        if let Some(ratio) = bars.over_postgres {
            let postgres = Rc::clone(postgres);
            contenders.push(Contender::new(POSTGRES, move |pace| {
                let server = match postgres.get() {
                    Some(server) => server,
                    None => {
                        let started = Postgres::start(&folder)?;
                        postgres.get_or_init(|| started)
                    }
                };
                server.single_round(connections, pace)
            }));
            demands.push(Bar::ratio(Figure::Rate, AGENT, POSTGRES, AtLeast(ratio)));
        }
    }
    Trial {
        name: bars.name,
        title: format!("One event a request, connections: {connections} ({PAIRS} pairs of service and operation)"),
        contenders,
        bars: demands,
    }
}

fn batch(bench: &Bench) -> Trial {
    let folder = bench.folder().to_owned();
    let mut contenders = vec![Contender::agent(AGENT, on_empty_ledger(bench.site(), batch_load()))];
    let mut bars = vec![Bar::ratio(Figure::Rate, AGENT, SQLITE, AtLeast(3.0))];
    contenders.push(Contender::new(SQLITE, sqlite_loop(folder.clone(), BATCH)));
    if bench.options.peers {
        contenders.push(Contender::new(REDIS_BATCH, move |pace| peer_redis::batch_round(&folder, BATCH_CONNECTIONS, pace)));
        bars.push(Bar::ratio(Figure::Rate, AGENT, REDIS_BATCH, AtLeast(3.5)));
        bars.push(Bar::ratio(Figure::P99, AGENT, REDIS_BATCH, AtMost(3.0)));
    }
    Trial {
        name: "ingest-batch",
        title: format!("{BATCH} events a request, connections: {BATCH_CONNECTIONS}"),
        contenders,
        bars,
    }
}
