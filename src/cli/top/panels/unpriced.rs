//! What waits for a price.

use jiff::Timestamp;

use super::super::columns::{Cell, Column, Fit, Row};
use super::super::known::Known;
use super::super::panel::{Panel, Place};
use super::super::text::{clean, hour, pair};
use super::super::theme::Tone;
use crate::people;
use crate::wire::UnpricedItem;

const COLUMNS: &[Column] = &[
    Column { fit: Fit::Cut(14), gives_way: 0 },
    Column { fit: Fit::Number, gives_way: 0 },
    Column { fit: Fit::Whole, gives_way: 3 },
    Column { fit: Fit::Cut(8), gives_way: 2 },
];

/// The part about models without a price.
pub fn unpriced(known: &Known, now: Timestamp) -> Panel {
    let items: Vec<&UnpricedItem> = known.unpriced.value.iter().flatten().collect();
    Panel {
        place: Place::Unpriced,
        heading: "Unpriced",
        summary: format!("{}, see lead-factory-metrics prices", items.len()),
        trouble: known.unpriced.trouble.clone().filter(|_| known.away.is_none()),
        empty: "",
        columns: COLUMNS,
        rows: items.into_iter().map(|item| row(item, now)).collect(),
    }
}

fn row(item: &UnpricedItem, now: Timestamp) -> Row {
    let model = if item.model.is_empty() { "(no model)" } else { &item.model };
    vec![
        Cell::plain(pair(&item.service, model)),
        Cell::plain(people::counted(item.events, "event")),
        Cell::Text(format!("last {}", hour(item.last, now)), Tone::Quiet),
        Cell::plain(clean(&item.usage.join(", "))),
    ]
}
