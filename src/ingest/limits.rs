//! What an event, and a request full of them, may be.

use jiff::SignedDuration;

use crate::domain::Usd;

/// The bounds of contract section 2. Each is a setting.
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
