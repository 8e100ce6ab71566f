//! What goes into the ledger in one transaction, and what comes out of it at a start.

use jiff::Timestamp;
use jiff::civil::Date;

use super::budgets::BudgetChanges;
use super::calls::CallSpan;
use super::events::KeyedEvent;
use super::outbox::OutboxChanges;
use super::reservations::ReservationChange;
use crate::domain::{GateChange, GateOverride, ModelKey, Pair, Quantity, Sums, UsageKey, Usd};

/// A sum that a commit changes, and what it was before.
#[derive(Clone, Debug)]
pub struct Change<K, V> {
    /// Which sum.
    pub key: K,
    /// Its value before; `None` when it is new.
    pub before: Option<V>,
    /// Its value now.
    pub after: V,
}

/// Everything that one transaction writes.
#[derive(Debug, Default)]
pub struct Commit {
    /// New events, in the order in which they are recorded.
    pub events: Vec<KeyedEvent>,
    /// At which spans, besides those of their first entries, calls are told.
    pub places: Vec<CallSpan>,
    /// Reservations that were granted, or that changed.
    pub reservations: Vec<ReservationChange>,
    /// What all events since the newest rollup, these included, have changed. It may wait while
    /// [`may_defer_rollup`](super::Ledger::may_defer_rollup): the events say the same.
    pub rollup: Option<Rollup>,
    /// What changes in the outbox of the webhooks.
    pub outbox: OutboxChanges,
    /// What changes of what budgets have counted, and of their limits.
    pub budgets: BudgetChanges,
}

/// What events have changed in the sums, since the sums were last written.
#[derive(Debug, Default)]
pub struct Rollup {
    /// The sums by day, service and operation.
    pub pairs: Vec<Change<(Date, Pair), Sums>>,
    /// The metric series.
    pub series: Vec<Change<Pair, Sums>>,
    /// The usage series.
    pub usage: Vec<Change<UsageKey, Quantity>>,
    /// The charges by model.
    pub models: Vec<Change<ModelKey, Usd>>,
    /// New lines of the gate's history.
    pub gate: Vec<GateChange>,
    /// What an operator says of the gate from now on, if that has changed.
    pub gate_override: Option<Option<GateOverride>>,
}

/// Sums that a start-up needs besides those that it streams.
#[derive(Debug, Default)]
pub struct Summary {
    /// Metric series since the ledger began.
    pub series: Vec<(Pair, Sums)>,
    /// Usage series since the ledger began.
    pub usage: Vec<(UsageKey, Quantity)>,
    /// Charges by model since the ledger began.
    pub models: Vec<(ModelKey, Usd)>,
    /// The newest line of the gate's history.
    pub gate: Option<GateChange>,
    /// What an operator says of the gate.
    pub gate_override: Option<GateOverride>,
    /// How often the gate became active.
    pub gate_activations: u64,
    /// Entries that these sums count.
    pub entries: u64,
    /// When the newest of them was recorded.
    pub last_recorded_at: Option<Timestamp>,
}

impl Commit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
            && self.places.is_empty()
            && self.reservations.is_empty()
            && self.rollup.is_none()
            && self.outbox.is_empty()
            && self.budgets.is_empty()
    }
}
