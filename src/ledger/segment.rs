//! Segments: every 16,384 events, closed together.
//!
//! *Invariants.* Event `seq` belongs to segment `(seq - 1) / 16,384`: the place alone says it. A segment's row is written in the
//! transaction that records its last event; until then the segment is open and its events are read one by one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Connection;

use super::LedgerError;
use super::row::{Cell, Cells, Codec, Plain, Shape, Sink, read_rows, row, write_row};

/// Events in a segment. Small enough that an open one is read back in milliseconds at start-up and held in memory; large
/// enough that ten million events make only 610.
pub(super) const SEGMENT_EVENTS: i64 = 16_384;

/// A closed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub number: i64,
    pub newest_recorded_at: Timestamp,
    /// The days that occur in it.
    pub days: BTreeSet<Date>,
    /// The chain over all events up to its last one.
    pub event_chain: i64,
}

row! {
    "INSERT OR REPLACE" "segment",
    write Segment, read Segment,
    (Segment { number, newest_recorded_at, days, event_chain }),
    key {
        "segment" => number;
    }
    columns {
        "newest_recorded_at_ns" => newest_recorded_at;
        "days" => days;
        "event_chain" => event_chain;
    }
}

impl Segment {
    /// The segment that an event belongs to.
    pub fn number_of(seq: i64) -> i64 {
        (seq - 1) / SEGMENT_EVENTS
    }

    /// First and last `seq` of a segment.
    pub fn bounds(number: i64) -> (i64, i64) {
        (number * SEGMENT_EVENTS + 1, (number + 1) * SEGMENT_EVENTS)
    }

    /// Whether any of its events counts in one of these days.
    pub fn touches(&self, first: Date, last: Date) -> bool {
        self.days.range(first..=last).next().is_some()
    }

    /// Every closed segment, in order and without gaps.
    pub fn read_all(connection: &Connection) -> Result<Vec<Self>, LedgerError> {
        let segments: Vec<Self> = read_rows(connection, "ORDER BY segment", ())?;
        match (0..).zip(&segments).find(|(expected, segment)| segment.number != *expected) {
            None => Ok(segments),
            Some((missing, _)) => Err(LedgerError::Damaged(format!("the row of segment {missing} is missing"))),
        }
    }

    /// Writes its row.
    pub fn write(&self, connection: &Connection) -> Result<(), LedgerError> {
        write_row(connection, self)
    }
}

/// Days, one after the other with a blank between two.
impl Codec<BTreeSet<Date>> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(days: &BTreeSet<Date>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let days: Vec<String> = days.iter().map(Date::to_string).collect();
        sink.add(Cell::Text(&days.join(" ")))
    }

    fn take(cells: &mut Cells<'_>) -> Option<BTreeSet<Date>> {
        cells.text()?.split(' ').map(|day| day.parse().ok()).collect()
    }
}
