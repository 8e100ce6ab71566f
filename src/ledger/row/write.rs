//! Writing rows.

use std::marker::PhantomData;

use rusqlite::{CachedStatement, Connection, Statement};

use super::super::LedgerError;
use super::super::checksum::Checksum;
use super::cell::Cell;
use super::spelling::{Row, Sink};

/// Writes rows of one kind, of which there may be many: one statement, and one memory for the checksum, serve all of them.
pub(in crate::ledger) struct RowWriter<'c, R> {
    statement: CachedStatement<'c>,
    /// The parameter of the first column: in an update the key comes behind everything else.
    first: usize,
    checksum: Checksum,
    /// Whether a parameter of a later column may still have the value of an earlier row.
    has_later: bool,
    rows: PhantomData<fn(&R)>,
}

impl<'c, R: Row> RowWriter<'c, R> {
    /// Adds rows, with the verb of their kind.
    pub fn insert(connection: &'c Connection) -> Result<Self, LedgerError> {
        Self::new(connection, R::INSERT, 1)
    }

    /// Changes rows that are there.
    pub fn update(connection: &'c Connection) -> Result<Self, LedgerError> {
        Self::new(connection, R::UPDATE, R::COLUMNS - R::KEYS + 2)
    }

    fn new(connection: &'c Connection, sql: &str, first: usize) -> Result<Self, LedgerError> {
        let statement = connection.prepare_cached(sql)?;
        Ok(Self { statement, first, checksum: Checksum::new(), has_later: false, rows: PhantomData })
    }

    /// Writes one row and returns its checksum.
    pub fn write(&mut self, row: &R) -> Result<i64, LedgerError> {
        self.try_write(row)?.ok_or_else(|| LedgerError::Damaged(format!("a row of {} to be changed is missing", R::TABLE)))
    }

    /// Writes one row and returns its checksum; `None` when there is none to change.
    pub fn try_write(&mut self, row: &R) -> Result<Option<i64>, LedgerError> {
        self.checksum.begin(R::TABLE);
        let (statement, checksum, has_later) = (&mut *self.statement, &mut self.checksum, &mut self.has_later);
        let mut binder = Binder { statement, checksum, next: self.first, parameters: R::COLUMNS + 1, has_later };
        row.put(&mut binder)?;
        let checksum = self.checksum.finish();
        // The last parameter of an insert; in an update the one before the key.
        self.statement.raw_bind_parameter(if self.first == 1 { R::COLUMNS + 1 } else { self.first - 1 }, checksum)?;
        let written = self.statement.raw_execute()?;
        Ok((written == 1).then_some(checksum))
    }
}

/// Adds one row, with the verb of its kind.
pub(in crate::ledger) fn write_row<R: Row>(connection: &Connection, row: &R) -> Result<(), LedgerError> {
    RowWriter::insert(connection)?.write(row).map(drop)
}

/// The checksum that a row has in the file.
pub(in crate::ledger) fn checksum_of<R: Row>(row: &R) -> Result<i64, LedgerError> {
    let mut checksum = Checksum::new();
    checksum.begin(R::TABLE);
    row.put(&mut checksum)?;
    Ok(checksum.finish())
}

/// Binds columns to a statement and adds them to the checksum.
struct Binder<'b, 'c> {
    statement: &'b mut Statement<'c>,
    checksum: &'b mut Checksum,
    next: usize,
    parameters: usize,
    has_later: &'b mut bool,
}

impl Sink for Binder<'_, '_> {
    #[inline]
    fn add(&mut self, cell: Cell<'_>) -> Result<(), LedgerError> {
        cell.add_to(self.checksum);
        // Nearly all rows have no later columns, and a parameter that was never bound is NULL.
        if *self.has_later || !matches!(cell, Cell::Nothing) {
            self.statement.raw_bind_parameter(self.next, cell)?;
        }
        self.next = if self.next == self.parameters { 1 } else { self.next + 1 };
        Ok(())
    }

    fn later(&mut self, name: &str) {
        *self.has_later = true;
        self.checksum.text(name);
    }
}

impl Sink for Checksum {
    #[inline]
    fn add(&mut self, cell: Cell<'_>) -> Result<(), LedgerError> {
        cell.add_to(self);
        Ok(())
    }

    fn later(&mut self, name: &str) {
        self.text(name);
    }
}
