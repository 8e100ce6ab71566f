//! The rules that need no ledger, one function for each kind of field (`docs/reference.md`).
//!
//! *Invariants.* Every broken rule is noted, not only the first. What comes out of a check that noted none is valid.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::amount::{Sign, read_amount, read_estimate, sign};
use super::limits::{AGE_MAX, Limits, REASON_BYTES_MAX, TEXT_BYTES_MAX};
use super::names::Names;
use super::raw::{Field, RawNumber, RawText, RawTime, Shape};
use super::reason::{Invalid, Reason, near_name, shown};
use super::time::read_time;
use crate::domain::{Kind, Name, NameError, OPERATION_DEFAULT, Outcome, REVISION_MAX, Usd, check_text, check_visible};

/// The broken rules of one record, as they are found.
#[derive(Debug)]
pub(super) struct Check {
    reasons: Vec<Reason>,
    reasons_max: usize,
    is_broken: bool,
    /// Names stand on record elsewhere, perhaps since before they had to be visible.
    names_are_recorded: bool,
}

impl Check {
    /// Nothing is broken so far; `reasons_max` broken rules are put in words.
    pub(super) const fn new(reasons_max: usize) -> Self {
        Self { reasons: Vec::new(), reasons_max, is_broken: false, names_are_recorded: false }
    }

    /// For what another ledger recorded: its names are as they are.
    pub(super) fn of_recorded(self) -> Self {
        Self { names_are_recorded: true, ..self }
    }

    /// What was made, if no rule was broken. Without one, everything could be made.
    pub(super) fn finish<T>(self, made: Option<T>, id: &RawText<'_>) -> Result<T, Invalid> {
        match made {
            Some(made) if !self.is_broken => Ok(made),
            _ => {
                let id = if let Field::Given(id) = id { Some(shown(id)) } else { None };
                Err(Invalid { id, reasons: self.reasons })
            }
        }
    }

    /// Notes a broken rule; `message` goes on after the field's name, and is only made when there is room for it.
    pub(super) fn refuse(&mut self, field: &str, message: impl FnOnce() -> String) {
        self.note(field, || format!("{field} {}", message()));
    }

    fn note(&mut self, field: &str, detail: impl FnOnce() -> String) {
        self.is_broken = true;
        if self.reasons.len() < self.reasons_max {
            self.reasons.push(Reason { field: shown(field), detail: detail() });
        }
    }

    /// Refuses each of these names; `what` has only the `known` ones.
    pub(super) fn unknown(&mut self, names: &[Cow<'_, str>], what: &str, known: &[&'static str]) {
        for name in names {
            self.note(name, || match near_name(name, known) {
                Some(near) => format!("{:?} is not a field of {what}; did you mean {near:?}?", shown(name)),
                None => format!("{:?} is not a field of {what}", shown(name)),
            });
        }
    }

    /// The value of a field that need not be there.
    pub(super) fn optional<'v, T>(&mut self, field: &str, value: &'v Field<T>, expected: &str) -> Option<&'v T> {
        match value {
            Field::Given(value) => Some(value),
            Field::Absent => None,
            Field::Misshapen(shape) => {
                let hint = if *shape == Shape::Null { "; leave the field out instead" } else { "" };
                self.refuse(field, || format!("must be {expected}, not {}{hint}", shape.with_article()));
                None
            }
        }
    }

    /// The value of a field that must be there.
    pub(super) fn required<'v, T>(&mut self, field: &str, value: &'v Field<T>, expected: &str) -> Option<&'v T> {
        match value {
            Field::Given(value) => return Some(value),
            Field::Absent => self.refuse(field, || "is required".to_owned()),
            Field::Misshapen(shape) => {
                self.refuse(field, || format!("must be {expected}, not {}", shape.with_article()));
            }
        }
        None
    }

    // --- texts ---

    pub(super) fn text<'v>(&mut self, field: &str, value: &'v RawText<'_>) -> Option<&'v str> {
        self.optional(field, value, "a string").map(|text| &**text)
    }

    /// A text of any length up to the bound, empty included.
    pub(super) fn bounded_text<'v>(&mut self, field: &str, value: &'v RawText<'_>) -> Option<&'v str> {
        let text = self.text(field, value)?;
        if let Err(error) = check_text(text, TEXT_BYTES_MAX) {
            self.refuse(field, || error.to_string());
        }
        Some(text)
    }

    /// As [`Check::bounded_text`]; an empty text says as little as an absent field, and is read as one.
    pub(super) fn optional_text(&mut self, field: &str, value: &RawText<'_>) -> Option<Box<str>> {
        self.bounded_text(field, value).filter(|text| !text.is_empty()).map(Box::from)
    }

    /// As [`Check::optional_text`], for the name of something: all of it can be seen.
    pub(super) fn optional_name(&mut self, field: &str, value: &RawText<'_>) -> Option<Box<str>> {
        let text = self.text(field, value).filter(|text| !text.is_empty())?;
        if let Err(error) = check_text(text, TEXT_BYTES_MAX).and_then(|()| self.check_visible(text)) {
            self.refuse(field, || error.to_string());
        }
        Some(Box::from(text))
    }

    /// An id that the sender made, in the body or as the key of the request; `None` when there is none.
    pub(super) fn id<'v>(&mut self, value: &'v RawText<'_>, key: &'v RawText<'_>) -> Option<&'v str> {
        let id = self.bounded_text("id", value);
        if id == Some("") {
            self.refuse("id", || "must not be empty; leave it out to have one made".to_owned());
        }
        if !key.is_present() {
            return id;
        }
        let key = self.bounded_text("Idempotency-Key", key);
        if key == Some("") {
            self.refuse("Idempotency-Key", || "must not be empty".to_owned());
        }
        if let (Some(id), Some(key)) = (id, key)
            && id != key
        {
            self.refuse("id", || format!("differs from the header Idempotency-Key, {:?}; send one of them", shown(key)));
        }
        id.or(key)
    }

    /// A sentence that an operator or a worker gives as its reason.
    pub(super) fn reason(&mut self, text: &str) -> Box<str> {
        if text.is_empty() {
            self.refuse("reason", || "must not be empty".to_owned());
        }
        if let Err(error) = check_text(text, REASON_BYTES_MAX) {
            self.refuse("reason", || error.to_string());
        }
        Box::from(text)
    }

    pub(super) fn service(&mut self, value: &RawText<'_>, names: &mut Names) -> Option<Name> {
        let text = self.required("service", value, "a string")?;
        self.name("service", text, names)
    }

    pub(super) fn operation(&mut self, value: &RawText<'_>, names: &mut Names) -> Option<Name> {
        match value {
            Field::Absent => names.take(OPERATION_DEFAULT).ok(),
            Field::Given(_) | Field::Misshapen(_) => {
                let text = self.text("operation", value)?;
                self.name("operation", text, names)
            }
        }
    }

    fn check_visible(&self, name: &str) -> Result<(), NameError> {
        if self.names_are_recorded { Ok(()) } else { check_visible(name) }
    }

    fn name(&mut self, field: &str, text: &str, names: &mut Names) -> Option<Name> {
        let name = names.take(text).and_then(|name| self.check_visible(text).map(|()| name));
        name.map_err(|error| self.refuse(field, || error.to_string())).ok()
    }

    pub(super) fn kind(&mut self, value: &RawText<'_>) -> Option<Kind> {
        self.word("kind", value, "\"charge\" or \"credit\"")
    }

    pub(super) fn outcome(&mut self, value: &RawText<'_>) -> Option<Outcome> {
        self.word("outcome", value, "\"ok\" or \"error\"")
    }

    /// A word of a closed set; its default when absent.
    fn word<T: Default + FromStr>(&mut self, field: &str, value: &RawText<'_>, allowed: &str) -> Option<T> {
        if !value.is_present() {
            return Some(T::default());
        }
        let text = self.text(field, value)?;
        self.one_of(field, text, allowed)
    }

    /// A word of a closed set.
    pub(super) fn one_of<T: FromStr>(&mut self, field: &str, text: &str, allowed: &str) -> Option<T> {
        let word = text.parse().ok();
        if word.is_none() {
            self.refuse(field, || format!("must be {allowed}, not {:?}", shown(text)));
        }
        word
    }

    // --- numbers and times ---

    pub(super) fn amount(&mut self, value: &RawNumber<'_>, kind: Option<Kind>, usd_max: Usd) -> Option<Usd> {
        let digits = self.required("amount_usd", value, "a number or a numeric string")?;
        read_amount(digits, kind, usd_max).map_err(|message| self.refuse("amount_usd", || message)).ok()
    }

    /// What something is thought to cost.
    pub(super) fn estimate(&mut self, field: &str, value: &RawNumber<'_>, usd_max: Usd) -> Option<Usd> {
        let digits = self.required(field, value, "a number or a numeric string")?;
        read_estimate(digits, usd_max).map_err(|message| self.refuse(field, || message)).ok()
    }

    /// An integer within bounds; `1.0` and `1e3` are none.
    pub(super) fn integer(&mut self, field: &str, digits: &str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let number = digits.parse().ok().filter(|number| bounds.contains(number));
        if number.is_none() {
            let (min, max) = (bounds.start(), bounds.end());
            self.refuse(field, || format!("must be an integer from {min} to {max}"));
        }
        number
    }

    /// Which telling of an event this is; 0 when it does not say.
    pub(super) fn revision(&mut self, value: &RawNumber<'_>) -> Option<u32> {
        match self.optional("revision", value, "a number") {
            Some(digits) => self.integer("revision", digits, 0..=REVISION_MAX),
            None => Some(0),
        }
    }

    pub(super) fn duration_seconds(&mut self, value: &RawNumber<'_>) -> Option<f64> {
        let digits = self.optional("duration_seconds", value, "a number")?;
        if sign(digits) == Sign::Negative {
            self.refuse("duration_seconds", || "must not be negative".to_owned());
            return None;
        }
        match digits.parse::<f64>() {
            // `-0` is zero, and its sign would make a difference to whoever compares bits.
            Ok(seconds) if seconds.is_finite() => Some(seconds.abs()),
            _ => {
                self.refuse("duration_seconds", || "is out of range".to_owned());
                None
            }
        }
    }

    /// A time within the window; when it was received, if there is none. Outside the window an id might be forgotten before its
    /// retry comes. How old it may be depends on its kind.
    pub(super) fn time(
        &mut self,
        value: &Field<RawTime<'_>>,
        received_at: Timestamp,
        kind: Option<Kind>,
        limits: &Limits,
    ) -> Option<Timestamp> {
        if !value.is_present() {
            return Some(received_at);
        }
        let time = match self.optional("time", value, "a string")? {
            RawTime::At(time) => *time,
            RawTime::Text(text) => read_time(text).map_err(|error| self.refuse("time", || error.to_string())).ok()?,
        };
        let age = received_at.duration_since(time);
        let (age_max, ahead_max) = (limits.age_max_of(kind.unwrap_or_default()), limits.ahead_max);
        if age > age_max {
            self.refuse("time", || format!("is more than {} old", in_words(age_max)));
        } else if age < -ahead_max {
            let ahead_max = in_words(ahead_max);
            self.refuse("time", || format!("is more than {ahead_max} ahead of the agent's clock ({received_at})"));
        }
        Some(time)
    }

    /// When another ledger recorded an event: at any time but the future.
    pub(super) fn recorded_at(
        &mut self,
        value: &Field<RawTime<'_>>,
        received_at: Timestamp,
        limits: &Limits,
    ) -> Option<Timestamp> {
        let time = match self.optional("recorded_at", value, "a string")? {
            RawTime::At(time) => *time,
            RawTime::Text(text) => read_time(text).map_err(|error| self.refuse("recorded_at", || error.to_string())).ok()?,
        };
        let age = received_at.duration_since(time);
        if age < -limits.ahead_max || age > AGE_MAX {
            self.refuse("recorded_at", || "is in the future, or more than 100 years ago".to_owned());
        }
        Some(time)
    }
}

/// A length of time in the largest unit that divides it.
fn in_words(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    for (unit_seconds, unit) in [(86_400, "days"), (3_600, "hours"), (60, "minutes")] {
        if seconds != 0 && seconds % unit_seconds == 0 {
            let count = seconds / unit_seconds;
            return format!("{count} {}", if count == 1 { unit.trim_end_matches('s') } else { unit });
        }
    }
    format!("{seconds} seconds")
}
