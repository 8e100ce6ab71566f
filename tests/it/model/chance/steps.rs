//! What happens between two bursts of commands.

use super::super::calendar::{DAY, HOUR, MINUTE, Nanos, SECOND, civil};
use super::super::command::Step;
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

    /// When a budget's next period begins, or the next day, or when clocks are set.
    fn next_edge(&mut self, model: &Model) -> Nanos {
        let today = model.zone.day_of(model.now);
        let tomorrow = model.zone.start_of(today + 1);
        let near = |edge: &Nanos| *edge > model.now && *edge - model.now < 20 * DAY;
        match self.below(12) {
            0 => {
                let changes = model.zone.changes(civil(today).0);
                changes.into_iter().find(near).unwrap_or(tomorrow)
            }
            1..8 if !model.policy.budgets.is_empty() => {
                let nth = self.below(model.policy.budgets.len() as u64) as usize;
                let span = model.zone.span(model.policy.budgets[nth].cycle, model.now);
                span.map(|(_, end)| end).filter(near).unwrap_or(tomorrow)
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
        let policy = self.one_in(4).then(|| self.policy(model));
        Step::Restart { crash: self.one_in(2), now: self.within(model.now + off), zone, policy }
    }
}
