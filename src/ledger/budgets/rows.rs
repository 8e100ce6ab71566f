//! How budgets' meters and tallies stand in their tables.

use jiff::Timestamp;
use smallvec::SmallVec;

use super::super::LedgerError;
use super::super::row::{Cell, Cells, Codec, Plain, Shape, Sink, nanoseconds, row};
use crate::domain::Reached;

/// A budget that is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMeter {
    /// What its tallies are filed under. [`Ledger::next_meter`](crate::ledger::Ledger::next_meter) gives one that is not taken.
    pub id: i64,
    /// The budget's name.
    pub budget: String,
    /// All that decides what counts, and in which period: whoever counts under another one needs another meter.
    pub definition: String,
    /// The limits, in the smallest parts of each unit, under which its tallies say when they were reached.
    pub limits: Vec<i128>,
    /// No entry that happened before is in its tallies.
    pub counted_from: Timestamp,
    /// Every entry up to the one with this `seq` is counted; 0 while the tallies are worth nothing.
    pub counted_to: i64,
}

/// What was spent of a budget by one key in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTally {
    /// The meter's id.
    pub meter: i64,
    /// When the period began; [`Timestamp::MIN`] for one without beginning.
    pub span_start: Timestamp,
    /// The folded key; empty for a budget that has none.
    pub key: Box<str>,
    /// In the smallest parts of each of the budget's units.
    pub spent: SmallVec<[i128; 1]>,
    /// When the limit was reached.
    pub reached: Reached,
    /// The `seq` of the newest entry that changed it.
    pub counted_to: i64,
}

/// A row of `budget_meter`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::ledger) struct MeterRow {
    pub meter: StoredMeter,
    /// Whether it counts no more, and its tallies are to be removed.
    pub is_forgotten: bool,
    /// Over its tallies.
    pub tallies_digest: i64,
}

row! {
    "INSERT OR REPLACE" "budget_meter",
    write MeterRow, read MeterRow,
    (MeterRow {
        meter: StoredMeter { id, budget, definition, limits, counted_from, counted_to },
        is_forgotten,
        tallies_digest,
    }),
    key {
        "id" => id;
    }
    columns {
        "budget" => budget;
        "definition" => definition;
        "limits" => limits: Parts;
        "counted_from_ns" => counted_from: Since;
        "counted_to" => counted_to;
        "forgotten" => is_forgotten;
        "tallies_digest" => tallies_digest;
    }
}

row! {
    "INSERT OR REPLACE" "budget_tally",
    write StoredTally, read StoredTally,
    (StoredTally { meter, span_start, key, spent, reached, counted_to }),
    key {
        "meter" => meter;
        "span_start_ns" => span_start: Since;
        "key" => key;
    }
    columns {
        "spent" => spent: Parts;
        "reached", "reached_at_ns" => reached;
        "counted_to" => counted_to;
    }
}

/// A time, or the beginning of all time, which lies before what 64 bits of nanoseconds reach.
pub(in crate::ledger) struct Since;

impl Since {
    /// As it stands in the column.
    pub fn ns(time: Timestamp) -> i64 {
        if time == Timestamp::MIN { i64::MIN } else { nanoseconds(time) }
    }
}

impl Codec<Timestamp> for Since {
    const SHAPES: &'static [Shape] = <Plain as Codec<Timestamp>>::SHAPES;

    fn put(value: &Timestamp, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Integer(Self::ns(*value)))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Timestamp> {
        match cells.integer()? {
            i64::MIN => Some(Timestamp::MIN),
            ns => Timestamp::from_nanosecond(ns.into()).ok(),
        }
    }
}

/// Integers of 128 bits, as decimal digits with commas in between.
struct Parts;

fn put_parts(parts: &[i128], sink: &mut impl Sink) -> Result<(), LedgerError> {
    match parts {
        [one] => sink.add(Cell::Text(&one.to_string())),
        several => sink.add(Cell::Text(&several.iter().map(i128::to_string).collect::<Vec<_>>().join(","))),
    }
}

fn take_parts<T: FromIterator<i128>>(cells: &mut Cells<'_>) -> Option<T> {
    let text = cells.text()?;
    // Of nothing there is one piece as well, which is empty.
    text.split(',').filter(|_| !text.is_empty()).map(|part| part.parse().ok()).collect()
}

impl Codec<Vec<i128>> for Parts {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(value: &Vec<i128>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        put_parts(value, sink)
    }

    fn take(cells: &mut Cells<'_>) -> Option<Vec<i128>> {
        take_parts(cells)
    }
}

impl Codec<SmallVec<[i128; 1]>> for Parts {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(value: &SmallVec<[i128; 1]>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        put_parts(value, sink)
    }

    fn take(cells: &mut Cells<'_>) -> Option<SmallVec<[i128; 1]>> {
        take_parts(cells)
    }
}

impl Codec<Reached> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text, Shape::OptionalInteger];

    fn put(value: &Reached, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let (word, at) = match value {
            Reached::Never => ("never", None),
            Reached::At(time) => ("at", Some(*time)),
            Reached::SomeTime => ("some_time", None),
        };
        sink.add(Cell::Word(word))?;
        Self::put(&at, sink)
    }

    fn take(cells: &mut Cells<'_>) -> Option<Reached> {
        let word = cells.text()?;
        match (word, Self::take(cells)?) {
            ("never", None) => Some(Reached::Never),
            ("at", Some(time)) => Some(Reached::At(time)),
            ("some_time", None) => Some(Reached::SomeTime),
            _ => None,
        }
    }
}
