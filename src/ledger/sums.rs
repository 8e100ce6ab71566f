//! The sums: written with the events that change them, and proven complete when they are read.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::{Connection, Params};

use super::checksum::digest_replace;
use super::commit::{Change, Rollup};
use super::head::Head;
use super::row::{Row, RowWriter, Stored, checksum_of, each_row};
use super::rows::{DayRow, ModelRow, PairRow, SeriesRow, UsageRow};
use super::{LedgerError, gate};
use crate::domain::{ModelKey, Pair, Quantity, Sums, UsageKey, Usd};

/// Writes a commit's sums, and keeps the digests over them. Returns the days that changed.
pub(super) fn write(
    connection: &Connection,
    rollup: &Rollup,
    head: &mut Head,
    days: &BTreeMap<Date, DayRow>,
) -> Result<Vec<DayRow>, LedgerError> {
    let series = |key: &Pair, sums: &Sums| SeriesRow { label: key.clone(), sums: *sums };
    head.series_digest = replace_rows(connection, &rollup.series, series, head.series_digest)?;
    let usage = |key: &UsageKey, count: &Quantity| UsageRow { key: key.clone(), count: *count };
    head.usage_digest = replace_rows(connection, &rollup.usage, usage, head.usage_digest)?;
    let model = |key: &ModelKey, charges: &Usd| ModelRow { key: key.clone(), charges: *charges };
    head.models_digest = Some(replace_rows(connection, &rollup.models, model, head.models_digest.unwrap_or(0))?);

    let changed = write_pairs(connection, rollup, days)?;
    let mut writer = RowWriter::insert(connection)?;
    for row in &changed {
        let before = days.get(&row.day).map(checksum_of).transpose()?;
        head.days_digest = digest_replace(head.days_digest, before, writer.write(row)?);
    }
    Ok(changed)
}

/// Writes the pairs, and returns what the rows of their days are to say.
fn write_pairs(connection: &Connection, rollup: &Rollup, days: &BTreeMap<Date, DayRow>) -> Result<Vec<DayRow>, LedgerError> {
    let mut writer = RowWriter::insert(connection)?;
    let mut changed: BTreeMap<Date, DayRow> = BTreeMap::new();
    for Change { key: (day, pair), before, after } in &rollup.pairs {
        let pair_row = |sums: &Sums| PairRow { day: *day, pair: pair.clone(), sums: *sums };
        let before_checksum = before.as_ref().map(|sums| checksum_of(&pair_row(sums))).transpose()?;
        let in_memory = || days.get(day).cloned().unwrap_or_else(|| DayRow::empty(*day));
        let row = changed.entry(*day).or_insert_with(in_memory);
        row.pairs += i64::from(before.is_none());
        row.pairs_digest = digest_replace(row.pairs_digest, before_checksum, writer.write(&pair_row(after))?);
        row.sums += *after;
        if let Some(before) = before {
            row.sums.charges -= before.charges;
            row.sums.credits -= before.credits;
            row.sums.entries -= before.entries;
        }
    }
    Ok(changed.into_values().collect())
}

/// Writes what rows are to say, and returns the digest over all rows of their table.
fn replace_rows<K, V, R: Row>(
    connection: &Connection,
    changes: &[Change<K, V>],
    row: impl Fn(&K, &V) -> R,
    mut digest: i64,
) -> Result<i64, LedgerError> {
    let mut writer = RowWriter::insert(connection)?;
    for Change { key, before, after } in changes {
        let before = before.as_ref().map(|value| checksum_of(&row(key, value))).transpose()?;
        digest = digest_replace(digest, before, writer.write(&row(key, after))?);
    }
    Ok(digest)
}

/// Rows of a table, and the digest over them.
fn with_digest<R: Stored>(
    connection: &Connection,
    rest: &str,
    parameters: impl Params,
) -> Result<(Vec<R>, i64), LedgerError> {
    let (mut found, mut digest) = (Vec::new(), 0_i64);
    each_row(connection, rest, parameters, |row, checksum| {
        found.push(row);
        digest = digest.wrapping_add(checksum);
        Ok(())
    })?;
    Ok((found, digest))
}

/// Proves that the tables a start-up relies on have all their rows, and no others.
pub(super) fn check_digests(connection: &Connection, head: &Head, days: &BTreeMap<Date, DayRow>) -> Result<(), LedgerError> {
    let mut days_digest = 0_i64;
    for row in days.values() {
        days_digest = days_digest.wrapping_add(checksum_of(row)?);
    }
    let (series, series_digest) = with_digest::<SeriesRow>(connection, "", ())?;
    let (_, usage_digest) = with_digest::<UsageRow>(connection, "", ())?;
    let (models, models_digest) = with_digest::<ModelRow>(connection, "", ())?;
    let newest_gate_change = gate::read_history(connection, 1)?.pop().map_or(0, |line| line.seq);
    for (table, found, expected) in [
        ("rollup_day", days_digest, head.days_digest),
        ("series", series_digest, head.series_digest),
        ("usage_series", usage_digest, head.usage_digest),
        ("model_series", models_digest, head.models_digest.unwrap_or(0)),
        ("gate_change", newest_gate_change, head.gate_changes),
    ] {
        if found != expected {
            return Err(LedgerError::Damaged(format!("rows of {table} are missing or belong to another state")));
        }
    }
    let mut by_day = Sums::default();
    days.values().for_each(|row| by_day += row.sums);
    let mut by_series = Sums::default();
    series.iter().for_each(|row| by_series += row.sums);
    if by_day != by_series || by_day.entries.cast_signed() != head.rolled_up.events {
        return Err(LedgerError::Damaged("the days and the series do not add up to the same total".into()));
    }
    let by_model: Usd = models.iter().map(|row| row.charges).sum();
    if head.models_digest.is_some() && by_model != by_series.charges {
        return Err(LedgerError::Damaged("the charges by model do not add up to those of the series".into()));
    }
    Ok(())
}

/// A day's pairs, proven complete.
pub(super) fn read_day_pairs(connection: &Connection, day: Date, row: &DayRow) -> Result<Vec<PairRow>, LedgerError> {
    let (pairs, digest) = with_digest::<PairRow>(connection, "WHERE day = ?", [day.to_string()])?;
    if pairs.len() as i64 != row.pairs || digest != row.pairs_digest {
        return Err(LedgerError::Damaged(format!("rows of rollup_pair for {day} are missing or belong to another state")));
    }
    Ok(pairs)
}
