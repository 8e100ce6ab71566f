//! What is remembered of budgets besides the sums: when they came to their limits.
//!
//! *Invariants.* The table is written anew whenever it differs, with the rollup that counts the same entries. A row that is lost says
//! no more than that nothing is known, so no digest guards the table; a row that is there says what was written.

use jiff::civil::Date;
use rusqlite::Connection;

use super::LedgerError;
use super::row::{Cell, Cells, Codec, Plain, RowWriter, Shape, Sink, each_row, read_rows, row};
use crate::domain::{BudgetMark, Folded, Month, Period, PeriodKind, Reached};

row! {
    "INSERT" "budget_mark",
    write BudgetMark, read BudgetMark,
    (BudgetMark { budget, period, service, limit, reached }),
    key {
        "budget" => budget;
        "period", "first_day" => period;
    }
    columns {
        "service" => service;
        "limit_usd" => limit;
        "reached", "reached_at_ns" => reached;
    }
}

impl Codec<Period> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text, Shape::Text];

    fn put(value: &Period, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let kind = match value {
            Period::Day(_) => PeriodKind::Daily,
            Period::Month(_) => PeriodKind::Monthly,
        };
        sink.add(Cell::Text(kind.as_str()))?;
        Self::put(&value.days().0, sink)
    }

    fn take(cells: &mut Cells<'_>) -> Option<Period> {
        let kind: PeriodKind = cells.text()?.parse().ok()?;
        let first: Date = Self::take(cells)?;
        Some(match kind {
            PeriodKind::Daily => Period::Day(first),
            PeriodKind::Monthly => Period::Month(Month::of(first)),
        })
    }
}

impl Codec<Option<Folded>> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::OptionalText];

    fn put(value: &Option<Folded>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::OptionalText(value.as_ref().map(Folded::as_str)))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Option<Folded>> {
        Some(cells.optional_text()?.map(Folded::from_folded))
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
        sink.add(Cell::Text(word))?;
        Self::put(&at, sink)
    }

    fn take(cells: &mut Cells<'_>) -> Option<Reached> {
        let word = cells.text()?.to_owned();
        match (word.as_str(), Self::take(cells)?) {
            ("never", None) => Some(Reached::Never),
            ("at", Some(time)) => Some(Reached::At(time)),
            ("some_time", None) => Some(Reached::SomeTime),
            _ => None,
        }
    }
}

/// All marks, ordered by budget and period.
pub(super) fn read(connection: &Connection) -> Result<Vec<BudgetMark>, LedgerError> {
    let mut marks: Vec<BudgetMark> = read_rows(connection, "", ())?;
    marks.sort_by(BudgetMark::compare);
    Ok(marks)
}

/// Writes all marks anew.
pub(super) fn write(connection: &Connection, marks: &[BudgetMark]) -> Result<(), LedgerError> {
    forget(connection)?;
    let mut writer = RowWriter::insert(connection)?;
    marks.iter().try_for_each(|mark| writer.write(mark).map(drop))
}

/// Removes all marks: what they say is of other days than those that are counted from now on.
pub(super) fn forget(connection: &Connection) -> Result<(), LedgerError> {
    Ok(connection.execute("DELETE FROM budget_mark", ()).map(drop)?)
}

/// Checks every row.
pub(super) fn verify(connection: &Connection) -> Result<(), LedgerError> {
    each_row(connection, "", (), |_: BudgetMark, _| Ok(()))
}
