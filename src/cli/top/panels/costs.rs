//! What was spent on what, with its share and its days.

use std::time::Instant;

use super::super::super::table::people;
use super::super::columns::{Cell, Column, Fit, Row};
use super::super::graph::{Bar, share};
use super::super::known::Known;
use super::super::panel::{Panel, Place};
use super::super::question::{By, Question};
use super::super::text::clean;
use super::super::theme::Tone;
use crate::domain::Usd;

/// An answer older than this says so: a grouping that takes long is asked for less often.
const FRESH_SECONDS: u64 = 10;

const COLUMNS: &[Column] = &[
    Column { fit: Fit::Cut(12), gives_way: 0 },
    Column { fit: Fit::Number, gives_way: 0 },
    Column { fit: Fit::Number, gives_way: 2 },
    Column { fit: Fit::Picture(6, 20), gives_way: 4 },
    Column { fit: Fit::Picture(7, 30), gives_way: 3 },
];

/// The part about cost by service, model or worker.
pub fn costs(known: &Known, question: Question, now: Instant) -> Panel {
    let heard = known.costs(question, now);
    let period = question.period.word();
    let mut summary = period.to_owned();
    if let Some((costs, age)) = heard {
        summary += &format!(", {} USD", people::money(costs.total));
        if age.as_secs() > FRESH_SECONDS {
            summary += &format!(", {} s ago", age.as_secs());
        }
        if costs.more > 0 {
            summary += &format!(", {} more names", people::grouped(costs.more as u128));
        }
    }
    let row = |total: Usd| {
        move |row: &super::super::ask::CostRow| -> Row {
            let days = row.days.iter().map(|cost| cost.pico().max(0).unsigned_abs()).collect();
            vec![
                Cell::plain(if row.name.is_empty() { "(none)".into() } else { clean(&row.name) }),
                Cell::plain(people::money(row.cost)),
                Cell::plain(share(row.cost, total)),
                Cell::Bar(Bar::of_money(row.cost, Usd::ZERO, total), Tone::Plain),
                Cell::Spark(days),
            ]
        }
    };
    Panel {
        place: Place::Costs,
        heading: question.by.heading(),
        summary,
        trouble: known.costs.trouble.clone().filter(|_| known.away.is_none()),
        empty: match (heard.is_some(), question.by) {
            (false, _) => "asking …",
            (true, By::Service) => "nothing was spent yet: lead-factory-metrics record --help",
            (true, _) => "nothing was spent yet",
        },
        columns: COLUMNS,
        rows: heard.map(|(costs, _)| costs.rows.iter().map(row(costs.total)).collect()).unwrap_or_default(),
    }
}
