//! Reading beside the writer: days that are no longer in memory, and groupings that only the events know.
//!
//! *Invariants.* Each read sees one committed state. It holds up no recording: readers of a write-ahead log block no writer.
//!
//! *Limits.* [`CONNECTIONS_MAX`] idle connections.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use rusqlite::{Connection, Transaction};

use super::breakdown::Scan;
use super::connection::open_read_only;
use super::looks::Looks;
use super::rows::{self, PairRow};
use super::sums::read_day_pairs;
use super::{LedgerError, gate};
use crate::domain::{BudgetZone, CostQuestion, GateChange, GroupsByDay};

/// Connections kept open between reads.
const CONNECTIONS_MAX: usize = 2;

/// Reads from the ledger on connections of its own.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    zone: BudgetZone,
    idle: Mutex<Vec<Connection>>,
    looks: Mutex<Looks>,
}

impl Reader {
    /// A reader of the ledger at `path`, whose days are counted in `zone`.
    pub fn new(path: PathBuf, zone: BudgetZone) -> Self {
        Self { path, zone, idle: Mutex::default(), looks: Mutex::default() }
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
            Ok(lines.into_iter().map(|line| line.change).collect())
        })
    }

    /// Groups the events of a period. Days without cost are absent. Reads every event of every segment in which the period
    /// occurs; `should_stop` is asked now and then.
    ///
    /// # Errors
    /// `Stopped` when told to, else a row is damaged or cannot be read.
    pub fn breakdown(&self, question: &CostQuestion, should_stop: &dyn Fn() -> bool) -> Result<GroupsByDay, LedgerError> {
        self.on_connection(|connection| Scan::begin(connection, &self.zone, question)?.run(should_stop))
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Closes connections that are kept for the next read. For those who read seldom.
    pub fn let_go(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// One look at one committed state.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        self.on_connection(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let answer = work(&transaction);
            transaction.finish()?;
            answer
        })
    }

    /// When the newest events happened, as far as it was asked for.
    pub(super) fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The zone whose days are counted.
    pub(super) fn zone(&self) -> &BudgetZone {
        &self.zone
    }

    /// Hands over a connection that nobody else uses meanwhile.
    pub(super) fn on_connection<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_read_only(&self.path)?,
        };
        let answer = work(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // One that failed may still be in the middle of something.
        if idle.len() < CONNECTIONS_MAX && connection.is_autocommit() {
            idle.push(connection);
        }
        answer
    }
}
