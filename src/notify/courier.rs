//! Brings one receiver its messages, one after the other, on a thread of its own.
//!
//! *Invariants.* Of the messages that are due the oldest goes first; one that fails is due again later, so it holds up no other.
//! What became of an attempt is remembered here until the outbox says the same, so nothing is sent again because the disk is slow
//! or full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::delivery_log::DeliveryLog;
use super::instruments::DeliveryInstruments;
use super::post::{Attempt, Poster};
use super::unconfirmed::Unconfirmed;
use super::{DeliveryParts, Schedule, Webhook};
use crate::clock::Clock;
use crate::domain::{Now, Steady};
use crate::error_chain::ErrorChain;
use crate::ledger::{DeliveryReport, LedgerError, NextAttempt, OpenDelivery, Reader, StoredMessage};

/// How often the outbox is looked at.
pub const POLL: Duration = Duration::from_millis(500);

pub(super) struct Courier {
    receiver: Arc<str>,
    poster: Poster,
    reader: Arc<Reader>,
    clock: Clock,
    send_reports: Arc<dyn Fn(Vec<DeliveryReport>) + Send + Sync>,
    schedule: Schedule,
    log: DeliveryLog,
    stop: Arc<AtomicBool>,
    unconfirmed: Unconfirmed,
}

impl Courier {
    pub fn new(
        receiver: Arc<str>,
        webhook: Webhook,
        parts: &DeliveryParts,
        instruments: &mut DeliveryInstruments,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            log: DeliveryLog::new(webhook.host(), instruments.of_receiver()),
            poster: Poster::new(webhook, parts.attempt_max),
            receiver,
            reader: Arc::clone(&parts.reader),
            clock: parts.clock.clone(),
            send_reports: Arc::clone(&parts.report),
            schedule: parts.schedule.clone(),
            stop,
            unconfirmed: Unconfirmed::default(),
        }
    }

    /// Delivers until it is told to stop.
    pub fn run(mut self) {
        while !self.stop.load(Ordering::Relaxed) {
            let now = self.clock.instant();
            match self.next_due(now) {
                Ok(Some(delivery)) if self.deliver(&delivery, now) => {}
                Ok(_) => std::thread::park_timeout(POLL),
                Err(error) => {
                    self.log.unreadable(&ErrorChain(&error).to_string(), now.steady);
                    std::thread::park_timeout(POLL);
                }
            }
        }
    }

    /// The oldest message that is due.
    fn next_due(&mut self, now: Now) -> Result<Option<OpenDelivery>, LedgerError> {
        let open = self.reader.open_deliveries(&self.receiver)?;
        let (open, again) = self.unconfirmed.over(open, now.steady);
        if !again.is_empty() {
            (self.send_reports)(again.into_iter().map(|(message, next)| self.report_of(message, next)).collect());
        }
        self.log.set_pending(open.len());
        Ok(open.into_iter().find(|delivery| self.schedule.is_due(delivery.next_attempt_at, now.time)))
    }

    /// Makes one attempt. Answers whether it could be made, or need not be.
    fn deliver(&mut self, delivery: &OpenDelivery, now: Now) -> bool {
        let next = match self.reader.message(delivery.message) {
            Ok(Some(message)) => self.attempt(&message, delivery.attempts.saturating_add(1), now.time),
            // Without its message there is nothing to deliver, now or later.
            Ok(None) => self.give_up("the message is missing", now.steady),
            Err(error @ LedgerError::Damaged(_)) => self.give_up(&ErrorChain(&error).to_string(), now.steady),
            Err(error) => {
                self.log.unreadable(&ErrorChain(&error).to_string(), now.steady);
                return false;
            }
        };
        self.unconfirmed.keep(delivery.message, next, self.clock.instant().steady);
        (self.send_reports)(vec![self.report_of(delivery.message, next)]);
        true
    }

    fn attempt(&mut self, message: &StoredMessage, attempts: u32, now: Timestamp) -> NextAttempt {
        let attempt = self.poster.post(message, now);
        let after = self.clock.instant();
        match attempt {
            Attempt::Delivered => {
                self.log.delivered(after.steady);
                NextAttempt::Never
            }
            Attempt::Gone => self.give_up("the answer was 410 Gone", after.steady),
            Attempt::Failed { why, asked } => {
                match self.schedule.next(&message.id, message.created_at, attempts, asked, after.time) {
                    Some(time) => {
                        self.log.failed(&why, after.steady);
                        NextAttempt::At { time, attempts }
                    }
                    None => self.give_up(&why, after.steady),
                }
            }
        }
    }

    fn give_up(&mut self, why: &str, now: Steady) -> NextAttempt {
        self.log.given_up(why, now);
        NextAttempt::Never
    }

    fn report_of(&self, message: i64, next: NextAttempt) -> DeliveryReport {
        DeliveryReport { message, receiver: Arc::clone(&self.receiver), next }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry::metrics::MeterProvider;

    use super::*;
    use crate::notify::tests::{Manner, Outbox, Receiver};
    use crate::notify::unconfirmed::REPORTED_AGAIN;
    use crate::notify::{ATTEMPT_MAX, WebhookFormat};

    /// Guards against: a message that is sent again at each look, because the disk is full and nothing can be noted.
    #[test]
    fn what_the_outbox_has_not_taken_in_is_reported_again_and_not_sent_again() {
        let receiver = Receiver::that(|number, _| Manner::Answers(if number == 0 { 500 } else { 200 }));
        let webhook = receiver.webhook(WebhookFormat::Json);
        let outbox = Outbox::new();
        let clock = Clock::manual("2026-11-22T10:00:00Z".parse().unwrap());
        outbox.tell(&["a"], std::slice::from_ref(&webhook), clock.now());
        let reported = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&reported);
        let parts = DeliveryParts {
            reader: outbox.reader(),
            clock: clock.clone(),
            report: Arc::new(move |reports| kept.lock().unwrap().push(reports)),
            attempt_max: ATTEMPT_MAX,
            schedule: Schedule::default(),
        };
        let meter = opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test");
        let mut instruments = DeliveryInstruments::new(&meter);
        let mut courier = Courier::new(webhook.receiver().into(), webhook.clone(), &parts, &mut instruments, Arc::default());
        let try_next = |courier: &mut Courier| {
            let due = courier.next_due(clock.instant()).unwrap();
            due.is_some_and(|delivery| courier.deliver(&delivery, clock.instant()))
        };

        assert!(try_next(&mut courier));
        assert!(!try_next(&mut courier), "the pause is kept though the outbox knows of no attempt");
        clock.advance(Duration::from_secs(6));
        assert!(try_next(&mut courier), "delivered now");
        for _ in 0..3 {
            assert!(!try_next(&mut courier));
            clock.advance(REPORTED_AGAIN);
        }
        assert_eq!(receiver.got().len(), 2);

        let reports = std::mem::take(&mut *reported.lock().unwrap());
        assert_eq!(reports.len(), 5, "one for each attempt, and again after 5 s while nothing was taken in: {reports:?}");
        for report in reports {
            outbox.take_in(report, clock.now());
        }
        clock.advance(REPORTED_AGAIN);
        assert!(!try_next(&mut courier));
        assert!(reported.lock().unwrap().is_empty() && courier.unconfirmed.is_empty(), "taken in");
        assert_eq!(outbox.open_for(&webhook), []);
    }
}
