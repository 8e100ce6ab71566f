//! How the fleet stands, as this agent knows it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{Now, Span, Steady, Usd};

/// How the fleet stood when this agent heard of it last. What it says of money comes from one look at the database each.
#[derive(Clone, Debug, Default)]
pub struct FleetStatus {
    /// Why this agent has no part in the fleet at the moment, for people; `None`: it has.
    pub problem: Option<Arc<str>>,
    /// When the database answered last, if it ever did.
    pub heard: Option<Now>,
    /// The budgets that the fleet shares, in the policy's order, each in its current period. Those of which nothing was heard yet are absent.
    pub budgets: Vec<SharedBudget>,
    /// What somebody should look at, one sentence each.
    pub warnings: Vec<Arc<str>>,
}

/// How a budget that the fleet shares stands in its current period, over all agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedBudget {
    /// Its name.
    pub budget: Arc<str>,
    /// The period.
    pub span: Span,
    /// What all agents together may spend: the smallest of their settings, or what somebody has set.
    pub limit: Usd,
    /// What they have spent. One with more credits than cost counts as nothing.
    pub spent: Usd,
    /// What their open reservations set aside.
    pub held: Usd,
    /// What they have in hand beyond that, or may have: what is in doubt is part of it.
    pub leased: Usd,
    /// What nobody has; below zero once the limit is passed.
    pub free: Usd,
    /// What this agent has in hand.
    pub own_lease: Usd,
}

/// One of the fleet's agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FleetAgent {
    /// The ledger that it speaks for.
    pub ledger_id: String,
    /// Its name, for people.
    pub name: String,
    /// Its program's version.
    pub version: String,
    /// When the database heard of it last, by its clock.
    pub last_seen: Timestamp,
    /// How far what the database has of it is behind.
    pub lag: Duration,
    /// How many sums it has sent: of a day, a service and an operation each.
    pub sums: u64,
    /// What they add up to.
    pub total: Usd,
    /// What it may still use of the budgets in their newest periods, and does not, as far as is known.
    pub leased: Usd,
}

/// Something that the database has, or what was known of it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known<T> {
    /// What it has.
    pub value: T,
    /// `None`: it was asked just now. Else it cannot be asked, and this is how it was then.
    pub as_of: Option<Timestamp>,
}

impl FleetStatus {
    /// Before anything is known.
    pub(super) fn starting() -> Self {
        Self { problem: Some("it has just started".into()), ..Self::default() }
    }

    /// Whether this agent has a part in the fleet: the database answers, and nobody else speaks for its ledger.
    pub fn is_up(&self) -> bool {
        self.problem.is_none() && self.heard.is_some()
    }

    /// For how long nothing was heard of the database; `None` if it never was.
    pub fn lag(&self, now: Steady) -> Option<Duration> {
        self.heard.map(|heard| now.since(heard.steady))
    }
}

impl SharedBudget {
    /// By how much what is spent, held and in hand passes the limit.
    pub fn overrun(&self) -> Usd {
        (-self.free).max(Usd::ZERO)
    }
}
