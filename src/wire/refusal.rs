//! What a refusal says of the budget in question, in a problem and in the answer to a check.
//!
//! A member is absent where nothing was refused, and null where no budget is to blame: hence an option of an option. Members are
//! named one by one, since serde's `flatten` would read amounts through floats.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::{Exact, UsageAmounts};
use crate::budget::{BudgetLeft, Refusal};
use crate::domain::Usd;

#[derive(Default)]
pub(super) struct BudgetMembers {
    pub budget: Option<Option<String>>,
    pub key: Option<String>,
    pub remaining_usd: Option<Option<Usd>>,
    pub remaining_usage: Option<UsageAmounts>,
    pub period_end: Option<Option<Timestamp>>,
}

impl BudgetMembers {
    pub fn of(refusal: &Refusal) -> Self {
        let left = refusal.budget();
        Self {
            budget: Some(left.map(|left| left.name.clone())),
            key: left.and_then(|left| left.key.as_deref().map(str::to_owned)),
            remaining_usd: Some(left.and_then(|left| left.remaining.usd())),
            remaining_usage: left.filter(|left| left.remaining.usd().is_none()).map(usage),
            period_end: Some(left.and_then(|left| left.span.ends_at())),
        }
    }
}

/// What is left, of the kind of usage in question.
fn usage(left: &BudgetLeft) -> UsageAmounts {
    [(left.remaining.unit.as_str().to_owned(), Exact::of(&left.remaining))].into()
}

/// A member that is there, be it null.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
