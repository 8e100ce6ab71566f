//! How budgets with `each` stand: their keys by counts, and the fullest of them.

use super::Published;
use crate::budget::{Account, Budget, BudgetAccount, KeyCounts, KeysStanding, Policy, assess};
use crate::domain::Now;

impl Published {
    /// How the keys of each budget with `each` stand: its name and the counts.
    pub fn key_counts(&self, now: Now) -> Vec<(String, KeyCounts)> {
        let (policy, lapsed) = (self.policy_at(now.time), self.lapsed(now));
        let keyed = policy.budgets.iter().zip(lapsed.tallies.meters()).enumerate();
        keyed
            .filter(|(_, (budget, _))| budget.each.is_some())
            .map(|(position, (budget, meter))| {
                let span = self.tallies.span(&policy, position, now.time);
                (budget.name.clone(), meter.key_counts(span))
            })
            .collect()
    }

    pub(super) fn keyed(&self, policy: &Policy, position: usize, budget: &Budget, now: Now) -> KeysStanding {
        let span = self.tallies.span(policy, position, now.time);
        let meter = self.tallies.meters().get(position);
        let fullest = meter.map(|meter| meter.fullest(budget, span)).unwrap_or_default();
        let nothing = || Account::new(&budget.limit, None, None);
        let (key, account) =
            fullest.first().map_or((None, nothing()), |first| (Some(first.key.clone()), first.account.clone()));
        let tally = |key: &str| self.tallies.find(position, span, key).ok().flatten();
        let reached = key.as_deref().and_then(tally).map(|tally| tally.reached).unwrap_or_default();
        KeysStanding {
            standing: assess(budget, key, BudgetAccount { account, span }, reached, now.time),
            counts: meter.map(|meter| meter.key_counts(span)).unwrap_or_default(),
            fullest,
        }
    }
}
