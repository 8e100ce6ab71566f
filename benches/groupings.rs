//! The promise: a grouping of a million events takes little longer than SQLite's own `GROUP BY` over the same file, stays within
//! its memory, and recording beside it goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::events::call;
use crate::floor::Floor;
use crate::http;
use crate::ingest::{AGENT, batch_load};
use crate::million::Million;
use crate::template::ID_PLACE;
use crate::trial::Demand::{AtLeast, AtMost};
use crate::trial::{Bar, Bench, Contender, Figure, Pace, Round, Trial};
use crate::{Outcome, machine};

const SQLITE: &str = "SQLite, GROUP BY";
const ALONE: &str = "recording alone";
const BESIDE: &str = "recording beside groupings";
const KIB_PER_MIB: f64 = 1024.0;

/// Trial, value of `by`, column of the ledger.
const GROUPINGS: [(&str, &str, &str); 4] = [
    ("grouping-lead", "lead", "lead_id"),
    ("grouping-worker", "worker", "worker"),
    ("grouping-model", "model", "model"),
    ("grouping-batch", "batch", "batch_id"),
];

pub fn trials(bench: &Bench) -> Vec<Trial> {
    // A million events with a lead each.
    let leads = Million::of(bench, json);
    let mut trials: Vec<Trial> = GROUPINGS.map(|(name, by, column)| grouping(&leads, name, by, column)).into();
    trials.push(recording(&leads));
    trials
}

fn grouping(leads: &Million, name: &'static str, by: &'static str, column: &'static str) -> Trial {
    let for_agent = leads.clone();
    let own = Contender::agent(AGENT, move |_| {
        let agent = for_agent.start()?;
        let began = Instant::now();
        http::ask(agent.address, &http::get(&format!("/costs/monthly?by={by}")))?;
        let took = began.elapsed();
        let peak = machine::memory(agent.pid())?.peak_kib as f64 / KIB_PER_MIB;
        agent.stop()?;
        Ok(Round::from([(Figure::P50, took.as_secs_f64() * 1e3), (Figure::MemoryPeak, peak)]))
    });
    let for_sqlite = leads.clone();
    let floor = Contender::new(SQLITE, move |_| {
        let ledger = for_sqlite.ledger()?;
        let floor = Floor::start(&["group-by", ledger.to_str().ok_or("a path that is not text")?, column])?;
        let &[took_ms] = floor.numbers()?.as_slice() else { return Err("a floor that said something else".into()) };
        Ok(Round::from([(Figure::P50, took_ms)]))
    });
    let bars =
        vec![Bar::ratio(Figure::P50, AGENT, SQLITE, AtMost(1.5)), Bar::alone(Figure::MemoryPeak, AGENT, AtMost(128.0))];
    let title = format!("GET /costs/monthly?by={by} over a million events with a million leads");
    Trial { name, title, contenders: vec![own, floor], bars }
}

fn recording(leads: &Million) -> Trial {
    let (alone, beside) = (leads.clone(), leads.clone());
    let contenders = vec![
        Contender::agent(ALONE, move |pace| record(&alone, pace, false)),
        Contender::agent(BESIDE, move |pace| record(&beside, pace, true)),
    ];
    let bars =
        vec![Bar::ratio(Figure::Rate, BESIDE, ALONE, AtLeast(0.9)), Bar::alone(Figure::MemoryPeak, BESIDE, AtMost(128.0))];
    let title = "Recording 1,000 events a request beside one grouping by lead after the other".into();
    Trial { name: "grouping-beside", title, contenders, bars }
}

fn record(leads: &Million, pace: &Pace, is_read_meanwhile: bool) -> Outcome<Round> {
    let copy = leads.start_on_a_copy()?;
    let agent = &copy.agent;
    let (address, is_over) = (agent.address, AtomicBool::new(false));
    let mut round = thread::scope(|scope| {
        let ask = || {
            while is_read_meanwhile && !is_over.load(Ordering::Relaxed) {
                // One that takes too long on a busy machine is no failure of recording.
                let _ = http::ask(address, &http::get("/costs/monthly?by=lead"));
            }
        };
        let asking = scope.spawn(ask);
        let round = batch_load().run(address, pace, || agent.cpu());
        is_over.store(true, Ordering::Relaxed);
        asking.join().map_err(|_| "the reader panicked")?;
        round
    })?;
    round.insert(Figure::MemoryPeak, machine::memory(agent.pid())?.peak_kib as f64 / KIB_PER_MIB);
    Ok(round)
}

/// An event with a lead of its own.
fn json(number: usize) -> String {
    let call = call(number);
    let (service, operation, amount_usd) = (call.service, call.operation, call.amount_usd);
    let (worker, batch) = (number % 50, number % 100);
    format!(
        r#"{{"id":"{ID_PLACE}","service":"{service}","operation":"{operation}","amount_usd":{amount_usd},"lead_id":"{ID_PLACE}","worker":"worker-{worker}","batch_id":"batch-{batch}","model":"gpt-4o-mini"}}"#
    )
}

/// Being the floor: groups once, prints milliseconds.
pub fn group_by(file: &str, column: &str) -> Outcome<()> {
    let connection = rusqlite::Connection::open(file)?;
    let began = Instant::now();
    let mut statement = connection.prepare(&format!("SELECT {column}, sum(amount_pico) FROM event GROUP BY 1"))?;
    let mut rows = statement.query(())?;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        bytes += row.get_ref(0)?.as_str()?.len() + row.get_ref(1)?.as_i64()?.count_ones() as usize;
    }
    std::hint::black_box(bytes);
    println!("{}", began.elapsed().as_secs_f64() * 1e3);
    crate::floor::until_the_bench_ends();
    Ok(())
}
