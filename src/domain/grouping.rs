//! Questions about cost: what it can be grouped by and narrowed down to.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

use super::Usd;

/// Something that every event has or lacks, and that cost can be grouped by and narrowed down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Every dimension.
    pub const ALL: [Self; 6] = [Self::Service, Self::Operation, Self::Worker, Self::Batch, Self::Lead, Self::Model];

    /// The word used in queries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Operation => "operation",
            Self::Worker => "worker",
            Self::Batch => "batch",
            Self::Lead => "lead",
            Self::Model => "model",
        }
    }

    /// Whether rollups tell its values apart; only events know the others.
    pub const fn is_in_rollups(self) -> bool {
        matches!(self, Self::Service | Self::Operation)
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.as_str() == word)
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
    /// Stands between two values. No value has a control character, so keys are ordered as their values are.
    pub const SEPARATOR: char = '\0';

    /// The key whose values, joined by the separator, are this text.
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
            joined.push_str(value);
        }
    }

    /// The values, outermost first.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.split(Self::SEPARATOR)
    }

    /// The only value of a key with one, else all values joined by the separator.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for GroupKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}
