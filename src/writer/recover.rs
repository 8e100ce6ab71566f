//! What follows a failure, and the end.
//!
//! *Invariants.* After a failed commit the views are built anew from the file, by the code that builds them at a start. After a failed
//! sync nobody here touches the file again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::RecordError;
use super::command::Command;
use super::load::{load_views, shown};
use super::run::{Ended, Loop, RECOVERY_PAUSE};
use super::saving::Haste;
use crate::error_chain::ErrorChain;
use crate::ledger::LedgerError;

impl Loop {
    /// Waits until the ledger can be written and read again. Answers how the writer has ended, if it has.
    pub(super) fn recover(&mut self, cause: LedgerError) -> Option<Ended> {
        let mut error = cause;
        loop {
            if matches!(error, LedgerError::SyncFailed(_)) {
                return Some(self.give_up());
            }
            self.health.set_problem(error.outward());
            std::thread::sleep(RECOVERY_PAUSE);
            self.lapse();
            if self.refuse_queued() {
                // Nothing that was answered is missing from the file, so this is a clean end as well.
                return Some(Ended::Cleanly);
            }
            match self.reopen() {
                Ok(()) => {
                    tracing::info!("the ledger records again");
                    self.health.clear();
                    return None;
                }
                Err(next) => error = next,
            }
            tracing::debug!(error = %ErrorChain(&error), "the ledger still cannot record");
        }
    }

    /// Tells everybody who waits to send again later. Answers whether it is time to stop.
    fn refuse_queued(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::SetPolicy { policy, .. }) => self.late_policy = Some(policy),
                // Whoever reports does so again until it is in the file.
                Ok(Command::Tick | Command::ReportDeliveries(_)) => {}
                Ok(Command::Stop) => self.commands.close(),
                Ok(waited_for) => {
                    self.queued_events.fetch_sub(waited_for.events_len(), Ordering::Relaxed);
                    waited_for.refuse(RecordError::Unavailable);
                }
                Err(mpsc::error::TryRecvError::Empty) => return false,
                Err(mpsc::error::TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Proves that commits work, then takes the start-up path on the open file.
    fn reopen(&mut self) -> Result<(), LedgerError> {
        self.ledger.probe()?;
        self.ledger.reload()?;
        self.reload_views()
    }

    pub(super) fn reload_views(&mut self) -> Result<(), LedgerError> {
        let before = self.published();
        let configured = self.late_policy.take().unwrap_or_else(|| Arc::clone(&before.configured));
        self.settings.series.reserve(configured.services());
        let now = self.clock.instant();
        let views = load_views(&mut self.ledger, &self.settings, &configured.zone, now, Some(&before.views.holds))?;
        self.unsaved = None;
        self.saving.forget();
        let next = shown(&mut self.ledger, views, configured, &self.settings, now.time)?;
        self.board.publish(next.with_allowances_of(&before));
        Ok(())
    }

    pub(super) fn close(mut self) -> Ended {
        let now = self.clock.instant();
        let saved = self.roll_up(now, Haste::All).and_then(|()| self.ledger.sort_all_ids());
        match saved.and_then(|()| self.ledger.checkpoint_all()) {
            Err(LedgerError::SyncFailed(_)) => Ended::SyncFailed,
            // The WAL is synced; it is read at the next start.
            Err(error) => {
                tracing::warn!(error = %ErrorChain(&error), "the write-ahead log stays for the next start");
                Ended::Cleanly
            }
            Ok(()) => Ended::Cleanly,
        }
    }

    /// Ends without touching the file again.
    fn give_up(&mut self) -> Ended {
        self.health.set_problem("the disk failed to sync; the agent has to be restarted");
        self.commands.close();
        self.refuse_queued();
        Ended::SyncFailed
    }
}
