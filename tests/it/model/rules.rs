//! The model's budgets and gate: whether something may be spent, and everything that a reader sees.

use std::collections::BTreeMap;

use super::calendar::{Cycle, Length, Nanos, Span};
use super::command::{
    Amounts, Answer, Budget, KeyCounts, Left, Names, Pico, Standing, State, UNITS, USD, View, Word, amounts, names,
};
use super::naive::Model;

/// How much of a budget is used, unit by unit, by one key in one period.
#[derive(Clone, Debug, PartialEq)]
pub struct Used {
    pub limit: Vec<(usize, Pico)>,
    pub spent: Vec<Pico>,
    pub reserved: Vec<Pico>,
}

impl Used {
    fn remaining(&self) -> Vec<Pico> {
        (0..self.limit.len()).map(|unit| self.limit[unit].1 - self.spent[unit].max(0) - self.reserved[unit]).collect()
    }

    /// The unit of which so many percent are spent. A limit of 0 is used up from the start.
    fn at(&self, percent: i128) -> Option<usize> {
        (0..self.limit.len()).find(|unit| {
            let (spent, limit) = (self.spent[*unit], self.limit[*unit].1);
            limit == 0 || spent * 100 >= limit * percent
        })
    }

    /// The highest share that is spent of a unit, as well as a float can say it.
    pub fn utilization(&self) -> f64 {
        let share = |unit: usize| match self.limit[unit].1 {
            0 => 100.0,
            limit => self.spent[unit].max(0) as f64 / limit as f64 * 100.0,
        };
        (0..self.limit.len()).map(share).fold(0.0, f64::max)
    }

    fn state(&self, budget: &Budget) -> Word {
        match budget {
            _ if self.is_exhausted() => "exhausted",
            _ if self.at(budget.gate_percent).is_some() => "critical",
            _ if self.at(budget.warn_percents[0]).is_some() => "warning",
            _ => "ok",
        }
    }

    pub fn is_exhausted(&self) -> bool {
        self.at(100).is_some()
    }
}

impl Budget {
    /// Under which key something counts; `None` where it does not.
    pub fn key_of(&self, names: &Names) -> Option<String> {
        let covers = |(patterns, name): (&Vec<Word>, &Option<Word>)| {
            patterns.is_empty()
                || name.is_some_and(|name| patterns.iter().any(|pattern| is_like(&fold(pattern), &fold(name))))
        };
        if !self.patterns.iter().zip(names).all(covers) {
            return None;
        }
        self.each.map_or(Some(String::new()), |each| names[each].map(fold))
    }

    fn is_global(&self) -> bool {
        self.patterns.iter().all(Vec::is_empty) && self.each.is_none() && !self.watch
    }
}

impl Model {
    /// Why something may not be spent now; `None` where it may.
    pub fn refusal(&self, names: &Names, more: &Amounts) -> Option<Answer> {
        let [service, operation] = [names[0].unwrap(), names[1].unwrap()];
        if is_critical(service, operation) || !self.policy.gate_enabled {
            return None;
        }
        if self.gate_active() {
            let closed_it = if self.manual.is_some() { None } else { self.reached().next() };
            let left = |budget: &Budget| {
                let used = self.used(budget, "");
                let unit = used.at(budget.gate_percent).unwrap();
                self.left(budget, "", &used, unit)
            };
            return Some(Answer::GateActive(closed_it.map(left)));
        }
        let passed: Vec<Left> = self
            .covering(names)
            .filter_map(|(budget, key)| {
                let used = self.used(budget, &key);
                let is_passed = |unit: &usize| more[used.limit[*unit].0] > used.remaining()[*unit];
                let unit = (0..used.limit.len()).find(is_passed)?;
                Some(self.left(budget, &key, &used, unit))
            })
            .collect();
        let of_money = passed.iter().filter(|left| left.unit == UNITS[USD]).min_by_key(|left| left.remaining);
        of_money.or(passed.first()).cloned().map(Answer::Exhausted)
    }

    /// The global budgets that are at their gate threshold or above.
    pub fn reached(&self) -> impl Iterator<Item = &Budget> {
        let global = self.policy.budgets.iter().filter(|budget| budget.is_global());
        global.filter(|budget| self.used(budget, "").at(budget.gate_percent).is_some())
    }

    fn gate_active(&self) -> bool {
        let rule = || self.manual.as_ref().map_or_else(|| self.reached().next().is_some(), |manual| manual.active);
        self.policy.gate_enabled && rule()
    }

    /// The least that is left of each unit of any budget that covers this; `None` where none does.
    pub fn room(&self, names: &Names) -> [Option<Pico>; 4] {
        let mut room = [None; 4];
        for (budget, key) in self.covering(names) {
            let used = self.used(budget, &key);
            for ((unit, _), left) in used.limit.iter().zip(used.remaining()) {
                room[*unit] = room[*unit].into_iter().chain([left]).min();
            }
        }
        room
    }

    /// The budgets that refuse, and under which key.
    pub(super) fn covering(&self, names: &Names) -> impl Iterator<Item = (&Budget, String)> {
        let blocking = self.policy.budgets.iter().filter(|budget| !budget.watch);
        blocking.filter_map(|budget| Some((budget, budget.key_of(names)?)))
    }

    /// How much of a budget is used now.
    pub fn used(&self, budget: &Budget, key: &str) -> Used {
        let limit = self.limit(budget);
        let spent = self.spent(budget, self.zone.span(budget.cycle, self.now), key);
        Used { spent: spent.unwrap_or_else(|| vec![0; limit.len()]), reserved: self.reserved(budget, key), limit }
    }

    /// The limit in force now.
    pub fn limit(&self, budget: &Budget) -> Vec<(usize, Pico)> {
        let units = |limit: &[(usize, Pico)]| limit.iter().map(|(unit, _)| *unit).collect::<Vec<_>>();
        let set = self.limits.get(budget.name).filter(|set| set.ends_at.is_none_or(|end| self.now < end));
        match set.and_then(|set| set.limit.clone()) {
            Some(limit) if units(&limit) == units(&budget.limit) => limit,
            _ => budget.limit.clone(),
        }
    }

    fn reserved(&self, budget: &Budget, key: &str) -> Vec<Pico> {
        let mut reserved = vec![0; budget.limit.len()];
        for request in self.holds.keys().map(|id| &self.reservations[id].request) {
            let names = names(request.service, request.operation, request.who, request.model);
            if budget.key_of(&names).is_some_and(|of| of == key) {
                let more = amounts(request.estimate, &request.usage);
                budget.limit.iter().zip(&mut reserved).for_each(|((unit, _), reserved)| *reserved += more[*unit]);
            }
        }
        reserved
    }

    fn left(&self, budget: &Budget, key: &str, used: &Used, unit: usize) -> Left {
        Left {
            name: budget.name,
            key: budget.each.map(|_| key.to_owned()),
            unit: UNITS[used.limit[unit].0],
            remaining: used.remaining()[unit],
            period_end: self.zone.span(budget.cycle, self.now).map(|(_, end)| end),
        }
    }

    /// Everything that a reader sees now.
    pub fn view(&self) -> View {
        let mode = match (&self.policy.gate_enabled, &self.manual) {
            (false, _) => "disabled",
            (true, Some(_)) => "manual",
            (true, None) => "auto",
        };
        let (whole, keyed): (Vec<&Budget>, Vec<&Budget>) =
            self.policy.budgets.iter().partition(|budget| budget.each.is_none());
        let month = Cycle { length: Length::Month, week_starts: 0, start_day: 1 };
        View {
            budgets: whole.into_iter().map(|budget| self.standing(budget, "")).collect(),
            keys: keyed.into_iter().map(|budget| (budget.name, self.key_counts(budget))).collect(),
            gate_active: self.gate_active(),
            gate_mode: mode.to_owned(),
            held: self.holds.len() as u64,
            expired: self.reservations.values().filter(|found| found.state == State::Expired).count() as u64,
            today: self.days.get(&self.zone.day_of(self.now)).cloned().unwrap_or_default(),
            month: self.cost_in(self.zone.span(month, self.now)),
            entries: self.entries,
        }
    }

    fn cost_in(&self, span: Span) -> Pico {
        let (start, end) = span.unwrap();
        let days: BTreeMap<Nanos, Pico> =
            self.days.iter().map(|(day, costs)| (self.zone.start_of(*day), costs.values().sum())).collect();
        days.range(start..end).map(|(_, cost)| cost).sum()
    }

    /// Where a budget stands, or one key of it.
    pub fn standing(&self, budget: &Budget, key: &str) -> Standing {
        let used = self.used(budget, key);
        Standing {
            name: budget.name,
            key: budget.each.map(|_| key.to_owned()),
            limit: used.limit.iter().map(|(unit, limit)| (UNITS[*unit], *limit)).collect(),
            remaining: used.remaining(),
            state: used.state(budget).to_owned(),
            spent: used.spent,
            reserved: used.reserved,
            period: self.zone.span(budget.cycle, self.now),
        }
    }

    fn key_counts(&self, budget: &Budget) -> KeyCounts {
        let mut counts = KeyCounts::default();
        for key in self.keys(budget) {
            let used = self.used(budget, &key);
            counts.keys += 1;
            match used.at(budget.warn_percents[0]) {
                _ if used.is_exhausted() => counts.exhausted += 1,
                Some(_) => counts.warning += 1,
                None => {}
            }
        }
        counts
    }

    /// The keys of a budget that have cost or holds now.
    pub fn keys(&self, budget: &Budget) -> Vec<String> {
        let span = self.zone.span(budget.cycle, self.now);
        let of_holds = self.holds.keys().filter_map(|id| {
            let request = &self.reservations[id].request;
            let names = names(request.service, request.operation, request.who, request.model);
            let more = amounts(request.estimate, &request.usage);
            budget.key_of(&names).filter(|_| budget.limit.iter().any(|(unit, _)| more[*unit] != 0))
        });
        let mut keys: Vec<String> = self.spenders(budget, span).chain(of_holds).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

pub fn is_critical(service: Word, operation: Word) -> bool {
    service == "billing" || operation == "health_check" || operation.starts_with("admin_")
}

/// A text without letter case, for the texts that histories have.
pub fn fold(text: Word) -> String {
    // Greek has two small letters for one capital; both are folded to the one inside of words.
    text.chars().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect()
}

/// Whether a pattern, in which `*` is any text, matches.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.any(|at| is_like(after, &rest[at..]))
        }),
    }
}
