//! When the newest events happened, look by look: so that whoever lists events need not go through all of an open segment each time.
//! Closed segments say so themselves.
//!
//! *Invariants.* Entries do not change, so what was read of a whole look holds for as long as it is there.
//!
//! *Limits.* The looks of one segment.

use rusqlite::Connection;

use super::LedgerError;
use super::segment::SEGMENT_EVENTS;
use crate::domain::TimeSpan;

/// Entries of a look. To go through one takes a tenth of a millisecond.
pub(super) const LOOK_ENTRIES: i64 = SEGMENT_EVENTS / 16;

/// The times of the whole looks of a segment, as far as somebody has asked.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// The segment's first entry.
    first: i64,
    spans: Vec<TimeSpan>,
}

impl Looks {
    /// When the events of each look happened that is whole, from the first entry of a segment up to the newest.
    ///
    /// # Errors
    /// The entries cannot be read.
    pub fn spans(&mut self, connection: &Connection, first: i64, newest: i64) -> Result<&[TimeSpan], LedgerError> {
        if self.first != first {
            *self = Self { first, spans: Vec::new() };
        }
        let whole = usize::try_from((newest - first + 1) / LOOK_ENTRIES).unwrap_or(0);
        while self.spans.len() < whole {
            let from = first + self.spans.len() as i64 * LOOK_ENTRIES;
            let sql = "SELECT min(time_ns), max(time_ns) FROM event WHERE seq BETWEEN ? AND ?";
            let mut statement = connection.prepare_cached(sql)?;
            let (oldest, newest): (i64, i64) =
                statement.query_row([from, from + LOOK_ENTRIES - 1], |row| Ok((row.get(0)?, row.get(1)?)))?;
            self.spans.push(TimeSpan { from_ns: oldest, until_ns: newest.saturating_add(1) });
        }
        Ok(&self.spans[..whole])
    }
}
