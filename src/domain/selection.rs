//! Which events are asked for, one by one: of a time, and with these values.

use strum::{EnumString, IntoStaticStr};

use super::{CostEvent, EventKey};

/// A field that events can be narrowed down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum EventField {
    /// The paid service.
    Service,
    /// What it was asked to do.
    Operation,
    /// The process that made the call.
    Worker,
    /// The batch of work.
    Batch,
    /// The lead it was for.
    Lead,
    /// The model that was used.
    Model,
    /// Who made the id.
    Source,
}

/// Narrows events down to what has this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFilter {
    /// Of which field.
    pub field: EventField,
    /// The value; empty for what has none.
    pub value: Box<str>,
}

/// A stretch of time, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    /// The first instant.
    pub from_ns: i64,
    /// The first instant that is no longer in it.
    pub until_ns: i64,
}

/// Events of a time with some values in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// When they happened.
    pub span: TimeSpan,
    /// What all of them have.
    pub filters: Vec<EventFilter>,
}

/// Where an event stands among others: by its time, and among those of one time by when it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EventPlace {
    /// When it happened, in nanoseconds since 1970.
    pub time_ns: i64,
    /// The `seq` of its first entry.
    pub seq: i64,
}

/// One page of a list of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuestion {
    /// Which events.
    pub selection: Selection,
    /// Only the event under the first of these keys that has one; of ids that are no longer remembered, under any of them. Without keys, all.
    pub keys: Vec<EventKey>,
    /// Only those that look like an event of another road, or only the others.
    pub suspected: Option<bool>,
    /// Whether the newest come first.
    pub newest_first: bool,
    /// Only those that follow this place in the order asked for.
    pub after: Option<EventPlace>,
    /// How many at most.
    pub limit: usize,
}

impl EventField {
    /// Every field.
    pub const ALL: [Self; 7] =
        [Self::Service, Self::Operation, Self::Worker, Self::Batch, Self::Lead, Self::Model, Self::Source];

    /// The word used in queries.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

impl EventFilter {
    fn takes(&self, event: &CostEvent) -> bool {
        let value = match self.field {
            EventField::Service => event.service.as_str(),
            EventField::Operation => event.operation.as_str(),
            EventField::Worker => event.worker.as_deref().unwrap_or_default(),
            EventField::Batch => event.batch_id.as_deref().unwrap_or_default(),
            EventField::Lead => event.lead_id.as_deref().unwrap_or_default(),
            EventField::Model => event.model.as_deref().unwrap_or_default(),
            EventField::Source => &event.key.source,
        };
        *self.value == *value
    }
}

impl TimeSpan {
    /// Whether an instant lies in it.
    pub fn contains(&self, time_ns: i64) -> bool {
        (self.from_ns..self.until_ns).contains(&time_ns)
    }
}

/// All of time that a ledger can hold.
impl Default for TimeSpan {
    fn default() -> Self {
        Self { from_ns: i64::MIN, until_ns: i64::MAX }
    }
}

impl Selection {
    /// Whether an event is one of them.
    pub fn takes(&self, event: &CostEvent) -> bool {
        let time_ns = i64::try_from(event.time.as_nanosecond()).unwrap_or(i64::MAX - 1);
        self.span.contains(time_ns) && self.filters.iter().all(|filter| filter.takes(event))
    }
}

impl EventQuestion {
    /// Whether an event is one of those asked for.
    pub fn takes(&self, event: &CostEvent) -> bool {
        let is_suspected = event.origin.as_ref().is_some_and(|origin| origin.is_suspected);
        self.selection.takes(event) && self.suspected.is_none_or(|suspected| suspected == is_suspected)
    }

    /// Whether `place` comes before `other` in the order asked for.
    pub fn is_before(&self, place: EventPlace, other: EventPlace) -> bool {
        if self.newest_first { place > other } else { place < other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Origin;

    #[test]
    fn an_event_without_a_value_has_the_empty_one() {
        let event = CostEvent { worker: Some("w".into()), ..CostEvent::example() };
        let takes = |field, value: &str| EventFilter { field, value: value.into() }.takes(&event);
        assert!(takes(EventField::Worker, "w") && takes(EventField::Lead, "") && takes(EventField::Source, ""));
        assert!(!takes(EventField::Worker, "") && !takes(EventField::Model, "w") && !takes(EventField::Service, "Openai"));
    }

    #[test]
    fn a_span_ends_before_its_end() {
        let ns = i64::try_from(CostEvent::example().time.as_nanosecond()).unwrap();
        let takes = |from_ns, until_ns| {
            Selection { span: TimeSpan { from_ns, until_ns }, filters: vec![] }.takes(&CostEvent::example())
        };
        assert!(takes(ns, ns + 1) && takes(i64::MIN, i64::MAX));
        assert!(!takes(ns + 1, i64::MAX) && !takes(i64::MIN, ns));
    }

    #[test]
    fn each_field_is_compared_with_its_own_value() {
        let event = CostEvent {
            worker: Some("w".into()),
            batch_id: Some("b".into()),
            lead_id: Some("l".into()),
            model: Some("m".into()),
            key: EventKey { source: "s".into(), id: "i".into() },
            ..CostEvent::example()
        };
        let values = ["openai", "chat", "w", "b", "l", "m", "s"];
        for (field, value) in EventField::ALL.into_iter().zip(values) {
            for other in values {
                let filters = vec![EventFilter { field, value: other.into() }];
                let takes = Selection { filters, ..Selection::default() }.takes(&event);
                assert_eq!(takes, other == value, "{} {other}", field.word());
            }
        }
        let words = EventField::ALL.map(EventField::word);
        assert_eq!(words, ["service", "operation", "worker", "batch", "lead", "model", "source"]);
    }

    #[test]
    fn a_page_takes_the_suspected_or_the_others_and_goes_one_way() {
        let question = |suspected, newest_first| EventQuestion {
            selection: Selection::default(),
            keys: Vec::new(),
            suspected,
            newest_first,
            after: None,
            limit: 1,
        };
        let suspect = Origin { is_suspected: true, ..Origin::of("litellm") };
        let suspect = CostEvent { origin: Some(Box::new(suspect)), ..CostEvent::example() };
        for (suspected, takes_plain, takes_suspect) in
            [(None, true, true), (Some(false), true, false), (Some(true), false, true)]
        {
            let question = question(suspected, false);
            assert_eq!((question.takes(&CostEvent::example()), question.takes(&suspect)), (takes_plain, takes_suspect));
        }
        let nowhere = Selection { span: TimeSpan { from_ns: 0, until_ns: 0 }, filters: vec![] };
        assert!(!EventQuestion { selection: nowhere, ..question(None, false) }.takes(&suspect));
        let place = |time_ns, seq| EventPlace { time_ns, seq };
        for (newest_first, one, other, is_before) in [
            (false, place(1, 9), place(2, 1), true),
            (false, place(1, 1), place(1, 2), true),
            (false, place(1, 1), place(1, 1), false),
            (false, place(2, 1), place(1, 9), false),
            (true, place(2, 1), place(1, 9), true),
            (true, place(1, 1), place(1, 1), false),
            (true, place(1, 1), place(1, 2), false),
        ] {
            assert_eq!(question(None, newest_first).is_before(one, other), is_before, "{newest_first} {one:?} {other:?}");
        }
    }

    #[test]
    fn all_of_time_has_every_event() {
        for time in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
            assert!(Selection::default().takes(&CostEvent { time, ..CostEvent::example() }), "{time}");
        }
    }
}
