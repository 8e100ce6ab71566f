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

#[cfg(test)]
mod tests {
    use super::super::super::row::write_row;
    use super::super::super::schema::migrate;
    use super::super::{filter, has_right_filter};
    use super::*;

    #[test]
    fn a_filter_is_over_the_ids_of_its_block() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, 0).unwrap();
        let entries = [(1 << 40, 0), (2 << 40, 1), (3 << 50, 2)];
        let bits = filter::bits_of(entries.iter().map(|(hash, _)| *hash));
        write_row(&connection, &FilterRow { block: 0, bits }).unwrap();
        let is_right = |block, entries| has_right_filter(&connection, block, entries).unwrap();
        assert!(is_right(0, &entries) && !is_right(0, &entries[1..]));
        assert!(is_right(1, &entries), "one that is not sorted has none");
    }
}
