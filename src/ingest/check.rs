//! The rules of contract section 2 that need no ledger, one function for each kind of field.
//!
//! *Invariants.* Every problem is noted, not only the first. What comes out of a check that noted none is valid.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};

use super::Limits;
use super::amount::{Sign, read_amount, read_estimate, sign};
use super::fields::near_name;
use super::json::{Shape, Value};
use super::names::Names;
use super::problem::{Problems, shown};
use super::time::read_time;
use crate::domain::{Kind, Name, Outcome, UsageCount, Usd, check_text};

/// Longest id, source, worker, batch, lead, model and actor, in bytes.
pub const TEXT_BYTES_MAX: usize = 200;
/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 500;
/// Names that `usage` may have.
pub const USAGE_NAMES_MAX: usize = 16;
/// Largest count: beyond it, JSON readers that use doubles see another number.
pub const USAGE_COUNT_MAX: u64 = (1 << 53) - 1;
/// Longest `attributes`, in bytes of the JSON text as it was sent.
pub const ATTRIBUTES_BYTES_MAX: usize = 4_096;

/// The operation of what names none.
pub const OPERATION_DEFAULT: &str = "unknown";

/// The object that is being checked, and where its problems go.
pub(super) struct Check<'c, 'a> {
    /// Its place among the request's.
    pub(super) index: usize,
    /// Its id, for whoever reads the problems.
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) problems: &'c mut Problems,
}

impl Check<'_, '_> {
    pub(super) fn refuse(&mut self, field: &str, message: impl FnOnce() -> String) {
        self.problems.add(self.index, self.id.as_deref(), Some(field), || format!("{field} {}", message()));
    }

    pub(super) fn missing<T>(&mut self, field: &str) -> Option<T> {
        self.refuse(field, || "is required".to_owned());
        None
    }

    /// Refuses each of these names; `what` has only the `known` ones.
    pub(super) fn unknown(&mut self, names: &[Cow<'_, str>], what: &str, known: &[&'static str]) {
        for name in names {
            self.problems.add(self.index, self.id.as_deref(), Some(name), || match near_name(name, known) {
                Some(near) => format!("{:?} is not a field of {what}; did you mean {near:?}?", shown(name)),
                None => format!("{:?} is not a field of {what}", shown(name)),
            });
        }
    }

    /// An id that the sender made; `None` when there is none.
    pub(super) fn id<'v>(&mut self, value: Option<Value<'v>>) -> Option<Cow<'v, str>> {
        let id = self.bounded_text("id", value);
        if id.as_deref() == Some("") {
            self.refuse("id", || "must not be empty; leave it out to get one".to_owned());
        }
        id
    }

    pub(super) fn service(&mut self, value: Option<Value<'_>>, names: &mut Names) -> Option<Name> {
        match value {
            Some(_) => self.name("service", value, names),
            None => self.missing("service"),
        }
    }

    pub(super) fn operation(&mut self, value: Option<Value<'_>>, names: &mut Names) -> Option<Name> {
        match value {
            Some(_) => self.name("operation", value, names),
            None => names.take(OPERATION_DEFAULT).ok(),
        }
    }

    /// A time within the window; when it was received, if there is none. Outside the window an id might be forgotten before its
    /// retry comes.
    pub(super) fn time(&mut self, value: Option<Value<'_>>, received_at: Timestamp, limits: &Limits) -> Option<Timestamp> {
        if value.is_none() {
            return Some(received_at);
        }
        let text = self.text("time", value)?;
        let time = read_time(&text).map_err(|error| self.refuse("time", || error.to_string())).ok()?;
        let age = received_at.duration_since(time);
        let (age_max, ahead_max) = (limits.age_max, limits.ahead_max);
        if age > age_max {
            self.refuse("time", || format!("is more than {} old", in_words(age_max)));
        } else if age < -ahead_max {
            let ahead_max = in_words(ahead_max);
            self.refuse("time", || format!("is more than {ahead_max} ahead of this agent's clock, {received_at}"));
        }
        Some(time)
    }

    /// The value when it is there and has the shape.
    pub(super) fn shaped<'v>(&mut self, field: &str, value: Option<Value<'v>>, shape: Shape) -> Option<Value<'v>> {
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

    pub(super) fn text<'v>(&mut self, field: &str, value: Option<Value<'v>>) -> Option<Cow<'v, str>> {
        self.shaped(field, value, Shape::String)?.text()
    }

    /// A text of any length up to the bound, empty included.
    pub(super) fn bounded_text<'v>(&mut self, field: &str, value: Option<Value<'v>>) -> Option<Cow<'v, str>> {
        let text = self.text(field, value)?;
        if let Err(error) = check_text(&text, TEXT_BYTES_MAX) {
            self.refuse(field, || error.to_string());
        }
        Some(text)
    }

    /// As [`Check::bounded_text`]; an empty text says as little as an absent field, and is read as one.
    pub(super) fn optional_text(&mut self, field: &str, value: Option<Value<'_>>) -> Option<Box<str>> {
        self.bounded_text(field, value).filter(|text| !text.is_empty()).map(|text| Box::from(&*text))
    }

    pub(super) fn name(&mut self, field: &str, value: Option<Value<'_>>, names: &mut Names) -> Option<Name> {
        let text = self.text(field, value)?;
        names.take(&text).map_err(|error| self.refuse(field, || error.to_string())).ok()
    }

    /// A word of a closed set; its default when absent.
    pub(super) fn word<T: Default>(
        &mut self,
        field: &str,
        value: Option<Value<'_>>,
        allowed: &str,
        read: fn(&str) -> Option<T>,
    ) -> Option<T> {
        if value.is_none() { Some(T::default()) } else { self.one_of(field, value, allowed, read) }
    }

    /// A word of a closed set.
    pub(super) fn one_of<T>(
        &mut self,
        field: &str,
        value: Option<Value<'_>>,
        allowed: &str,
        read: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(field, value)?;
        let word = read(&text);
        if word.is_none() {
            self.refuse(field, || format!("must be {allowed}, not {:?}", shown(&text)));
        }
        word
    }

    pub(super) fn amount(&mut self, value: Option<Value<'_>>, kind: Option<Kind>, usd_max: Usd) -> Option<Usd> {
        let Some(value) = value else {
            return self.missing("amount_usd");
        };
        read_amount(&value, kind, usd_max).map_err(|message| self.refuse("amount_usd", || message)).ok()
    }

    /// What something is thought to cost.
    pub(super) fn estimate(&mut self, field: &str, value: Option<Value<'_>>, usd_max: Usd) -> Option<Usd> {
        let Some(value) = value else {
            return self.missing(field);
        };
        read_estimate(&value, usd_max).map_err(|message| self.refuse(field, || message)).ok()
    }

    /// A JSON integer within bounds; `1.0`, `1e3` and `"5"` are none.
    pub(super) fn whole_number(
        &mut self,
        field: &str,
        value: Option<Value<'_>>,
        bounds: RangeInclusive<u32>,
    ) -> Option<u32> {
        let value = self.shaped(field, value, Shape::Number)?;
        let number = value.raw().parse().ok().filter(|number| bounds.contains(number));
        if number.is_none() {
            let (min, max) = (bounds.start(), bounds.end());
            self.refuse(field, || format!("must be a whole number from {min} to {max}"));
        }
        number
    }

    /// A sentence that an operator or a worker gives as its reason.
    pub(super) fn reason(&mut self, value: Option<Value<'_>>) -> Option<Box<str>> {
        let text = self.text("reason", value)?;
        if text.is_empty() {
            self.refuse("reason", || "must not be empty".to_owned());
        }
        if let Err(error) = check_text(&text, REASON_BYTES_MAX) {
            self.refuse("reason", || error.to_string());
        }
        Some(Box::from(&*text))
    }

    pub(super) fn outcome(&mut self, value: Option<Value<'_>>) -> Option<Outcome> {
        self.word("outcome", value, "\"ok\" or \"error\"", Outcome::from_word)
    }

    pub(super) fn usage(&mut self, value: Option<Value<'_>>, names: &mut Names) -> Vec<UsageCount> {
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

    pub(super) fn duration_seconds(&mut self, value: Option<Value<'_>>) -> Option<f64> {
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

    pub(super) fn attributes(&mut self, value: Option<Value<'_>>) -> Option<Box<str>> {
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
