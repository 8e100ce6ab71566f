//! Which budgets this agent shares, in which periods.
//!
//! *Limits.* As many as the policy has budgets of the fleet, each in its current period; the one before for [`KEPT_AFTER`], the next one from
//! [`NEXT_AHEAD`] on, and up to [`LATER_MAX`] that others have begun, whose clocks may be ahead.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::target::Target;
use crate::budget::{AllowanceOrder, Budget, BudgetScope, Policy};
use crate::domain::{Now, Span};
use crate::fleet::Verdict;

/// So long before a period begins its share is asked for.
const NEXT_AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// So long after a period ended its share is let go of: the clock may be set back a little.
const KEPT_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// Periods after the next one.
const LATER_MAX: usize = 4;

/// The budgets that this agent shares.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub all: Vec<Target>,
}

impl Targets {
    /// Follows the settings and the time. What is to be said to the writer of those that are over.
    pub fn refresh(&mut self, policy: &Policy, now: Now, ttl: Option<Duration>) -> Vec<AllowanceOrder> {
        let shared: Vec<&Budget> = policy.budgets.iter().filter(|budget| budget.scope == BudgetScope::Fleet).collect();
        let dropped = self.drop_old(policy, &shared, now);
        for budget in shared {
            let current = policy.zone.span_of(&budget.cycle, now.time);
            self.add(policy, budget, current, ttl);
            let mut newest = current;
            for ahead in 0..=LATER_MAX {
                let Some(end) = newest.ends_at() else { break };
                let is_near = ahead == 0 && end - NEXT_AHEAD <= now.time;
                let is_closing = self.of(&budget.name, newest).is_some_and(|target| target.is_closing);
                if !(is_near || is_closing) {
                    break;
                }
                newest = policy.zone.span_of(&budget.cycle, end);
                self.add(policy, budget, newest, ttl);
            }
        }
        dropped
    }

    /// That of a budget in a period.
    pub fn of(&mut self, budget: &str, span: Span) -> Option<&mut Target> {
        self.all.iter_mut().find(|target| *target.budget == *budget && target.span == span)
    }

    fn add(&mut self, policy: &Policy, budget: &Budget, span: Span, ttl: Option<Duration>) {
        let limit = budget.limit.usd().unwrap_or_default();
        match self.of(&budget.name, span) {
            Some(target) if target.limit == limit => {}
            Some(target) => target.configure(limit),
            None => self.all.extend(Target::new(budget, &policy.zone, span, ttl)),
        }
    }

    /// Those of budgets that are not shared any more, or count something else by now, and those whose period is over.
    fn drop_old(&mut self, policy: &Policy, shared: &[&Budget], now: Now) -> Vec<AllowanceOrder> {
        let mut dropped = Vec::new();
        self.all.retain_mut(|target| {
            let is_over = target.span.ends_at().is_some_and(|end| end + KEPT_AFTER <= now.time);
            let is_shared = shared.iter().any(|budget| budget.name == *target.budget && target.is_of(budget, &policy.zone));
            if is_shared && !is_over {
                return true;
            }
            target.waits.refuse_all(Verdict::TryAgain);
            dropped.push(AllowanceOrder::Drop { budget: Arc::clone(&target.budget), span: target.span });
            false
        });
        dropped
    }
}
