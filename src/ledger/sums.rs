//! The sums: written with the events that change them, and proven complete when they are read.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rusqlite::Connection;

use super::checksum::digest_replace;
use super::head::Head;
use super::rows::{self, DayRow, PairRow};
use super::{Change, LedgerError, Rollup, gate};
use crate::domain::Sums;

/// Writes the sums that changed, and keeps the digests over them.
pub(super) fn write_sums(
    connection: &Connection,
    rollup: &Rollup,
    head: &mut Head,
    days: &mut BTreeMap<Date, DayRow>,
) -> Result<(), LedgerError> {
    let mut days_before: BTreeMap<Date, Option<i64>> = BTreeMap::new();
    for Change { key: (day, pair), before, after } in &rollup.pairs {
        days_before.entry(*day).or_insert_with(|| days.get(day).map(|row| rows::day_checksum(*day, row)));
        let row = days.entry(*day).or_default();
        let before_checksum = before.as_ref().map(|sums| rows::pair_checksum(*day, pair, sums));
        row.pairs += i64::from(before.is_none());
        row.pairs_digest = digest_replace(row.pairs_digest, before_checksum, rows::pair_checksum(*day, pair, after));
        row.sums += *after;
        if let Some(before) = before {
            row.sums.charges -= before.charges;
            row.sums.credits -= before.credits;
            row.sums.events -= before.events;
        }
        rows::write_pair(connection, *day, pair, after)?;
    }
    for (day, before) in days_before {
        let row = days.entry(day).or_default();
        head.days_digest = digest_replace(head.days_digest, before, rows::day_checksum(day, row));
        rows::write_day(connection, day, row)?;
    }
    for Change { key, before, after } in &rollup.series {
        let before = before.as_ref().map(|sums| rows::series_checksum(key, sums));
        head.series_digest = digest_replace(head.series_digest, before, rows::series_checksum(key, after));
        rows::write_series(connection, key, after)?;
    }
    for Change { key, before, after } in &rollup.usage {
        let before = before.map(|total| rows::usage_checksum(key, total));
        head.usage_digest = digest_replace(head.usage_digest, before, rows::usage_checksum(key, *after));
        rows::write_usage(connection, key, *after)?;
    }
    Ok(())
}

/// Proves that the tables a start-up relies on have all their rows, and no others.
pub(super) fn check_digests(connection: &Connection, head: &Head, days: &BTreeMap<Date, DayRow>) -> Result<(), LedgerError> {
    let sum = |checksums: &mut dyn Iterator<Item = i64>| checksums.fold(0_i64, i64::wrapping_add);
    let days_digest = sum(&mut days.iter().map(|(day, row)| rows::day_checksum(*day, row)));
    let series = rows::read_series(connection)?;
    let series_digest = sum(&mut series.iter().map(|(label, sums)| rows::series_checksum(label, sums)));
    let usage = rows::read_usage(connection)?;
    let usage_digest = sum(&mut usage.iter().map(|(key, total)| rows::usage_checksum(key, *total)));
    let newest_gate_change = gate::read_history(connection, 1)?.pop().map_or(0, |(seq, _)| seq);
    for (table, found, expected) in [
        ("rollup_day", days_digest, head.days_digest),
        ("series", series_digest, head.series_digest),
        ("usage_series", usage_digest, head.usage_digest),
        ("gate_change", newest_gate_change, head.gate_changes),
    ] {
        if found != expected {
            return Err(LedgerError::Damaged(format!("rows of {table} are missing or belong to another state")));
        }
    }
    let mut by_day = Sums::default();
    days.values().for_each(|row| by_day += row.sums);
    let mut by_series = Sums::default();
    series.iter().for_each(|(_, sums)| by_series += *sums);
    if by_day != by_series || by_day.events.cast_signed() != head.rolled_up.events {
        return Err(LedgerError::Damaged("the days and the series do not add up to the same total".into()));
    }
    Ok(())
}

/// A day's pairs, proven complete.
pub(super) fn read_day_pairs(connection: &Connection, day: Date, row: &DayRow) -> Result<Vec<PairRow>, LedgerError> {
    let sql = format!("SELECT {} FROM rollup_pair WHERE day = ?", rows::PAIR_COLUMNS);
    let pairs = rows::each(connection.prepare_cached(&sql)?, [day.to_string()], rows::read_pair)?;
    let digest = pairs
        .iter()
        .fold(0_i64, |digest, found| digest.wrapping_add(rows::pair_checksum(found.day, &found.pair, &found.sums)));
    if pairs.len() as i64 != row.pairs || digest != row.pairs_digest {
        return Err(LedgerError::Damaged(format!("rows of rollup_pair for {day} are missing or belong to another state")));
    }
    Ok(pairs)
}
