//! Segments: every 16,384 events, closed together.
//!
//! *Invariants.* Event `seq` belongs to segment `(seq - 1) / 16,384`: the place alone says it. A segment's row is written in the
//! transaction that records its last event; until then the segment is open and its events are read one by one.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, params};

use super::LedgerError;
use super::checksum::Checksum;
use super::rows::{check, damaged, each, nanoseconds, timestamp};

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
        let sql = "SELECT segment, newest_recorded_at_ns, days, event_chain, checksum FROM segment ORDER BY segment";
        let segments = each(connection.prepare_cached(sql)?, (), |row| {
            let days: String = row.get(2)?;
            let days = days.split(' ').map(str::parse).collect::<Result<_, _>>().map_err(|_| damaged("segment", "days"))?;
            let segment =
                Self { number: row.get(0)?, newest_recorded_at: timestamp(1, row.get(1)?)?, days, event_chain: row.get(3)? };
            check("segment", row.get(4)?, segment.checksum())?;
            Ok(segment)
        })?;
        match (0..).zip(&segments).find(|(expected, segment)| segment.number != *expected) {
            None => Ok(segments),
            Some((missing, _)) => Err(LedgerError::Damaged(format!("the row of segment {missing} is missing"))),
        }
    }

    /// Writes its row.
    pub fn write(&self, connection: &Connection) -> Result<(), LedgerError> {
        let sql = "INSERT OR REPLACE INTO segment (segment, newest_recorded_at_ns, days, event_chain, checksum) VALUES (?, ?, ?, ?, ?)";
        connection.prepare_cached(sql)?.execute(params![
            self.number,
            nanoseconds(self.newest_recorded_at),
            self.days_text(),
            self.event_chain,
            self.checksum(),
        ])?;
        Ok(())
    }

    fn days_text(&self) -> String {
        let days: Vec<String> = self.days.iter().map(Date::to_string).collect();
        days.join(" ")
    }

    fn checksum(&self) -> i64 {
        Checksum::of("segment")
            .integer(self.number)
            .integer(nanoseconds(self.newest_recorded_at))
            .text(&self.days_text())
            .integer(self.event_chain)
            .finish()
    }
}
