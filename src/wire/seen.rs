//! `GET /events`, as somebody reads it who shows it.

use jiff::Timestamp;
use serde::Deserialize;

use crate::domain::Usd;

/// What is shown of an event.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EventSeen {
    /// Its id, with its source.
    pub id: String,
    /// Empty unless the id is one of another system.
    #[serde(default)]
    pub source: String,
    /// The service that is paid.
    pub service: String,
    /// What it did.
    pub operation: String,
    /// `charge` or `credit`.
    pub kind: String,
    /// What it costs as it stands.
    pub amount_usd: Usd,
    /// When it happened.
    pub time: Timestamp,
    /// The process that did the work.
    #[serde(default)]
    pub worker: Option<String>,
    /// The lead it is for.
    #[serde(default)]
    pub lead_id: Option<String>,
    /// The model that was asked.
    #[serde(default)]
    pub model: Option<String>,
    /// `ok`, or how it went wrong.
    pub outcome: String,
    /// The highest one.
    #[serde(default)]
    pub revision: u32,
    /// The amount waits for a price.
    #[serde(default)]
    pub unpriced: bool,
    /// It looks like a call of another road.
    #[serde(default)]
    pub suspected: bool,
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct EventsSeen {
    /// In the order that was asked for.
    pub events: Vec<EventSeen>,
}

#[cfg(test)]
mod tests {
    use super::super::{EventItem, EventsPage};
    use super::*;
    use crate::domain::CostEvent;

    #[test]
    fn what_the_agent_writes_is_read() {
        let event = CostEvent::example();
        let event = CostEvent { worker: Some("w".into()), model: Some("m".into()), revision: 3, ..event };
        let events = vec![EventItem::new(&event, event.time, &[])];
        let json = serde_json::to_string(&EventsPage { events, next: None }).unwrap();
        let EventsSeen { events } = serde_json::from_str(&json).unwrap();
        let [seen] = &events[..] else { panic!("{json}") };
        assert_eq!((&*seen.id, &*seen.service, &*seen.operation, &*seen.kind), ("call-1", "openai", "chat", "charge"));
        assert_eq!((seen.amount_usd, seen.time, &*seen.outcome), (event.amount, event.time, "ok"));
        assert_eq!((seen.worker.as_deref(), seen.model.as_deref(), seen.revision), (Some("w"), Some("m"), 3));
        assert!(!seen.unpriced && !seen.suspected && seen.source.is_empty() && seen.lead_id.is_none());
    }
}
