//! What the ledger promises whoever counts for budgets: what was counted so far, and the entries that were not.
//!
//! *Invariants.* Entries are handed over in the order of their `seq`, and none is left out unnoticed but those that retention has removed.

use jiff::Timestamp;

use super::budgets::{self, StoredMeter, StoredTally, overrides};
use super::contract::Ledger;
use super::events::{StoredEvent, each_event};
use super::row::nanoseconds;
use super::segment::{SEGMENT_EVENTS, Segment};
use super::{LedgerError, row};
use crate::domain::LimitOverride;

/// Each of these fails when a row is damaged or missing, or cannot be read.
impl Ledger {
    /// The budgets that are counted.
    pub fn meters(&self) -> Vec<StoredMeter> {
        self.state.meters.counting().cloned().collect()
    }

    /// An id for a new meter, which none has that is counted or forgotten. For further ones, those behind it.
    pub fn next_meter(&self) -> i64 {
        self.state.meters.next()
    }

    /// Hands over a meter's tallies, ordered by period and key. Only in the end it is proven that there were all of them.
    ///
    /// # Errors
    /// See above, and those of `take`.
    pub fn each_tally(
        &self,
        meter: i64,
        take: impl FnMut(StoredTally) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.state.meters.each_tally(&self.connection, meter, take)
    }

    /// What was spent of a meter's budget under one key in one period, as far as it is written: what was recorded behind the tally's or the
    /// meter's `counted_to`, whichever is higher, is not in it. That no tally is missing is proven by [`Ledger::each_tally`] alone.
    ///
    /// # Errors
    /// See above.
    pub fn find_tally(&self, meter: i64, span_start: Timestamp, key: &str) -> Result<Option<StoredTally>, LedgerError> {
        budgets::find_tally(&self.connection, meter, span_start, key)
    }

    /// Hands over the entries with a higher `seq`.
    ///
    /// # Errors
    /// See above, and those of `take`.
    pub fn each_entry_behind(
        &self,
        seq: i64,
        take: impl FnMut(StoredEvent) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        self.each_entry_of(seq + 1, self.events(), take)
    }

    /// Hands over at least the entries of events that happened at a time or later; earlier ones among them.
    ///
    /// # Errors
    /// See above, and those of `take`.
    pub fn each_entry_since(
        &self,
        time: Timestamp,
        mut take: impl FnMut(StoredEvent) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let (zone, time_ns) = (&self.state.zone, nanoseconds(time));
        let segments = Segment::read_all(&self.connection)?;
        let closed = segments.len() as i64;
        for segment in segments.iter().filter(|segment| segment.span(zone).until_ns > time_ns) {
            let (first, last) = Segment::bounds(segment.number);
            self.each_entry_of(first, last, &mut take)?;
        }
        self.each_entry_of(closed * SEGMENT_EVENTS + 1, self.events(), take)
    }

    /// The entries of a stretch, without those that retention has removed.
    fn each_entry_of(
        &self,
        first: i64,
        last: i64,
        mut take: impl FnMut(StoredEvent) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut next = first.max(self.state.head.pruned_segments * SEGMENT_EVENTS + 1);
        each_event(&self.connection, next, last, |stored, _| {
            if stored.seq != next {
                return Err(row::damaged("event", "gap"));
            }
            next += 1;
            take(stored)
        })?;
        if next <= last { Err(row::damaged("event", "end")) } else { Ok(()) }
    }

    /// The newest line of each budget whose limit was ever overridden, whether it still holds or not, ordered by name.
    ///
    /// # Errors
    /// See above.
    pub fn limit_overrides(&self) -> Result<Vec<LimitOverride>, LedgerError> {
        overrides::newest(&self.connection, &self.state.head)
    }
}
