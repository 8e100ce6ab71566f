//! The promise: a ledger of a million or ten million events is recorded into nearly as fast as an empty one.

use crate::http::HttpAnswers;
use crate::ingest::{batch_load, on_empty_ledger, single_load};
use crate::ledgers::Ledgers;
use crate::load::Load;
use crate::trial::Demand::AtLeast;
use crate::trial::{Bar, Bench, Contender, Figure, Trial};

const EMPTY: &str = "into an empty ledger";
const SINGLE_CONNECTIONS: usize = 16;

/// Millions of events that are there before, and what part of the empty ledger's rate is demanded.
const FILLED: [(u64, &str, f64); 2] = [(1, "into 1 million events", 0.9), (10, "into 10 million events", 0.8)];

pub fn trials(bench: &Bench) -> Vec<Trial> {
    vec![
        trial(bench, "history-batch", "1,000 events a request, 4 connections", &batch_load()),
        trial(bench, "history-single", "one event a request, 16 connections", &single_load(SINGLE_CONNECTIONS)),
    ]
}

fn trial(bench: &Bench, name: &'static str, title: &str, load: &Load<HttpAnswers>) -> Trial {
    let mut contenders = vec![Contender::agent(EMPTY, on_empty_ledger(bench.site(), load.clone()))];
    let mut bars = Vec::new();
    for (millions, name, least) in FILLED {
        if millions > 1 && bench.options.quick {
            continue;
        }
        let (ledgers, load) = (Ledgers::of(bench), load.clone());
        contenders.push(Contender::agent(name, move |pace| {
            // A new copy each time: a round of batches would make one million two.
            let copy = ledgers.copy(millions)?;
            let agent = copy.start()?;
            load.run(agent.address, pace, || agent.cpu())
        }));
        bars.push(Bar::ratio(Figure::Rate, name, EMPTY, AtLeast(least)));
    }
    Trial { name, title: format!("Recording beside old events: {title}"), contenders, bars }
}
