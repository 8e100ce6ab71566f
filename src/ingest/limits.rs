//! What an event, and a request full of them, may be.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use crate::domain::{Quantity, Usd};

/// Longest id, source, worker, batch, lead, model and actor, in bytes.
pub const TEXT_BYTES_MAX: usize = 200;
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 500;
/// Names that `usage` may have.
pub const USAGE_NAMES_MAX: usize = 16;
/// Counts in `usage` are below it: from there on, JSON readers that use doubles see another number.
pub const USAGE_COUNT_END: Quantity = Quantity::of(1 << 53);
/// Longest `attributes`, in bytes of the JSON text as it was sent.
pub const ATTRIBUTES_BYTES_MAX: usize = 4_096;

/// The operation of what names none.
pub const OPERATION_DEFAULT: &str = "unknown";

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
    /// How old an event's time may be (`max_event_age_seconds`). Ids are remembered for at least as long.
    pub age_max: SignedDuration,
    /// How far ahead of the agent's clock an event's time may be (`max_event_ahead_seconds`).
    pub ahead_max: SignedDuration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events_max: 10_000,
            body_bytes_max: 4 * 1024 * 1024,
            event_usd_max: Usd::from_dollars(10_000),
            age_max: SignedDuration::from_hours(35 * 24),
            ahead_max: SignedDuration::from_mins(5),
        }
    }
}
