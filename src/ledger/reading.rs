//! Reading the events of a period: range by range, by two threads where there are cores for them.
//!
//! *Invariants.* Each range is read once in a pass, by one thread, in a look of its own; events never change, so it makes no
//! difference which look. What is found is taken under a lock. The first error ends the pass.
//!
//! *Limits.* One thread besides the caller's. It takes only time that nobody else wants.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::LedgerError;
use super::connection::open_read_only;
use super::head::Head;
use super::scan::{Found, Scanner, Wanted};
use super::segment::Segment;

/// Ranges, of some 16,000 events each, from which on a second thread is worth its start.
const HELPED_RANGES_MIN: usize = 4;
/// How much the second thread gives way to others: on a busy core it gets a seventieth of the time of one who does not.
const HELPER_NICENESS: i32 = 19;

/// Events that stand one behind the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventRange {
    pub first: i64,
    pub last: i64,
    /// Whether the rollups count them.
    pub is_rolled_up: bool,
}

/// What is to be read.
pub(super) struct Reading {
    pub ranges: Vec<EventRange>,
    pub wanted: Wanted,
}

/// Who takes what is found.
pub(super) trait Sink: Send {
    /// Takes the events of a range.
    fn add(&mut self, range: EventRange, events: &Found);
}

/// How far a pass is, and what was found.
pub(super) struct Progress<S> {
    pub sink: S,
    /// Whether retention has removed some of the events.
    pub is_pruned: bool,
    next_range: usize,
    error: Option<LedgerError>,
}

impl<S> Progress<S> {
    /// Nothing read yet.
    pub fn into(sink: S, is_pruned: bool) -> Self {
        Self { sink, is_pruned, next_range: 0, error: None }
    }
}

impl Reading {
    /// Reads all ranges once. `should_stop` is asked before each.
    pub fn pass<S: Sink>(
        &self,
        connection: &Connection,
        progress: &Mutex<Progress<S>>,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<(), LedgerError> {
        std::thread::scope(|scope| {
            if let Some(path) = connection.path().filter(|_| self.is_worth_help()) {
                let help = move || self.help(Path::new(path), progress);
                // Without a second thread the first does everything.
                let _ = std::thread::Builder::new().name("scan-help".into()).spawn_scoped(scope, help);
            }
            self.read_next(connection, progress, should_stop);
        });
        let mut progress = lock(progress);
        progress.next_range = 0;
        progress.error.take().map_or(Ok(()), Err)
    }

    fn is_worth_help(&self) -> bool {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores > 1 && self.ranges.len() >= HELPED_RANGES_MIN
    }

    fn help<S: Sink>(&self, path: &Path, progress: &Mutex<Progress<S>>) {
        // Where it is not allowed, the read is merely less polite.
        let _ = rustix::process::setpriority_process(None, HELPER_NICENESS);
        match open_read_only(path) {
            Ok(connection) => self.read_next(&connection, progress, &|| false),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "no second connection to read events"),
        }
    }

    /// Reads the next range that nobody has taken, until there is none.
    fn read_next<S: Sink>(&self, connection: &Connection, progress: &Mutex<Progress<S>>, should_stop: &dyn Fn() -> bool) {
        let read = || {
            let scanner = Scanner::new(connection, self.wanted.clone())?;
            while let Some(range) = self.take_range(progress) {
                if should_stop() {
                    return Err(LedgerError::Stopped);
                }
                let was_pruned = read_range(connection, &scanner, range, |events| lock(progress).sink.add(range, events))?;
                lock(progress).is_pruned |= was_pruned;
            }
            Ok(())
        };
        if let Err(error) = read() {
            lock(progress).error.get_or_insert(error);
        }
    }

    fn take_range<S>(&self, progress: &Mutex<Progress<S>>) -> Option<EventRange> {
        let mut progress = lock(progress);
        let range = self.ranges.get(progress.next_range).filter(|_| progress.error.is_none()).copied();
        progress.next_range += 1;
        range
    }
}

/// Reads a range in a look of its own. Says whether retention has removed it.
pub(super) fn read_range(
    connection: &Connection,
    scanner: &Scanner<'_>,
    EventRange { first, last, .. }: EventRange,
    take: impl FnOnce(&Found),
) -> Result<bool, LedgerError> {
    let transaction = connection.unchecked_transaction()?;
    let events = scanner.range(first, last, |found| {
        take(found);
        found.events
    })?;
    let is_whole = events == last - first + 1;
    // Retention removes whole segments, and says so in the same transaction.
    if !is_whole && (events > 0 || Segment::number_of(last) >= Head::read(&transaction)?.pruned_segments) {
        return Err(LedgerError::Damaged(format!("event {} is missing", first + events)));
    }
    transaction.finish()?;
    Ok(!is_whole)
}

pub(super) fn lock<S>(progress: &Mutex<Progress<S>>) -> MutexGuard<'_, Progress<S>> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}
