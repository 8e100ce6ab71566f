//! SQLite as one would use it first: a loop of transactions into a table with a unique index on the id, and a rollup.
//!
//! In the process itself, without HTTP or JSON: all that remains is the disk and SQLite.

use std::time::{Duration, Instant};

use rusqlite::{CachedStatement, Connection};

use crate::events::call;
use crate::floor::{Floor, until_the_bench_ends};
use crate::template::Random;
use crate::trial::{Figure, Pace, Round};
use crate::{Outcome, machine};

/// The columns of the agent's own table of events, with the id as its 16 bytes.
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY, recorded_at_ns INTEGER NOT NULL, time_ns INTEGER NOT NULL, time_given INTEGER NOT NULL,
        source TEXT NOT NULL, id BLOB NOT NULL UNIQUE, service TEXT NOT NULL, operation TEXT NOT NULL, kind TEXT NOT NULL,
        amount_pico INTEGER NOT NULL, worker TEXT, batch_id TEXT, lead_id TEXT, model TEXT, usage TEXT,
        duration_seconds REAL, outcome TEXT NOT NULL, attributes TEXT
    ) STRICT;
    CREATE TABLE rollup (
        day TEXT NOT NULL, service TEXT NOT NULL, operation TEXT NOT NULL, amount_pico INTEGER NOT NULL,
        events INTEGER NOT NULL, PRIMARY KEY (day, service, operation)
    ) STRICT, WITHOUT ROWID;";
const INSERT: &str = "
    INSERT INTO event (recorded_at_ns, time_ns, time_given, source, id, service, operation, kind, amount_pico, outcome)
    VALUES (?1, ?1, 0, '', ?2, ?3, ?4, 'charge', ?5, 'ok') ON CONFLICT (id) DO NOTHING";
const ADD_UP: &str = "
    INSERT INTO rollup VALUES ('2026-11-22', ?1, ?2, ?3, 1) ON CONFLICT (day, service, operation)
    DO UPDATE SET amount_pico = amount_pico + excluded.amount_pico, events = events + 1";
/// What an event costs here; the amount itself makes no difference.
const AMOUNT_PICO: i64 = 2_350_000_000;

/// One round in a process of its own.
pub fn round(file: &std::path::Path, rows: usize, pace: &Pace) -> Outcome<Round> {
    let seconds = |time: Duration| time.as_secs_f64().to_string();
    let path = file.to_str().ok_or("a path that is not text")?;
    let floor = Floor::start(&["sqlite", path, &rows.to_string(), &seconds(pace.warm_up), &seconds(pace.measure)])?;
    let &[events, seconds, cpu_us] = floor.numbers()?.as_slice() else {
        return Err("a floor that said something else".into());
    };
    Ok(Round::from([(Figure::Rate, events / seconds), (Figure::Cpu, cpu_us / events), (Figure::Count, events)]))
}

/// Being the floor: prints events, seconds and microseconds of CPU.
pub fn run(file: &str, rows: usize, warm_up: Duration, measure: Duration) -> Outcome<()> {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(SCHEMA)?;
    let mut random = Random::new();
    let began = Instant::now();
    while began.elapsed() < warm_up {
        transaction(&mut connection, rows, &mut random)?;
    }
    let pid = std::process::id();
    let (cpu, began, mut events) = (machine::cpu(pid)?, Instant::now(), 0);
    while began.elapsed() < measure {
        transaction(&mut connection, rows, &mut random)?;
        events += rows;
    }
    let (took, used) = (began.elapsed(), machine::cpu(pid)?.saturating_sub(cpu));
    println!("{events} {} {}", took.as_secs_f64(), used.as_micros());
    until_the_bench_ends();
    Ok(())
}

fn transaction(connection: &mut Connection, rows: usize, random: &mut Random) -> Outcome<()> {
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached(INSERT)?;
        let mut add_up = transaction.prepare_cached(ADD_UP)?;
        for number in 0..rows {
            record(&mut insert, &mut add_up, number, random)?;
        }
    }
    Ok(transaction.commit()?)
}

fn record(
    insert: &mut CachedStatement<'_>,
    add_up: &mut CachedStatement<'_>,
    number: usize,
    random: &mut Random,
) -> Outcome<()> {
    let call = call(number);
    let now_ns = i64::try_from(random.next() >> 4)?;
    if insert.execute((now_ns, random.uuid(), call.service, call.operation, AMOUNT_PICO))? == 1 {
        add_up.execute((call.service, call.operation, AMOUNT_PICO))?;
    }
    Ok(())
}
