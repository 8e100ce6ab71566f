//! What happens between two bursts of commands.

use super::super::calendar::{DAY, HOUR, MINUTE, Nanos, SECOND, civil, month_around, summer_begins, summer_ends};
use super::super::command::{BUDGETS, Budget, DOLLAR, Pico, Policy, Step};
use super::super::naive::Model;
use super::{Chance, SPAN};

impl Chance {
    pub fn step(&mut self, model: &Model) -> Option<Step> {
        Some(match self.below(100) {
            0..60 => self.pass(model),
            60..68 => {
                let now = model.now + self.wall_step();
                Step::SetWall(self.within(now))
            }
            68..78 => Step::Reload(self.policy(model)),
            78..84 => self.restart(model),
            _ => return None,
        })
    }

    fn pass(&mut self, model: &Model) -> Step {
        let length = match self.below(100) {
            0..50 => self.between(1, 30 * SECOND),
            50..80 => self.between(0, 10 * MINUTE),
            80..90 => self.between(0, 3 * HOUR),
            90 => self.between(0, DAY),
            _ => self.next_edge(model) - model.now + self.between(-1, 2),
        };
        Step::Pass((self.within(model.now + length) - model.now).max(0))
    }

    /// When the next day begins, seldom the next month or the next change of the clocks.
    fn next_edge(&mut self, model: &Model) -> Nanos {
        let today = model.zone.day_of(model.now);
        let tomorrow = model.zone.start_of(today + 1);
        match self.below(30) {
            0 => model.zone.start_of(month_around(today).end() + 1),
            1 => {
                let year = civil(today).0;
                let change = [summer_begins(year), summer_ends(year)].into_iter().find(|change| *change > model.now);
                change.filter(|change| change - model.now < 20 * DAY).unwrap_or(tomorrow)
            }
            _ => tomorrow,
        }
    }

    fn wall_step(&mut self) -> Nanos {
        let most = self.pick(&[5 * SECOND, 2 * MINUTE, 2 * HOUR, 2 * HOUR]);
        if self.one_in(12) { self.between(-DAY, DAY) } else { self.between(-most, most) }
    }

    fn within(&self, time: Nanos) -> Nanos {
        time.clamp(self.start - DAY, self.start + SPAN)
    }

    fn restart(&mut self, model: &Model) -> Step {
        let off = match self.below(4) {
            0 => self.between(0, 5 * MINUTE),
            1 | 2 => self.wall_step(),
            _ => 0,
        };
        let zone = if self.one_in(6) { self.zone() } else { model.zone };
        Step::Restart { crash: self.one_in(2), now: self.within(model.now + off), zone }
    }

    /// Budgets that are nearly used, used up, or far from it.
    pub fn policy(&mut self, model: &Model) -> Policy {
        let mut budgets = Vec::new();
        for (name, service, monthly) in BUDGETS {
            if self.one_in(3) {
                continue;
            }
            let warn_percent = self.pick(&[50, 80, 100]);
            let gate_percent = self.pick(&[70, 90, 90, 100, 120, 1_000]);
            let mut budget = Budget { name, service, monthly, limit: 0, warn_percent, gate_percent };
            let used = (model.spent(&budget) + model.reserved(&budget)).max(0);
            let more = Pico::from(self.below(200_000_000_000_000));
            budget.limit = match self.below(12) {
                0 => 0,
                1 => 50 * DOLLAR,
                2 => 1_000_000_000_000_000 * DOLLAR,
                3 => used,
                _ => used + used * self.pick(&[0, 1, 2]) / 3 + more,
            };
            budgets.push(budget);
        }
        Policy { budgets, gate_enabled: !self.one_in(10) }
    }
}
