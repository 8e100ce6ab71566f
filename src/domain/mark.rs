//! When a budget's whole limit was used: what is remembered of a budget in a period besides its sum.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Folded, Period, Usd};

/// When a budget first came to its limit in a period, under the limit in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It did not so far.
    Never,
    /// With the event of this time, which is the event's own.
    At(Timestamp),
    /// It did, but nothing recorded says with which event: the limit changed, or the process was killed meanwhile.
    SomeTime,
}

/// What is remembered of one budget in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetMark {
    /// The budget's name.
    pub budget: Arc<str>,
    /// The period.
    pub period: Period,
    /// The service it covers; with another one it is another budget.
    pub service: Option<Folded>,
    /// The limit in force; with another one it begins anew.
    pub limit: Usd,
    /// When that limit was first used up.
    pub reached: Reached,
}

impl BudgetMark {
    /// The order of marks: by budget and period.
    pub fn compare(&self, other: &Self) -> Ordering {
        (&self.budget, self.period).cmp(&(&other.budget, other.period))
    }
}
