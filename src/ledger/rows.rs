//! The rollup tables, row by row: how each is written, read and checked.

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, Row, params};

use super::LedgerError;
use super::checksum::Checksum;
use crate::domain::{Name, Pair, Sums, UsageKey, Usd};

/// A row of `rollup_pair`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairRow {
    /// The day it counts in.
    pub day: Date,
    /// Service and operation, as the day tells them apart.
    pub pair: Pair,
    /// What they add up to.
    pub sums: Sums,
}

/// A row of `rollup_day`: the total, and what proves that the day's pairs are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DayRow {
    pub pairs: i64,
    pub pairs_digest: i64,
    pub sums: Sums,
}

/// Reads rows of `rollup_pair`; the WHERE clause is the caller's.
pub(super) const PAIR_COLUMNS: &str = "day, service, operation, charges_usd, credits_usd, events, checksum";

pub(super) fn pair_checksum(day: Date, pair: &Pair, sums: &Sums) -> i64 {
    sums_checksum(
        Checksum::of("rollup_pair").text(&day.to_string()).text(pair.service.as_str()).text(pair.operation.as_str()),
        sums,
    )
}

pub(super) fn write_pair(connection: &Connection, day: Date, pair: &Pair, sums: &Sums) -> Result<(), LedgerError> {
    let sql = "INSERT OR REPLACE INTO rollup_pair (day, service, operation, charges_usd, credits_usd, events, checksum) \
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        day.to_string(),
        pair.service.as_str(),
        pair.operation.as_str(),
        sums.charges.to_string(),
        sums.credits.to_string(),
        count(sums.events),
        pair_checksum(day, pair, sums),
    ])?;
    Ok(())
}

pub(super) fn read_pair(row: &Row<'_>) -> Result<PairRow, LedgerError> {
    let found = PairRow { day: day(row, 0)?, pair: pair(row, 1)?, sums: sums(row, 3)? };
    check("rollup_pair", row.get(6)?, pair_checksum(found.day, &found.pair, &found.sums))?;
    Ok(found)
}

pub(super) fn day_checksum(day: Date, row: &DayRow) -> i64 {
    let key = Checksum::of("rollup_day").text(&day.to_string()).integer(row.pairs).integer(row.pairs_digest);
    sums_checksum(key, &row.sums)
}

pub(super) fn write_day(connection: &Connection, day: Date, row: &DayRow) -> Result<(), LedgerError> {
    let sql = "INSERT OR REPLACE INTO rollup_day (day, pairs, pairs_digest, charges_usd, credits_usd, events, checksum) \
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        day.to_string(),
        row.pairs,
        row.pairs_digest,
        row.sums.charges.to_string(),
        row.sums.credits.to_string(),
        count(row.sums.events),
        day_checksum(day, row),
    ])?;
    Ok(())
}

/// Every row of `rollup_day` from `first` to `last`, in order.
pub(super) fn read_days(connection: &Connection, first: Date, last: Date) -> Result<Vec<(Date, DayRow)>, LedgerError> {
    let sql = "SELECT day, pairs, pairs_digest, charges_usd, credits_usd, events, checksum FROM rollup_day \
               WHERE day BETWEEN ? AND ? ORDER BY day";
    each(connection.prepare_cached(sql)?, params![first.to_string(), last.to_string()], |row| {
        let date = day(row, 0)?;
        let found = DayRow { pairs: row.get(1)?, pairs_digest: row.get(2)?, sums: sums(row, 3)? };
        check("rollup_day", row.get(6)?, day_checksum(date, &found))?;
        Ok((date, found))
    })
}

pub(super) fn series_checksum(label: &Pair, sums: &Sums) -> i64 {
    sums_checksum(Checksum::of("series").text(label.service.as_str()).text(label.operation.as_str()), sums)
}

pub(super) fn write_series(connection: &Connection, label: &Pair, sums: &Sums) -> Result<(), LedgerError> {
    let sql = "INSERT OR REPLACE INTO series (service, operation, charges_usd, credits_usd, events, checksum) \
               VALUES (?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        label.service.as_str(),
        label.operation.as_str(),
        sums.charges.to_string(),
        sums.credits.to_string(),
        count(sums.events),
        series_checksum(label, sums),
    ])?;
    Ok(())
}

pub(super) fn read_series(connection: &Connection) -> Result<Vec<(Pair, Sums)>, LedgerError> {
    let sql = "SELECT service, operation, charges_usd, credits_usd, events, checksum FROM series";
    each(connection.prepare_cached(sql)?, params![], |row| {
        let (label, sums) = (pair(row, 0)?, sums(row, 2)?);
        check("series", row.get(5)?, series_checksum(&label, &sums))?;
        Ok((label, sums))
    })
}

pub(super) fn usage_checksum(key: &UsageKey, total: u128) -> i64 {
    Checksum::of("usage_series")
        .text(key.service.as_str())
        .text(&key.model)
        .text(key.kind.as_str())
        .text(&total.to_string())
        .finish()
}

pub(super) fn write_usage(connection: &Connection, key: &UsageKey, total: u128) -> Result<(), LedgerError> {
    let sql = "INSERT OR REPLACE INTO usage_series (service, model, kind, count, checksum) VALUES (?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        key.service.as_str(),
        &*key.model,
        key.kind.as_str(),
        total.to_string(),
        usage_checksum(key, total),
    ])?;
    Ok(())
}

pub(super) fn read_usage(connection: &Connection) -> Result<Vec<(UsageKey, u128)>, LedgerError> {
    let sql = "SELECT service, model, kind, count, checksum FROM usage_series";
    each(connection.prepare_cached(sql)?, params![], |row| {
        let key = UsageKey { service: name(row, 0)?, model: row.get::<_, Box<str>>(1)?, kind: name(row, 2)? };
        let total: u128 = parse(row, 3)?;
        check("usage_series", row.get(4)?, usage_checksum(&key, total))?;
        Ok((key, total))
    })
}

/// Runs a query and reads every row.
pub(super) fn each<T>(
    mut statement: CachedStatement<'_>,
    parameters: impl rusqlite::Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, LedgerError>,
) -> Result<Vec<T>, LedgerError> {
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Compares a row's checksum with what its columns give.
pub(super) fn check(table: &str, stored: i64, computed: i64) -> Result<(), LedgerError> {
    if stored == computed {
        return Ok(());
    }
    Err(LedgerError::Damaged(format!("a row of {table} does not match its checksum")))
}

pub(super) fn damaged(table: &str, column: &str) -> LedgerError {
    LedgerError::Damaged(format!("a row of {table} has an impossible {column}"))
}

/// Nanoseconds since 1970; a time beyond the years 1677 to 2262 is held at that edge.
pub(super) fn nanoseconds(time: Timestamp) -> i64 {
    let ns = time.as_nanosecond();
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

pub(super) fn timestamp(column: usize, ns: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_nanosecond(i128::from(ns))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, error.into()))
}

pub(super) fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<Name> {
    let text = row.get_ref(column)?.as_str()?;
    Name::new(text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

pub(super) fn day(row: &Row<'_>, column: usize) -> rusqlite::Result<Date> {
    parse(row, column)
}

pub(super) fn parse<T>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: T::Err| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

fn pair(row: &Row<'_>, first_column: usize) -> rusqlite::Result<Pair> {
    Ok(Pair { service: name(row, first_column)?, operation: name(row, first_column + 1)? })
}

fn sums(row: &Row<'_>, first_column: usize) -> rusqlite::Result<Sums> {
    Ok(Sums {
        charges: parse::<Usd>(row, first_column)?,
        credits: parse::<Usd>(row, first_column + 1)?,
        events: row.get::<_, i64>(first_column + 2)?.cast_unsigned(),
    })
}

fn sums_checksum(key: Checksum, sums: &Sums) -> i64 {
    key.text(&sums.charges.to_string()).text(&sums.credits.to_string()).integer(count(sums.events)).finish()
}

fn count(events: u64) -> i64 {
    events.cast_signed()
}
