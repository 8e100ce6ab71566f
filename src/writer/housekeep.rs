//! What the writer does once the answers are out: the log is moved into the file in time, and what is over is removed.
//!
//! *Limits.* Each step of a tick removes a bounded number of rows.

use jiff::Timestamp;

use super::run::Loop;
use super::saving::Haste;
use super::settings::RESERVATIONS_KEPT;
use crate::domain::Now;
use crate::error_chain::ErrorChain;
use crate::ledger::{LedgerError, LogCare};

impl Loop {
    /// What may be done after the answers are out; on a tick, also what need not be done each time.
    pub(super) fn housekeep(&mut self, now: Now, ticked: bool) -> Result<(), LedgerError> {
        let cared = self.care_for_log(now).and_then(|()| self.ledger.sort_ids());
        let tidied = cared.and_then(|()| if ticked { self.tidy_file(now.time) } else { Ok(()) });
        match tidied {
            // Somebody else's lock or a full disk keeps the WAL and old ids for longer, and nothing else.
            Err(error @ (LedgerError::Busy(_) | LedgerError::Full(_))) => {
                tracing::debug!(error = %ErrorChain(&error), "the ledger's file could not be tidied up");
            }
            other => other?,
        }
        Ok(())
    }

    /// Has the write-ahead log moved into the file in time.
    fn care_for_log(&mut self, now: Now) -> Result<(), LedgerError> {
        match self.ledger.log_care()? {
            LogCare::Nothing => Ok(()),
            LogCare::Checkpoint => {
                self.roll_up(now, Haste::AsDue)?;
                self.ledger.begin_checkpoint()
            }
            LogCare::Restart => {
                self.roll_up(now, Haste::AsDue)?;
                self.ledger.restart_log()
            }
        }
    }

    fn tidy_file(&mut self, now: Timestamp) -> Result<(), LedgerError> {
        self.ledger.check_place()?;
        self.instruments.set_size(self.ledger.size_bytes());
        let horizon = now.checked_sub(self.settings.remember()).unwrap_or(Timestamp::MIN);
        self.ledger.forget_ids(horizon)?;
        let forgotten = self.ledger.forget_reservations(now.checked_sub(RESERVATIONS_KEPT).unwrap_or(Timestamp::MIN))?;
        if forgotten > 0 {
            let mut next = self.published();
            next.views.holds.count_expired(0, forgotten);
            self.board.publish(next);
        }
        self.ledger.tidy_outbox(&self.settings.receivers, now)?;
        for meter in self.board.read().tallies.meters() {
            if let Some(from) = meter.saved_from {
                self.ledger.forget_tallies(meter.id, from)?;
            }
        }
        self.ledger.sweep_meters()?;
        if let Some(keep) = self.settings.retention {
            if self.ledger.prune(keep, now)? {
                self.board.note_prune();
            }
            let mut next = self.published();
            if self.count_unpriced(&mut next) {
                self.board.publish(next);
            }
        }
        Ok(())
    }
}
