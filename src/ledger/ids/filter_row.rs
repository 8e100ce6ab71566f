//! The filter of a sorted block as a row.
//!
//! *Invariants.* A block has one when, and only when, its ids are sorted over the whole block.

use rusqlite::Connection;

use super::super::LedgerError;
use super::super::row::{read_row, row};

/// A row of `id_block_filter`.
pub(super) struct FilterRow {
    pub block: i64,
    pub bits: Vec<u8>,
}

row! {
    "INSERT OR REPLACE" "id_block_filter",
    write FilterRow, read FilterRow,
    (FilterRow { block, bits }),
    key {
        "block" => block;
    }
    columns {
        "bits" => bits;
    }
}

/// Whether a block's ids are sorted over the whole block.
pub(super) fn is_sorted(connection: &Connection, block: i64) -> Result<bool, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM id_block_filter WHERE block = ?")?;
    Ok(statement.exists([block])?)
}

/// The filter of a sorted block.
pub(super) fn read_filter(connection: &Connection, block: i64) -> Result<Option<Vec<u8>>, LedgerError> {
    let found: Option<(FilterRow, _)> = read_row(connection, "WHERE block = ?", [block])?;
    Ok(found.map(|(row, _)| row.bits))
}
