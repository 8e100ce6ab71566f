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
        for standing in self.take_untold(published, now) {
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

    /// What is used up now and was not told, which counts as told from now on.
    fn take_untold(&mut self, published: &Published, now: Now) -> Vec<Standing> {
        self.told.retain(|(_, span, _)| span.contains(now.time));
        let mut untold = Vec::new();
        for standing in published.standings(now).into_iter().filter(is_news) {
            if self.told.len() >= TOLD_MAX {
                self.told.clear();
            }
            if self.told.insert(told(standing.clone())) {
                untold.push(standing);
            }
        }
        untold
    }
}

fn is_news(standing: &Standing) -> bool {
    let has_limit = standing.account.units().iter().all(|used| used.limit > 0);
    standing.state == BudgetState::Exhausted && has_limit
}

fn told(standing: Standing) -> (String, Span, String) {
    (standing.name, standing.span, standing.limit.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::budget::Policy;
    use crate::domain::{BudgetZone, CostEvent, Entry, Steady, Usd};
    use crate::views::{SeriesLimits, Views};

    fn at(time: &str) -> Now {
        Now { time: time.parse().unwrap(), steady: Steady::default() }
    }

    /// Limits of so many USD for the day, and 1,000 for the month.
    fn policy(daily: i64) -> Arc<Policy> {
        Arc::new(Policy::example(BudgetZone::UTC, daily))
    }

    fn spend(published: &mut Published, dollars: i64, now: Now) {
        let event = CostEvent { amount: Usd::from_dollars(dollars), time: now.time, ..CostEvent::example() };
        published.record_events([(&event, &Entry::First)], now.time);
    }

    fn untold(exhausted: &mut Exhausted, published: &Published, now: Now) -> Vec<String> {
        exhausted.take_untold(published, now).into_iter().map(|standing| standing.name).collect()
    }

    #[test]
    fn each_budget_is_told_of_once_in_a_period_and_under_a_limit() {
        let (today, tomorrow) = (at("2026-11-22T10:00:00Z"), at("2026-11-23T10:00:00Z"));
        let views = Views::new(SeriesLimits::default(), jiff::civil::date(2026, 10, 1));
        let mut published = Published::example(views, policy(10), today.time);
        let mut exhausted = Exhausted::default();
        let none = [""; 0];
        spend(&mut published, 9, today);
        assert_eq!(untold(&mut exhausted, &published, today), none);
        spend(&mut published, 1, today);
        assert_eq!(untold(&mut exhausted, &published, today), ["daily"]);
        spend(&mut published, 1_000, today);
        assert_eq!(untold(&mut exhausted, &published, today), ["monthly"]);
        assert_eq!(untold(&mut exhausted, &published, today), none);
        assert_eq!(untold(&mut Exhausted::told_of(&published, today), &published, today), none, "after a restart");
        let others = published.example_under(policy(20), today.time);
        assert_eq!(untold(&mut exhausted, &others, today), ["daily"]);
        assert_eq!(untold(&mut exhausted, &published, today), none, "told before");
        assert_eq!(exhausted.told.len(), 3);
        spend(&mut published, 10, tomorrow);
        assert_eq!(untold(&mut exhausted, &published, tomorrow), ["daily"]);
        assert_eq!(exhausted.told.len(), 2, "what was told of the day before is forgotten");
        // It blocks whoever asks, and is meant to.
        let blocking = published.example_under(policy(0), tomorrow.time);
        assert_eq!(untold(&mut exhausted, &blocking, tomorrow), none);
        assert_eq!(Exhausted::told_of(&blocking, tomorrow).told.len(), 1);
    }
}
