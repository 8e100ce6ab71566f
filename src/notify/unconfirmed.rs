//! What became of attempts, until the outbox says the same.
//!
//! *Invariants.* Nothing is sent again because the disk is slow or full: what is kept here overrides the outbox.
//!
//! *Limits.* What is not open in the outbox is forgotten, so there is never more here than there.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::Steady;
use crate::ledger::{NextAttempt, OpenDelivery};

/// How long the outbox may take to follow a report before it is reported again.
pub(super) const REPORTED_AGAIN: Duration = Duration::from_secs(5);

/// By message.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed(HashMap<i64, Reported>);

#[derive(Debug)]
struct Reported {
    next: NextAttempt,
    at: Steady,
}

impl Unconfirmed {
    /// Keeps what is reported now.
    pub fn keep(&mut self, message: i64, next: NextAttempt, now: Steady) {
        self.0.insert(message, Reported { next, at: now });
    }

    /// What is open, by the outbox and what it does not know yet; and what is to be reported once more.
    pub fn over(&mut self, open: Vec<OpenDelivery>, now: Steady) -> (Vec<OpenDelivery>, Vec<(i64, NextAttempt)>) {
        let mut known = std::mem::take(&mut self.0);
        let (mut still_open, mut again) = (Vec::with_capacity(open.len()), Vec::new());
        for delivery in open {
            let message = delivery.message;
            let Some(mut reported) = known.remove(&message) else {
                still_open.push(delivery);
                continue;
            };
            match reported.next {
                // The outbox has followed.
                NextAttempt::At { attempts, .. } if attempts <= delivery.attempts => {
                    still_open.push(delivery);
                    continue;
                }
                NextAttempt::At { time, attempts } => {
                    still_open.push(OpenDelivery { message, attempts, next_attempt_at: time });
                }
                NextAttempt::Never => {}
            }
            if now.since(reported.at) >= REPORTED_AGAIN {
                reported.at = now;
                again.push((message, reported.next));
            }
            self.0.insert(message, reported);
        }
        (still_open, again)
    }

    /// Whether the outbox says all there is to say.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
