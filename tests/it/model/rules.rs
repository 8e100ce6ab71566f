//! The model's budgets and gate: whether something may be spent, and everything that a reader sees.

use std::ops::RangeInclusive;

use super::calendar::{Nanos, month_around};
use super::command::{Answer, Budget, Left, Pico, Standing, State, View, Word};
use super::naive::Model;

impl Model {
    /// Why something may not be spent now; `None` where it may.
    pub fn refusal(&self, service: Word, operation: Word, estimate: Pico) -> Option<Answer> {
        if is_critical(service, operation) || !self.policy.gate_enabled {
            return None;
        }
        if self.gate_active() {
            let closed_it = if self.manual.is_some() { None } else { self.reached().next() };
            return Some(Answer::GateActive(closed_it.map(|budget| self.left(budget))));
        }
        let tightest = self.covering(service).map(|budget| self.left(budget)).min_by_key(|left| left.remaining);
        tightest.filter(|left| left.remaining < estimate).map(Answer::Exhausted)
    }

    /// The global budgets that are at their gate threshold or above.
    pub fn reached(&self) -> impl Iterator<Item = &Budget> {
        let global = self.policy.budgets.iter().filter(|budget| budget.service.is_none());
        global.filter(|budget| is_used(self.spent(budget), budget.limit, budget.gate_percent))
    }

    fn gate_active(&self) -> bool {
        let rule = || self.manual.as_ref().map_or_else(|| self.reached().next().is_some(), |manual| manual.active);
        self.policy.gate_enabled && rule()
    }

    /// The least that is left of any budget that covers a service; `None` where none does.
    pub fn room(&self, service: Word) -> Option<Pico> {
        self.covering(service).map(|budget| self.remaining(budget)).min()
    }

    pub(super) fn covering(&self, service: Word) -> impl Iterator<Item = &Budget> {
        self.policy.budgets.iter().filter(move |budget| is_covered(budget.service, service))
    }

    pub fn spent(&self, budget: &Budget) -> Pico {
        self.cost(self.days_of(budget.monthly), budget.service)
    }

    fn cost(&self, days: RangeInclusive<i64>, service: Option<Word>) -> Pico {
        let costs = self.days.range(days).flat_map(|(_, costs)| costs);
        costs.filter(|(name, _)| is_covered(service, name)).map(|(_, cost)| cost).sum()
    }

    pub fn reserved(&self, budget: &Budget) -> Pico {
        let requests = self.holds.keys().map(|id| &self.reservations[id].request);
        let covered = requests.filter(|request| is_covered(budget.service, request.service));
        covered.map(|request| request.estimate).sum()
    }

    pub(super) fn remaining(&self, budget: &Budget) -> Pico {
        budget.limit - self.spent(budget).max(0) - self.reserved(budget)
    }

    fn left(&self, budget: &Budget) -> Left {
        Left { name: budget.name, remaining: self.remaining(budget), period_end: self.period(budget.monthly).1 }
    }

    fn days_of(&self, monthly: bool) -> RangeInclusive<i64> {
        let today = self.zone.day_of(self.now);
        if monthly { month_around(today) } else { today..=today }
    }

    fn period(&self, monthly: bool) -> (Nanos, Nanos) {
        let days = self.days_of(monthly);
        (self.zone.start_of(*days.start()), self.zone.start_of(*days.end() + 1))
    }

    /// Everything that a reader sees now.
    pub fn view(&self) -> View {
        let mode = match (&self.policy.gate_enabled, &self.manual) {
            (false, _) => "disabled",
            (true, Some(_)) => "manual",
            (true, None) => "auto",
        };
        View {
            budgets: self.policy.budgets.iter().map(|budget| self.standing(budget)).collect(),
            gate_active: self.gate_active(),
            gate_mode: mode.to_owned(),
            held: self.holds.len() as u64,
            expired: self.reservations.values().filter(|found| found.state == State::Expired).count() as u64,
            today: self.days.get(&self.zone.day_of(self.now)).cloned().unwrap_or_default(),
            month: self.cost(self.days_of(true), None),
            entries: self.entries,
        }
    }

    fn standing(&self, budget: &Budget) -> Standing {
        let (spent, reserved) = (self.spent(budget), self.reserved(budget));
        let state = match budget {
            _ if is_used(spent, budget.limit, 100) => "exhausted",
            _ if is_used(spent, budget.limit, budget.gate_percent) => "critical",
            _ if is_used(spent, budget.limit, budget.warn_percent) => "warning",
            _ => "ok",
        };
        Standing {
            name: budget.name,
            limit: budget.limit,
            spent,
            reserved,
            remaining: self.remaining(budget),
            state: state.to_owned(),
            period: self.period(budget.monthly),
        }
    }
}

pub fn is_critical(service: Word, operation: Word) -> bool {
    service == "billing" || operation == "health_check" || operation.starts_with("admin_")
}

/// Whether a budget for this service, or for all, covers another. Histories have no letters beyond ASCII.
fn is_covered(covered: Option<Word>, service: Word) -> bool {
    covered.is_none_or(|covered| covered.eq_ignore_ascii_case(service))
}

/// Whether so many percent of a limit are spent. A limit of 0 is used up from the start.
fn is_used(spent: Pico, limit: Pico, percent: i128) -> bool {
    limit == 0 || spent * 100 >= limit * percent
}
