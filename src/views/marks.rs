//! When budgets came to their limits: the one thing about them that their sums do not say.
//!
//! *Invariants.* A time stands here only if the events up to it were counted one by one, in their order, under the limit in force. A
//! budget without a mark of its name, service, period and limit either was never charged enough to reach its limit, credits left
//! aside, which proves that it never did; or nothing is known. What is known stays known when a credit takes the sum back below the limit.
//!
//! *Limits.* One mark for each budget and period that is not over; events may be dated some minutes ahead, so there are at most two
//! for a budget.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use imbl::OrdMap;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{Published, Touched, Views};
use crate::budget::{Budget, Policy};
use crate::domain::{BudgetMark, CostEvent, Entry, Folded, Month, Period, PeriodKind, Reached, Usd};

/// What is remembered of the budgets in their periods, by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks(OrdMap<Arc<str>, Vec<BudgetMark>>);

impl Marks {
    /// Takes a mark, in place of the one of the same budget and period.
    pub fn put(&mut self, mark: BudgetMark) {
        let marks = self.0.entry(Arc::clone(&mark.budget)).or_default();
        marks.retain(|known| known.period != mark.period);
        marks.push(mark);
    }

    /// Every mark, ordered.
    pub fn to_list(&self) -> Vec<BudgetMark> {
        let mut marks: Vec<_> = self.iter().cloned().collect();
        marks.sort_by(BudgetMark::compare);
        marks
    }

    /// Every mark, by the budgets' names.
    pub fn iter(&self) -> impl Iterator<Item = &BudgetMark> {
        self.0.values().flatten()
    }

    /// When a budget came to its limit in a period in which it was charged so much.
    pub fn reached(&self, budget: &Budget, period: Period, charges: Usd) -> Reached {
        match self.find(budget, period) {
            Some(mark) => mark.reached,
            None if charges < budget.limit => Reached::Never,
            None => Reached::SomeTime,
        }
    }

    /// Takes back what is only true if nothing was recorded since: entries were added up without being looked at one by one.
    pub fn doubt(&mut self) {
        self.retain(|mark| mark.reached != Reached::Never);
    }

    /// Lets go of the periods that are over before `today`.
    pub fn retire(&mut self, today: Date) {
        self.retain(|mark| mark.period.days().1 >= today);
    }

    /// The mark of this very budget.
    fn find(&self, budget: &Budget, period: Period) -> Option<&BudgetMark> {
        let marks = self.0.get(budget.name.as_str())?;
        marks.iter().find(|mark| mark.period == period && is_of(mark, budget))
    }

    fn set(&mut self, budget: &Budget, period: Period, reached: Reached) {
        self.put(BudgetMark {
            budget: budget.name.as_str().into(),
            period,
            service: budget.service.as_ref().map(Folded::of),
            limit: budget.limit,
            reached,
        });
    }

    fn retain(&mut self, keeps: impl Fn(&BudgetMark) -> bool) {
        if !self.iter().all(&keeps) {
            let kept: Vec<_> = self.iter().filter(|mark| keeps(mark)).cloned().collect();
            self.0.clear();
            kept.into_iter().for_each(|mark| self.put(mark));
        }
    }

    /// Lets go of what is not about one of these budgets as they are.
    fn keep_those_of(&mut self, policy: &Policy) {
        self.retain(|mark| policy.budgets.iter().any(|budget| *budget.name == *mark.budget && is_of(mark, budget)));
    }
}

impl Published {
    /// What a start shows: what the ledger adds up to, under a policy of which it is not known how long it was in force.
    pub fn at_start(mut views: Views, policy: Arc<Policy>, now: Timestamp) -> Self {
        views.marks.keep_those_of(&policy);
        for budget in &policy.budgets {
            let period = policy.zone.period_of(budget.period, now);
            if views.marks.find(budget, period).is_none() && views.is_used_up(budget, period) {
                views.marks.set(budget, period, Reached::SomeTime);
            }
        }
        Self { views, policy }
    }

    /// The same under a policy that is in force from now on.
    #[must_use]
    pub fn under(&self, policy: Arc<Policy>, now: Timestamp) -> Self {
        let mut views = self.views.clone();
        views.marks.keep_those_of(&policy);
        let is_as_before = |budget: &Budget| {
            self.policy.budgets.iter().any(|before| {
                before.name == budget.name
                    && (before.limit, before.period) == (budget.limit, budget.period)
                    && before.service.as_ref().map(Folded::of) == budget.service.as_ref().map(Folded::of)
            })
        };
        for budget in policy.budgets.iter().filter(|budget| !is_as_before(budget)) {
            let period = policy.zone.period_of(budget.period, now);
            if views.is_used_up(budget, period) {
                views.marks.set(budget, period, Reached::SomeTime);
            } else if views.sums(budget.service.as_ref(), period).charges >= budget.limit {
                // The sum is below the limit now, whatever it was before that limit was in force.
                views.marks.set(budget, period, Reached::Never);
            }
        }
        Self { views, policy }
    }

    /// Adds events as [`Views::record`] does, and notes which budgets they use up.
    pub fn record<'e, I>(&mut self, events: I, recorded_at: Timestamp) -> Touched
    where
        I: IntoIterator<Item = (&'e CostEvent, &'e Entry, Date)>,
        I::IntoIter: Clone,
    {
        let (events, before) = (events.into_iter(), self.views.clone());
        let touched = self.views.record(events.clone(), recorded_at);
        let today = self.policy.zone.day_of(recorded_at);
        let days: BTreeSet<Date> = touched.pairs.iter().map(|(day, _)| *day).collect();
        let months: BTreeSet<Month> = days.iter().map(|day| Month::of(*day)).collect();
        let services: HashSet<Folded> =
            touched.pairs.iter().filter_map(|(_, pair)| self.views.folded_if_budgeted(&pair.service)).collect();
        let policy = Arc::clone(&self.policy);
        let is_touched = |budget: &&Budget| match &budget.service {
            None => true,
            Some(service) => !services.is_empty() && services.contains(&Folded::of(service)),
        };
        for budget in policy.budgets.iter().filter(is_touched) {
            let periods: Vec<Period> = match budget.period {
                PeriodKind::Daily => days.iter().copied().map(Period::Day).collect(),
                PeriodKind::Monthly => months.iter().copied().map(Period::Month).collect(),
            };
            for period in periods.into_iter().filter(|period| period.days().1 >= today) {
                self.note(budget, period, &before, events.clone());
            }
        }
        touched
    }

    /// Notes with which of these events, which are counted, a budget came to its limit, if it did.
    fn note<'e>(
        &mut self,
        budget: &Budget,
        period: Period,
        before: &Views,
        events: impl Iterator<Item = (&'e CostEvent, &'e Entry, Date)>,
    ) {
        let (was, is) = (before.sums(budget.service.as_ref(), period), self.views.sums(budget.service.as_ref(), period));
        let marks = &mut self.views.marks;
        if budget.limit <= Usd::ZERO || marks.find(budget, period).is_some_and(|mark| mark.reached != Reached::Never) {
            return;
        }
        if marks.reached(budget, period, was.charges) == Reached::SomeTime {
            if is.net() >= budget.limit {
                marks.set(budget, period, Reached::SomeTime);
            }
            return;
        }
        let mut sum = was.net();
        // Whatever the order, no more than all charges can have been counted before the first credit.
        let may_reach = sum + (is.charges - was.charges) >= budget.limit;
        let (first, last) = period.days();
        // Moves cancel out, and half of a pair must not look like cost.
        let mut counted = events.filter(|(event, entry, day)| {
            entry.tells_event() && (first..=last).contains(day) && budget.covers(&event.service)
        });
        let mut reaches = |event: &CostEvent| {
            sum += event.amount;
            sum >= budget.limit
        };
        let reaching = if may_reach { counted.find(|(event, ..)| reaches(event)) } else { None };
        if let Some((event, ..)) = reaching {
            marks.set(budget, period, Reached::At(event.time));
        } else if is.charges >= budget.limit {
            marks.set(budget, period, Reached::Never);
        }
    }
}

impl Views {
    fn is_used_up(&self, budget: &Budget, period: Period) -> bool {
        budget.limit > Usd::ZERO && self.sums(budget.service.as_ref(), period).net() >= budget.limit
    }
}

fn is_of(mark: &BudgetMark, budget: &Budget) -> bool {
    mark.limit == budget.limit
        && mark.service == budget.service.as_ref().map(Folded::of)
        && matches!(
            (mark.period, budget.period),
            (Period::Day(_), PeriodKind::Daily) | (Period::Month(_), PeriodKind::Monthly)
        )
}

#[cfg(test)]
mod tests;
