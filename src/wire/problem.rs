//! Error answers: RFC 9457, with what this program adds.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::refusal::{BudgetMembers, given};
use super::{UsageAmounts, Word};
use crate::budget::{Refusal, Rest};
use crate::domain::{ReservationStage, Usd};

/// Why a request was not served. A reader does without any of it, as the RFC asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProblemDocument {
    /// Which one it is: `/problems/<slug>`.
    pub r#type: Cow<'static, str>,
    /// The same for every problem of the type.
    pub title: Cow<'static, str>,
    /// The status code.
    pub status: u16,
    /// What is the matter this time.
    pub detail: Cow<'static, str>,
    /// What is wrong with events or fields, as far as it is listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemEntry>,
    /// How the reservation ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word<ReservationStage>>,
    /// Of a refusal: the name of the budget in question; all three are null where an operator closed the gate.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub budget: Option<Option<String>>,
    /// Of a refusal by a budget with `each`: whose limit it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Of a refusal: what is left, negative once the limit is passed; null where the budget is not of money.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub remaining_usd: Option<Option<Usd>>,
    /// Of a refusal by a budget of usage: what is left of the kind in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_usage: Option<UsageAmounts>,
    /// Of a refusal: when the budget's next period begins; null where there is none.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Option<Timestamp>>,
    /// Of a refusal for what other agents of a fleet have: how much that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leased_elsewhere_usd: Option<Usd>,
    /// How many of them do not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_agents: Option<u32>,
}

/// One rule that one event, or a request without events, breaks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProblemEntry {
    /// The event's position in the request, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its id, where it has one that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The field in question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A sentence for people.
    pub detail: String,
}

impl ProblemDocument {
    /// Adds the budget in question.
    #[must_use]
    pub fn with_refusal(self, refusal: &Refusal) -> Self {
        let BudgetMembers { budget, key, remaining_usd, remaining_usage, period_end } = BudgetMembers::of(refusal);
        let rest = if let Refusal::BeyondAllowance { rest, .. } = refusal { Some(rest) } else { None };
        let elsewhere = rest.and_then(|rest| match rest {
            Rest::Elsewhere { usd, silent_agents } => Some((*usd, *silent_agents)),
            Rest::Unasked | Rest::Unreachable => None,
        });
        let (leased_elsewhere_usd, silent_agents) = elsewhere.unzip();
        Self { budget, key, remaining_usd, remaining_usage, period_end, leased_elsewhere_usd, silent_agents, ..self }
    }
}
