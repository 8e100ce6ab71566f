//! The table of events: a row for each entry, written once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, Params, params};
use serde_json::value::RawValue;

use super::LedgerError;
use super::head::End;
use super::row::{
    Cell, Cells, Codec, LaterCodec, Pico, Plain, RowAdder, Shape, Sink, ZeroIsNull, damaged, each_row, put_later, read_row,
    row, take_later,
};
use super::segment::SEGMENT_EVENTS;
use crate::domain::{Adjustment, CostEvent, Entry, EventKey, Kind, Name, Origin, Outcome, Quantity, UsageCount, Usd};

/// An entry as it stands in the ledger; with `&CostEvent`, one on its way there.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent<Event = CostEvent> {
    /// Its place: 1 for the first entry ever recorded, then without gaps.
    pub seq: i64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What was recorded.
    pub event: Event,
    /// The `seq` of the reservation that the event settled.
    pub reservation: Option<i64>,
    /// What it is to its event.
    pub entry: Entry,
}

/// An entry with what this ledger files it under, worked out once.
#[derive(Clone, Debug)]
pub struct KeyedEvent {
    /// The event.
    pub event: CostEvent,
    /// The hash of its key. The same for equal keys; different keys may share one.
    pub key_hash: u64,
    /// The day it counts in.
    pub day: Date,
    /// The `seq` of the reservation that the event settles.
    pub reservation: Option<i64>,
    /// What it is to its event.
    pub entry: Entry,
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
            first_recorded_at,
            origin,
        },
        reservation,
        entry,
    }),
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
    later {
        "revision" => revision: ZeroIsNull;
        "adjusts", "standing_pico", "usage_added", "usage_removed" => entry: Entry;
        "first_recorded_at_ns" => first_recorded_at;
        "origin" => origin;
    }
}

const ADJUSTED: &str = "adjusts";
const STANDING: &str = "standing_pico";
const USAGE_ADDED: &str = "usage_added";
const USAGE_REMOVED: &str = "usage_removed";

/// First entries have nothing here, moves only the place of the first entry and what they take away.
impl LaterCodec<Entry> for Entry {
    const SHAPES: &'static [Shape] = &[Shape::Integer, Shape::Integer, Shape::OptionalText, Shape::OptionalText];

    fn put(entry: &Entry, _: &[&str], sink: &mut impl Sink) -> Result<(), LedgerError> {
        let (first, standing, usage_added, usage_removed): (_, _, &[UsageCount], &[UsageCount]) = match entry {
            Self::First => (None, None, &[], &[]),
            Self::Move { first, usage_removed } => (Some(first), None, &[], usage_removed),
            Self::Adjustment(adjustment) => {
                let Adjustment { first, standing, usage_added, usage_removed } = &**adjustment;
                (Some(first), Some(standing), usage_added, usage_removed)
            }
        };
        put_later::<i64, Plain>(first, ADJUSTED, sink)?;
        put_later::<Usd, Pico>(standing, STANDING, sink)?;
        put_counts(usage_added, USAGE_ADDED, sink)?;
        put_counts(usage_removed, USAGE_REMOVED, sink)
    }

    fn take(_: &[&str], cells: &mut Cells<'_>) -> Option<Entry> {
        let first: Option<i64> = take_later::<_, Plain>(ADJUSTED, cells)?;
        let standing: Option<Usd> = take_later::<_, Pico>(STANDING, cells)?;
        let (usage_added, usage_removed) = (take_counts(USAGE_ADDED, cells)?, take_counts(USAGE_REMOVED, cells)?);
        match (first, standing) {
            (None, None) if usage_added.is_empty() && usage_removed.is_empty() => Some(Self::First),
            (Some(first), None) if usage_added.is_empty() => Some(Self::Move { first, usage_removed: usage_removed.into() }),
            (Some(first), Some(standing)) => {
                Some(Self::Adjustment(Box::new(Adjustment { first, standing, usage_added, usage_removed })))
            }
            _ => None,
        }
    }

    fn is_absent(entry: &Entry) -> bool {
        matches!(entry, Self::First)
    }
}

/// Counts in a column that older rows lack, and most others leave NULL.
pub(super) struct NoneIsNull;

impl LaterCodec<Vec<UsageCount>> for NoneIsNull {
    const SHAPES: &'static [Shape] = <Plain as Codec<Vec<UsageCount>>>::SHAPES;

    fn put(usage: &Vec<UsageCount>, names: &[&str], sink: &mut impl Sink) -> Result<(), LedgerError> {
        put_counts(usage, names.first().copied().unwrap_or_default(), sink)
    }

    fn take(names: &[&str], cells: &mut Cells<'_>) -> Option<Vec<UsageCount>> {
        take_counts(names.first().copied().unwrap_or_default(), cells)
    }

    fn is_absent(usage: &Vec<UsageCount>) -> bool {
        usage.is_empty()
    }
}

fn put_counts(usage: &[UsageCount], name: &str, sink: &mut impl Sink) -> Result<(), LedgerError> {
    let usage = (!usage.is_empty()).then(|| usage.to_vec());
    put_later::<Vec<UsageCount>, Plain>(usage.as_ref(), name, sink)
}

fn take_counts(name: &str, cells: &mut Cells<'_>) -> Option<Vec<UsageCount>> {
    take_later::<_, Plain>(name, cells).map(Option::unwrap_or_default)
}

/// As JSON: few rows have one, and what it says is not asked for one by one.
impl Codec<Box<Origin>> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(value: &Box<Origin>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let json = serde_json::to_string(value).map_err(|error| LedgerError::Damaged(error.to_string()))?;
        sink.add(Cell::Text(&json))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Box<Origin>> {
        serde_json::from_str(cells.text()?).ok()
    }
}

impl Codec<Kind> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(value: &Kind, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Word(value.as_str()))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Kind> {
        cells.text()?.parse().ok()
    }
}

impl Codec<Outcome> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(value: &Outcome, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Word(value.as_str()))
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
        let counts: BTreeMap<&str, Quantity> = usage.iter().map(|usage| (usage.kind.as_str(), usage.count)).collect();
        let json = serde_json::to_string(&counts).map_err(|error| LedgerError::Damaged(error.to_string()))?;
        sink.add(Cell::OptionalText(Some(&json)))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Vec<UsageCount>> {
        let Some(json) = cells.optional_text()? else { return Some(Vec::new()) };
        let counts: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).ok()?;
        let count = |(kind, count): (Cow<'_, str>, &RawValue)| {
            Some(UsageCount { kind: Name::new(&kind).ok()?, count: Quantity::parse(count.get()).ok()? })
        };
        counts.into_iter().map(count).collect()
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
    let mut adder = RowAdder::new(connection);
    for group in events.chunks(RowAdder::<StoredEvent<&CostEvent>>::ROWS_MAX) {
        let mut rows = Vec::with_capacity(group.len());
        for (KeyedEvent { event, reservation, entry, .. }, seq) in group.iter().zip(end.events + 1..) {
            rows.push(StoredEvent { seq, recorded_at, event, reservation: *reservation, entry: entry.clone() });
        }
        adder.add(&rows, |checksum| {
            end.add(checksum, recorded_at);
            if end.events % SEGMENT_EVENTS == 0 {
                segment_ends.push(end.clone());
            }
        })?;
    }
    Ok((end, segment_ends))
}

/// The event at a place, if retention has not removed it.
pub(super) fn event_at(connection: &Connection, seq: i64) -> Result<Option<StoredEvent>, LedgerError> {
    Ok(read_row(connection, "WHERE seq = ?", [seq])?.map(|(stored, _)| stored))
}

/// The newest entry that tells the event whose first entry stands here, if retention has not removed it.
pub(super) fn newest_telling(connection: &Connection, first: i64) -> Result<Option<StoredEvent>, LedgerError> {
    // The partial index serves only who repeats its condition.
    let rest = "WHERE adjusts IS NOT NULL AND adjusts = ? AND standing_pico IS NOT NULL ORDER BY seq DESC LIMIT 1";
    match read_row(connection, rest, [first])? {
        Some((stored, _)) => Ok(Some(stored)),
        None => event_at(connection, first),
    }
}

/// The newest entry that tells the event under a key, among those behind a place, found by looking at each.
pub(super) fn event_since(connection: &Connection, after: i64, key: &EventKey) -> Result<Option<StoredEvent>, LedgerError> {
    newest(connection, "seq > ? AND id = ? AND source = ?", params![after, &*key.id, &*key.source])
}

/// The newest entry that tells the credit under a key. It is found for as long as it is kept.
pub(super) fn credit(connection: &Connection, key: &EventKey) -> Result<Option<StoredEvent>, LedgerError> {
    // The first condition repeats the one of the index.
    newest(connection, "kind = 'credit' AND id = ? AND source = ?", params![&*key.id, &*key.source])
}

fn newest(connection: &Connection, which: &str, wanted: impl Params) -> Result<Option<StoredEvent>, LedgerError> {
    let rest = format!("WHERE {which} AND (adjusts IS NULL OR standing_pico IS NOT NULL) ORDER BY seq DESC LIMIT 1");
    Ok(read_row(connection, &rest, wanted)?.map(|(stored, _)| stored))
}

/// Hands over events; `rest` says which, and in which order.
pub(super) fn each_of(
    connection: &Connection,
    rest: &str,
    wanted: impl Params,
    mut take: impl FnMut(StoredEvent),
) -> Result<(), LedgerError> {
    each_row(connection, rest, wanted, |stored, _| {
        take(stored);
        Ok(())
    })
}

/// Hands over seq, source and id of entries, in order. Their checksums are not looked at.
pub(super) fn each_key(
    connection: &Connection,
    (first, last): (i64, i64),
    mut take: impl FnMut(i64, &str, &str),
) -> Result<(), LedgerError> {
    let sql = "SELECT seq, source, id FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([first, last])?;
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column)?.as_str().map_err(|_| damaged("event", "id"));
        take(row.get(0)?, text(1)?, text(2)?);
    }
    Ok(())
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
