//! Events as they come.

use jiff::Timestamp;

use super::super::super::table::people;
use super::super::columns::{Cell, Column, Fit, Row};
use super::super::events::{EVENTS_KEPT_MAX, Seen};
use super::super::known::Known;
use super::super::panel::{Panel, Place};
use super::super::text::{clean, hour, pair};
use super::super::theme::Tone;

const COLUMNS: &[Column] = &[
    Column { fit: Fit::Whole, gives_way: 0 },
    Column { fit: Fit::Cut(14), gives_way: 0 },
    Column { fit: Fit::Number, gives_way: 0 },
    Column { fit: Fit::Cut(8), gives_way: 1 },
    Column { fit: Fit::Cut(8), gives_way: 3 },
    Column { fit: Fit::Cut(6), gives_way: 4 },
    Column { fit: Fit::Cut(6), gives_way: 5 },
];

/// The part about events, newest first.
pub fn events(known: &Known, now: Timestamp) -> Panel {
    let events = known.events.value.as_ref();
    let count = events.map_or(0, |events| events.len());
    Panel {
        place: Place::Events,
        heading: "Events",
        summary: if count >= EVENTS_KEPT_MAX {
            format!("the newest {}", people::grouped(count as u128))
        } else {
            String::new()
        },
        trouble: known.events.trouble.clone().filter(|_| known.away.is_none()),
        empty: "none yet: lead-factory-metrics record --help",
        columns: COLUMNS,
        rows: events.into_iter().flat_map(|events| events.iter()).map(|seen| row(seen, now)).collect(),
    }
}

fn row(Seen { event, is_new }: &Seen, now: Timestamp) -> Row {
    let tone = if *is_new { Tone::New } else { Tone::Plain };
    let cell = |text: String| Cell::Text(text, tone);
    let optional = |text: &Option<String>| cell(text.as_deref().map(clean).unwrap_or_default());
    let mut marks = vec![];
    if event.kind != "charge" {
        marks.push(clean(&event.kind));
    }
    if event.unpriced {
        marks.push("unpriced".into());
    }
    if event.suspected {
        marks.push("suspected".into());
    }
    if event.outcome != "ok" {
        marks.push(clean(&event.outcome));
    }
    if event.revision > 0 {
        marks.push(format!("revision {}", event.revision));
    }
    let is_doubtful = event.unpriced || event.suspected;
    vec![
        Cell::Text(hour(event.time, now), if *is_new { Tone::New } else { Tone::Quiet }),
        cell(pair(&event.service, &event.operation)),
        cell(people::money(event.amount_usd)),
        Cell::Text(marks.join(", "), if is_doubtful { Tone::Warning } else { tone }),
        optional(&event.model),
        optional(&event.worker),
        optional(&event.lead_id),
    ]
}
