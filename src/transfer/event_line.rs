//! A row of another record of cost as the JSON of an event.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

/// What a row says, under the names of an event's fields. Digits stay as they were.
#[derive(Debug, Default, Serialize)]
pub(super) struct EventLine<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub source: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub service: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub operation: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub amount_usd: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub time: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub worker: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub batch_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub lead_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub model: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub usage: BTreeMap<String, Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub recorded_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Box<RawValue>>,
}

impl EventLine<'_> {
    /// On one line.
    pub fn json(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| error.to_string())
    }
}

/// A JSON number, its digits as they are.
pub(super) fn number(field: &str, text: &str) -> Result<Box<RawValue>, String> {
    let is_number = text.starts_with(|char: char| char.is_ascii_digit() || char == '-');
    let number = RawValue::from_string(text.to_owned()).ok().filter(|_| is_number);
    number.ok_or_else(|| format!("{field} is not a number: {:?}", short(text)))
}

/// A JSON object, as it is.
pub(super) fn object(field: &str, text: &str) -> Result<Box<RawValue>, String> {
    let object = RawValue::from_string(crate::wire::on_one_line(text).into_owned()).ok();
    object
        .filter(|json| json.get().starts_with('{'))
        .ok_or_else(|| format!("{field} is not a JSON object: {:?}", short(text)))
}

/// `credit` for money that came back: elsewhere it is only a sign.
pub(super) fn kind_of(amount: &str) -> &'static str {
    if amount.starts_with('-') { "credit" } else { "" }
}

/// As much of a text as a message shows.
pub(super) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
