//! `POST /costs`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ProblemEntry;
use crate::domain::{PriceTag, Quantity, Usd};

/// The answer to a recorded batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAnswer<'a> {
    /// Events that are new.
    pub accepted: usize,
    /// Events that were known before.
    pub duplicates: usize,
    /// Events that replace what was known of them; not said where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revised: usize,
    /// Events that were left out, where the sender wanted the good ones recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<usize>,
    /// What is wrong with the first of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Cow<'a, [ProblemEntry]>>,
    /// What events without an amount cost, where the sender wanted to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priced: Option<Cow<'a, [PricedItem]>>,
    /// The ids of those that wait for a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpriced: Option<Cow<'a, [Box<str>]>>,
}

/// What an event without an amount costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedItem {
    /// The event.
    pub id: Box<str>,
    /// What it costs.
    pub amount_usd: Usd,
    /// Which price made that.
    pub price: PriceTag,
}

impl BatchAnswer<'_> {
    /// The same, on its own.
    pub fn into_owned(self) -> BatchAnswer<'static> {
        let Self { accepted, duplicates, revised, rejected, errors, priced, unpriced } = self;
        let errors = errors.map(|errors| Cow::Owned(errors.into_owned()));
        let priced = priced.map(|priced| Cow::Owned(priced.into_owned()));
        let unpriced = unpriced.map(|unpriced| Cow::Owned(unpriced.into_owned()));
        BatchAnswer { accepted, duplicates, revised, rejected, errors, priced, unpriced }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// One event, as a client sends it: only what it knows.
#[derive(Clone, Debug, Serialize)]
pub struct EventBody<'a> {
    /// The paid service.
    pub service: &'a str,
    /// What it cost. A text, so that its digits stay as they were given. Without it the agent works it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_usd: Option<&'a str>,
    /// Under which it counts once.
    pub id: &'a str,
    /// What the service was asked to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'a str>,
    /// Who made the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'a str>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<&'a str>,
    /// Charge or credit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'a str>,
    /// The process that made the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<&'a str>,
    /// The batch of work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_id: Option<&'a str>,
    /// The lead it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lead_id: Option<&'a str>,
    /// The model or tier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<&'a str>,
    /// Quantities by kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub usage: BTreeMap<&'a str, Quantity>,
    /// How long the call took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// How the call ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'a str>,
    /// A JSON object, kept to the letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<&'a RawValue>,
    /// Which telling of the event this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
}
