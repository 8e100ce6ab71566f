//! `/unpriced`, `/reprice` and `/prices`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::{PriceTag, Usd};

/// Events of one service and model, with the same usage names, that wait for a price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnpricedItem {
    /// The paid service.
    pub service: String,
    /// The model; empty when the events name none.
    pub model: String,
    /// The names of what was counted.
    pub usage: Vec<String>,
    /// How many events there are.
    pub events: u64,
    /// When the first of them happened.
    pub first: Timestamp,
    /// When the last of them happened.
    pub last: Timestamp,
}

/// What a model costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PricesAnswer {
    /// Who sells it, by the catalogue's name.
    pub service: String,
    /// The model, by the catalogue's name.
    pub model: String,
    /// When this holds.
    pub at: Timestamp,
    /// One price for each unit.
    pub prices: Vec<PriceItem>,
}

/// What one unit of usage costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PriceItem {
    /// The name in `usage`.
    pub unit: String,
    /// What so many cost, in exact decimal digits.
    pub usd: Box<RawValue>,
    /// How many that is.
    pub per: u64,
    /// Prices beyond a number of input tokens, for as many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<PriceStep>,
    /// Where the price is from.
    pub price: PriceTag,
}

/// A price beyond a number of input tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PriceStep {
    /// With more than so many input tokens, it holds for all of the call.
    pub tokens: u64,
    /// What `per` of it cost.
    pub usd: Box<RawValue>,
}

/// What became of a part of the events that were to be rated anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepriceAnswer {
    /// Events that cost something else now.
    pub repriced: usize,
    /// Events that cost what they did.
    pub unchanged: usize,
    /// Events that no longer have a price; they stay as they are.
    pub unpriced: usize,
    /// What the first two cost before.
    pub before_usd: Usd,
    /// What they cost now.
    pub after_usd: Usd,
    /// What to send as `after` to go on; null when all were looked at.
    pub next: Option<String>,
}

/// Settings and prices were read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadAnswer {
    /// They are in force.
    pub reloaded: bool,
    /// What tells the text of the `PRICES_FILE` that is in force from others; null without one.
    pub prices_file_version: Option<Box<str>>,
}
