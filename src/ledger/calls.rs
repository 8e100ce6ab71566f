//! What the ledger keeps of calls besides their events: where they stand in their traces, and which wait for a price.
//!
//! *Invariants.* Both tables change in the transaction of the entries: the first entry of an event with a span has a row in `call_span` until
//! its id is forgotten, and an event whose newest telling is unpriced has one in `unpriced` until retention removes it. Rows are known by the
//! `seq` of the event's first entry. Other spans that tell an event have rows in `call_span` as well, which follow from no entry.
//!
//! *Limits.* [`TRACE_CALLS_MAX`] places of a trace are read.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, params};

use super::LedgerError;
use super::events::{KeyedEvent, StoredEvent, event_at};
use super::row::{Cell, Cells, Codec, Plain, RowWriter, Shape, Sink, each_row, read_rows, row};
use crate::domain::{Entry, SpanId, SpanPlace, TraceId};

/// Places of charged calls that are read of a trace, newest calls first. What happens in a trace is told within minutes; only one that goes on for
/// days has more.
const TRACE_CALLS_MAX: i64 = 1_024;

/// Where a charged call stands in its trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSpan {
    /// The `seq` of the call's first entry.
    pub seq: i64,
    /// Where it stands.
    pub place: SpanPlace,
}

/// An event that waits for a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpriced {
    /// The `seq` of the event's first entry.
    pub seq: i64,
    /// When it happened, in nanoseconds since 1970.
    pub time_ns: i64,
    /// The paid service.
    pub service: Box<str>,
    /// The model; empty when the event names none.
    pub model: Box<str>,
    /// The names of what was counted, as a JSON array in order.
    pub usage: Box<str>,
}

/// A change of what waits for a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpricedChange {
    /// The paid service.
    pub service: Box<str>,
    /// The model; empty when the event names none.
    pub model: Box<str>,
    /// One more waits, or one less.
    pub is_added: bool,
}

/// Events of one service and model, with the same usage names, that wait for a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpricedGroup {
    /// The paid service.
    pub service: String,
    /// The model; empty when the events name none.
    pub model: String,
    /// The names of what was counted, as a JSON array in order.
    pub usage: String,
    /// How many events there are.
    pub events: u64,
    /// When the first of them happened, in nanoseconds since 1970.
    pub first_ns: i64,
    /// When the last of them happened.
    pub last_ns: i64,
}

row! {
    "INSERT OR IGNORE" "call_span",
    write CallSpan, read CallSpan,
    (CallSpan { seq, place: SpanPlace { trace, span, ancestors, is_rooted } }),
    key {
        "trace" => trace;
        "span" => span;
        "seq" => seq;
    }
    columns {
        "ancestors" => ancestors;
        "is_rooted" => is_rooted;
    }
}

row! {
    "INSERT OR REPLACE" "unpriced",
    write Unpriced, read Unpriced,
    (Unpriced { seq, time_ns, service, model, usage }),
    key {
        "seq" => seq;
    }
    columns {
        "time_ns" => time_ns;
        "service" => service;
        "model" => model;
        "usage" => usage;
    }
}

impl Codec<TraceId> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Bytes];

    fn put(value: &TraceId, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Bytes(&value.0))
    }

    fn take(cells: &mut Cells<'_>) -> Option<TraceId> {
        TraceId::from_bytes(cells.bytes()?)
    }
}

impl Codec<SpanId> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Bytes];

    fn put(value: &SpanId, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Bytes(&value.0))
    }

    fn take(cells: &mut Cells<'_>) -> Option<SpanId> {
        SpanId::from_bytes(cells.bytes()?)
    }
}

/// Ids one behind the other.
impl Codec<Vec<SpanId>> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Bytes];

    fn put(value: &Vec<SpanId>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let bytes: Vec<u8> = value.iter().flat_map(|id| id.0).collect();
        sink.add(Cell::Bytes(&bytes))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Vec<SpanId>> {
        cells.bytes()?.chunks(8).map(SpanId::from_bytes).collect()
    }
}

impl Unpriced {
    fn of(keyed: &KeyedEvent, first: i64) -> Self {
        let event = &keyed.event;
        let names: Vec<&str> = event.usage.iter().map(|usage| usage.kind.as_str()).collect();
        Self {
            seq: first,
            time_ns: super::row::nanoseconds(event.time),
            service: event.service.as_str().into(),
            model: event.model.clone().unwrap_or_default(),
            // A list of texts always serializes.
            usage: serde_json::to_string(&names).unwrap_or_default().into(),
        }
    }
}

/// Writes what a commit's entries, of which the first stands at `first_seq`, change here; tells what changes of `unpriced`.
pub(super) fn write(
    connection: &Connection,
    first_seq: i64,
    entries: &[KeyedEvent],
) -> Result<Vec<UnpricedChange>, LedgerError> {
    let mut changes = Vec::new();
    let wait = |unpriced: &Unpriced, changes: &mut Vec<UnpricedChange>| {
        RowWriter::insert(connection)?.write(unpriced)?;
        let (service, model) = (unpriced.service.clone(), unpriced.model.clone());
        changes.push(UnpricedChange { service, model, is_added: true });
        Ok::<_, LedgerError>(())
    };
    for (seq, keyed) in (first_seq..).zip(entries) {
        match (&keyed.entry, &keyed.event.origin) {
            // Nearly all events.
            (Entry::First, None) | (Entry::Move { .. }, _) => {}
            (Entry::First, Some(origin)) => {
                if let Some(place) = &origin.span {
                    RowWriter::insert(connection)?.write(&CallSpan { seq, place: place.clone() })?;
                }
                if origin.is_unpriced() {
                    wait(&Unpriced::of(keyed, seq), &mut changes)?;
                }
            }
            (Entry::Adjustment(adjustment), _) => {
                remove(connection, "seq = ?", adjustment.first, &mut changes)?;
                if keyed.event.is_unpriced() {
                    wait(&Unpriced::of(keyed, adjustment.first), &mut changes)?;
                }
            }
        }
    }
    Ok(changes)
}

fn remove(connection: &Connection, which: &str, seq: i64, changes: &mut Vec<UnpricedChange>) -> Result<(), LedgerError> {
    let mut statement =
        connection.prepare_cached(&format!("DELETE FROM unpriced WHERE {which} RETURNING service, model"))?;
    let mut removed = statement.query([seq])?;
    while let Some(row) = removed.next()? {
        let (service, model): (String, String) = (row.get(0)?, row.get(1)?);
        changes.push(UnpricedChange { service: service.into(), model: model.into(), is_added: false });
    }
    Ok(())
}

/// Writes at which other spans calls are told.
pub(super) fn write_places(connection: &Connection, places: &[CallSpan]) -> Result<(), LedgerError> {
    // One that was forgotten in memory may be there.
    places.iter().try_for_each(|place| RowWriter::insert(connection)?.try_write(place).map(drop))
}

/// The places of the newest charged calls of a trace, newest first.
pub(super) fn of_trace(connection: &Connection, trace: TraceId) -> Result<Vec<CallSpan>, LedgerError> {
    read_rows(connection, "WHERE trace = ? ORDER BY seq DESC LIMIT ?", params![trace.0.as_slice(), TRACE_CALLS_MAX])
}

/// Events that wait for a price, oldest entry first, with a `seq` greater than `after`; at most `limit`.
pub(super) fn unpriced_behind(connection: &Connection, after: i64, limit: u32) -> Result<Vec<Unpriced>, LedgerError> {
    read_rows(connection, "WHERE seq > ? ORDER BY seq LIMIT ?", [after, i64::from(limit)])
}

/// Hands over every event that waits for a price.
pub(super) fn each_unpriced(
    connection: &Connection,
    mut take: impl FnMut(Unpriced) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    each_row(connection, "ORDER BY seq", (), |row: Unpriced, _| take(row))
}

/// Removes the places of calls up to an entry, whose ids are forgotten.
pub(super) fn forget_spans(connection: &Connection, last: i64) -> Result<(), LedgerError> {
    connection.prepare_cached("DELETE FROM call_span WHERE seq <= ?")?.execute([last])?;
    Ok(())
}

/// Removes what waits for a price up to an entry: its events are no longer kept, so they can no longer be rated.
pub(super) fn prune_unpriced(connection: &Connection, last: i64) -> Result<Vec<UnpricedChange>, LedgerError> {
    let mut changes = Vec::new();
    remove(connection, "seq <= ?", last, &mut changes)?;
    Ok(changes)
}

/// What waits for a price, by service, model and usage names, the most events first; at most `limit` groups.
pub(super) fn unpriced_groups(connection: &Connection, limit: u32) -> Result<Vec<UnpricedGroup>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT service, model, usage, count(*), min(time_ns), max(time_ns) FROM unpriced GROUP BY service, model, usage \
         ORDER BY count(*) DESC, service, model, usage LIMIT ?",
    )?;
    let groups = statement.query_map([limit], |row| {
        let events: i64 = row.get(3)?;
        Ok(UnpricedGroup {
            service: row.get(0)?,
            model: row.get(1)?,
            usage: row.get(2)?,
            events: events.cast_unsigned(),
            first_ns: row.get(4)?,
            last_ns: row.get(5)?,
        })
    })?;
    Ok(groups.collect::<Result<_, _>>()?)
}

/// What both tables must hold, found while entries pass in order.
#[derive(Debug, Default)]
pub(super) struct Expected {
    spans: BTreeMap<i64, SpanPlace>,
    unpriced: BTreeSet<i64>,
}

impl Expected {
    /// Takes an entry.
    pub fn add(&mut self, StoredEvent { seq, event, entry, .. }: &StoredEvent) {
        if !entry.tells_event() {
            return;
        }
        let first = entry.first(*seq);
        if event.is_unpriced() {
            self.unpriced.insert(first);
        } else {
            self.unpriced.remove(&first);
        }
        if let (Entry::First, Some(place)) = (entry, event.origin.as_ref().and_then(|origin| origin.span.as_ref())) {
            self.spans.insert(first, place.clone());
        }
    }

    /// What the tables say otherwise. Places up to `forgotten` need not be there any more, nor what waits for a price up to `pruned`.
    pub fn problems(self, connection: &Connection, forgotten: i64, pruned: i64) -> Result<Vec<&'static str>, LedgerError> {
        let Self { mut spans, mut unpriced } = self;
        let mut is_sound = (true, true);
        each_row(connection, "ORDER BY seq, trace, span", (), |CallSpan { seq, place }: CallSpan, _| {
            let is_own = |own: &SpanPlace| own.trace == place.trace && own.span == place.span;
            is_sound.0 &= if spans.get(&seq).is_some_and(is_own) {
                spans.remove(&seq) == Some(place)
            } else {
                // Of what retention removed nothing is known.
                seq <= pruned || event_at(connection, seq)?.is_some_and(|stored| stored.entry == Entry::First)
            };
            Ok(())
        })?;
        each_unpriced(connection, |row| {
            is_sound.1 &= unpriced.remove(&row.seq);
            Ok(())
        })?;
        is_sound.0 &= spans.keys().all(|seq| *seq <= forgotten);
        is_sound.1 &= unpriced.iter().all(|seq| *seq <= pruned);
        let found = [
            (is_sound.0, "call_span does not say where the charged calls stand"),
            (is_sound.1, "unpriced does not list the events that wait for a price"),
        ];
        Ok(found.into_iter().filter(|(is_sound, _)| !is_sound).map(|(_, problem)| problem).collect())
    }
}

#[cfg(test)]
mod tests;
