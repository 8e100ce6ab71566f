//! Prices of the operator's own: the `[[price]]` tables.

use jiff::Timestamp;
use jiff::civil::Date;

use super::clock::{Days, Hours, Validity};
use super::pattern::Pattern;
use super::price::{Rate, RateError};

/// Tables that a book may have, over all files.
pub const TABLES_MAX: usize = 10_000;

/// One price of the operator's own, as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceTable {
    /// The service it is for, `*` in it for any text; by the event's own word or the provider's id, whatever the letter case.
    pub service: String,
    /// The model, in the same way. A table for any model is for events without one, too.
    pub model: String,
    /// The name in `usage` that it prices.
    pub unit: String,
    /// What so many cost.
    pub usd: PriceUsd,
    /// How many that is.
    pub per: u64,
    /// Only above so many: input tokens of the event, or of the unit itself where that is not a number of tokens.
    pub above: Option<u64>,
    /// From the beginning of this day, in UTC.
    pub from: Option<Date>,
    /// Until just before this day.
    pub until: Option<Date>,
    /// In this part of the day, in UTC.
    pub hours: Option<Hours>,
    /// On these days.
    pub days: Option<Days>,
    /// Only for calls of this tier, such as `batch`; for all without it.
    pub tier: Option<String>,
}

/// A price in decimal digits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceUsd(String);

impl std::str::FromStr for PriceUsd {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        Rate::exact(text, 1).map(|_| Self(text.to_owned()))
    }
}

impl std::fmt::Display for PriceUsd {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Default for PriceTable {
    fn default() -> Self {
        Self {
            service: "*".into(),
            model: "*".into(),
            unit: String::new(),
            usd: PriceUsd::default(),
            per: 1,
            above: None,
            from: None,
            until: None,
            hours: None,
            days: None,
            tier: None,
        }
    }
}

/// A table, ready to be looked at for every event.
#[derive(Debug)]
pub(super) struct OwnPrice {
    service: Pattern,
    model: Pattern,
    pub unit: String,
    pub rate: Rate,
    pub above: Option<u64>,
    pub validity: Validity,
    pub tier: Option<String>,
    /// What a price that it gives is called by.
    pub name: String,
    /// Changes with whatever is written in it.
    pub version: String,
}

/// Of what event a price is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'q> {
    /// Words for the service, in lower case.
    pub services: &'q [&'q str],
    /// Spellings of the model, in lower case.
    pub models: &'q [std::borrow::Cow<'q, str>],
    pub at: Timestamp,
    pub tier: Option<&'static str>,
}

impl OwnPrice {
    /// From a table; `usd` was read before, so it is a price.
    pub fn new(table: &PriceTable) -> Result<Self, RateError> {
        Ok(Self {
            service: Pattern::new(table.service.to_lowercase()),
            model: Pattern::new(table.model.to_lowercase()),
            unit: table.unit.clone(),
            rate: Rate::exact(&table.usd.0, table.per)?,
            above: table.above,
            validity: Validity { from: table.from, until: table.until, hours: table.hours, days: table.days },
            tier: table.tier.as_ref().map(|tier| tier.to_lowercase()),
            name: format!("price {} {}", table.service, table.model),
            version: format!("{:016x}", fingerprint(&format!("{table:?}"))),
        })
    }

    /// Whether it is about such an event, at whatever length of the prompt.
    pub fn is_for(&self, asked: Asked<'_>) -> bool {
        asked.services.iter().any(|service| self.service.matches(service))
            && asked.models.iter().any(|model| self.model.matches(model))
            && self.tier.as_deref().is_none_or(|tier| asked.tier == Some(tier))
            && self.validity.has(asked.at)
    }

    /// Whether the two are steps of one price.
    pub fn is_step_of(&self, other: &Self) -> bool {
        self.service == other.service
            && self.model == other.model
            && self.tier == other.tier
            && self.validity == other.validity
            && self.unit == other.unit
    }
}

/// FNV-1a: only to tell one text from another.
pub(super) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The price of a unit among tables that are about an event: the last table counts; of the steps that belong to it, the highest
/// that is below `counted`.
pub(super) fn pick<'t>(
    tables: impl DoubleEndedIterator<Item = &'t OwnPrice> + Clone,
    unit: &str,
    counted_micros: u128,
) -> Option<&'t OwnPrice> {
    let holds = |table: &&OwnPrice| {
        table.unit == unit && table.above.is_none_or(|above| counted_micros > u128::from(above) * 1_000_000)
    };
    let last = tables.clone().rev().find(holds)?;
    tables.filter(holds).filter(|table| table.is_step_of(last)).max_by_key(|table| table.above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_for_what_fits_all_that_it_says() {
        let table = PriceTable {
            service: "Open*".into(),
            model: "gpt-*".into(),
            unit: "input_tokens".into(),
            usd: "1".parse().unwrap(),
            tier: Some("Batch".into()),
            from: Some(jiff::civil::date(2026, 11, 1)),
            ..PriceTable::default()
        };
        let own = OwnPrice::new(&table).unwrap();
        let anywhere = OwnPrice::new(&PriceTable { tier: None, from: None, ..table }).unwrap();
        for (services, model, tier, day, expected, expected_anywhere) in [
            (&["openai"][..], "gpt-5", Some("batch"), "2026-11-01", true, true),
            (&["acme", "openai"], "gpt-5", Some("batch"), "2026-11-01", true, true),
            (&["acme"], "gpt-5", Some("batch"), "2026-11-01", false, false),
            (&["openai"], "o3", Some("batch"), "2026-11-01", false, false),
            (&["openai"], "gpt-5", Some("flex"), "2026-11-01", false, true),
            (&["openai"], "gpt-5", None, "2026-11-01", false, true),
            (&["openai"], "gpt-5", Some("batch"), "2026-10-31", false, true),
        ] {
            let at = format!("{day}T00:00:00Z").parse().unwrap();
            let asked = Asked { services, models: &[model.into()], at, tier };
            assert_eq!((own.is_for(asked), anywhere.is_for(asked)), (expected, expected_anywhere), "{asked:?}");
        }
    }

    #[test]
    fn a_fingerprint_is_that_of_fnv_1a() {
        for (text, hash) in [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)] {
            assert_eq!(fingerprint(text), hash, "{text}");
        }
    }

    #[test]
    fn a_price_is_shown_as_it_was_written() {
        assert_eq!("0.400".parse::<PriceUsd>().map(|usd| usd.to_string()), Ok("0.400".to_owned()));
    }
}
