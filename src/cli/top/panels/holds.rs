//! Open reservations: money that is set aside.

use jiff::Timestamp;

use super::super::super::table::people;
use super::super::ask::HOLDS_MAX;
use super::super::columns::{Cell, Column, Fit, Row};
use super::super::known::Known;
use super::super::panel::{Panel, Place};
use super::super::text::{clean, pair, relative};
use super::super::theme::Tone;
use crate::domain::Usd;
use crate::wire::ReservationItem;

const COLUMNS: &[Column] = &[
    Column { fit: Fit::Cut(14), gives_way: 0 },
    Column { fit: Fit::Number, gives_way: 0 },
    Column { fit: Fit::Whole, gives_way: 1 },
    Column { fit: Fit::Cut(8), gives_way: 3 },
    Column { fit: Fit::Cut(10), gives_way: 4 },
];

/// The part about holds, the oldest first.
pub fn holds(known: &Known, now: Timestamp) -> Panel {
    let items: Vec<&ReservationItem<'_>> = known.holds.value.iter().flatten().collect();
    let summary = match items.len() {
        0 if known.holds.value.is_some() => "none".into(),
        0 => String::new(),
        count if count >= HOLDS_MAX => format!("{count} or more"),
        count => format!("{count}, {} USD", people::money(items.iter().map(|item| item.estimated_cost_usd).sum::<Usd>())),
    };
    Panel {
        place: Place::Holds,
        heading: "Holds",
        summary,
        trouble: known.holds.trouble.clone().filter(|_| known.away.is_none()),
        empty: "",
        columns: COLUMNS,
        rows: items.into_iter().map(|item| row(item, now)).collect(),
    }
}

fn row(item: &ReservationItem<'_>, now: Timestamp) -> Row {
    let is_late = item.expires_at < now;
    let expires = format!("expires {}", relative(item.expires_at, now));
    vec![
        Cell::plain(pair(item.service.as_str(), item.operation.as_str())),
        Cell::plain(people::money(item.estimated_cost_usd)),
        if is_late { Cell::Text(expires, Tone::Warning) } else { Cell::plain(expires) },
        Cell::plain(item.worker.as_deref().map(clean).unwrap_or_default()),
        Cell::Text(clean(&item.reservation_id), Tone::Quiet),
    ]
}
