//! The log's lines about budgets that are used up.
//!
//! *Invariants.* One line for each budget, period and limit, also over clean restarts: what the file says of budgets that came to their
//! limits was told by the process that wrote it. A budget of 0, which is meant to block, is no news, nor is one key of many.
//!
//! *Limits.* What is told is remembered until its period is over, [`TOLD_MAX`] at most.

use std::collections::HashSet;

use tracing::field::display;

use crate::budget::{BudgetState, Standing};
use crate::domain::{Now, Span};
use crate::views::Published;

/// Far more than there are budgets and changes of limits in a period. Beyond it what is told is forgotten, and told again.
const TOLD_MAX: usize = 4_096;

/// What the log says already: of which budgets, in which periods, under which limits.
#[derive(Debug, Default)]
pub(super) struct Exhausted {
    told: HashSet<(String, Span, String)>,
}

impl Exhausted {
    /// What is known at a start to be used up was told by whoever wrote that.
    pub fn told_of(published: &Published, now: Now) -> Self {
        let known = published.standings(now).into_iter().filter(|standing| standing.exhausted_at.is_some());
        Self { told: known.filter(is_news).map(told).collect() }
    }

    /// Tells of what is used up now and was not told.
    pub fn tell(&mut self, published: &Published, now: Now) {
        self.told.retain(|(_, span, _)| span.contains(now.time));
        for standing in published.standings(now).into_iter().filter(is_news) {
            if self.told.len() >= TOLD_MAX {
                self.told.clear();
            }
            if self.told.insert(told(standing.clone())) {
                let usd = standing.usd().map(|[limit, spent, ..]| (display(spent), display(limit)));
                let usage: Vec<_> = standing.measures(|used| used.spent).map(|measure| measure.to_string()).collect();
                tracing::warn!(
                    budget = standing.name,
                    service = standing.cover.service(),
                    spent_usd = usd.as_ref().map(|(spent, _)| spent),
                    limit_usd = usd.as_ref().map(|(_, limit)| limit),
                    spent_usage = usd.is_none().then(|| usage.join(", ")),
                    limit_usage = usd.is_none().then(|| standing.limit.to_string()),
                    period_end = standing.span.ends_at().map(display),
                    "a budget is exhausted"
                );
            }
        }
    }
}

fn is_news(standing: &Standing) -> bool {
    let has_limit = standing.account.units().iter().all(|used| used.limit > 0);
    standing.state == BudgetState::Exhausted && has_limit
}

fn told(standing: Standing) -> (String, Span, String) {
    (standing.name, standing.span, standing.limit.to_string())
}
