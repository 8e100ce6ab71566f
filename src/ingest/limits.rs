//! What an event, and a request full of them, may be.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

pub use crate::domain::ATTRIBUTES_BYTES_MAX;
use crate::domain::{Kind, Quantity, Usd};

/// Longest id, source, worker, batch, lead, model and actor, in bytes.
pub const TEXT_BYTES_MAX: usize = 200;
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 500;
/// Names that `usage` may have.
pub const USAGE_NAMES_MAX: usize = 16;
/// Counts in `usage` are below it: from there on, JSON readers that use doubles see another number.
pub const USAGE_COUNT_END: Quantity = Quantity::of(1 << 53);

/// How long money may be set aside, in seconds.
pub const TTL_SECONDS: RangeInclusive<u32> = 1..=86_400;
/// How long it is when the worker does not say, in seconds.
pub const TTL_SECONDS_DEFAULT: u32 = 60;

/// How long an operator's word about the gate may hold by itself, in seconds: a year.
pub const EXPIRES_IN_SECONDS: RangeInclusive<u32> = 1..=31_536_000;

/// The bounds that are settings.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Events in one request (`max_events_per_request`).
    pub events_max: usize,
    /// Bytes of a body after decompression (`max_body_bytes`).
    pub body_bytes_max: usize,
    /// Size of one event's amount, of either sign (`max_event_usd`); at most 1,000,000 USD.
    pub event_usd_max: Usd,
    /// How old a charge's time may be (`max_event_age_seconds`). Ids are remembered for at least as long.
    pub age_max: SignedDuration,
    /// How old a credit's time may be (`max_credit_age_seconds`), so that a correction counts in the day that it corrects. Ids of credits
    /// are remembered for at least as long.
    pub credit_age_max: SignedDuration,
    /// How far ahead of the agent's clock an event's time may be (`max_event_ahead_seconds`).
    pub ahead_max: SignedDuration,
}

/// The oldest that anything may be.
pub const AGE_MAX: SignedDuration = SignedDuration::from_hours(100 * 366 * 24);

impl Limits {
    /// The same for events of any age, as an import may have them.
    #[must_use]
    pub fn of_any_age(&self) -> Self {
        Self { age_max: AGE_MAX, credit_age_max: AGE_MAX, ..self.clone() }
    }

    /// How old the time of such an event may be.
    pub const fn age_max_of(&self, kind: Kind) -> SignedDuration {
        match kind {
            Kind::Charge => self.age_max,
            Kind::Credit => self.credit_age_max,
        }
    }

    /// With credits no older than raw events are kept, since these hold the ids of credits; charges are bounded by the rule between their
    /// two settings.
    #[must_use]
    pub fn within_retention(self, retention_days: Option<u32>) -> Self {
        let Some(days) = retention_days else { return self };
        // A day for clocks that step back.
        let kept = SignedDuration::from_hours(24 * (i64::from(days) - 1)).max(self.age_max);
        Self { credit_age_max: self.credit_age_max.min(kept), ..self }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events_max: 10_000,
            body_bytes_max: 4 * 1024 * 1024,
            event_usd_max: Usd::from_dollars(10_000),
            age_max: SignedDuration::from_hours(35 * 24),
            credit_age_max: SignedDuration::from_hours(400 * 24),
            ahead_max: SignedDuration::from_mins(5),
        }
    }
}
