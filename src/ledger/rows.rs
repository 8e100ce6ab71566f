//! The rollup tables: what the events add up to.

use jiff::civil::Date;
use rusqlite::Connection;

use super::LedgerError;
use super::row::{read_rows, row};
use crate::domain::{ModelKey, Pair, Quantity, Sums, UsageKey, Usd};

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

row! {
    "INSERT OR REPLACE" "rollup_pair",
    write PairRow, read PairRow,
    (PairRow { day, pair, sums }),
    key {
        "day" => day;
        "service", "operation" => pair;
    }
    columns {
        "charges_usd", "credits_usd", "events" => sums;
    }
}

/// A row of `rollup_day`: the total, and what proves that the day's pairs are complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DayRow {
    pub day: Date,
    pub pairs: i64,
    pub pairs_digest: i64,
    pub sums: Sums,
}

row! {
    "INSERT OR REPLACE" "rollup_day",
    write DayRow, read DayRow,
    (DayRow { day, pairs, pairs_digest, sums }),
    key {
        "day" => day;
    }
    columns {
        "pairs" => pairs;
        "pairs_digest" => pairs_digest;
        "charges_usd", "credits_usd", "events" => sums;
    }
}

impl DayRow {
    /// A day without cost, which has no row.
    pub fn empty(day: Date) -> Self {
        Self { day, pairs: 0, pairs_digest: 0, sums: Sums::default() }
    }
}

/// Every row of `rollup_day` from `first` to `last`, in order.
pub(super) fn read_days(connection: &Connection, first: Date, last: Date) -> Result<Vec<(Date, DayRow)>, LedgerError> {
    let bounds = [first.to_string(), last.to_string()];
    let days: Vec<DayRow> = read_rows(connection, "WHERE day BETWEEN ? AND ? ORDER BY day", bounds)?;
    Ok(days.into_iter().map(|row| (row.day, row)).collect())
}

/// A row of `series`: a metric series since the ledger began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeriesRow {
    pub label: Pair,
    pub sums: Sums,
}

row! {
    "INSERT OR REPLACE" "series",
    write SeriesRow, read SeriesRow,
    (SeriesRow { label, sums }),
    key {
        "service", "operation" => label;
    }
    columns {
        "charges_usd", "credits_usd", "events" => sums;
    }
}

/// A row of `usage_series`: what was counted since the ledger began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UsageRow {
    pub key: UsageKey,
    pub count: Quantity,
}

row! {
    "INSERT OR REPLACE" "usage_series",
    write UsageRow, read UsageRow,
    (UsageRow { key: UsageKey { service, model, kind }, count }),
    key {
        "service" => service;
        "model" => model;
        "kind" => kind;
    }
    columns {
        "count" => count;
    }
}

/// A row of `model_series`: what was charged since the ledger began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ModelRow {
    pub key: ModelKey,
    pub charges: Usd,
}

row! {
    "INSERT OR REPLACE" "model_series",
    write ModelRow, read ModelRow,
    (ModelRow { key: ModelKey { service, model }, charges }),
    key {
        "service" => service;
        "model" => model;
    }
    columns {
        "charges_usd" => charges;
    }
}
