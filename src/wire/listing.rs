//! `GET /events`, and the lines of an export: one event with everything that was sent.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::ser::{Error, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::{CostEvent, CostSource, NATIVE_ROAD, Origin, PriceTag, UsageCount, Usd};

/// An event as it stands, under the names that it is sent with. What was not sent is left out.
#[derive(Debug, Serialize)]
pub struct EventItem<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    service: &'a str,
    operation: &'a str,
    kind: &'static str,
    amount_usd: Usd,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lead_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "UsageItem::is_empty")]
    usage: UsageItem<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<JsonItem<'a>>,
    revision: u32,
    /// Which price made the amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<&'a PriceTag>,
    /// Whether the amount waits for a price.
    #[serde(skip_serializing_if = "is_false")]
    unpriced: bool,
    /// How far its numbers can be trusted, where no worker told them.
    #[serde(skip_serializing_if = "Option::is_none")]
    quality: Option<&'static str>,
    /// Over which road it came, where no worker told it.
    #[serde(skip_serializing_if = "Option::is_none")]
    road: Option<&'a str>,
    /// Whether it looks like a call of another road.
    #[serde(skip_serializing_if = "is_false")]
    suspected: bool,
    /// All that is known of how it came to be, in place of these, for another ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a Origin>,
    recorded_at: Timestamp,
    /// Oldest first; of very many the newest.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    adjustments: &'a [AdjustmentItem],
}

/// What a higher revision made of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdjustmentItem {
    /// The revision.
    pub revision: u32,
    /// What it added to what the event costs.
    pub amount_usd: Usd,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// A page of events.
#[derive(Debug, Serialize)]
pub struct EventsPage<'a> {
    /// In the order that was asked for.
    pub events: Vec<EventItem<'a>>,
    /// What to send as `after` for the next page; null when this is the last.
    pub next: Option<String>,
}

/// Quantities by kind.
#[derive(Debug)]
struct UsageItem<'a>(&'a [UsageCount]);

/// A text that is known to be JSON.
#[derive(Debug)]
struct JsonItem<'a>(&'a str);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl<'a> EventItem<'a> {
    /// An event that was recorded at this time.
    pub fn new(event: &'a CostEvent, recorded_at: Timestamp, adjustments: &'a [AdjustmentItem]) -> Self {
        let origin = event.origin.as_deref();
        let road = origin.filter(|origin| *origin.road != *NATIVE_ROAD);
        Self {
            id: &event.key.id,
            source: &event.key.source,
            service: event.service.as_str(),
            operation: event.operation.as_str(),
            kind: event.kind.as_str(),
            amount_usd: event.amount,
            time: event.time,
            worker: event.worker.as_deref(),
            batch_id: event.batch_id.as_deref(),
            lead_id: event.lead_id.as_deref(),
            model: event.model.as_deref(),
            usage: UsageItem(&event.usage),
            duration_seconds: event.duration_seconds,
            outcome: event.outcome.as_str(),
            attributes: event.attributes.as_deref().map(JsonItem),
            revision: event.revision,
            price: origin.and_then(|origin| if let CostSource::Priced(price) = &origin.cost { Some(price) } else { None }),
            unpriced: event.is_unpriced(),
            quality: road.map(|origin| origin.quality.as_str()),
            road: road.map(|origin| &*origin.road),
            suspected: origin.is_some_and(|origin| origin.is_suspected),
            origin: None,
            recorded_at,
            adjustments,
        }
    }

    /// The line of an export, from which another ledger knows all of it.
    pub fn exported(event: &'a CostEvent, recorded_at: Timestamp) -> Self {
        let origin = event.origin.as_deref();
        Self {
            price: None,
            unpriced: false,
            quality: None,
            road: None,
            suspected: false,
            origin,
            ..Self::new(event, recorded_at, &[])
        }
    }
}

impl UsageItem<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for UsageItem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for usage in self.0 {
            map.serialize_entry(usage.kind.as_str(), &usage.count)?;
        }
        map.end()
    }
}

impl Serialize for JsonItem<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match on_one_line(self.0) {
            Cow::Borrowed(text) => serde_json::from_str::<&RawValue>(text).map_err(S::Error::custom)?.serialize(serializer),
            Cow::Owned(text) => RawValue::from_string(text).map_err(S::Error::custom)?.serialize(serializer),
        }
    }
}

/// Quantities as a JSON object; `None` without any.
pub fn usage_json(usage: &[UsageCount]) -> Option<String> {
    if usage.is_empty() { None } else { serde_json::to_string(&UsageItem(usage)).ok() }
}

/// JSON without line breaks. Within strings there are none, so elsewhere a blank means the same.
pub fn on_one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { Cow::Owned(json.replace(['\n', '\r'], " ")) } else { Cow::Borrowed(json) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EventKey, Kind, Name, Quantity};

    #[test]
    fn an_event_is_written_with_all_that_was_sent_and_nothing_else() {
        let event = CostEvent::example();
        let at = "2026-11-22T10:00:01Z".parse().unwrap();
        assert_eq!(
            serde_json::to_string(&EventItem::new(&event, at, &[])).unwrap(),
            r#"{"id":"call-1","service":"openai","operation":"chat","kind":"charge","amount_usd":1,"time":"2026-11-22T10:00:00Z","outcome":"ok","revision":0,"recorded_at":"2026-11-22T10:00:01Z"}"#
        );
        let event = CostEvent {
            key: EventKey { source: "s".into(), id: "1".into() },
            amount: Usd::parse("-0.000000000001").unwrap(),
            kind: Kind::Credit,
            worker: Some("w\"".into()),
            usage: vec![UsageCount { kind: Name::new("tokens").unwrap(), ..usage() }],
            duration_seconds: Some(0.25),
            attributes: Some("{\n\"a\" :\r\n1.50}".into()),
            revision: 3,
            ..event
        };
        let adjustments = [AdjustmentItem { revision: 3, amount_usd: Usd::from_dollars(-1), recorded_at: at }];
        let json = serde_json::to_string(&EventItem::new(&event, at, &adjustments)).unwrap();
        assert!(json.contains(r#""amount_usd":-0.000000000001"#) && json.contains(r#""worker":"w\"""#), "{json}");
        assert!(json.contains(r#""usage":{"tokens":7}"#) && json.contains(r#""attributes":{ "a" :  1.50}"#), "{json}");
        assert!(json.ends_with(r#""adjustments":[{"revision":3,"amount_usd":-1,"recorded_at":"2026-11-22T10:00:01Z"}]}"#));
    }

    fn usage() -> UsageCount {
        UsageCount { kind: Name::other(), count: Quantity::of(7) }
    }
}
