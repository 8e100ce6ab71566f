//! Reading the events of a grouping: range by range, by two threads where there are cores for them.
//!
//! *Invariants.* Each range is read once in a pass, by one thread, in a look of its own; events never change, so it makes no
//! difference which look. What is found is added up under a lock. The first error ends the pass.
//!
//! *Limits.* One thread besides the caller's. It takes only time that nobody else wants.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use rusqlite::Connection;

use super::LedgerError;
use super::connection::open_read_only;
use super::grouper::Grouper;
use super::head::Head;
use super::scan::{Found, Scanner, Wanted};
use super::segment::Segment;
use crate::domain::Usd;

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

/// How far a pass is, and what was found.
pub(super) struct Progress<'q> {
    pub grouper: Grouper<'q>,
    /// What all events add up to; of the first pass, since each pass reads the same.
    pub totals: BTreeMap<Date, Usd>,
    /// The same of the events that the rollups do not count yet.
    pub behind: BTreeMap<Date, Usd>,
    /// Whether retention has removed some of the events.
    pub is_pruned: bool,
    is_first_pass: bool,
    next_range: usize,
    error: Option<LedgerError>,
}

impl<'q> Progress<'q> {
    /// Nothing read yet.
    pub fn over(grouper: Grouper<'q>, is_pruned: bool) -> Self {
        let (totals, behind) = (BTreeMap::new(), BTreeMap::new());
        Self { grouper, totals, behind, is_pruned, is_first_pass: true, next_range: 0, error: None }
    }

    fn add(&mut self, range: EventRange, events: &Found) {
        let found = self.grouper.add(events);
        if self.is_first_pass {
            add_totals(&mut self.totals, &found);
            if !range.is_rolled_up {
                add_totals(&mut self.behind, &found);
            }
        }
    }
}

impl Reading {
    /// Reads all ranges once. `should_stop` is asked before each.
    pub fn pass(
        &self,
        connection: &Connection,
        progress: &Mutex<Progress<'_>>,
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
        (progress.is_first_pass, progress.next_range) = (false, 0);
        progress.error.take().map_or(Ok(()), Err)
    }

    fn is_worth_help(&self) -> bool {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores > 1 && self.ranges.len() >= HELPED_RANGES_MIN
    }

    fn help(&self, path: &Path, progress: &Mutex<Progress<'_>>) {
        // Where it is not allowed, the read is merely less polite.
        let _ = rustix::process::setpriority_process(None, HELPER_NICENESS);
        match open_read_only(path) {
            Ok(connection) => self.read_next(&connection, progress, &|| false),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "no second connection for a grouping"),
        }
    }

    /// Reads the next range that nobody has taken, until there is none.
    fn read_next(&self, connection: &Connection, progress: &Mutex<Progress<'_>>, should_stop: &dyn Fn() -> bool) {
        let read = || {
            let scanner = Scanner::new(connection, self.wanted.clone())?;
            while let Some(range) = self.take_range(progress) {
                if should_stop() {
                    return Err(LedgerError::Stopped);
                }
                let was_pruned = read_range(connection, &scanner, range, |events| lock(progress).add(range, events))?;
                lock(progress).is_pruned |= was_pruned;
            }
            Ok(())
        };
        if let Err(error) = read() {
            lock(progress).error.get_or_insert(error);
        }
    }

    fn take_range(&self, progress: &Mutex<Progress<'_>>) -> Option<EventRange> {
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

/// Adds what some events add up to.
pub(super) fn add_totals(totals: &mut BTreeMap<Date, Usd>, found: &BTreeMap<Date, Usd>) {
    for (day, total) in found {
        *totals.entry(*day).or_insert(Usd::ZERO) += *total;
    }
}

pub(super) fn lock<'p, 'q>(progress: &'p Mutex<Progress<'q>>) -> MutexGuard<'p, Progress<'q>> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}
