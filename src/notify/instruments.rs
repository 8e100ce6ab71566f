//! The metrics of all receivers together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};
use strum::{IntoStaticStr, VariantArray};

/// The instruments, which all receivers share.
#[derive(Debug)]
pub(super) struct DeliveryInstruments {
    messages: Counter<u64>,
    pending: Vec<Arc<AtomicU64>>,
}

/// One receiver's part in them.
#[derive(Debug)]
pub(super) struct ReceiverInstruments {
    messages: Counter<u64>,
    pending: Arc<AtomicU64>,
}

/// What became of a message or of an attempt.
#[derive(Clone, Copy, Debug, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(super) enum MessageResult {
    Delivered,
    Failed,
    GivenUp,
}

impl DeliveryInstruments {
    pub fn new(meter: &Meter) -> Self {
        let messages = meter
            .u64_counter("lead_factory_webhook_messages")
            .with_description(
                "Messages to webhooks since the process started, by what became of them; failed counts attempts.",
            )
            .build();
        let instruments = Self { messages, pending: Vec::new() };
        MessageResult::VARIANTS.iter().for_each(|result| instruments.messages.add(0, &[label(*result)]));
        instruments
    }

    /// What one more receiver's messages are counted with.
    pub fn of_receiver(&mut self) -> ReceiverInstruments {
        let pending = Arc::new(AtomicU64::new(0));
        self.pending.push(Arc::clone(&pending));
        ReceiverInstruments { messages: self.messages.clone(), pending }
    }

    /// Shows how many messages wait, of all receivers that there are by now.
    pub fn show_pending(self, meter: &Meter) {
        let pending = self.pending;
        meter
            .u64_observable_gauge("lead_factory_webhook_pending")
            .with_description("Messages that wait to be delivered to a webhook, counted once for each receiver.")
            .with_callback(move |observer| {
                observer.observe(pending.iter().map(|count| count.load(Ordering::Relaxed)).sum(), &[]);
            })
            .build();
    }
}

impl ReceiverInstruments {
    pub fn count(&self, result: MessageResult) {
        self.messages.add(1, &[label(result)]);
    }

    pub fn set_pending(&self, count: usize) {
        self.pending.store(count as u64, Ordering::Relaxed);
    }
}

fn label(result: MessageResult) -> KeyValue {
    KeyValue::new("result", <&str>::from(result))
}
