//! The rules of what an event carries besides its cost: quantities and attributes.

use super::check::Check;
use super::limits::{ATTRIBUTES_BYTES_MAX, USAGE_COUNT_MAX, USAGE_NAMES_MAX};
use super::names::Names;
use super::raw::{Field, RawJson, RawNumber, RawUsage};
use super::reason::shown;
use crate::domain::UsageCount;

impl Check {
    /// Quantities, ordered by kind.
    pub(super) fn usage(&mut self, value: &Field<RawUsage<'_>>, names: &mut Names) -> Vec<UsageCount> {
        let Some(counts) = self.optional("usage", value, "an object") else {
            return Vec::new();
        };
        let mut usage = Vec::with_capacity(counts.len().min(USAGE_NAMES_MAX));
        for (kind, count) in counts.iter().take(USAGE_NAMES_MAX) {
            match (names.take(kind), usage_count(count)) {
                (Ok(kind), Some(count)) => usage.push(UsageCount { kind, count }),
                (Err(error), _) => self.refuse("usage", || format!("name {:?} {error}", shown(kind))),
                (Ok(kind), None) => {
                    self.refuse("usage", || format!("{:?} must be an integer from 0 to {USAGE_COUNT_MAX}", kind.as_str()));
                }
            }
        }
        if counts.len() > USAGE_NAMES_MAX {
            self.refuse("usage", || format!("has more than {USAGE_NAMES_MAX} names"));
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

/// An integer within the range; `1.0` and `1e3` are none.
fn usage_count(value: &RawNumber<'_>) -> Option<u64> {
    let Field::Given(digits) = value else { return None };
    let digits = if digits == "-0" { "0" } else { digits };
    digits.parse().ok().filter(|count| *count <= USAGE_COUNT_MAX)
}
