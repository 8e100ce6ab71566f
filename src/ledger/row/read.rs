//! Reading rows: each is compared with its checksum.

use rusqlite::{Connection, Params};

use super::super::LedgerError;
use super::super::checksum::Checksum;
use super::cell::Cells;
use super::spelling::Stored;

/// Hands over rows, each with its checksum. `rest` says which, and in which order.
pub(in crate::ledger) fn each_row<R: Stored>(
    connection: &Connection,
    rest: &str,
    parameters: impl Params,
    mut take: impl FnMut(R, i64) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let mut statement = connection.prepare_cached(&[R::SELECT, rest].join(" "))?;
    let mut rows = statement.query(parameters)?;
    let mut checksum = Checksum::new();
    while let Some(row) = rows.next()? {
        checksum.begin(R::TABLE);
        let mut cells = Cells::of(row, &mut checksum);
        let found = R::take(&mut cells)?;
        let (computed, stored) = cells.checksums().ok_or_else(|| damaged(R::TABLE, "checksum"))?;
        check(R::TABLE, stored, computed)?;
        take(found, stored)?;
    }
    Ok(())
}

/// All of these rows.
pub(in crate::ledger) fn read_rows<R: Stored>(
    connection: &Connection,
    rest: &str,
    parameters: impl Params,
) -> Result<Vec<R>, LedgerError> {
    let mut found = Vec::new();
    each_row(connection, rest, parameters, |row, _| {
        found.push(row);
        Ok(())
    })?;
    Ok(found)
}

/// The row, where there is one at most, with its checksum.
pub(in crate::ledger) fn read_row<R: Stored>(
    connection: &Connection,
    rest: &str,
    parameters: impl Params,
) -> Result<Option<(R, i64)>, LedgerError> {
    let mut found = None;
    each_row(connection, rest, parameters, |row, checksum| {
        found = Some((row, checksum));
        Ok(())
    })?;
    Ok(found)
}

/// Compares a row's checksum with what its columns give.
pub(in crate::ledger) fn check(table: &str, stored: i64, computed: i64) -> Result<(), LedgerError> {
    if stored == computed {
        return Ok(());
    }
    Err(LedgerError::Damaged(format!("a row of {table} does not match its checksum")))
}

/// What no build has written.
pub(in crate::ledger) fn damaged(table: &str, column: &str) -> LedgerError {
    LedgerError::Damaged(format!("a row of {table} has an impossible {column}"))
}
