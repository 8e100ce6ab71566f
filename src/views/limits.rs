//! The limits in force, which change when somebody sets one and when that lapses.
//!
//! *Invariants.* They are a function of the settings, of the history of overrides and of the time: whoever reads does not wait until the
//! writer has noticed that one has lapsed, or that the clock was set back to before it did.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;

use super::Published;
use super::tallies::Crossing;
use crate::budget::Policy;
use crate::domain::{LimitOverride, Now};

impl Published {
    /// Has the limits in force be those that are at this instant, if one has lapsed, or the clock was set back to before it did. Answers
    /// with the keys that are at a threshold of a limit that has changed.
    pub fn lapse_limits(&mut self, now: Timestamp) -> Vec<Crossing> {
        if self.policy_in.contains(now) { Vec::new() } else { self.renew_limits(now) }
    }

    /// Takes a line of the history of overrides. Answers as [`Published::lapse_limits`] does.
    pub fn set_limit(&mut self, line: LimitOverride, now: Timestamp) -> Vec<Crossing> {
        self.views.overrides.put(line);
        self.renew_limits(now)
    }

    fn renew_limits(&mut self, now: Timestamp) -> Vec<Crossing> {
        let (policy, policy_in) = self.views.overrides.in_force(&self.configured, now);
        let before = std::mem::replace(&mut self.policy, policy);
        self.policy_in = policy_in;
        self.note_limits_since(&before, now)
    }

    /// When a limit was reached is known of the limit that was in force then, and of no other.
    pub(super) fn note_limits_since(&mut self, before: &Policy, now: Timestamp) -> Vec<Crossing> {
        let mut crossings = Vec::new();
        let policy = Arc::clone(&self.policy);
        for (position, budget) in policy.budgets.iter().enumerate() {
            let before = before.budgets.iter().find(|before| before.name == budget.name);
            let Some(meter) = self.tallies.meters_mut().get_mut(position) else { continue };
            match before {
                Some(before) if before.limit == budget.limit && before.warn_at == budget.warn_at => {
                    meter.judge_by(budget);
                    continue;
                }
                Some(before) if before.limit == budget.limit => meter.count_states(budget),
                Some(_) => meter.note_new_limit(budget),
                None => meter.judge_by(budget),
            }
            if budget.each.is_some() {
                crossings.extend(self.tallies.at_thresholds(&policy, position, now));
            }
        }
        crossings
    }

    /// The same without the holds and limits that have run out of time. Next to never are there any that the writer has not taken out
    /// yet, and taking them out takes time with how many keys there are.
    pub(super) fn lapsed(&self, now: Now) -> Cow<'_, Self> {
        if self.policy_in.contains(now.time) && self.views.holds.due(now.steady).next().is_none() {
            return Cow::Borrowed(self);
        }
        // A clone changes nothing that others see: it is dropped with what it says of keys.
        let mut lapsed = self.clone();
        for hold in lapsed.views.holds.lapse(now.steady) {
            lapsed.tallies.take_off(&self.policy, &hold.request);
        }
        lapsed.lapse_limits(now.time);
        Cow::Owned(lapsed)
    }

    /// What is in force at an instant: readers do not wait for the writer to notice that a limit has lapsed.
    pub(super) fn policy_at(&self, now: Timestamp) -> Cow<'_, Arc<Policy>> {
        if self.policy_in.contains(now) {
            Cow::Borrowed(&self.policy)
        } else {
            Cow::Owned(self.views.overrides.in_force(&self.configured, now).0)
        }
    }
}
