//! One object to one valid event; every rule of contract section 2 that needs no ledger stands here.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::Limits;
use super::amount::{Sign, read_amount, sign};
pub(super) use super::fields::Fields;
use super::fields::near_name;
use super::json::{Shape, Value};
use super::names::Names;
use super::problem::{Problems, shown};
use super::time::read_time;
use crate::domain::{CostEvent, EventKey, Kind, Name, Outcome, UsageCount, Usd, check_text};

/// Longest id, source, worker, batch, lead and model, in bytes.
pub const TEXT_BYTES_MAX: usize = 200;
/// Names that `usage` may have.
pub const USAGE_NAMES_MAX: usize = 16;
/// Largest count: beyond it, JSON readers that use doubles see another number.
pub const USAGE_COUNT_MAX: u64 = (1 << 53) - 1;
/// Longest `attributes`, in bytes of the JSON text as it was sent.
pub const ATTRIBUTES_BYTES_MAX: usize = 4_096;

/// The operation of an event that names none.
const OPERATION_DEFAULT: &str = "unknown";

/// Reads the events of one request.
pub(super) struct EventReader<'r> {
    received_at: Timestamp,
    limits: &'r Limits,
    new_id: &'r mut dyn FnMut() -> Box<str>,
    names: Names,
}

/// The event that is being checked, and where its problems go.
struct Check<'c, 'a> {
    index: usize,
    id: Option<Cow<'a, str>>,
    problems: &'c mut Problems,
}

// === impl EventReader ===

impl<'r> EventReader<'r> {
    pub(super) fn new(received_at: Timestamp, limits: &'r Limits, new_id: &'r mut dyn FnMut() -> Box<str>) -> Self {
        Self { received_at, limits, new_id, names: Names::default() }
    }

    /// Checks every field, so that every problem is reported; an event comes out only when there is none.
    pub(super) fn read(&mut self, index: usize, fields: &Fields<'_>, problems: &mut Problems) -> Option<CostEvent> {
        let mut check = Check { index, id: fields.id.and_then(|value| value.text()), problems };
        check.unknown(&fields.unknown);
        let id = check.bounded_text("id", fields.id);
        if id.as_deref() == Some("") {
            check.refuse("id", || "must not be empty; leave it out to get one".to_owned());
        }
        let service = match fields.service {
            Some(_) => check.name("service", fields.service, &mut self.names),
            None => check.missing("service"),
        };
        let operation = match fields.operation {
            Some(_) => check.name("operation", fields.operation, &mut self.names),
            None => self.names.take(OPERATION_DEFAULT).ok(),
        };
        let kind = check.word("kind", fields.kind, "\"charge\" or \"credit\"", Kind::from_word);
        let amount = check.amount(fields.amount_usd, kind, self.limits.event_usd_max);
        let time = fields.time.map_or(Some(self.received_at), |_| self.time(&mut check, fields.time));
        let source = check.bounded_text("source", fields.source);
        let worker = check.optional_text("worker", fields.worker);
        let batch_id = check.optional_text("batch_id", fields.batch_id);
        let lead_id = check.optional_text("lead_id", fields.lead_id);
        let model = check.optional_text("model", fields.model);
        let usage = check.usage(fields.usage, &mut self.names);
        let duration_seconds = check.duration_seconds(fields.duration_seconds);
        let outcome = check.word("outcome", fields.outcome, "\"ok\" or \"error\"", Outcome::from_word);
        let attributes = check.attributes(fields.attributes);
        if check.problems.has(index) {
            return None;
        }
        Some(CostEvent {
            key: EventKey {
                source: source.unwrap_or_default().into(),
                id: id.map_or_else(|| (self.new_id)(), |id| Box::from(&*id)),
            },
            service: service?,
            operation: operation?,
            amount: amount?,
            kind: kind?,
            time: time?,
            time_given: fields.time.is_some(),
            worker,
            batch_id,
            lead_id,
            model,
            usage,
            duration_seconds,
            outcome: outcome?,
            attributes,
        })
    }

    /// A time within the window. Outside it an id might be forgotten before its retry comes.
    fn time(&self, check: &mut Check<'_, '_>, value: Option<Value<'_>>) -> Option<Timestamp> {
        let text = check.text("time", value)?;
        let time = match read_time(&text) {
            Ok(time) => time,
            Err(error) => {
                check.refuse("time", || error.to_string());
                return None;
            }
        };
        let age = self.received_at.duration_since(time);
        let (age_max, ahead_max) = (self.limits.age_max, self.limits.ahead_max);
        if age > age_max {
            check.refuse("time", || format!("is more than {} old", in_words(age_max)));
        } else if age < -ahead_max {
            let now = self.received_at;
            check.refuse("time", || format!("is more than {} ahead of this agent's clock, {now}", in_words(ahead_max)));
        }
        Some(time)
    }
}

// === impl Check ===

impl Check<'_, '_> {
    fn refuse(&mut self, field: &str, message: impl FnOnce() -> String) {
        self.problems.add(self.index, self.id.as_deref(), Some(field), || format!("{field} {}", message()));
    }

    fn missing<T>(&mut self, field: &str) -> Option<T> {
        self.refuse(field, || "is required".to_owned());
        None
    }

    fn unknown(&mut self, names: &[Cow<'_, str>]) {
        for name in names {
            self.problems.add(self.index, self.id.as_deref(), Some(name), || match near_name(name) {
                Some(near) => format!("{:?} is not a field of an event; did you mean {near:?}?", shown(name)),
                None => format!("{:?} is not a field of an event", shown(name)),
            });
        }
    }

    /// The value when it is there and has the shape.
    fn shaped<'v>(&mut self, field: &str, value: Option<Value<'v>>, shape: Shape) -> Option<Value<'v>> {
        let value = value?;
        if value.shape() == shape {
            return Some(value);
        }
        self.refuse(field, || match value.shape() {
            Shape::Null => "is null, which is not a value; leave the field out".to_owned(),
            other => format!("must be {}, not {}", shape.with_article(), other.with_article()),
        });
        None
    }

    fn text<'v>(&mut self, field: &str, value: Option<Value<'v>>) -> Option<Cow<'v, str>> {
        self.shaped(field, value, Shape::String)?.text()
    }

    /// A text of any length up to the bound, empty included.
    fn bounded_text<'v>(&mut self, field: &str, value: Option<Value<'v>>) -> Option<Cow<'v, str>> {
        let text = self.text(field, value)?;
        if let Err(error) = check_text(&text, TEXT_BYTES_MAX) {
            self.refuse(field, || error.to_string());
        }
        Some(text)
    }

    /// As [`Check::bounded_text`]; an empty text says as little as an absent field, and is read as one.
    fn optional_text(&mut self, field: &str, value: Option<Value<'_>>) -> Option<Box<str>> {
        self.bounded_text(field, value).filter(|text| !text.is_empty()).map(|text| Box::from(&*text))
    }

    fn name(&mut self, field: &str, value: Option<Value<'_>>, names: &mut Names) -> Option<Name> {
        let text = self.text(field, value)?;
        names.take(&text).map_err(|error| self.refuse(field, || error.to_string())).ok()
    }

    /// A word of a closed set; its default when absent.
    fn word<T: Default>(
        &mut self,
        field: &str,
        value: Option<Value<'_>>,
        allowed: &str,
        read: fn(&str) -> Option<T>,
    ) -> Option<T> {
        if value.is_none() {
            return Some(T::default());
        }
        let text = self.text(field, value)?;
        let word = read(&text);
        if word.is_none() {
            self.refuse(field, || format!("must be {allowed}, not {:?}", shown(&text)));
        }
        word
    }

    fn amount(&mut self, value: Option<Value<'_>>, kind: Option<Kind>, usd_max: Usd) -> Option<Usd> {
        let Some(value) = value else {
            return self.missing("amount_usd");
        };
        read_amount(&value, kind, usd_max).map_err(|message| self.refuse("amount_usd", || message)).ok()
    }

    fn usage(&mut self, value: Option<Value<'_>>, names: &mut Names) -> Vec<UsageCount> {
        let Some(value) = self.shaped("usage", value, Shape::Object) else {
            return Vec::new();
        };
        let mut usage = Vec::new();
        let mut count_of_names = 0;
        value.members(|kind, count| {
            count_of_names += 1;
            if count_of_names > USAGE_NAMES_MAX {
                return;
            }
            match (names.take(kind), usage_count(&count)) {
                (Ok(kind), Some(count)) => usage.push(UsageCount { kind, count }),
                (Err(error), _) => self.refuse("usage", || format!("has a name, {:?}, that {error}", shown(kind))),
                (Ok(kind), None) => self.refuse("usage", || {
                    format!("has for {:?} something else than an integer from 0 to {USAGE_COUNT_MAX}", kind.as_str())
                }),
            }
        });
        if count_of_names > USAGE_NAMES_MAX {
            self.refuse("usage", || format!("has {count_of_names} names, but at most {USAGE_NAMES_MAX} are allowed"));
        }
        usage.sort_unstable_by(|left, right| left.kind.cmp(&right.kind));
        usage
    }

    fn duration_seconds(&mut self, value: Option<Value<'_>>) -> Option<f64> {
        let value = self.shaped("duration_seconds", value, Shape::Number)?;
        if sign(value.raw()) == Sign::Negative {
            self.refuse("duration_seconds", || "must not be negative".to_owned());
            return None;
        }
        match value.raw().parse::<f64>() {
            // `-0` is zero, and its sign would make a difference to whoever compares bits.
            Ok(seconds) if seconds.is_finite() => Some(seconds.abs()),
            _ => {
                self.refuse("duration_seconds", || "is out of range".to_owned());
                None
            }
        }
    }

    fn attributes(&mut self, value: Option<Value<'_>>) -> Option<Box<str>> {
        let value = self.shaped("attributes", value, Shape::Object)?;
        let bytes = value.raw().len();
        if bytes > ATTRIBUTES_BYTES_MAX {
            let message = || format!("has {bytes} bytes of JSON, but at most {ATTRIBUTES_BYTES_MAX} are allowed");
            self.refuse("attributes", message);
            return None;
        }
        if !value.numbers_are_finite() {
            // Kept to the letter, it would later be refused by most readers of the ledger, this program's included.
            self.refuse("attributes", || "has a number that is out of range".to_owned());
            return None;
        }
        Some(value.raw().into())
    }
}

/// A JSON integer within the range; `1.0`, `1e3` and `"5"` are none.
fn usage_count(value: &Value<'_>) -> Option<u64> {
    let is_number = value.shape() == Shape::Number;
    let digits = if value.raw() == "-0" { "0" } else { value.raw() };
    digits.parse().ok().filter(|count| is_number && *count <= USAGE_COUNT_MAX)
}

/// A length of time in the largest unit that divides it.
fn in_words(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    for (unit_seconds, unit) in [(86_400, "days"), (3_600, "hours"), (60, "minutes")] {
        if seconds != 0 && seconds % unit_seconds == 0 {
            return format!("{} {unit}", seconds / unit_seconds);
        }
    }
    format!("{seconds} seconds")
}
