//! How much of a budget is used: of each of its units, by one key, in one period.
//!
//! *Invariants.* Credits can bring a sum below zero, but never make more than the limit available.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use strum::IntoStaticStr;

use super::{Amounts, Budget, Limit, Unit};
use crate::domain::{Span, Threshold, nearest_f64_percent};

/// How much of a budget's units is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account(SmallVec<[Used; 1]>);

/// How much of one unit is used, in its smallest parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The unit.
    pub unit: Unit,
    /// What may be spent in the period.
    pub limit: i128,
    /// What was recorded; below zero where credits prevail.
    pub spent: i128,
    /// What open reservations set aside.
    pub reserved: i128,
}

/// Where a budget stands, for one key, in its current period.
#[derive(Clone, Debug, Default)]
pub struct BudgetAccount {
    /// What is used.
    pub account: Account,
    /// The period.
    pub span: Span,
}

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum BudgetState {
    /// Below the alert threshold.
    Ok,
    /// At or above the lowest alert threshold.
    Warning,
    /// At or above the gate threshold.
    Critical,
    /// The whole limit is spent.
    Exhausted,
}

impl Used {
    /// What of the sum counts.
    pub fn counted(&self) -> i128 {
        self.spent.max(0)
    }

    /// What is left: the limit at most, below zero once it is passed.
    pub fn remaining(&self) -> i128 {
        self.limit - self.counted() - self.reserved
    }

    /// Whether so much of the limit was spent.
    pub fn has_reached(&self, share: Threshold) -> bool {
        share.reached(self.counted(), self.limit)
    }
}

impl Account {
    /// Puts together what is known: nothing spent or reserved where nothing is.
    pub fn new(limit: &Limit, spent: Option<&Amounts>, reserved: Option<&Amounts>) -> Self {
        let of = |amounts: Option<&Amounts>, at: usize| amounts.and_then(|amounts| amounts.get(at)).copied().unwrap_or(0);
        let units = limit.units().zip(limit.amounts()).enumerate();
        Self(
            units
                .map(|(at, (unit, limit))| Used { unit, limit, spent: of(spent, at), reserved: of(reserved, at) })
                .collect(),
        )
    }

    /// Each unit.
    pub fn units(&self) -> &[Used] {
        &self.0
    }

    /// A unit of which so much was spent.
    pub fn at_or_above(&self, share: Threshold) -> Option<&Used> {
        self.0.iter().find(|used| used.has_reached(share))
    }

    /// Spent ÷ limit × 100 of the unit that is used most: the float nearest to the exact share.
    pub fn utilization_percent(&self) -> f64 {
        self.0.iter().map(|used| nearest_f64_percent(used.counted(), used.limit)).fold(0.0, f64::max)
    }

    /// How serious it is.
    pub fn state(&self, budget: &Budget) -> BudgetState {
        // From the most serious down: a threshold may lie above the limit, and the limit itself always counts.
        let reached = |share| self.at_or_above(share).is_some();
        if reached(Threshold::FULL) {
            BudgetState::Exhausted
        } else if reached(budget.gate_at) {
            BudgetState::Critical
        } else if budget.warn_at.first().is_some_and(|lowest| reached(*lowest)) {
            BudgetState::Warning
        } else {
            BudgetState::Ok
        }
    }

    /// How serious it is of a key, as keys are counted: their gate threshold closes no gate.
    pub fn key_state(&self, budget: &Budget) -> BudgetState {
        let reached = |share| self.at_or_above(share).is_some();
        match budget.warn_at.first() {
            _ if reached(Threshold::FULL) => BudgetState::Exhausted,
            Some(lowest) if reached(*lowest) => BudgetState::Warning,
            _ => BudgetState::Ok,
        }
    }

    /// The unit of which so much more would pass the limit.
    pub fn passed_by(&self, more: &Amounts) -> Option<&Used> {
        self.0.iter().zip(more).find(|(used, more)| **more > used.remaining()).map(|(used, _)| used)
    }
}
