//! The one committed state that every reader looks at.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;

use super::{CostPerLead, Views};
use crate::budget::{Admission, Budget, GateVerdict, Policy, Spend, Standing, Used, admit, assess, judge};
use crate::domain::Now;

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
pub struct Board {
    published: ArcSwap<Published>,
    per_lead: ArcSwapOption<CostPerLead>,
}

impl Published {
    /// Where every budget stands at this instant, in the policy's order.
    pub fn standings(&self, now: Now) -> Vec<Standing> {
        let budgets = self.policy.budgets.iter();
        budgets.map(|budget| self.standing(budget, now)).collect()
    }

    fn standing(&self, budget: &Budget, now: Now) -> Standing {
        let period = self.policy.zone.period_of(budget.period, now.time);
        let charges = self.views.sums(budget.service.as_ref(), period).charges;
        let reached = self.views.marks.reached(budget, period, charges);
        assess(budget, self.used(budget, now), reached, self.policy.zone.bounds(period), now.time)
    }

    /// Whether the gate is active at this instant, from the same numbers that `standings` shows.
    pub fn gate(&self, now: Now) -> GateVerdict {
        judge(&self.policy, self.views.manual(now.time), |budget| self.used(budget, now))
    }

    /// Whether something may be spent at this instant.
    pub fn admit(&self, spend: Spend<'_>, now: Now) -> Admission {
        let period_end = |budget: &Budget| self.bounds(budget, now).1;
        admit(&self.policy, &self.gate(now), spend, |budget| self.used(budget, now), period_end)
    }

    fn used(&self, budget: &Budget, now: Now) -> Used {
        let service = budget.service.as_ref();
        let period = self.policy.zone.period_of(budget.period, now.time);
        Used { spent: self.views.sums(service, period).net(), reserved: self.views.holds.reserved(service, now.steady) }
    }

    fn bounds(&self, budget: &Budget, now: Now) -> (Timestamp, Timestamp) {
        let zone = &self.policy.zone;
        zone.bounds(zone.period_of(budget.period, now.time))
    }
}

impl Board {
    /// A board that shows `first`.
    pub fn new(first: Published) -> Self {
        Self { published: ArcSwap::from_pointee(first), per_lead: ArcSwapOption::empty() }
    }

    /// Shows a new state to every read that starts from now on.
    pub fn publish(&self, next: Published) {
        self.published.store(Arc::new(next));
    }

    /// The newest state.
    pub fn read(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// Shows what a lead costs on average, or that it is not known.
    pub fn show_per_lead(&self, newest: Option<CostPerLead>) {
        self.per_lead.store(newest.map(Arc::new));
    }

    /// What a lead costs on average, where it is known.
    pub fn per_lead(&self) -> Option<CostPerLead> {
        self.per_lead.load().as_deref().copied()
    }
}
