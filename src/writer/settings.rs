//! What the writer may be told.

use std::sync::Arc;

use jiff::SignedDuration;

use crate::domain::Receiver;
use crate::views::SeriesLimits;
use crate::wire::Origin;

/// How long reservations are listed after they have ended.
pub(super) const RESERVATIONS_KEPT: SignedDuration = SignedDuration::from_hours(35 * 24);

/// Settings of the writer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many names the metrics may show.
    pub series: SeriesLimits,
    /// How old an event's time may be: days within it stay in memory.
    pub age_max: SignedDuration,
    /// How far ahead an event's time may be.
    pub ahead_max: SignedDuration,
    /// Reservations that may be held at once.
    pub holds_max: usize,
    /// Keys of budgets in memory.
    pub budget_keys_max: usize,
    /// How long raw events are kept; `None` for ever.
    pub retention: Option<SignedDuration>,
    /// Who is told of budgets and the gate.
    pub receivers: Arc<[Receiver]>,
    /// Who tells them.
    pub origin: Origin,
}

impl Settings {
    /// How long ids are remembered: as long as an event under one of them could be accepted again, and as long as reservations,
    /// which are found by them; and a day for clocks that step back.
    pub fn remember(&self) -> SignedDuration {
        (self.age_max + self.ahead_max).max(RESERVATIONS_KEPT) + SignedDuration::from_hours(24)
    }
}
