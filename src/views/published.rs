//! The one committed state that every reader looks at.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;

use super::Views;
use crate::budget::{Budget, GateVerdict, Policy, Standing, assess, judge};
use crate::domain::Usd;

/// What readers see: the newest committed views under the policy in force. Immutable.
#[derive(Clone, Debug)]
pub struct Published {
    /// What the ledger adds up to.
    pub views: Views,
    /// What the operator asked for.
    pub policy: Arc<Policy>,
}

/// Where the writer puts each new state, and readers pick up the newest: neither waits for the other.
#[derive(Debug)]
pub struct Board(ArcSwap<Published>);

impl Published {
    /// Where every budget stands at `now`, in the policy's order.
    pub fn standings(&self, now: Timestamp) -> Vec<Standing> {
        let zone = &self.policy.zone;
        let bounds = |budget: &Budget| zone.bounds(zone.period_of(budget.period, now));
        let budgets = self.policy.budgets.iter();
        budgets.map(|budget| assess(budget, self.spent(budget, now), Usd::ZERO, bounds(budget), now)).collect()
    }

    /// Whether the gate is active at `now`, from the same numbers that `standings` shows.
    pub fn gate(&self, now: Timestamp) -> GateVerdict {
        judge(&self.policy, |budget| self.spent(budget, now))
    }

    fn spent(&self, budget: &Budget, now: Timestamp) -> Usd {
        self.views.spent(budget.service.as_ref(), self.policy.zone.period_of(budget.period, now))
    }
}

impl Board {
    /// A board that shows `first`.
    pub fn new(first: Published) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    /// Shows a new state to every read that starts from now on.
    pub fn publish(&self, next: Published) {
        self.0.store(Arc::new(next));
    }

    /// The newest state.
    pub fn read(&self) -> Arc<Published> {
        self.0.load_full()
    }
}
