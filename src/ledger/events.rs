//! The table of events: one row each, written once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, params};

use super::LedgerError;
use super::head::End;
use super::row::{Cell, Cells, Codec, Pico, Plain, RowWriter, Shape, Sink, each_row, read_row, row};
use super::segment::SEGMENT_EVENTS;
use crate::domain::{CostEvent, EventKey, Kind, Name, Outcome, UsageCount};

/// An event as it stands in the ledger; with `&CostEvent`, one on its way there.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent<Event = CostEvent> {
    /// Its place: 1 for the first event ever recorded, then without gaps.
    pub seq: i64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What was recorded.
    pub event: Event,
    /// The `seq` of the reservation that it settled.
    pub reservation: Option<i64>,
}

/// An event with what this ledger files it under, worked out once.
#[derive(Clone, Debug)]
pub struct KeyedEvent {
    /// The event.
    pub event: CostEvent,
    /// The hash of its key. The same for equal keys; different keys may share one.
    pub key_hash: u64,
    /// The day it counts in.
    pub day: Date,
    /// The `seq` of the reservation that it settles.
    pub reservation: Option<i64>,
}

row! {
    "INSERT" "event",
    write StoredEvent<&CostEvent>, read StoredEvent,
    (StoredEvent {
        seq,
        recorded_at,
        event: CostEvent {
            key: EventKey { source, id },
            service,
            operation,
            amount,
            kind,
            time,
            time_given,
            worker,
            batch_id,
            lead_id,
            model,
            usage,
            duration_seconds,
            outcome,
            attributes,
            revision,
        },
        reservation,
    }),
    unwritten { revision }
    key {
        "seq" => seq;
    }
    columns {
        "recorded_at_ns" => recorded_at;
        "time_ns" => time;
        "time_given" => time_given;
        "source" => source;
        "id" => id;
        "service" => service;
        "operation" => operation;
        "kind" => kind;
        "amount_pico" => amount: Pico;
        "worker" => worker;
        "batch_id" => batch_id;
        "lead_id" => lead_id;
        "model" => model;
        "usage" => usage;
        "duration_seconds" => duration_seconds;
        "outcome" => outcome;
        "attributes" => attributes;
        "reservation" => reservation;
    }
}

impl Codec<Kind> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(value: &Kind, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Text(value.as_str()))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Kind> {
        cells.text()?.parse().ok()
    }
}

impl Codec<Outcome> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(value: &Outcome, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Text(value.as_str()))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Outcome> {
        cells.text()?.parse().ok()
    }
}

/// Counts by what is counted, as a JSON object with its members in order; NULL when nothing was counted.
impl Codec<Vec<UsageCount>> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::OptionalText];

    fn put(usage: &Vec<UsageCount>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        if usage.is_empty() {
            return sink.add(Cell::OptionalText(None));
        }
        let counts: BTreeMap<&str, u64> = usage.iter().map(|usage| (usage.kind.as_str(), usage.count)).collect();
        let json = serde_json::to_string(&counts).map_err(|error| LedgerError::Damaged(error.to_string()))?;
        sink.add(Cell::OptionalText(Some(&json)))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Vec<UsageCount>> {
        let Some(json) = cells.optional_text()? else { return Some(Vec::new()) };
        let counts: BTreeMap<String, u64> = serde_json::from_str(json).ok()?;
        counts.into_iter().map(|(kind, count)| Some(UsageCount { kind: Name::new(&kind).ok()?, count })).collect()
    }
}

/// Writes a commit's events behind `end`. Returns the new end, and the end of each segment that they fill.
pub(super) fn write(
    connection: &Connection,
    events: &[KeyedEvent],
    recorded_at: Timestamp,
    mut end: End,
) -> Result<(End, Vec<End>), LedgerError> {
    let mut segment_ends = Vec::new();
    let mut writer = RowWriter::insert(connection)?;
    for KeyedEvent { event, reservation, .. } in events {
        let row = StoredEvent { seq: end.events + 1, recorded_at, event, reservation: *reservation };
        end.add(writer.write(&row)?, recorded_at);
        if end.events % SEGMENT_EVENTS == 0 {
            segment_ends.push(end.clone());
        }
    }
    Ok((end, segment_ends))
}

/// The event at a place, if retention has not removed it.
pub(super) fn event_at(connection: &Connection, seq: i64) -> Result<Option<StoredEvent>, LedgerError> {
    Ok(read_row(connection, "WHERE seq = ?", [seq])?.map(|(stored, _)| stored))
}

/// The event under a key among those behind a place, found by looking at each.
pub(super) fn event_since(connection: &Connection, after: i64, key: &EventKey) -> Result<Option<StoredEvent>, LedgerError> {
    let wanted = params![after, &*key.id, &*key.source];
    Ok(read_row(connection, "WHERE seq > ? AND id = ? AND source = ?", wanted)?.map(|(stored, _)| stored))
}

/// Hands over the events from `first` to `last`, in order, each with its checksum.
pub(super) fn each_event(
    connection: &Connection,
    first: i64,
    last: i64,
    take: impl FnMut(StoredEvent, i64) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    each_row(connection, "WHERE seq BETWEEN ? AND ? ORDER BY seq", [first, last], take)
}
