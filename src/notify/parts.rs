//! What deliveries are built from.

use std::sync::Arc;
use std::time::Duration;

use super::schedule::Schedule;
use crate::clock::Clock;
use crate::ledger::{DeliveryReport, Reader};

/// What deliveries need of the rest of the program.
pub struct DeliveryParts {
    /// The way to the outbox.
    pub reader: Arc<Reader>,
    /// What time it is.
    pub clock: Clock,
    /// Has the outbox brought up to date. It must not block, and may drop what it is told: it is told again.
    pub report: Arc<dyn Fn(Vec<DeliveryReport>) + Send + Sync>,
    /// How long one attempt may take; [`ATTEMPT_MAX`](super::ATTEMPT_MAX) but in tests.
    pub attempt_max: Duration,
    /// When a failed attempt is repeated.
    pub schedule: Schedule,
}
