//! Limits that somebody has set for all agents, taken over into this agent's own history.

use super::state::{Ended, Sync, within};
use crate::budget::{BudgetScope, Unit};
use crate::domain::LimitOverride;
use crate::fleet::postgres::{Session, SetLimit};

impl Sync {
    /// Takes over the limits that were set since.
    pub(super) async fn take_limits(&mut self, session: &Session, overrides: i64) -> Result<(), Ended> {
        let set = within(session.limits_since(self.overrides)).await?;
        for line in set.into_iter().map(line) {
            // Who sets it here writes it down as well.
            if self.desk.is_setting(&line) {
                return Ok(());
            }
            if self.is_new(&line) && self.parts.writer.set_limit(line).await.is_err() {
                // It records nothing either: the next look is another try.
                return Ok(());
            }
        }
        self.overrides = overrides;
        Ok(())
    }

    fn is_new(&self, line: &LimitOverride) -> bool {
        let (now, board) = (self.parts.clock.now(), self.parts.board.read());
        let is_shared = |budget: &crate::budget::Budget| budget.name == *line.budget && budget.scope == BudgetScope::Fleet;
        if !board.configured.budgets.iter().any(is_shared) {
            return false;
        }
        if line.limit.is_some() && !line.holds_at(now) {
            return false;
        }
        match board.views.overrides.newest(&line.budget) {
            Some(known) => (known.timestamp, &known.limit) != (line.timestamp, &line.limit),
            None => line.limit.is_some(),
        }
    }
}

fn line(set: SetLimit) -> LimitOverride {
    let SetLimit { budget, limit, reason, actor, set_at, expires_at } = set;
    let limit = limit.map(|usd| vec![(Unit::Usd.as_str().into(), usd.pico())]);
    // The names of tokens are those of the agent that was asked.
    LimitOverride { budget: budget.into(), limit, reason, actor, timestamp: set_at, expires_at, token: None }
}
