//! What is known: the newest answer to each question, what went wrong with the newest question, and how old all of it is.
//!
//! *Invariants.* A question that fails takes nothing away: what was known stays, and says of itself that it is old.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::ask::{Away, Costs, Heard, Standing};
use super::events::Events;
use super::question::Question;
use crate::domain::Usd;
use crate::wire::{BudgetItem, FleetAnswer, GateLine, GateStatus, ReservationItem, UnpricedItem};

/// A part that is asked for by itself.
#[derive(Debug)]
pub struct Part<T> {
    /// What was heard last.
    pub value: Option<T>,
    /// Why the newest question has no answer.
    pub trouble: Option<String>,
}

/// All that is known.
#[derive(Debug)]
pub struct Known {
    /// When the agent answered last.
    heard_at: Instant,
    /// Why it does not answer now.
    pub away: Option<String>,
    pub unhealthy: Option<String>,
    pub gate: GateStatus,
    pub changes: Part<Vec<GateLine>>,
    pub budgets: Part<Vec<BudgetItem>>,
    pub today: Part<Usd>,
    pub month: Part<Usd>,
    pub holds: Part<Vec<ReservationItem<'static>>>,
    pub unpriced: Part<Vec<UnpricedItem>>,
    /// `None` where the agent belongs to no fleet.
    pub fleet: Option<FleetAnswer>,
    pub events: Part<Events>,
    pub costs: Part<Costs>,
    costs_at: Instant,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self { value: None, trouble: None }
    }
}

impl<T> Part<T> {
    fn hear(&mut self, heard: Heard<T>) {
        match heard {
            Ok(value) => *self = Self { value: Some(value), trouble: None },
            Err(trouble) => self.trouble = Some(trouble),
        }
    }
}

impl Known {
    pub fn new(standing: Standing, costs: Heard<Costs>, now: Instant) -> Self {
        let mut known = Self {
            heard_at: now,
            away: None,
            unhealthy: None,
            gate: standing.gate.clone(),
            changes: Part::default(),
            budgets: Part::default(),
            today: Part::default(),
            month: Part::default(),
            holds: Part::default(),
            unpriced: Part::default(),
            fleet: None,
            events: Part::default(),
            costs: Part::default(),
            costs_at: now,
        };
        known.hear(Ok(standing), now);
        known.hear_costs(costs, now);
        known
    }

    pub fn hear(&mut self, heard: Result<Standing, Away>, now: Instant) {
        let standing = match heard {
            Ok(standing) => standing,
            Err(Away(why)) => return self.away = Some(why),
        };
        if self.away.take().is_some() {
            // Nobody could answer then; what is asked now may be answered.
            self.costs.trouble = None;
        }
        self.heard_at = now;
        self.unhealthy = standing.unhealthy;
        self.gate = standing.gate;
        self.changes.hear(standing.changes);
        self.budgets.hear(standing.budgets);
        self.today.hear(standing.today);
        self.month.hear(standing.month);
        self.holds.hear(standing.holds);
        self.unpriced.hear(standing.unpriced);
        self.fleet = standing.fleet;
        match standing.events {
            Ok(page) => {
                self.events.value.get_or_insert_default().merge(page);
                self.events.trouble = None;
            }
            Err(trouble) => self.events.trouble = Some(trouble),
        }
    }

    pub fn hear_costs(&mut self, heard: Heard<Costs>, now: Instant) {
        if heard.is_ok() {
            self.costs_at = now;
        }
        self.costs.hear(heard);
    }

    /// What it costs, if the answer to just this question is there, and how old it is.
    pub fn costs(&self, question: Question, now: Instant) -> Option<(&Costs, Duration)> {
        let costs = self.costs.value.as_ref().filter(|costs| costs.question == question)?;
        Some((costs, now.saturating_duration_since(self.costs_at)))
    }

    /// How long ago the agent answered.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard_at)
    }

    /// What the agent's clock shows now: all its times are by that one.
    pub fn time(&self, now: Instant) -> Timestamp {
        let since = SignedDuration::try_from(self.age(now)).unwrap_or_default();
        self.gate.timestamp.saturating_add(since).unwrap_or(self.gate.timestamp)
    }
}
