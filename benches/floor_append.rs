//! Bare warp, and behind it SQLite that only appends: events that queued while the last transaction was on the disk go into the
//! next one, and are answered when it is synced. No index on ids, so a retry counts twice; no sums, no checksums, no limits.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use rusqlite::Connection;
use tokio::sync::oneshot;
use warp::http::header::CONTENT_TYPE;
use warp::{Filter, Reply};

use crate::Outcome;
use crate::floor_warp::{Event, serve};

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE event (
        seq INTEGER PRIMARY KEY, recorded_at_ns INTEGER NOT NULL, time_ns INTEGER NOT NULL, id TEXT NOT NULL,
        service TEXT NOT NULL, operation TEXT NOT NULL, kind TEXT NOT NULL, amount_pico INTEGER NOT NULL, outcome TEXT NOT NULL
    ) STRICT;";
const INSERT: &str = "
    INSERT INTO event (recorded_at_ns, time_ns, id, service, operation, kind, amount_pico, outcome)
    VALUES (?1, ?1, ?2, ?3, ?4, 'charge', ?5, 'ok')";
/// Events that may wait, as many as connections at most.
const QUEUE_MAX: usize = 1_024;
const PICO_PER_USD: f64 = 1e12;

/// An event, and who waits for it.
type Waiting = (Event, oneshot::Sender<()>);

/// `POST /costs` of one event.
pub fn run(file: &Path) -> Outcome<()> {
    let connection = Connection::open(file)?;
    connection.execute_batch(SCHEMA)?;
    let (sender, events) = sync_channel::<Waiting>(QUEUE_MAX);
    std::thread::spawn(move || {
        if let Err(error) = append(connection, &events) {
            eprintln!("the floor that appends: {error}");
        }
    });
    let route =
        warp::post().and(warp::path("costs")).and(warp::path::end()).and(warp::body::json()).then(move |event: Event| {
            let (done, wait) = oneshot::channel();
            let queued = sender.try_send((event, done)).is_ok();
            async move {
                if !queued || wait.await.is_err() {
                    return warp::http::StatusCode::SERVICE_UNAVAILABLE.into_response();
                }
                warp::reply::with_header(r#"{"accepted":1,"duplicates":0}"#, CONTENT_TYPE, "application/json")
                    .into_response()
            }
        });
    serve(route)
}

fn append(mut connection: Connection, events: &Receiver<Waiting>) -> Outcome<()> {
    let mut now_ns = 0_i64;
    while let Ok(first) = events.recv() {
        let mut waiting = Vec::new();
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for (event, done) in std::iter::once(first).chain(events.try_iter()) {
                now_ns += 1;
                let amount_pico = (event.amount_usd * PICO_PER_USD) as i64;
                insert.execute((now_ns, event.id, event.service, event.operation, amount_pico))?;
                waiting.push(done);
            }
        }
        transaction.commit()?;
        for done in waiting {
            // Nobody waits where the connection is gone.
            let _ = done.send(());
        }
    }
    Ok(())
}
