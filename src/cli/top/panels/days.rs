//! What each of the last days cost, against the limit of a day.

use std::time::Instant;

use super::super::super::table::people;
use super::super::columns::{Cell, Column, Fit, Row};
use super::super::graph::Bar;
use super::super::known::Known;
use super::super::panel::{Panel, Place};
use super::super::question::Question;
use super::super::theme::Tone;
use super::limit_of;
use crate::domain::{PeriodKind, Usd};

const COLUMNS: &[Column] = &[
    Column { fit: Fit::Whole, gives_way: 0 },
    Column { fit: Fit::Number, gives_way: 0 },
    Column { fit: Fit::Picture(6, 60), gives_way: 1 },
    Column { fit: Fit::Whole, gives_way: 2 },
];

/// The part about days, today first. The bars are measured by the limit, or by the dearest day where that is more.
pub fn days(known: &Known, question: Question, now: Instant) -> Panel {
    let days = known.costs(question, now).map(|(costs, _)| costs.days.as_slice()).unwrap_or_default();
    let limit = limit_of(known.budgets.value.as_deref().unwrap_or_default(), PeriodKind::Daily).map(|(_, limit)| limit);
    let dearest = days.iter().map(|(_, cost)| *cost).max().unwrap_or(Usd::ZERO);
    let whole = dearest.max(limit.unwrap_or(Usd::ZERO));
    let row = |(date, cost): &(jiff::civil::Date, Usd)| -> Row {
        let is_over = limit.is_some_and(|limit| *cost > limit);
        vec![
            Cell::plain(date.to_string()),
            Cell::plain(people::money(*cost)),
            Cell::Bar(Bar::of_money(*cost, Usd::ZERO, whole), if is_over { Tone::Bad } else { Tone::Plain }),
            if is_over { Cell::Text("over".into(), Tone::Bad) } else { Cell::empty() },
        ]
    };
    Panel {
        place: Place::Days,
        heading: "Days",
        summary: limit.map(|limit| format!("against today's limit of {} USD", people::money(limit))).unwrap_or_default(),
        trouble: None,
        empty: "",
        columns: COLUMNS,
        rows: days.iter().rev().map(row).collect(),
    }
}
