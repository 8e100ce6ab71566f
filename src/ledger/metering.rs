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

    /// The stretches of entries with a higher `seq`, each from its first to its last; at most a segment's.
    pub fn entries_behind(&self, seq: i64) -> Vec<(i64, i64)> {
        let newest = self.events();
        let firsts = std::iter::successors(Some(seq + 1), |first| Some(first + SEGMENT_EVENTS));
        firsts.take_while(|first| *first <= newest).map(|first| (first, newest.min(first + SEGMENT_EVENTS - 1))).collect()
    }

    /// The stretches that hold at least the entries of events that happened at a time or later; earlier ones among them.
    ///
    /// # Errors
    /// See above.
    pub fn entries_since(&self, time: Timestamp) -> Result<Vec<(i64, i64)>, LedgerError> {
        let (zone, time_ns) = (&self.state.zone, nanoseconds(time));
        let segments = Segment::read_all(&self.connection)?;
        let open = segments.len() as i64 * SEGMENT_EVENTS;
        let may_hold = segments.iter().filter(|segment| segment.span(zone).until_ns > time_ns);
        let mut stretches: Vec<_> = may_hold.map(|segment| Segment::bounds(segment.number)).collect();
        stretches.extend(self.entries_behind(open));
        Ok(stretches)
    }

    /// Whether retention has removed entries of events that happened at a time or later.
    ///
    /// # Errors
    /// See above.
    pub fn has_removed_since(&self, time: Timestamp) -> Result<bool, LedgerError> {
        let removed = self.state.head.pruned_segments;
        if removed == 0 {
            return Ok(false);
        }
        let mut segments = Segment::read_all(&self.connection)?.into_iter().take_while(|segment| segment.number < removed);
        Ok(segments.any(|segment| segment.span(&self.state.zone).until_ns > nanoseconds(time)))
    }

    /// Hands over the entries of a stretch, without those that retention has removed.
    ///
    /// # Errors
    /// See above, and those of `take`.
    pub fn each_entry_of(
        &self,
        (first, last): (i64, i64),
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
