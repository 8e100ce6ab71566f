//! One paid thing that happened, valid and ready to be recorded.
//!
//! *Invariants.* A [`CostEvent`] obeys every rule of `docs/reference.md` that can be checked without the ledger; only `ingest`
//! and the ledger's reader make one. Whether an id was used before is the writer's question.

use jiff::Timestamp;
use serde_json::Value;
use strum::{EnumString, IntoStaticStr};

use super::{CostSource, Name, Origin, Quantity, Usd};

/// A charge adds cost, a credit takes some back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// An amount of zero or more.
    #[default]
    Charge,
    /// An amount of zero or less.
    Credit,
}

/// How the paid call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Outcome {
    /// It worked.
    #[default]
    Ok,
    /// It failed, and cost all the same.
    Error,
}

/// The idempotency key: an id, unique within the source that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventKey {
    /// Who made the id; empty when not said. At most 200 bytes.
    pub source: Box<str>,
    /// 1 to 200 bytes. Made by the agent (UUIDv7) when the worker sent none.
    pub id: Box<str>,
}

/// Highest revision of an event: what a signed 32-bit integer holds, as every client and database has one.
pub const REVISION_MAX: u32 = i32::MAX.unsigned_abs();

/// A counted or measured quantity, such as 1,000 input tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageCount {
    /// What was counted, such as `input_tokens`.
    pub kind: Name,
    /// How many, or how much: below 2⁵³.
    pub count: Quantity,
}

/// A cost event that passed every check that needs no ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct CostEvent {
    /// Idempotency key.
    pub key: EventKey,
    /// The paid service.
    pub service: Name,
    /// What it was asked to do; `unknown` when not said.
    pub operation: Name,
    /// The cost, of the sign that `kind` demands.
    pub amount: Usd,
    /// Charge or credit.
    pub kind: Kind,
    /// When it happened, in whole nanoseconds.
    pub time: Timestamp,
    /// Whether the sender said when. If not, `time` is when the event was received, and says nothing about its identity.
    pub time_given: bool,
    /// The process that made the call.
    pub worker: Option<Box<str>>,
    /// The batch of work it belongs to.
    pub batch_id: Option<Box<str>>,
    /// The lead it was made for.
    pub lead_id: Option<Box<str>>,
    /// The model or tier that was used.
    pub model: Option<Box<str>>,
    /// Quantities, ordered by kind, each kind once.
    pub usage: Vec<UsageCount>,
    /// How long the call took: finite, zero or more.
    pub duration_seconds: Option<f64>,
    /// How the call ended.
    pub outcome: Outcome,
    /// A JSON object, kept to the letter; at most 4 KiB.
    pub attributes: Option<Box<str>>,
    /// Which telling of the event this is, 0 to [`REVISION_MAX`]: of several under one key, the highest is how the event stands.
    pub revision: u32,
    /// When another ledger recorded it first; only an import says so.
    pub first_recorded_at: Option<Timestamp>,
    /// How it came to be, where a worker did not tell it with its amount.
    pub origin: Option<Box<Origin>>,
}

#[cfg(test)]
impl UsageCount {
    /// Whole counts by their kinds, in this order, for tests.
    pub(crate) fn list(counts: &[(&str, u64)]) -> Vec<Self> {
        counts.iter().map(|(kind, count)| Self { kind: Name::new(kind).unwrap(), count: Quantity::of(*count) }).collect()
    }
}

/// The operation of what names none.
pub const OPERATION_DEFAULT: &str = "unknown";

impl CostEvent {
    /// Whether the sender said what it cost.
    pub fn has_told_amount(&self) -> bool {
        self.origin.as_ref().is_none_or(|origin| origin.cost == CostSource::Told)
    }

    /// Whether its amount waits for a price.
    pub fn is_unpriced(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.is_unpriced())
    }

    /// How often the agent has changed it since its revision was told.
    pub fn amendment(&self) -> u32 {
        self.origin.as_ref().map_or(0, |origin| origin.amendment)
    }
}

impl Kind {
    /// The word used in JSON and in the ledger.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Outcome {
    /// The word used in JSON, labels and the ledger.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The fields in which a second event under a known key differs from the recorded one, by meaning: `1.5` is `"1.50"`, the
/// order of keys does not matter, and a retry that names no time matches any. Empty: it is a duplicate.
pub fn differing_fields(recorded: &CostEvent, retry: &CostEvent) -> Vec<&'static str> {
    let has_told = retry.has_told_amount();
    let revisable = [
        // What the agent works out follows from the usage, and may be another amount by the prices of today.
        ("amount_usd", !has_told && recorded.has_told_amount() == has_told || recorded.amount == retry.amount),
        ("usage", recorded.usage == retry.usage),
        ("duration_seconds", recorded.duration_seconds == retry.duration_seconds),
        ("outcome", recorded.outcome == retry.outcome),
        ("attributes", !differing_attributes(recorded.attributes.as_deref(), retry.attributes.as_deref())),
    ];
    fixed_fields(recorded, retry).into_iter().chain(revisable).filter(|(_, same)| !same).map(|(field, _)| field).collect()
}

/// The fields in which a revision differs from what was recorded under its key although no revision may change them: they say
/// which event it is and in which sums it counts. Empty: the revision can be taken.
pub fn fixed_fields_differing(recorded: &CostEvent, revision: &CostEvent) -> Vec<&'static str> {
    fixed_fields(recorded, revision).into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
}

/// The fields that stay as first told, and whether another telling agrees with them.
fn fixed_fields(recorded: &CostEvent, other: &CostEvent) -> [(&'static str, bool); 8] {
    [
        ("service", recorded.service == other.service),
        ("operation", recorded.operation == other.operation),
        ("kind", recorded.kind == other.kind),
        ("time", !other.time_given || recorded.time == other.time),
        ("worker", recorded.worker == other.worker),
        ("batch_id", recorded.batch_id == other.batch_id),
        ("lead_id", recorded.lead_id == other.lead_id),
        ("model", recorded.model == other.model),
    ]
}

/// Whether two JSON texts differ in their meaning. An absent object and an empty one are the same.
pub fn differing_attributes(left: Option<&str>, right: Option<&str>) -> bool {
    let (left, right) = (left.unwrap_or("{}"), right.unwrap_or("{}"));
    if left == right {
        return false;
    }
    match (serde_json::from_str::<Value>(left), serde_json::from_str::<Value>(right)) {
        (Ok(left), Ok(right)) => !same_value(&left, &right),
        _ => true,
    }
}

/// Equality in which `1`, `1.0` and `10e-1` are one number.
fn same_value(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64() && (left.is_f64() || right.is_f64())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_value(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same_value(value, other)))
        }
        _ => left == right,
    }
}

#[cfg(test)]
impl CostEvent {
    /// An event for tests to vary: a chat of one dollar, at a time that was given.
    pub(crate) fn example() -> Self {
        Self {
            key: EventKey { source: "".into(), id: "call-1".into() },
            service: Name::new("openai").unwrap(),
            operation: Name::new("chat").unwrap(),
            amount: Usd::from_dollars(1),
            kind: Kind::Charge,
            time: "2026-11-22T10:00:00Z".parse().unwrap(),
            time_given: true,
            worker: None,
            batch_id: None,
            lead_id: None,
            model: None,
            usage: vec![],
            duration_seconds: None,
            outcome: Outcome::Ok,
            attributes: None,
            revision: 0,
            first_recorded_at: None,
            origin: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> CostEvent {
        let attributes = Some(r#"{"a":1,"b":[1,2]}"#.into());
        CostEvent { amount: Usd::parse("1.5").unwrap(), attributes, ..CostEvent::example() }
    }

    #[test]
    fn a_retry_is_compared_by_meaning() {
        let recorded = event();
        let mut retry = event();
        retry.amount = Usd::parse("15e-1").unwrap();
        retry.attributes = Some(r#"{ "b" : [1.0, 20e-1], "a" : 1 }"#.into());
        retry.time = "2026-11-22T11:00:00+01:00".parse().unwrap();
        assert!(differing_fields(&recorded, &retry).is_empty());

        retry.time = "2026-11-22T12:34:56Z".parse().unwrap();
        retry.time_given = false;
        assert!(differing_fields(&recorded, &retry).is_empty());

        retry.time_given = true;
        retry.amount = Usd::parse("1.51").unwrap();
        retry.attributes = Some(r#"{"a":1,"b":[2,1]}"#.into());
        assert_eq!(differing_fields(&recorded, &retry), ["time", "amount_usd", "attributes"]);
    }

    #[test]
    fn a_revision_may_change_what_the_event_cost_and_not_which_one_it_is() {
        let recorded = event();
        let mut revision = event();
        revision.revision = 1;
        revision.amount = Usd::from_dollars(7);
        revision.usage = vec![UsageCount { kind: Name::new("tokens").unwrap(), count: Quantity::of(7) }];
        revision.duration_seconds = Some(7.0);
        revision.outcome = Outcome::Error;
        revision.attributes = None;
        revision.time = "2026-11-22T12:34:56Z".parse().unwrap();
        revision.time_given = false;
        assert_eq!(fixed_fields_differing(&recorded, &revision), [] as [&str; 0]);

        revision.time_given = true;
        revision.service = Name::new("other").unwrap();
        revision.operation = Name::new("other").unwrap();
        revision.kind = Kind::Credit;
        revision.worker = Some("w".into());
        revision.batch_id = Some("b".into());
        revision.lead_id = Some("l".into());
        revision.model = Some("m".into());
        let fixed = ["service", "operation", "kind", "time", "worker", "batch_id", "lead_id", "model"];
        assert_eq!(fixed_fields_differing(&recorded, &revision), fixed);
    }

    fn of(cost: CostSource, dollars: i64) -> CostEvent {
        let origin = Some(Box::new(Origin { cost, amendment: 3, ..Origin::of("litellm") }));
        CostEvent { amount: Usd::from_dollars(dollars), origin, ..CostEvent::example() }
    }

    #[test]
    fn an_amount_that_was_worked_out_anew_is_no_difference() {
        let tag = crate::domain::PriceTag { name: "p".into(), version: "1".into(), date: None };
        let priced = |dollars| of(CostSource::Priced(tag.clone()), dollars);
        let told = |dollars| of(CostSource::Told, dollars);
        let unpriced = || of(CostSource::Unpriced, 0);
        for (recorded, retry, is_different) in [
            (priced(1), priced(2), false),
            (unpriced(), priced(2), false),
            (told(1), told(1), false),
            (told(1), told(2), true),
            (priced(1), told(2), true),
            (told(1), priced(2), true),
            (told(2), priced(2), false),
        ] {
            let fields: &[&str] = if is_different { &["amount_usd"] } else { &[] };
            assert_eq!(differing_fields(&recorded, &retry), fields, "{recorded:?} {retry:?}");
        }
    }

    #[test]
    fn every_field_of_a_retry_is_compared() {
        let retry = CostEvent {
            usage: UsageCount::list(&[("tokens", 7)]),
            duration_seconds: Some(7.0),
            outcome: Outcome::Error,
            ..event()
        };
        assert_eq!(differing_fields(&event(), &retry), ["usage", "duration_seconds", "outcome"]);
    }

    #[test]
    fn an_event_says_how_its_amount_is_known() {
        for (event, has_told_amount, is_unpriced, amendment) in [
            (CostEvent::example(), true, false, 0),
            (of(CostSource::Told, 1), true, false, 3),
            (of(CostSource::Unpriced, 0), false, true, 3),
        ] {
            let found = (event.has_told_amount(), event.is_unpriced(), event.amendment());
            assert_eq!(found, (has_told_amount, is_unpriced, amendment), "{event:?}");
        }
        assert_eq!([Kind::Charge.as_str(), Kind::Credit.as_str()], ["charge", "credit"]);
        assert_eq!([Outcome::Ok.as_str(), Outcome::Error.as_str()], ["ok", "error"]);
    }

    #[test]
    fn attributes_differ_in_their_meaning_only() {
        for (left, right, differ) in [
            (None, Some("{}"), false),
            (None, Some(" { } "), false),
            (None, Some(r#"{"a":null}"#), true),
            (Some(r#"{"a":1}"#), Some(r#"{"a":10e-1}"#), false),
            (Some(r#"{"a":1}"#), Some(r#"{"a":1.5}"#), true),
            // As floats they were one number.
            (Some(r#"{"a":9007199254740993}"#), Some(r#"{"a":9007199254740992}"#), true),
            (Some(r#"{"a":[1,2]}"#), Some(r#"{"a":[1]}"#), true),
            (Some(r#"{"a":[1]}"#), Some(r#"{"a":[1,2]}"#), true),
            (Some(r#"{"a":[]}"#), Some(r#"{"a":[]} "#), false),
            (Some(r#"{"a":{"b":1.0}}"#), Some(r#"{"a":{"b":1}}"#), false),
            (Some(r#"{"a":1,"b":2}"#), Some(r#"{"b":2,"a":1.0}"#), false),
            (Some(r#"{"a":1}"#), Some(r#"{"b":1}"#), true),
            (Some(r#"{"a":1,"b":2}"#), Some(r#"{"a":1}"#), true),
            (Some(r#"{"a":"1"}"#), Some(r#"{"a":1}"#), true),
            (Some("not json"), Some("not json"), false),
            (Some("not json"), Some("{}"), true),
        ] {
            assert_eq!(differing_attributes(left, right), differ, "{left:?} {right:?}");
            assert_eq!(differing_attributes(right, left), differ, "{right:?} {left:?}");
        }
    }
}
