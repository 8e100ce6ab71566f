//! What the ledger lets go: ids that no retry can carry any more, and raw events that the operator does not want to keep.
//!
//! *Invariants.* Sums stay for ever. What is let go is gone from the file before it is gone from memory.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, TransactionBehavior};

use super::head::Head;
use super::ids::IdIndex;
use super::segment::Segment;
use super::{Ledger, LedgerError};

impl Ledger {
    /// Forgets the oldest ids that were recorded before `horizon`, a block at most. Returns whether there was one.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn forget_ids(&mut self, horizon: Timestamp) -> Result<bool, LedgerError> {
        let Some(block) = self.ids.forgettable(horizon) else { return Ok(false) };
        let head = Head { forgotten_blocks: block + 1, ..self.head.clone() };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        head.write(&transaction)?;
        IdIndex::delete_block(&transaction, block)?;
        transaction.commit()?;
        self.head = head;
        self.ids.forget(block);
        Ok(true)
    }

    /// Removes the oldest segment's events if all were recorded longer than `keep` before `now`. Rollups stay. Returns whether
    /// there was one.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn prune(&mut self, keep: SignedDuration, now: Timestamp) -> Result<bool, LedgerError> {
        let number = self.head.pruned_segments;
        let horizon = now.checked_sub(keep).unwrap_or(Timestamp::MIN);
        // Not proven here: a row that is damaged must hold up no recording.
        let sql = "SELECT newest_recorded_at_ns FROM segment WHERE segment = ?";
        let newest: Option<i64> = self.connection.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
        if newest.is_none_or(|newest| i128::from(newest) >= horizon.as_nanosecond()) {
            return Ok(false);
        }
        let (first, last) = Segment::bounds(number);
        let head = Head { pruned_segments: number + 1, ..self.head.clone() };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM event WHERE seq BETWEEN ? AND ?", [first, last])?;
        head.write(&transaction)?;
        transaction.commit()?;
        self.head = head;
        Ok(true)
    }
}
