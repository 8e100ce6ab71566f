//! `/scaling-gate`: status, history, checks, and an operator's word.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::refusal::{BudgetMembers, given};
use super::{UsageAmounts, Word};
use crate::budget::{Admission, GateStanding};
use crate::domain::{GateChange, GateMode, Usd};

/// Whether work that is not critical must stop, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateStatus {
    /// `true`: stop work that is not critical.
    pub scaling_gate_active: bool,
    /// Why, for a person.
    pub reason: Cow<'static, str>,
    /// When this was so.
    pub timestamp: Timestamp,
    /// What the gate follows.
    #[serde(default)]
    pub mode: Word<GateMode>,
    /// Since when it is like this; null while it never was otherwise.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// When an override lapses. The automatic gate has no end that is known ahead.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// The global budgets, which the automatic gate follows.
    #[serde(default)]
    pub budgets: Vec<GateBudget>,
}

/// A budget that the gate follows: both numbers in percent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateBudget {
    /// The budget's name.
    pub name: String,
    /// Spent ÷ limit × 100.
    pub utilization: f64,
    /// Where the gate becomes active.
    pub threshold: f64,
}

/// One line of the gate's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateLine {
    /// When it changed.
    pub timestamp: Timestamp,
    /// The state from then on.
    pub active: bool,
    /// Why, for a person.
    pub reason: String,
    /// What the gate follows from then on.
    pub mode: Word<GateMode>,
    /// Who changed it, as they call themselves; empty for the agent itself.
    pub actor: String,
    /// The name of the token that it was changed with; absent where that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Box<str>>,
}

/// Whether something may be spent now. Of a refusal also the budget in question, all null where an operator closed the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckAnswer {
    /// `false` is an answer, not an error.
    pub allowed: bool,
    /// Why, for a person.
    pub reason: Cow<'static, str>,
    /// The budget's name.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub budget: Option<Option<String>>,
    /// Of a budget with `each`: whose limit it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Negative once the limit is passed; null where the budget is not of money.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub remaining_usd: Option<Option<Usd>>,
    /// Of a budget of usage: what is left of the kind in question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_usage: Option<UsageAmounts>,
    /// When the budget's next period begins.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Option<Timestamp>>,
}

/// An operator's word, as a client sends it.
#[derive(Clone, Debug, Serialize)]
pub struct SetGateBody<'a> {
    /// `active`, `inactive` or `auto`.
    pub state: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<&'a str>,
    /// When it lapses by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
}

impl From<GateStanding> for GateStatus {
    fn from(standing: GateStanding) -> Self {
        let GateStanding { verdict, now, since, expires_at, budgets } = standing;
        let budgets = budgets.into_iter().map(|budget| GateBudget {
            threshold: budget.gate_at.percent(),
            utilization: budget.utilization_percent,
            name: budget.name,
        });
        Self {
            scaling_gate_active: verdict.active,
            reason: verdict.reason,
            timestamp: now,
            mode: verdict.mode.into(),
            since,
            expires_at,
            budgets: budgets.collect(),
        }
    }
}

impl From<GateChange> for GateLine {
    fn from(GateChange { timestamp, active, reason, mode, actor, token }: GateChange) -> Self {
        Self { timestamp, active, reason, mode: mode.into(), actor, token }
    }
}

impl From<&Admission> for CheckAnswer {
    fn from(admission: &Admission) -> Self {
        let refusal = if let Admission::Refused(refusal) = admission { Some(refusal) } else { None };
        let members = refusal.map(BudgetMembers::of).unwrap_or_default();
        let BudgetMembers { budget, key, remaining_usd, remaining_usage, period_end } = members;
        let (allowed, reason) = (refusal.is_none(), admission.reason());
        Self { allowed, reason, budget, key, remaining_usd, remaining_usage, period_end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{BudgetLeft, Measure, Refusal, Unit};
    use crate::domain::Span;

    #[test]
    fn a_status_is_written_as_it_was_read() {
        let json = r#"{"scaling_gate_active":true,"reason":"a","timestamp":"2026-11-22T10:00:00Z","mode":"auto","since":null,"expires_at":"2026-11-22T11:00:00Z","budgets":[{"name":"daily","utilization":33.333333333333336,"threshold":90.0}]}"#;
        let status: GateStatus = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&status).unwrap(), json);
        let line = r#"{"timestamp":"2026-11-22T10:00:00Z","active":true,"reason":"a","mode":"fleet","actor":"ann"}"#;
        let read: GateLine = serde_json::from_str(line).unwrap();
        assert_eq!((read.mode.as_str(), serde_json::to_string(&read).unwrap().as_str()), ("fleet", line));
    }

    #[test]
    fn only_a_refusal_speaks_of_a_budget_and_may_say_null() {
        let left = BudgetLeft {
            name: "daily".into(),
            key: None,
            remaining: Measure { unit: Unit::Usd, parts: -1 },
            span: Span { start: Timestamp::MIN, end: "2026-11-23T00:00:00Z".parse().unwrap() },
        };
        let closed = |budget| Admission::Refused(Refusal::GateActive { reason: "sale".into(), budget });
        for (admission, json) in [
            (Admission::Fits, r#"{"allowed":true,"reason":"Within budget"}"#),
            (
                closed(None),
                r#"{"allowed":false,"reason":"Scaling gate is active: sale","budget":null,"remaining_usd":null,"period_end":null}"#,
            ),
            (
                closed(Some(left)),
                r#"{"allowed":false,"reason":"Scaling gate is active: sale","budget":"daily","remaining_usd":-0.000000000001,"period_end":"2026-11-23T00:00:00Z"}"#,
            ),
        ] {
            let answer = CheckAnswer::from(&admission);
            assert_eq!(serde_json::to_string(&answer).unwrap(), json);
            assert_eq!(serde_json::from_str::<CheckAnswer>(json).unwrap(), answer);
        }
    }
}
