//! Questions about cost: what it can be grouped by and narrowed down to.
//!
//! *Limits.* [`BY_MAX`] dimensions in a question, [`ATTRIBUTE_NAME_BYTES_MAX`] in the name of an attribute.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::Date;

use super::Usd;

/// Dimensions that one question may group by.
pub const BY_MAX: usize = 3;
/// Longest name of an attribute to group by, in bytes of UTF-8.
pub const ATTRIBUTE_NAME_BYTES_MAX: usize = 200;

/// Something that every event has or lacks, and that cost can be grouped by and (but for attributes) narrowed down to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
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
    /// What the event's attributes say under this name; see [`attribute_text`](super::attribute_text).
    Attribute(Arc<str>),
}

/// Narrows cost down to what has this value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Of which dimension.
    pub dimension: Dimension,
    /// The value; empty for what has none.
    pub value: Box<str>,
}

/// A question about what was spent in some days.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CostQuestion {
    /// Group by these, outermost first.
    pub by: Vec<Dimension>,
    /// Only cost that has all of these.
    pub filters: Vec<Filter>,
    /// First day.
    pub first: Date,
    /// Last day, included.
    pub last: Date,
    /// One set of groups a day, or one for all days.
    pub by_day: bool,
}

/// Sums by what they have in common.
pub type Groups = BTreeMap<GroupKey, Usd>;
/// The groups of each day with cost, or under the first day those of all days.
pub type GroupsByDay = BTreeMap<Date, Groups>;

/// The values of a grouping's dimensions, outermost first, that some cost has in common. Empty where events have none.
///
/// Ordered as the values are, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(Box<str>);

impl Dimension {
    /// Every dimension that is a field of an event.
    pub const FIELDS: [Self; 6] = [Self::Service, Self::Operation, Self::Worker, Self::Batch, Self::Lead, Self::Model];
    /// What stands before the name of an attribute.
    const ATTRIBUTE_PREFIX: &'static str = "attributes.";

    /// The word used in queries; of an attribute the one before its name.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Operation => "operation",
            Self::Worker => "worker",
            Self::Batch => "batch",
            Self::Lead => "lead",
            Self::Model => "model",
            Self::Attribute(_) => "attributes",
        }
    }

    /// Whether rollups tell its values apart; only events know the others.
    pub const fn is_in_rollups(&self) -> bool {
        matches!(self, Self::Service | Self::Operation)
    }

    /// Reads the word of a field, or `attributes.` and a name of 1 to [`ATTRIBUTE_NAME_BYTES_MAX`] bytes.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix(Self::ATTRIBUTE_PREFIX) {
            Some(name) => (1..=ATTRIBUTE_NAME_BYTES_MAX).contains(&name.len()).then(|| Self::Attribute(name.into())),
            None => Self::FIELDS.into_iter().find(|dimension| dimension.word() == text),
        }
    }
}

impl CostQuestion {
    /// The days that are asked about, in order.
    pub fn days(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.last;
        self.first.series(1.day()).take_while(move |day| *day <= last)
    }

    /// The day under which a day's cost is shown.
    pub fn group(&self, day: Date) -> Date {
        if self.by_day { day } else { self.first }
    }
}

impl GroupKey {
    /// Stands between two values.
    pub const SEPARATOR: char = '\0';
    /// Stands before [`GroupKey::NUL`] or [`GroupKey::ESCAPED`] in place of a separator or an escape within a value. Both pairs are
    /// greater than the separator and smaller than every other character, so keys are ordered as their values are.
    const ESCAPE: char = '\u{1}';
    const NUL: char = '\u{1}';
    const ESCAPED: char = '\u{2}';

    /// The key whose values, as [`GroupKey::join`] writes them, are this text.
    pub fn from_joined(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The key of some values.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v str>) -> Self {
        let mut joined = String::new();
        Self::join(&mut joined, values);
        Self(joined.into())
    }

    /// Writes values with the separator between them.
    pub fn join<'v>(joined: &mut String, values: impl IntoIterator<Item = &'v str>) {
        for (place, value) in values.into_iter().enumerate() {
            if place > 0 {
                joined.push(Self::SEPARATOR);
            }
            joined.push_str(&Self::escape(value));
        }
    }

    /// A value as it stands in a key. Only an attribute's has characters that are to be escaped.
    pub fn escape(value: &str) -> Cow<'_, str> {
        if !value.contains([Self::SEPARATOR, Self::ESCAPE]) {
            return Cow::Borrowed(value);
        }
        let mut escaped = String::with_capacity(value.len() + 8);
        for char in value.chars() {
            match char {
                Self::SEPARATOR => escaped.extend([Self::ESCAPE, Self::NUL]),
                Self::ESCAPE => escaped.extend([Self::ESCAPE, Self::ESCAPED]),
                other => escaped.push(other),
            }
        }
        Cow::Owned(escaped)
    }

    /// The value that stands in a key as this text.
    pub fn unescape(text: &str) -> Cow<'_, str> {
        if !text.contains(Self::ESCAPE) {
            return Cow::Borrowed(text);
        }
        let mut value = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            value.push(match char {
                Self::ESCAPE if chars.next() == Some(Self::NUL) => Self::SEPARATOR,
                other => other,
            });
        }
        Cow::Owned(value)
    }

    /// The values, outermost first.
    pub fn values(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.0.split(Self::SEPARATOR).map(Self::unescape)
    }

    /// All values as they stand in the key, with the separator between them.
    pub fn as_joined(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for GroupKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::collection::vec(prop::sample::select(vec!['\0', '\u{1}', '\u{2}', '\n', 'a']), 0..6)
                .prop_map(|chars| chars.into_iter().collect()),
            any::<String>()
        ]
    }

    proptest! {
        #[test]
        fn any_values_come_back_and_keys_are_ordered_as_their_values(
            left in prop::collection::vec(any_value(), 3),
            right in prop::collection::vec(any_value(), 3),
        ) {
            let key = |values: &[String]| GroupKey::of(values.iter().map(String::as_str));
            let (left_key, right_key) = (key(&left), key(&right));
            prop_assert_eq!(left_key.values().collect::<Vec<_>>(), left.clone());
            prop_assert_eq!(left_key.cmp(&right_key), left.cmp(&right));
        }
    }

    #[test]
    fn words_are_read_strictly() {
        for dimension in Dimension::FIELDS {
            assert_eq!(Dimension::parse(dimension.word()), Some(dimension));
        }
        let attribute = |name: &str| Some(Dimension::Attribute(name.into()));
        assert_eq!(Dimension::parse("attributes.team"), attribute("team"));
        assert_eq!(Dimension::parse("attributes.a.b, \0\"é"), attribute("a.b, \0\"é"));
        assert_eq!(Dimension::parse(&format!("attributes.{}", "é".repeat(100))), attribute(&"é".repeat(100)));
        let long = format!("attributes.{}", "x".repeat(201));
        for text in ["", "Service", "service ", "attributes", "attributes.", "attribute.x", &long] {
            assert_eq!(Dimension::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_question_is_about_its_days_to_the_last_one() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let question = |last: &str, by_day| CostQuestion {
            by: vec![],
            filters: vec![],
            first: date("2026-02-27"),
            last: date(last),
            by_day,
        };
        let days: Vec<_> = question("2026-03-01", true).days().collect();
        assert_eq!(days, ["2026-02-27", "2026-02-28", "2026-03-01"].map(date));
        assert_eq!(question("2026-02-27", true).days().count(), 1);
        assert_eq!(question("2026-02-26", true).days().count(), 0);
        assert_eq!(question("2026-03-01", true).group(days[2]), days[2]);
        assert_eq!(question("2026-03-01", false).group(days[2]), days[0]);
    }

    #[test]
    fn rollups_tell_services_and_operations_apart_and_nothing_else() {
        let in_rollups: Vec<_> = Dimension::FIELDS.iter().filter(|dimension| dimension.is_in_rollups()).collect();
        assert_eq!(in_rollups, [&Dimension::Service, &Dimension::Operation]);
        assert!(!Dimension::Attribute("a".into()).is_in_rollups());
        assert_eq!(Dimension::Attribute("a".into()).word(), "attributes");
    }

    #[test]
    fn a_key_is_found_by_its_joined_values() {
        let key = GroupKey::of(["a", "", "b\0c"]);
        assert_eq!(key.as_joined(), "a\0\0b\u{1}\u{1}c");
        assert_eq!(GroupKey::from_joined(key.as_joined()), key);
        assert_eq!(BTreeMap::from([(key.clone(), 7)]).get(key.as_joined()), Some(&7));
    }
}
