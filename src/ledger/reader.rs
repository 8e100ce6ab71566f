//! Reading beside the writer: days that are no longer in memory, and groupings that only the events know.
//!
//! *Invariants.* Each read sees one committed state. It holds up no recording: readers of a write-ahead log block no writer.
//! What a grouping adds up to is compared with the rollups of the same state, so a lost event cannot go unnoticed.
//!
//! *Limits.* [`KEYS_MAX`] keys in an answer, [`CELLS_MAX`] sums in memory while one is worked out, [`CONNECTIONS_MAX`] idle
//! connections.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;
use rusqlite::{Connection, OpenFlags, Transaction};

use super::events::{StoredEvent, each_event};
use super::head::Head;
use super::rows::{self, PairRow};
use super::segment::{SEGMENT_EVENTS, Segment};
use super::store::BUSY_TIMEOUT;
use super::sums::read_day_pairs;
use super::{LedgerError, gate};
use crate::domain::{BudgetZone, CostEvent, GateChange, Name, OTHER_LABEL, Sums, Usd};

/// Keys that one answer names; the rest is added up under `other` (contract, section 1).
pub const KEYS_MAX: usize = 10_000;
/// Sums held in memory at once. A grouping with more is worked out in several passes over the events.
const CELLS_MAX: usize = 100_000;
/// Connections kept open between reads.
const CONNECTIONS_MAX: usize = 2;
/// How often a long read asks whether anybody still waits for it.
const EVENTS_BETWEEN_STOP_CHECKS: u32 = 4_096;

/// What the events of a period can be grouped by, besides service and operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// The process that made the call.
    Worker,
    /// The batch of work.
    Batch,
    /// The lead it was for.
    Lead,
    /// The model that was used.
    Model,
}

/// A question to the events.
#[derive(Clone, Debug)]
pub struct Breakdown {
    /// Group by this.
    pub attribute: Attribute,
    /// First day.
    pub first: Date,
    /// Last day, included.
    pub last: Date,
    /// Only this service.
    pub service: Option<Name>,
    /// One group a day, or one for the whole period.
    pub by_day: bool,
}

/// Reads from the ledger on connections of its own.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    zone: BudgetZone,
    idle: Mutex<Vec<Connection>>,
}

/// Sums by value of the attribute, by day (or under the period's first day). Events without one count under the empty text.
pub type SumsByDay = BTreeMap<Date, BTreeMap<String, Usd>>;
/// A day (or the period's first day) and a value of the attribute; empty where events have none.
type Cell = (Date, String);
/// The largest cells so far, the smallest of them on top, ready to be dropped.
type Largest = BinaryHeap<Reverse<(Usd, Reverse<Cell>)>>;

impl Attribute {
    fn of(self, event: &CostEvent) -> &str {
        match self {
            Self::Worker => &event.worker,
            Self::Batch => &event.batch_id,
            Self::Lead => &event.lead_id,
            Self::Model => &event.model,
        }
        .as_deref()
        .unwrap_or_default()
    }
}

impl Reader {
    /// A reader of the ledger at `path`, whose days are counted in `zone`.
    pub fn new(path: PathBuf, zone: BudgetZone) -> Self {
        Self { path, zone, idle: Mutex::new(Vec::new()) }
    }

    /// The sums by service and operation of every day with cost from `first` to `last`.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn days(&self, first: Date, last: Date) -> Result<BTreeMap<Date, Vec<PairRow>>, LedgerError> {
        self.read(|transaction| {
            let days = rows::read_days(transaction, first, last)?;
            days.iter().map(|(day, row)| Ok((*day, read_day_pairs(transaction, *day, row)?))).collect()
        })
    }

    /// The gate's history, newest first.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn gate_history(&self, limit: u32) -> Result<Vec<GateChange>, LedgerError> {
        self.read(|transaction| {
            let lines = gate::read_history(transaction, i64::from(limit))?;
            Ok(lines.into_iter().map(|(_, change)| change).collect())
        })
    }

    /// Groups the events of a period. Days without cost are absent. Reads every event of every segment in which the period
    /// occurs; `should_stop` is asked now and then.
    ///
    /// # Errors
    /// `Stopped` when told to, else a row is damaged or cannot be read.
    pub fn breakdown(&self, question: &Breakdown, should_stop: &dyn Fn() -> bool) -> Result<SumsByDay, LedgerError> {
        self.read(|transaction| {
            let scan = Scan::begin(transaction, &self.zone, question, should_stop)?;
            let mut passes = 1;
            loop {
                if let Some(groups) = scan.in_passes(passes)? {
                    return Ok(groups);
                }
                passes *= 4;
            }
        })
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => open_read_only(&self.path)?,
        };
        let transaction = connection.transaction()?;
        let answer = work(&transaction);
        transaction.finish()?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < CONNECTIONS_MAX {
            idle.push(connection);
        }
        answer
    }
}

/// Opens the ledger to read beside the writer, or alone.
pub(super) fn open_read_only(path: &std::path::Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -1024)?;
    Ok(connection)
}

/// One consistent look at the events of a period.
struct Scan<'a> {
    transaction: &'a Transaction<'a>,
    zone: &'a BudgetZone,
    question: &'a Breakdown,
    should_stop: &'a dyn Fn() -> bool,
    hasher: RandomState,
    /// Ranges of `seq` in which the period occurs.
    ranges: Vec<(i64, i64)>,
    /// What the rollups, and the events since, say each group adds up to.
    expected: BTreeMap<Date, Usd>,
    /// Whether retention has removed events, so that fewer of them than the rollups count may be left.
    is_pruned: bool,
}

impl<'a> Scan<'a> {
    fn begin(
        transaction: &'a Transaction<'a>,
        zone: &'a BudgetZone,
        question: &'a Breakdown,
        should_stop: &'a dyn Fn() -> bool,
    ) -> Result<Self, LedgerError> {
        let head = Head::read(transaction)?;
        let segments = Segment::read_all(transaction)?;
        let closed = segments.len() as i64;
        let mut ranges: Vec<(i64, i64)> = segments
            .iter()
            .filter(|segment| segment.number >= head.pruned_segments && segment.touches(question.first, question.last))
            .map(|segment| Segment::bounds(segment.number))
            .collect();
        ranges.push((closed * SEGMENT_EVENTS + 1, i64::MAX));
        let mut expected = BTreeMap::new();
        for (day, row) in rows::read_days(transaction, question.first, question.last)? {
            let mut sums = Sums::default();
            for found in read_day_pairs(transaction, day, &row)? {
                if question.service.as_ref().is_none_or(|service| *service == found.pair.service) {
                    sums += found.sums;
                }
            }
            if sums.events > 0 {
                *expected.entry(question.group(day)).or_insert(Usd::ZERO) += sums.net();
            }
        }
        let is_pruned = head.pruned_segments > 0;
        let hasher = RandomState::new();
        let mut scan = Self { transaction, zone, question, should_stop, hasher, ranges, expected, is_pruned };
        each_event(transaction, head.rolled_up.events + 1, i64::MAX, |stored, _| {
            if let Some((day, _)) = scan.cell(&stored) {
                *scan.expected.entry(day).or_insert(Usd::ZERO) += stored.event.amount;
            }
            Ok(())
        })?;
        Ok(scan)
    }

    /// Works the groups out in so many passes, each over its share of the cells; `None` when a share is too large.
    fn in_passes(&self, passes: u64) -> Result<Option<SumsByDay>, LedgerError> {
        let mut largest = Largest::new();
        let mut found: BTreeMap<Date, Usd> = BTreeMap::new();
        for pass in 0..passes {
            let Some(cells) = self.cells(|cell| self.hasher.hash_one(cell) % passes == pass)? else { return Ok(None) };
            for (cell, net) in cells {
                *found.entry(cell.0).or_insert(Usd::ZERO) += net;
                largest.push(Reverse((net, Reverse(cell))));
                if largest.len() > KEYS_MAX {
                    largest.pop();
                }
            }
        }
        self.compare(&found)?;
        let mut groups: SumsByDay = self.expected.keys().map(|day| (*day, BTreeMap::new())).collect();
        for Reverse((net, Reverse((day, value)))) in largest {
            *found.entry(day).or_insert(Usd::ZERO) -= net;
            *groups.entry(day).or_default().entry(value).or_insert(Usd::ZERO) += net;
        }
        for (day, rest) in found.into_iter().filter(|(_, rest)| *rest != Usd::ZERO) {
            *groups.entry(day).or_default().entry(OTHER_LABEL.into()).or_insert(Usd::ZERO) += rest;
        }
        self.add_pruned(&mut groups);
        Ok(Some(groups))
    }

    /// Adds up the cells that `is_mine`; `None` when there are too many to hold.
    fn cells(&self, is_mine: impl Fn(&Cell) -> bool) -> Result<Option<HashMap<Cell, Usd>>, LedgerError> {
        let mut cells: HashMap<Cell, Usd> = HashMap::new();
        let mut until_stop_check = EVENTS_BETWEEN_STOP_CHECKS;
        for (first, last) in &self.ranges {
            each_event(self.transaction, *first, *last, |stored, _| {
                until_stop_check -= 1;
                if until_stop_check == 0 {
                    until_stop_check = EVENTS_BETWEEN_STOP_CHECKS;
                    if (self.should_stop)() {
                        return Err(LedgerError::Stopped);
                    }
                }
                if let Some(cell) = self.cell(&stored).filter(|cell| cells.len() <= CELLS_MAX && is_mine(cell)) {
                    *cells.entry(cell).or_insert(Usd::ZERO) += stored.event.amount;
                }
                Ok(())
            })?;
            if cells.len() > CELLS_MAX {
                return Ok(None);
            }
        }
        Ok(Some(cells))
    }

    /// The cell an event counts in, if it lies in the period and is of the service asked for.
    fn cell(&self, stored: &StoredEvent) -> Option<Cell> {
        let day = self.zone.day_of(stored.event.time);
        let wanted = (self.question.first..=self.question.last).contains(&day)
            && self.question.service.as_ref().is_none_or(|service| *service == stored.event.service);
        wanted.then(|| (self.question.group(day), self.question.attribute.of(&stored.event).to_owned()))
    }

    /// The events and the rollups must agree, unless retention removed events.
    fn compare(&self, found: &BTreeMap<Date, Usd>) -> Result<(), LedgerError> {
        // A day with more names than rollups tell apart counts some of a service's cost under `other`, so only the whole
        // can be compared.
        if self.is_pruned || self.question.service.is_some() || *found == self.expected {
            return Ok(());
        }
        Err(LedgerError::Damaged("the events of a period do not add up to its rollups".into()))
    }

    /// Cost whose events retention removed has no attribute any more: it is shown like cost that never had one.
    fn add_pruned(&self, groups: &mut SumsByDay) {
        if !self.is_pruned {
            return;
        }
        for (day, expected) in &self.expected {
            let group = groups.entry(*day).or_default();
            let missing = *expected - group.values().copied().sum();
            if missing != Usd::ZERO {
                *group.entry(String::new()).or_insert(Usd::ZERO) += missing;
            }
        }
    }
}

impl Breakdown {
    fn group(&self, day: Date) -> Date {
        if self.by_day { day } else { self.first }
    }
}
