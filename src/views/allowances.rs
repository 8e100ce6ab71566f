//! What this agent may use of budgets that a fleet shares, as far as the published state has to know.
//!
//! *Invariants.* What is used is counted here as everywhere; a fleet only adds a limit that moves, and what is known of the other agents.

use super::Published;
use crate::budget::{Allowance, AllowanceOrder, Asking, Budget, BudgetScope, Drawn, InUse, Policy, Shared};
use crate::domain::{Now, Span, Steady, Usd};

impl Published {
    /// What this agent may use of a fleet's budget in a period, if anything is known.
    pub fn allowance(&self, budget: &str, span: Span) -> Option<&Allowance> {
        self.allowances.of(budget, span)
    }

    /// Changes an allowance, and says what is in use then; `None` where a fleet shares no budget of that name.
    pub fn order_allowance(&mut self, order: AllowanceOrder) -> Option<InUse> {
        let in_use = self.in_use(&self.policy, order.budget(), order.span())?;
        self.allowances.order(order, &in_use);
        Some(in_use)
    }

    /// The same with what an earlier state allows: nothing but the fleet says how much that is.
    #[must_use]
    pub fn with_allowances_of(self, earlier: &Self) -> Self {
        Self { allowances: earlier.allowances.clone(), ..self }
    }

    /// What this agent uses of a budget that a fleet shares, in a period; `None` where there is none of that name. What is held is held in every
    /// period.
    pub fn used_here(&self, budget: &str, span: Span, now: Now) -> Option<InUse> {
        let lapsed = self.lapsed(now);
        lapsed.in_use(&lapsed.policy, budget, span)
    }

    fn in_use(&self, policy: &Policy, budget: &str, span: Span) -> Option<InUse> {
        let is_it = |of: &Budget| of.name == budget && of.scope == BudgetScope::Fleet;
        let meter = self.tallies.meters().get(policy.budgets.iter().position(is_it)?)?;
        let looked = meter.look(span, "", |tally, held, _| {
            InUse::of(tally.map_or(&[], |tally| &tally.spent), held.map_or(&[], |held| held))
        });
        let (Ok(in_use) | Err(in_use)) = looked;
        Some(in_use)
    }

    /// The same with what the other agents use, where a fleet shares the budget.
    pub(super) fn with_fleet(&self, budget: &Budget, mut drawn: Drawn, span: Span) -> Drawn {
        if let Some(elsewhere) = self.elsewhere(budget, span) {
            drawn.add(elsewhere);
        }
        drawn
    }

    /// What the other agents use, where a fleet shares the budget and that is known.
    pub(super) fn elsewhere(&self, budget: &Budget, span: Span) -> Option<&InUse> {
        let is_shared = budget.scope == BudgetScope::Fleet;
        let allowance = if is_shared { self.allowances.of(&budget.name, span) } else { None };
        allowance.map(|allowance| &allowance.elsewhere)
    }

    /// How a budget stands with the fleet, if one shares it, of which so much is spent and held here: an allowance for a period to come binds,
    /// too, as to what is held.
    pub(super) fn shared(
        &self,
        budget: &Budget,
        span: Span,
        (spent, held): (&[i128], &[i128]),
        asking: Asking,
        now: Steady,
    ) -> Option<Shared> {
        if budget.scope != BudgetScope::Fleet {
            return None;
        }
        let Some(own) = self.allowances.of(&budget.name, span) else {
            return Some(Shared { elsewhere: InUse::default(), left: Usd::ZERO, span });
        };
        let in_use = InUse::of(spent, held);
        let left = |allowance: &Allowance| {
            let here = if allowance.span == span { in_use } else { InUse { spent: Usd::ZERO, held: in_use.held } };
            let free = if asking == Asking::Check { allowance.free.max(Usd::ZERO) } else { Usd::ZERO };
            (allowance.left(&here, now) + free, allowance.span)
        };
        let least = self.allowances.binding(&budget.name, span).map(left).min_by_key(|(left, _)| *left);
        let (left, span) = least.unwrap_or((Usd::ZERO, span));
        Some(Shared { elsewhere: own.elsewhere, left, span })
    }
}
