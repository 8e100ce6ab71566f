//! Which budgets the settings have, and what they limit.

use super::super::calendar::{Cycle, LENGTHS, Length};
use super::super::command::{BUDGETS, Budget, Command, DOLLAR, PATTERNS, Pico, Policy, USD, Word};
use super::super::naive::Model;
use super::Chance;

/// Budgets that the settings have at most.
const BUDGETS_MAX: u64 = 9;

impl Chance {
    /// The budgets that there are, some of them with other limits, others left out, renamed or counting something else; and new ones.
    pub fn policy(&mut self, model: &Model) -> Policy {
        let mut budgets: Vec<Budget> = Vec::new();
        for known in &model.policy.budgets {
            let mut budget = known.clone();
            match self.below(12) {
                0 => continue,
                1 => budget.name = self.pick(&BUDGETS),
                2 => budget = Budget { name: known.name, ..self.budget(model) },
                3 => budget.patterns = self.patterns(),
                4..8 => budget.limit = self.limits_for(model, known),
                _ => {}
            }
            budgets.push(budget);
        }
        let most = if self.one_in(8) { 0 } else { 1 + self.below(BUDGETS_MAX) };
        while (budgets.len() as u64) < most {
            let budget = self.budget(model);
            budgets.push(budget);
        }
        if self.one_in(4) {
            budgets.reverse();
        }
        let mut names: Vec<Word> = Vec::new();
        budgets.retain(|budget| {
            let is_new = !names.contains(&budget.name);
            names.push(budget.name);
            is_new
        });
        Policy { budgets, gate_enabled: !self.one_in(10) }
    }

    pub(super) fn limit(&mut self, model: &Model) -> Command {
        let names: Vec<Word> = model.policy.budgets.iter().map(|budget| budget.name).collect();
        let lasts_seconds = (!self.one_in(3)).then(|| 1 + self.below(7_200) as u32);
        let budget = if names.is_empty() { "daily" } else { self.pick(&names) };
        let limit = model.policy.budgets.iter().find(|of| of.name == budget).filter(|_| !self.one_in(4)).cloned();
        // Now and then what another budget counts.
        let limit = limit.map(|budget| if self.one_in(12) { vec![(USD, DOLLAR)] } else { self.limits_for(model, &budget) });
        Command::Limit { budget, limit, lasts_seconds }
    }

    fn budget(&mut self, model: &Model) -> Budget {
        let length = if self.one_in(3) { self.pick(&[Length::Day, Length::Month]) } else { self.pick(&LENGTHS) };
        let warn_percents = self.pick(&[&[50][..], &[80], &[100], &[50, 80, 95]]).to_vec();
        let units = self.pick(&[&[USD][..], &[USD], &[USD], &[2], &[1, 3], &[1, 2, 3]]);
        let mut budget = Budget {
            name: self.pick(&BUDGETS),
            patterns: self.patterns(),
            each: if self.one_in(2) { Some(self.below(6) as usize) } else { None },
            cycle: Cycle { length, week_starts: self.below(7).cast_signed(), start_day: self.pick(&[1, 1, 1, 2, 15, 28]) },
            limit: units.iter().map(|unit| (*unit, 0)).collect(),
            warn_percents,
            gate_percent: self.pick(&[70, 90, 90, 100, 120, 1_000]),
            watch: self.one_in(6),
        };
        budget.limit = self.limits_for(model, &budget);
        budget
    }

    fn patterns(&mut self) -> [Vec<Word>; 6] {
        if self.one_in(3) {
            return Default::default();
        }
        PATTERNS.map(|patterns| match self.below(10) {
            0 => vec![self.pick(patterns)],
            1 => vec![self.pick(patterns), self.pick(patterns)],
            _ => vec![],
        })
    }

    /// Limits that are nearly used, used up, or far from it, in the units that the budget has.
    pub fn limits_for(&mut self, model: &Model, budget: &Budget) -> Vec<(usize, Pico)> {
        let mut keys = model.keys(budget);
        keys.push(String::new());
        let key = &keys[self.below(keys.len() as u64) as usize];
        let used = model.used(budget, key);
        let used = used.spent.iter().zip(&used.reserved).map(|(spent, reserved)| (spent + reserved).max(0));
        let with_units: Vec<(usize, Pico)> = budget.limit.iter().map(|(unit, _)| *unit).zip(used).collect();
        let limit = |(unit, used): (usize, Pico)| {
            let one = if unit == USD { DOLLAR } else { 1_000_000 };
            let more = Pico::from(self.below(200_000)) * one / 1_000;
            let limit = match self.below(12) {
                0 => 0,
                1 => 50 * one,
                2 => 1_000_000_000_000 * one,
                3 => used,
                _ => used + used * self.pick(&[0, 1, 2]) / 3 + more,
            };
            (unit, limit)
        };
        with_units.into_iter().map(limit).collect()
    }
}
