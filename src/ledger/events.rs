//! The table of events: one row each, written once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use super::checksum::Checksum;
use super::rows::{check, damaged, name, nanoseconds, timestamp};
use super::{KeyedEvent, LedgerError};
use crate::domain::{CostEvent, Dimension, EventKey, Kind, Name, Outcome, UsageCount, Usd};

/// An event as it stands in the ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredEvent {
    /// Its place: 1 for the first event ever recorded, then without gaps.
    pub seq: i64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// What was recorded.
    pub event: CostEvent,
    /// The `seq` of the reservation that it settled.
    pub reservation: Option<i64>,
}

/// The columns that [`read_event`] expects, in their order.
pub(super) const EVENT_COLUMNS: &str = "seq, recorded_at_ns, time_ns, time_given, source, id, service, operation, kind, amount_pico, \
     worker, batch_id, lead_id, model, usage, duration_seconds, outcome, attributes, reservation, checksum";

/// What a column holds, and with that how it enters the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Integer,
    Text,
    OptionalInteger,
    OptionalReal,
    OptionalText,
}

/// The shape of each column in [`EVENT_COLUMNS`].
pub(super) const EVENT_SHAPES: [Shape; 20] = {
    use Shape::{Integer, OptionalInteger, OptionalReal, OptionalText, Text};
    [
        Integer,
        Integer,
        Integer,
        Integer,
        Text,
        Text,
        Text,
        Text,
        Text,
        Integer,
        OptionalText,
        OptionalText,
        OptionalText,
        OptionalText,
        OptionalText,
        OptionalReal,
        Text,
        OptionalText,
        OptionalInteger,
        Integer,
    ]
};

impl Shape {
    /// The place of `seq`.
    pub const SEQ: usize = 0;
    /// The place of `time_ns`.
    pub const TIME: usize = 2;
    /// The place of `amount_pico`.
    pub const AMOUNT: usize = 9;

    /// The place of the column that has a dimension's values.
    pub const fn place_of(dimension: Dimension) -> usize {
        match dimension {
            Dimension::Service => 6,
            Dimension::Operation => 7,
            Dimension::Worker => 10,
            Dimension::Batch => 11,
            Dimension::Lead => 12,
            Dimension::Model => 13,
        }
    }
}

/// The statement that [`write_event`] runs: prepared once for all events of a commit.
pub(super) fn prepare_insert(connection: &Connection) -> Result<CachedStatement<'_>, LedgerError> {
    Ok(connection.prepare_cached(
        "INSERT INTO event (seq, recorded_at_ns, time_ns, time_given, source, id, service, operation, kind, \
         amount_pico, worker, batch_id, lead_id, model, usage, duration_seconds, outcome, attributes, reservation, checksum) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?)
}

/// Writes an event and returns its checksum.
pub(super) fn write_event(
    insert: &mut CachedStatement<'_>,
    seq: i64,
    recorded_at: Timestamp,
    KeyedEvent { event, reservation, .. }: &KeyedEvent,
) -> Result<i64, LedgerError> {
    let usage = usage_json(&event.usage)?;
    // Ingest bounds an amount at 10⁶ USD, a ninth of what 64 bits of pico-dollars hold.
    let amount_pico =
        i64::try_from(event.amount.pico()).map_err(|_| LedgerError::Damaged("an event's amount is out of range".into()))?;
    let checksum = checksum(seq, recorded_at, event, usage.as_deref(), amount_pico, *reservation);
    insert.execute(params![
        seq,
        nanoseconds(recorded_at),
        nanoseconds(event.time),
        event.time_given,
        &*event.key.source,
        &*event.key.id,
        event.service.as_str(),
        event.operation.as_str(),
        event.kind.as_str(),
        amount_pico,
        event.worker.as_deref(),
        event.batch_id.as_deref(),
        event.lead_id.as_deref(),
        event.model.as_deref(),
        usage,
        event.duration_seconds,
        event.outcome.as_str(),
        event.attributes.as_deref(),
        reservation,
        checksum,
    ])?;
    Ok(checksum)
}

/// Reads and checks one row; returns it with its checksum.
pub(super) fn read_event(row: &Row<'_>) -> Result<(StoredEvent, i64), LedgerError> {
    let usage: Option<String> = row.get(14)?;
    let amount_pico: i64 = row.get(9)?;
    let event = CostEvent {
        key: EventKey { source: row.get(4)?, id: row.get(5)? },
        service: name(row, 6)?,
        operation: name(row, 7)?,
        amount: Usd::from_pico(i128::from(amount_pico)),
        kind: Kind::from_word(row.get_ref(8)?.as_str().map_err(rusqlite::Error::from)?)
            .ok_or_else(|| damaged("event", "kind"))?,
        time: timestamp(2, row.get(2)?)?,
        time_given: row.get(3)?,
        worker: row.get(10)?,
        batch_id: row.get(11)?,
        lead_id: row.get(12)?,
        model: row.get(13)?,
        usage: read_usage_json(usage.as_deref())?,
        duration_seconds: row.get(15)?,
        outcome: Outcome::from_word(row.get_ref(16)?.as_str().map_err(rusqlite::Error::from)?)
            .ok_or_else(|| damaged("event", "outcome"))?,
        attributes: row.get(17)?,
    };
    let stored = StoredEvent { seq: row.get(0)?, recorded_at: timestamp(1, row.get(1)?)?, event, reservation: row.get(18)? };
    let stored_checksum = row.get(19)?;
    let computed =
        checksum(stored.seq, stored.recorded_at, &stored.event, usage.as_deref(), amount_pico, stored.reservation);
    check("event", stored_checksum, computed)?;
    Ok((stored, stored_checksum))
}

/// The event at a place, if retention has not removed it.
pub(super) fn event_at(connection: &Connection, seq: i64) -> Result<Option<StoredEvent>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {EVENT_COLUMNS} FROM event WHERE seq = ?"))?;
    let found = statement.query_row([seq], |row| Ok(read_event(row))).optional()?;
    found.transpose().map(|found| found.map(|(stored, _)| stored))
}

/// The event under a key among those behind a place, found by looking at each.
pub(super) fn event_since(connection: &Connection, after: i64, key: &EventKey) -> Result<Option<StoredEvent>, LedgerError> {
    let sql = format!("SELECT {EVENT_COLUMNS} FROM event WHERE seq > ? AND id = ? AND source = ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement.query_row(params![after, &*key.id, &*key.source], |row| Ok(read_event(row))).optional()?;
    found.transpose().map(|found| found.map(|(stored, _)| stored))
}

/// Hands over the events from `first` to `last`, in order, each with its checksum.
pub(super) fn each_event(
    connection: &Connection,
    first: i64,
    last: i64,
    mut take: impl FnMut(StoredEvent, i64) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let sql = format!("SELECT {EVENT_COLUMNS} FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([first, last])?;
    while let Some(row) = rows.next()? {
        let (stored, checksum) = read_event(row)?;
        take(stored, checksum)?;
    }
    Ok(())
}

fn checksum(
    seq: i64,
    recorded_at: Timestamp,
    event: &CostEvent,
    usage: Option<&str>,
    amount_pico: i64,
    reservation: Option<i64>,
) -> i64 {
    Checksum::of("event")
        .integer(seq)
        .integer(nanoseconds(recorded_at))
        .integer(nanoseconds(event.time))
        .integer(i64::from(event.time_given))
        .text(&event.key.source)
        .text(&event.key.id)
        .text(event.service.as_str())
        .text(event.operation.as_str())
        .text(event.kind.as_str())
        .integer(amount_pico)
        .optional_text(event.worker.as_deref())
        .optional_text(event.batch_id.as_deref())
        .optional_text(event.lead_id.as_deref())
        .optional_text(event.model.as_deref())
        .optional_text(usage)
        .integer(event.duration_seconds.map_or(i64::MIN, |seconds| seconds.to_bits().cast_signed()))
        .text(event.outcome.as_str())
        .optional_text(event.attributes.as_deref())
        .integer(reservation.unwrap_or(i64::MIN))
        .finish()
}

fn usage_json(usage: &[UsageCount]) -> Result<Option<String>, LedgerError> {
    if usage.is_empty() {
        return Ok(None);
    }
    let counts: BTreeMap<&str, u64> = usage.iter().map(|usage| (usage.kind.as_str(), usage.count)).collect();
    serde_json::to_string(&counts).map(Some).map_err(|error| LedgerError::Damaged(error.to_string()))
}

fn read_usage_json(usage: Option<&str>) -> Result<Vec<UsageCount>, LedgerError> {
    let Some(usage) = usage else { return Ok(Vec::new()) };
    let counts: BTreeMap<String, u64> = serde_json::from_str(usage).map_err(|_| damaged("event", "usage"))?;
    counts
        .into_iter()
        .map(|(kind, count)| Ok(UsageCount { kind: Name::new(&kind).map_err(|_| damaged("event", "usage"))?, count }))
        .collect()
}
