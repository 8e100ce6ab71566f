//! What a ledger needs now and then beside commits: its log moved into the file, ids sorted, and what is old let go.
//!
//! *Invariants.* Nothing here changes a total. Whoever writes calls it between two commits; what takes long goes on beside them.

use jiff::{SignedDuration, Timestamp};
use rusqlite::TransactionBehavior;

use super::contract::Ledger;
use super::wal::LogCare;
use super::{LedgerError, outbox};
use crate::domain::Receiver;

/// Each of these fails as [`Ledger::commit`] does.
impl Ledger {
    /// What is to be done about the log, once everything is rolled up.
    ///
    /// # Errors
    /// The one of a checkpoint that has ended. `SyncFailed` means what it means for a commit. `Busy` and `Full` are harmless here:
    /// the log simply stays longer.
    pub fn log_care(&mut self) -> Result<LogCare, LedgerError> {
        self.log.care()
    }

    /// Begins to move the log into the file, beside whatever comes next. Everything must be rolled up: what lies in the file itself
    /// has no checksums but those of its rows, and only the head row says how many there are.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn begin_checkpoint(&mut self) -> Result<(), LedgerError> {
        self.log.begin_checkpoint()
    }

    /// Moves what is left of the log into the file, so that the next commit uses it from its beginning. Everything must be rolled up.
    ///
    /// # Errors
    /// As for [`Ledger::log_care`].
    pub fn restart_log(&mut self) -> Result<(), LedgerError> {
        self.log.restart(&self.connection)
    }

    /// Moves the whole log into the file and empties it: the last act of a clean stop.
    ///
    /// # Errors
    /// As for [`Ledger::log_care`].
    pub fn checkpoint_all(&mut self) -> Result<(), LedgerError> {
        self.log.empty(&self.connection)
    }

    /// Does what is next to sort the ids of full blocks: has one sorted, which goes on beside the writer, or writes what is sorted.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn sort_ids(&mut self) -> Result<(), LedgerError> {
        if let Some(sorted) = self.sorter.sorted()? {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            sorted.write(&transaction)?;
            transaction.commit()?;
            self.log.note_commit();
            self.state.ids.note_sorted(sorted.number);
            self.sorter.clear();
        } else if let Some(unsorted) = self.state.ids.unsorted() {
            self.sorter.begin(unsorted);
        }
        Ok(())
    }

    /// Sorts the ids of all full blocks: a part of a clean stop.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn sort_all_ids(&mut self) -> Result<(), LedgerError> {
        while let Some(unsorted) = self.state.ids.unsorted() {
            self.sorter.begin(unsorted);
            self.sorter.wait()?;
            if self.sorter.sorted()?.is_none() {
                // There was no thread; the next process sorts.
                return Ok(());
            }
            self.sort_ids()?;
        }
        Ok(())
    }

    /// Forgets the oldest ids that were recorded before `horizon`, a block at most, and none while some are sorted. Returns whether there
    /// was one.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn forget_ids(&mut self, horizon: Timestamp) -> Result<bool, LedgerError> {
        if self.sorter.is_busy() {
            return Ok(false);
        }
        self.state.forget_ids(&mut self.connection, horizon)
    }

    /// Forgets reservations that ended before `horizon`, some of the oldest at a time. One that was granted before it and is still
    /// held is passed over, and looked at again after the next start. Returns how many of those forgotten had expired.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn forget_reservations(&mut self, horizon: Timestamp) -> Result<u64, LedgerError> {
        self.state.forget_reservations(&mut self.connection, horizon)
    }

    /// Removes the oldest segment's events if all were recorded longer than `keep` before `now`. Sums stay. Returns whether there
    /// was one.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn prune(&mut self, keep: SignedDuration, now: Timestamp) -> Result<bool, LedgerError> {
        self.state.prune(&mut self.connection, keep, now)
    }

    /// Removes tallies of a meter, of periods that began before a time, at most [`TALLIES_FORGOTTEN_MAX`](super::TALLIES_FORGOTTEN_MAX)
    /// of the oldest. Returns whether there may be more.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn forget_tallies(&mut self, meter: i64, before: Timestamp) -> Result<bool, LedgerError> {
        self.state.forget_tallies(&mut self.connection, meter, before)
    }

    /// Removes tallies of meters that are forgotten, as many at most. Returns whether there are more to be removed.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn sweep_meters(&mut self) -> Result<bool, LedgerError> {
        self.state.sweep_meters(&mut self.connection)
    }

    /// How many deliveries may still be opened.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn outbox_room(&self) -> Result<usize, LedgerError> {
        outbox::room(&self.connection)
    }

    /// Removes what is open for receivers that are none any more, and the oldest messages once they need not be remembered.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn tidy_outbox(&mut self, receivers: &[Receiver], now: Timestamp) -> Result<(), LedgerError> {
        outbox::tidy(&mut self.connection, receivers, now)
    }
}
