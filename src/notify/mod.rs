//! Webhooks: brings the messages of the ledger's outbox to their receivers.
//!
//! *Invariants.* The outbox is the only truth about what is still to be delivered: it is looked at every [`POLL`], so that a start
//! takes no other way than the day before it. A delivery ends only after a 2xx, or when it is given up; it may come twice, under
//! the same id, when the process ends in between. Nothing here is waited for: each receiver has a thread of its own, which the
//! writer never hears of, and a slow one holds up only its own messages. Of a URL only the host is ever shown.
//!
//! *Limits.* [`WEBHOOKS_MAX`] receivers, one attempt at a time for each, of [`ATTEMPT_MAX`]; no body of an answer is read. What is
//! open is bounded by the outbox.
//!
//! *Deliberately not here.* What is told, and when: the writer knows. Redirects: a message goes where the operator said.

mod courier;
mod delivery_log;
mod instruments;
mod parts;
mod post;
mod schedule;
mod settings;
mod signature;
mod slack;
mod unconfirmed;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use opentelemetry::metrics::Meter;

pub use courier::POLL;
pub use parts::DeliveryParts;
pub use post::{ATTEMPT_MAX, CONNECT_MAX};
pub use schedule::Schedule;
pub use settings::{Webhook, WebhookFormat, WebhookSecret};

use crate::domain::Receiver;
use courier::Courier;
use instruments::DeliveryInstruments;

/// Receivers that there may be; each has a thread.
pub const WEBHOOKS_MAX: usize = 16;

/// Running deliveries. They end with this value, after the attempts under way, which nobody waits for.
#[derive(Debug)]
pub struct Deliveries {
    stop: Arc<AtomicBool>,
    threads: Vec<Thread>,
}

/// Everybody who is told, each once, of all that its webhooks ask for.
pub fn receivers(webhooks: &[Webhook]) -> Arc<[Receiver]> {
    let of = |(name, _): (Arc<str>, Webhook)| {
        let same = webhooks.iter().filter(|webhook| *webhook.receiver() == *name);
        Receiver { subscriptions: same.map(|webhook| webhook.subscription.clone()).collect(), name }
    };
    distinct(webhooks).into_iter().map(of).collect()
}

/// Begins to deliver. Without webhooks there is nothing to do, and no metric of it.
///
/// # Errors
/// The system gave no thread.
pub fn start(webhooks: &[Webhook], parts: &DeliveryParts, meter: &Meter) -> io::Result<Deliveries> {
    let mut deliveries = Deliveries { stop: Arc::default(), threads: Vec::new() };
    let webhooks = distinct(webhooks);
    if webhooks.is_empty() {
        return Ok(deliveries);
    }
    let mut instruments = DeliveryInstruments::new(meter);
    let couriers: Vec<Courier> = webhooks
        .into_iter()
        .map(|(receiver, webhook)| Courier::new(receiver, webhook, parts, &mut instruments, Arc::clone(&deliveries.stop)))
        .collect();
    instruments.show_pending(meter);
    for courier in couriers {
        let thread = std::thread::Builder::new().name("webhook".into()).spawn(move || courier.run())?;
        deliveries.threads.push(thread.thread().clone());
    }
    Ok(deliveries)
}

fn distinct(webhooks: &[Webhook]) -> Vec<(Arc<str>, Webhook)> {
    let mut found: Vec<(Arc<str>, Webhook)> = Vec::new();
    for webhook in webhooks {
        let receiver = webhook.receiver();
        if !found.iter().any(|(known, _)| **known == *receiver) {
            found.push((receiver.into(), webhook.clone()));
        }
    }
    found
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.iter().for_each(Thread::unpark);
    }
}

#[cfg(test)]
mod tests;
