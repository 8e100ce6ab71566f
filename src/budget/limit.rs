//! What a budget counts in, and how much of it.
//!
//! *Invariants.* Every amount of a budget is an integer of the smallest parts of its unit: pico-dollars, or millionths of what is counted.
//! So one rule decides about money and about tokens.
//!
//! *Limits.* [`UNITS_MAX`] units in a budget.

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use crate::domain::{CostEvent, Entry, Name, Quantity, UsageCount, Usd};

/// Things that one budget may limit the usage of.
pub const UNITS_MAX: usize = 8;

/// Amounts of a budget, one for each of its units, in their order. Nearly all budgets have one.
pub type Amounts = SmallVec<[i128; 1]>;

/// What a budget counts in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Money, in pico-dollars.
    Usd,
    /// Usage of this kind, in millionths.
    Usage(Name),
}

/// What may be spent in one period; zero or more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So much money.
    Usd(Usd),
    /// So much usage, ordered by kind, each kind once: 1 to [`UNITS_MAX`]. The first that is used up is the limit.
    Usage(Vec<UsageCount>),
}

/// So much of a unit; below zero once a limit is passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Of what.
    pub unit: Unit,
    /// How many of its smallest parts.
    pub parts: i128,
}

impl Unit {
    /// The word for what is counted: `usd`, or the name of the usage.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Usd => "USD",
            Self::Usage(kind) => kind.as_str(),
        }
    }
}

impl Limit {
    /// What is counted.
    pub fn units(&self) -> impl Iterator<Item = Unit> + '_ {
        let (usd, usage) = match self {
            Self::Usd(_) => (Some(Unit::Usd), [].as_slice()),
            Self::Usage(counts) => (None, counts.as_slice()),
        };
        usd.into_iter().chain(usage.iter().map(|count| Unit::Usage(count.kind.clone())))
    }

    /// The limit of each unit.
    pub fn amounts(&self) -> Amounts {
        match self {
            Self::Usd(usd) => SmallVec::from_buf([usd.pico()]),
            Self::Usage(counts) => counts.iter().map(|count| parts(count.count)).collect(),
        }
    }

    /// The money, if that is what is limited.
    pub const fn usd(&self) -> Option<Usd> {
        match self {
            Self::Usd(usd) => Some(*usd),
            Self::Usage(_) => None,
        }
    }

    /// Whether both count the same, however much of it.
    pub fn has_units_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Usd(_), Self::Usd(_)) => true,
            (Self::Usage(one), Self::Usage(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.kind == other.kind)
            }
            _ => false,
        }
    }

    /// What so much money and usage is in its units.
    pub fn measure(&self, usd: Usd, usage: &[UsageCount]) -> Amounts {
        match self {
            Self::Usd(_) => SmallVec::from_buf([usd.pico()]),
            Self::Usage(counts) => counts.iter().map(|limit| count_of(usage, &limit.kind)).collect(),
        }
    }

    /// What an entry of the ledger adds in its units, or takes off.
    pub fn measure_entry(&self, event: &CostEvent, entry: &Entry) -> Amounts {
        match self {
            Self::Usd(_) => SmallVec::from_buf([event.amount.pico()]),
            Self::Usage(counts) => {
                let (added, removed) = (entry.usage_put(event), entry.usage_taken());
                counts.iter().map(|limit| count_of(added, &limit.kind) - count_of(removed, &limit.kind)).collect()
            }
        }
    }
}

/// Writes a limit as a person does: `50 USD`, `2000000 input_tokens`.
impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (unit, parts)) in self.units().zip(self.amounts()).enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            write!(formatter, "{separator}{}", Measure { unit, parts })?;
        }
        Ok(())
    }
}

impl Measure {
    /// The amount's digits, without its unit.
    pub fn digits(&self) -> Cow<'static, str> {
        match self.unit {
            Unit::Usd => Usd::from_pico(self.parts).to_string().into(),
            Unit::Usage(_) => {
                let sign = if self.parts < 0 { "-" } else { "" };
                format!("{sign}{}", Quantity::from_micros(self.parts.unsigned_abs())).into()
            }
        }
    }

    /// The money, if it is money.
    pub fn usd(&self) -> Option<Usd> {
        (self.unit == Unit::Usd).then(|| Usd::from_pico(self.parts))
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.digits(), self.unit.as_str())
    }
}

fn count_of(usage: &[UsageCount], kind: &Name) -> i128 {
    usage.iter().find(|count| count.kind == *kind).map_or(0, |count| parts(count.count))
}

fn parts(count: Quantity) -> i128 {
    // No sum of quantities comes near it.
    i128::try_from(count.micros()).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_measures_what_it_counts_and_nothing_else() {
        let tokens = Limit::Usage(UsageCount::list(&[("input_tokens", 100), ("output_tokens", 5)]));
        let found = tokens.measure(Usd::from_dollars(7), &UsageCount::list(&[("images", 3), ("output_tokens", 2)]));
        assert_eq!(found.as_slice(), [0, 2_000_000]);
        assert_eq!(tokens.to_string(), "100 input_tokens, 5 output_tokens");
        let money = Limit::Usd(Usd::parse("12.5").unwrap());
        assert_eq!(money.measure(Usd::from_pico(3), &UsageCount::list(&[("images", 3)])).as_slice(), [3]);
        assert_eq!((money.to_string().as_str(), money.units().count()), ("12.5 USD", 1));
        assert_eq!((money.usd(), tokens.usd()), (Some(Usd::parse("12.5").unwrap()), None));
        assert!(!money.has_units_of(&tokens));
        assert!(tokens.has_units_of(&Limit::Usage(UsageCount::list(&[("input_tokens", 1), ("output_tokens", 1)]))));
        let over = Measure { unit: Unit::Usage(Name::new("pages").unwrap()), parts: -1_500_000 };
        assert_eq!(over.to_string(), "-1.5 pages");
    }

    #[test]
    fn limits_of_the_same_units_count_the_same() {
        let usage = |counts: &[(&str, u64)]| Limit::Usage(UsageCount::list(counts));
        let money = |dollars| Limit::Usd(Usd::from_dollars(dollars));
        for (one, other, same) in [
            (money(1), money(2), true),
            (money(1), usage(&[("tokens", 1)]), false),
            (usage(&[("tokens", 1)]), usage(&[("tokens", 2)]), true),
            (usage(&[("tokens", 1)]), usage(&[("images", 1)]), false),
            (usage(&[("images", 1)]), usage(&[("images", 1), ("tokens", 1)]), false),
            (usage(&[("images", 1), ("tokens", 1)]), usage(&[("images", 1)]), false),
        ] {
            assert_eq!(one.has_units_of(&other), same, "{one} {other}");
        }
    }

    #[test]
    fn an_entry_counts_with_what_it_puts_less_what_it_takes() {
        let tokens = Limit::Usage(UsageCount::list(&[("tokens", 100)]));
        let adjustment = |added: u64, removed: u64| {
            Entry::Adjustment(Box::new(crate::domain::Adjustment {
                first: 1,
                standing: Usd::ZERO,
                usage_added: UsageCount::list(&[("tokens", added)]),
                usage_removed: UsageCount::list(&[("tokens", removed)]),
            }))
        };
        let event = CostEvent { amount: Usd::from_pico(7), ..CostEvent::example() };
        for (added, removed, parts) in [(5, 0, 5_000_000), (0, 2, -2_000_000), (5, 2, 3_000_000)] {
            let entry = adjustment(added, removed);
            assert_eq!(tokens.measure_entry(&event, &entry).as_slice(), [parts]);
            assert_eq!(Limit::Usd(Usd::ZERO).measure_entry(&event, &entry).as_slice(), [7]);
        }
    }

    #[test]
    fn nothing_of_a_unit_has_no_sign() {
        let tokens = |parts| Measure { unit: Unit::Usage(Name::new("tokens").unwrap()), parts };
        assert_eq!([tokens(0), tokens(-1)].map(|measure| measure.to_string()), ["0 tokens", "-0.000001 tokens"]);
        assert_eq!((tokens(5).usd(), Measure { unit: Unit::Usd, parts: 5 }.usd()), (None, Some(Usd::from_pico(5))));
    }
}
