//! `GET /export`: everything that the ledger holds, as it is read.
//!
//! *Invariants.* Whoever reads slowly holds up nobody: no look at the ledger is open while an answer waits to be read. An answer that
//! could not be finished is cut off, so that it cannot be taken for a whole one.
//!
//! *Limits.* As many at once as the state has room for, further ones are refused; [`EXPORT_TIME_MAX`]; [`QUEUED_CHUNKS_MAX`] chunks in memory, and the one
//! that is made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::poll_fn;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use warp::Reply;
use warp::http::HeaderValue;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use warp::reply::Response;

use super::State;
use super::call::Call;
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::BudgetZone;
use crate::ledger::Export;
use crate::transfer::{ExportFormat, read_selection};

/// How long an export may take, however fast it is read.
const EXPORT_TIME_MAX: Duration = Duration::from_secs(6 * 60 * 60);
/// Chunks that wait for the client.
const QUEUED_CHUNKS_MAX: usize = 2;
/// How much it gives way to others, like other long reads.
const NICENESS: i32 = 15;

/// The export could not be finished.
#[derive(Debug, thiserror::Error)]
#[error("the export was cut off")]
struct CutOff;

pub(super) async fn export(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let format: ExportFormat = match query.get("format") {
        None => ExportFormat::default(),
        Some(word) => word.parse().map_err(|_| {
            let words = ExportFormat::ALL.map(ExportFormat::word).join(", ");
            Problem::malformed(format!("format must be one of {words}"))
        })?,
    };
    let zone = state.board.read().policy.zone.clone();
    let selection = read_selection(|name| query.get(name), &zone).map_err(Problem::malformed)?;
    let slot = Arc::clone(&state.exports).try_acquire_owned().map_err(|_| Problem::Overloaded)?;
    let export = state.reads.look_up(move |reader, _| reader.export(selection, format.lines())).await?;
    let (give, mut take) = mpsc::channel(QUEUED_CHUNKS_MAX);
    let work = move || run(&export, format, &zone, &give, slot);
    // Not one of the runtime's threads: it waits for the client.
    if let Err(error) = std::thread::Builder::new().name("export".into()).spawn(work) {
        tracing::error!(error = &error as &dyn std::error::Error, "no thread for an export");
        return Err(Problem::Overloaded);
    }
    let mut response = warp::reply::stream(poll_fn(move |context| take.poll_recv(context))).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn run(
    export: &Export,
    format: ExportFormat,
    zone: &BudgetZone,
    give: &mpsc::Sender<Result<Bytes, CutOff>>,
    _slot: OwnedSemaphorePermit,
) {
    // Where it is not allowed, the export is merely less polite.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let began = Instant::now();
    let heading = format.heading();
    if !heading.is_empty() && give.blocking_send(Ok(heading.into())).is_err() {
        return;
    }
    let mut is_late = false;
    let done = export.run(1, &|exported, to| format.write(exported, zone, to), &mut |chunk, _| {
        is_late = began.elapsed() > EXPORT_TIME_MAX;
        // A client that hung up wants no more.
        !is_late && (chunk.is_empty() || give.blocking_send(Ok(chunk.into())).is_ok())
    });
    if let Err(error) = &done {
        tracing::error!(error = error as &dyn std::error::Error, "an export failed");
    }
    if is_late {
        tracing::warn!("an export took too long: its client reads too slowly");
    }
    if is_late || done.is_err() {
        // Nobody hears it where the client hung up.
        let _ = give.blocking_send(Err(CutOff));
    }
}
