//! Values of statements and of rows. Amounts travel as text, which every driver and every engine writes alike.

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::DatabaseError;
use crate::domain::Usd;
use crate::fleet::Lease;

/// A value of a statement, with its type: so no statement has to be prepared.
pub(super) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// The columns of a lease, in the order in which [`lease`] reads them.
macro_rules! lease_columns {
    ($table:literal) => {
        concat!(
            $table,
            ".granted::text, ",
            $table,
            ".returned::text, ",
            $table,
            ".spent::text, ",
            $table,
            ".held::text, ",
            $table,
            ".lost::text, ",
            $table,
            ".doubt::text, ",
            $table,
            ".answered, ",
            $table,
            ".waits_for::text, ",
            $table,
            ".waiting_since, ",
            $table,
            ".recalled, ",
            $table,
            ".configured::text, ",
            $table,
            ".lapses_at, ",
            $table,
            ".doubt_lapses_at"
        )
    };
}
pub(super) use lease_columns;

/// How many these are.
pub(super) const LEASE_COLUMNS: usize = 13;

/// An amount in a column.
pub(super) fn usd(row: &Row, at: usize) -> Result<Usd, DatabaseError> {
    amount(row.try_get(at)?)
}

/// An amount that may be absent.
pub(super) fn usd_or_none(row: &Row, at: usize) -> Result<Option<Usd>, DatabaseError> {
    row.try_get::<_, Option<&str>>(at)?.map(amount).transpose()
}

/// An amount as a statement takes it.
pub(super) fn text(amount: Usd) -> String {
    amount.pico().to_string()
}

/// A lease in the [columns](lease_columns) from here on.
pub(super) fn lease(row: &Row, at: usize) -> Result<Lease, DatabaseError> {
    Ok(Lease {
        granted: usd(row, at)?,
        returned: usd(row, at + 1)?,
        spent: usd(row, at + 2)?,
        held: usd(row, at + 3)?,
        lost: usd(row, at + 4)?,
        doubt: usd(row, at + 5)?,
        answered: row.try_get(at + 6)?,
        waits_for: usd(row, at + 7)?,
        waiting_since: row.try_get::<_, Option<Timestamp>>(at + 8)?,
        recalled: row.try_get(at + 9)?,
        limit: usd(row, at + 10)?,
        lapses_at: row.try_get::<_, Option<Timestamp>>(at + 11)?,
        doubt_lapses_at: row.try_get::<_, Option<Timestamp>>(at + 12)?,
    })
}

fn amount(text: &str) -> Result<Usd, DatabaseError> {
    text.parse().map(Usd::from_pico).map_err(|_| DatabaseError::Damaged("an amount is no whole number"))
}
