//! What a refusal says of the budget in question, in a problem and in the answer to a check.
//!
//! A member is absent where nothing was refused, and null where no budget is to blame: hence an option of an option. Members are
//! named one by one, since serde's `flatten` would read amounts through floats.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::budget::Refusal;
use crate::domain::Usd;

#[derive(Default)]
pub(super) struct BudgetMembers {
    pub budget: Option<Option<String>>,
    pub remaining_usd: Option<Option<Usd>>,
    pub period_end: Option<Option<Timestamp>>,
}

impl BudgetMembers {
    pub fn of(refusal: &Refusal) -> Self {
        let left = refusal.budget();
        Self {
            budget: Some(left.map(|left| left.name.clone())),
            remaining_usd: Some(left.map(|left| left.remaining)),
            period_end: Some(left.map(|left| left.period_end)),
        }
    }
}

/// A member that is there, be it null.
pub(super) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
