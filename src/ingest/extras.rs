//! The rules of what an event carries besides its cost: quantities and attributes.

use super::check::Check;
use super::limits::{ATTRIBUTES_BYTES_MAX, USAGE_COUNT_END, USAGE_NAMES_MAX};
use super::names::Names;
use super::raw::{Field, RawJson, RawNumber, RawUsage, Shape};
use super::reason::shown;
use crate::domain::{ParseQuantityError, Quantity, UsageCount};

impl Check {
    /// Quantities, ordered by kind.
    pub(super) fn usage(&mut self, value: &Field<RawUsage<'_>>, names: &mut Names) -> Vec<UsageCount> {
        self.counts("usage", value, names)
    }

    /// Quantities in some field, ordered by kind.
    pub(super) fn counts(&mut self, field: &str, value: &Field<RawUsage<'_>>, names: &mut Names) -> Vec<UsageCount> {
        let Some(counts) = self.optional(field, value, "an object") else {
            return Vec::new();
        };
        let mut usage = Vec::with_capacity(counts.len().min(USAGE_NAMES_MAX));
        for (kind, count) in counts.iter().take(USAGE_NAMES_MAX) {
            match (names.take(kind), usage_count(count)) {
                (Ok(kind), Ok(count)) => usage.push(UsageCount { kind, count }),
                (Err(error), _) => self.refuse(field, || format!("name {:?} {error}", shown(kind))),
                (Ok(kind), Err(why)) => self.refuse(field, || why.of(kind.as_str())),
            }
        }
        if counts.len() > USAGE_NAMES_MAX {
            self.refuse(field, || format!("has more than {USAGE_NAMES_MAX} names"));
        }
        usage.sort_unstable_by(|left, right| left.kind.cmp(&right.kind));
        usage
    }

    pub(super) fn attributes(&mut self, value: &Field<RawJson<'_>>) -> Option<Box<str>> {
        let attributes = self.optional("attributes", value, "an object")?;
        let bytes = attributes.text.len();
        if bytes > ATTRIBUTES_BYTES_MAX {
            self.refuse("attributes", || format!("is {bytes} bytes of JSON; the limit is {ATTRIBUTES_BYTES_MAX}"));
            return None;
        }
        if !attributes.numbers_are_finite {
            // Kept to the letter, it would later be refused by most readers of the ledger, this program's included.
            self.refuse("attributes", || "contains a number that is out of range".to_owned());
            return None;
        }
        Some(Box::from(&*attributes.text))
    }
}

/// Why a member of `usage` is no quantity.
enum WrongCount {
    Shape(Shape),
    Number(ParseQuantityError),
}

fn usage_count(value: &RawNumber<'_>) -> Result<Quantity, WrongCount> {
    match value {
        Field::Given(digits) => match Quantity::parse(digits) {
            Ok(count) if count < USAGE_COUNT_END => Ok(count),
            Ok(_) => Err(WrongCount::Number(ParseQuantityError::OutOfRange)),
            Err(error) => Err(WrongCount::Number(error)),
        },
        Field::Misshapen(shape) => Err(WrongCount::Shape(*shape)),
        Field::Absent => Err(WrongCount::Shape(Shape::Null)),
    }
}

impl WrongCount {
    /// In words, for what is called so in `usage`.
    fn of(self, kind: &str) -> String {
        match self {
            Self::Number(ParseQuantityError::OutOfRange) => format!("{kind:?} must be below {USAGE_COUNT_END}"),
            Self::Number(error) => format!("{kind:?} {error}"),
            // As providers nest their details.
            Self::Shape(Shape::Object) => {
                format!(
                    "{kind:?} must be a number, not an object; flatten it: \"{kind}_NAME\":1 in place of \"{kind}\":{{\"NAME\":1}}"
                )
            }
            Self::Shape(shape) => format!("{kind:?} must be a number, not {}", shape.with_article()),
        }
    }
}
