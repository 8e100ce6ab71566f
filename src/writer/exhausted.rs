//! The log's lines about budgets that are used up.
//!
//! *Invariants.* One line for each budget, period and limit, also over clean restarts: what the file says of budgets that came to their
//! limits was told by the process that wrote it. A budget of 0, which is meant to block, is no news.
//!
//! *Limits.* What is told is remembered until its period is over, [`TOLD_MAX`] at most.

use std::collections::HashSet;
use std::sync::Arc;

use crate::budget::BudgetState;
use crate::domain::{Now, Period, Reached, Usd};
use crate::views::{Marks, Published};

/// Far more than there are budgets and changes of limits in a period. Beyond it what is told is forgotten, and told again.
const TOLD_MAX: usize = 4_096;

/// What the log says already.
#[derive(Debug, Default)]
pub(super) struct Exhausted {
    told: HashSet<(Arc<str>, Period, Usd)>,
}

impl Exhausted {
    /// These were told by whoever wrote the marks.
    pub fn told_of(marks: &Marks) -> Self {
        let reached = marks.iter().filter(|mark| mark.reached != Reached::Never);
        Self { told: reached.map(|mark| (Arc::clone(&mark.budget), mark.period, mark.limit)).collect() }
    }

    /// Tells of what is used up now and was not told.
    pub fn tell(&mut self, published: &Published, now: Now) {
        let zone = &published.policy.zone;
        let today = zone.day_of(now.time);
        self.told.retain(|(_, period, _)| period.days().1 >= today);
        for standing in published.standings(now) {
            if standing.state != BudgetState::Exhausted || standing.limit_usd <= Usd::ZERO {
                continue;
            }
            if self.told.len() >= TOLD_MAX {
                self.told.clear();
            }
            let period = zone.period_of(standing.period, now.time);
            if self.told.insert((standing.name.as_str().into(), period, standing.limit_usd)) {
                tracing::warn!(
                    budget = standing.name,
                    service = standing.service.as_ref().map(|service| service.as_str()),
                    spent_usd = %standing.spent_usd,
                    limit_usd = %standing.limit_usd,
                    period_end = %standing.period_end,
                    "a budget is exhausted"
                );
            }
        }
    }
}
