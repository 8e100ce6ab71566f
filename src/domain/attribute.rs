//! What an event's attributes say under a name, as a grouping shows it.
//!
//! *Invariants.* Values of the same meaning are shown alike: a text whatever its escapes, a number however it is spelled, as two
//! events under one id are compared. What is no text, number, `true` or `false` is as good as absent.
//!
//! *Limits.* [`ATTRIBUTE_VALUE_BYTES_MAX`]; longer values are added up under `other`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::OTHER_LABEL;

/// Longest value that a grouping tells apart, in bytes of UTF-8: ten thousand keys of three such values stay within 16 MiB.
pub const ATTRIBUTE_VALUE_BYTES_MAX: usize = 512;

/// Longest attributes of an event, in bytes of the JSON text.
pub const ATTRIBUTES_BYTES_MAX: usize = 4_096;
/// The attribute that says in which of its provider's tiers a call was made, on which its price depends.
pub const SERVICE_TIER: &str = "service_tier";

/// Decimal places of numbers that are shown without an exponent, before the point and (half of it) behind.
const PLACES_MAX: i64 = 40;
/// Exponents that are worked with; a larger one is far from every number that a double tells from 0.
const EXPONENT_MAX: i64 = 1 << 60;

/// What a JSON object says under a name; empty when it says nothing there, or something that is no text, number, `true` or `false`.
///
/// # Errors
/// The text is no JSON object, or has a string that is no Unicode.
pub fn attribute_text<'j>(json: &'j str, name: &str) -> Result<Cow<'j, str>, serde_json::Error> {
    let found = serde_json::Deserializer::from_str(json).deserialize_map(Find(name))?;
    let text = match found.map(RawValue::get) {
        Some(text) if text.starts_with('"') => Cow::Owned(serde_json::from_str(text)?),
        Some(text @ ("true" | "false")) => Cow::Borrowed(text),
        Some(text) if text.starts_with(|char: char| char == '-' || char.is_ascii_digit()) => plain(text),
        Some(_) | None => Cow::Borrowed(""),
    };
    Ok(if text.len() > ATTRIBUTE_VALUE_BYTES_MAX { Cow::Borrowed(OTHER_LABEL) } else { text })
}

/// Attributes with further ones, as far as they have none of these names. What was there stays to the letter.
pub fn with_attributes<'m>(json: Option<Box<str>>, more: impl IntoIterator<Item = (&'m str, &'m str)>) -> Option<Box<str>> {
    let mut more = more.into_iter().peekable();
    if more.peek().is_none() {
        return json;
    }
    let text = json.as_deref().unwrap_or("{}");
    let known = serde_json::from_str::<Value>(text).unwrap_or_default();
    let missing = more.filter(|(name, _)| known.get(name).is_none());
    // A text always serializes.
    let added: Vec<String> = missing.map(|(name, value)| format!("{}:{}", Value::from(name), Value::from(value))).collect();
    if added.is_empty() {
        return json;
    }
    let rest = text.trim_start().trim_start_matches('{');
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    Some(format!("{{{}{comma}{rest}", added.join(",")).into())
}

/// Finds the value under a name.
struct Find<'n>(&'n str);

/// Says whether a key is this name.
struct IsName<'n>(&'n str);

impl<'de> Visitor<'de> for Find<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_name) = members.next_key_seed(IsName(self.0))? {
            if is_name {
                found = Some(members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

impl<'de> DeserializeSeed<'de> for IsName<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, key: D) -> Result<bool, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for IsName<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// A JSON number in the one spelling that all spellings of its value share: `1` for `1.0`, `10e-1` and `1`.
fn plain(number: &str) -> Cow<'_, str> {
    let (sign, magnitude) = number.strip_prefix('-').map_or(("", number), |magnitude| ("-", magnitude));
    let (decimal, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let (integer, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let all = format!("{integer}{fraction}");
    let significant = all.trim_start_matches('0');
    let digits = significant.trim_end_matches('0');
    if digits.is_empty() {
        return Cow::Borrowed("0");
    }
    let shifted = exponent.parse::<i64>().ok().filter(|shifted| (-EXPONENT_MAX..EXPONENT_MAX).contains(shifted));
    let Some(shifted) = shifted else { return Cow::Borrowed(number) };
    // How many of the digits stand before the point.
    let point = integer.len() as i64 - (all.len() - significant.len()) as i64 + shifted;
    Cow::Owned(match usize::try_from(point) {
        Ok(point @ 1..) if point as i64 <= PLACES_MAX => {
            match digits.split_at_checked(point).filter(|(_, rest)| !rest.is_empty()) {
                Some((before, behind)) => format!("{sign}{before}.{behind}"),
                None => format!("{sign}{digits:0<point$}"),
            }
        }
        _ if (-PLACES_MAX / 2..=0).contains(&point) => {
            format!("{sign}0.{zeros}{digits}", zeros = "0".repeat(point.unsigned_abs() as usize))
        }
        _ => match digits.split_at(1) {
            (first, "") => format!("{sign}{first}e{}", point - 1),
            (first, rest) => format!("{sign}{first}.{rest}e{}", point - 1),
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_numbers_and_truths_are_shown_and_nothing_else_is() {
        let json = r#"{"team":"r\u0026d","n":12.50,"yes":true,"no":false,"none":null,"list":["team"],"in":{"team":"x"},
            "t\u00e9am":"é","":"empty","a.b":"dots","nul":"a\u0000b\n","long":"LONG"}"#;
        let json = &json.replace("LONG", &"é".repeat(257));
        for (name, expected) in [
            ("team", "r&d"),
            ("n", "12.5"),
            ("yes", "true"),
            ("no", "false"),
            ("none", ""),
            ("list", ""),
            ("in", ""),
            ("absent", ""),
            ("téam", "é"),
            ("", "empty"),
            ("a.b", "dots"),
            ("nul", "a\0b\n"),
            ("long", "other"),
        ] {
            assert_eq!(attribute_text(json, name).unwrap(), expected, "{name}");
        }
        assert_eq!(attribute_text("{}", "a").unwrap(), "");
        for json in ["", "[]", "{", r#"{"a":"\ud800"}"#] {
            assert!(attribute_text(json, "a").is_err(), "{json}");
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        for (expected, spellings) in [
            ("0", &["0", "-0", "0.00", "0e5", "-0.0E-400", "0e99999999999999999999"][..]),
            ("1", &["1", "1.0", "10e-1", "0.1E+1", "1.000", "1e-000000000000000000000000"]),
            ("-120", &["-120", "-1.2e2", "-120.0"]),
            ("12.5", &["12.5", "12.50", "125e-1", "0.125e2"]),
            ("0.000001", &["1e-6", "0.000001", "1.0e-6"]),
            ("9007199254740993", &["9007199254740993", "9007199254740993.0", "9.007199254740993e15"]),
            ("1e40", &["1e40", "10000000000000000000000000000000000000000"]),
            ("1.5e-308", &["1.5e-308", "15e-309"]),
            ("1e-99999999999999999999", &["1e-99999999999999999999"]),
        ] {
            for spelling in spellings {
                assert_eq!(plain(spelling), expected, "{spelling}");
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_share_a_spelling_if_and_only_if_they_are_equal(
            left in (-2000_i64..2000, -60..60_i64, 0..4_usize),
            right in (-2000_i64..2000, -60..60_i64, 0..4_usize),
        ) {
            use bigdecimal::BigDecimal;
            let spell = |(digits, exponent, zeros): (i64, i64, usize)| match zeros {
                0 => format!("{digits}e{exponent}"),
                zeros => format!("{digits}.{:0<zeros$}E{exponent:+}", ""),
            };
            let (left, right) = (spell(left), spell(right));
            let value = |text: &str| text.parse::<BigDecimal>().unwrap();
            prop_assert_eq!(plain(&left) == plain(&right), value(&left) == value(&right));
            prop_assert_eq!(value(&plain(&left)), value(&left));
        }
    }

    #[test]
    fn values_are_told_apart_up_to_512_bytes() {
        let shown =
            |bytes: usize| attribute_text(&format!("{{\"a\":\"{}\"}}", "x".repeat(bytes)), "a").unwrap().into_owned();
        assert_eq!((shown(512), shown(513)), ("x".repeat(512), OTHER_LABEL.to_owned()));
    }

    #[test]
    fn an_exponent_stands_where_there_would_be_more_than_40_places_before_the_point_or_20_zeros_behind() {
        for (number, expected) in [
            ("12e38", format!("12{}", "0".repeat(38))),
            ("12e39", "1.2e40".to_owned()),
            ("1e-21", format!("0.{}1", "0".repeat(20))),
            ("1e-22", "1e-22".to_owned()),
            ("-12e-23", "-1.2e-22".to_owned()),
            ("1e1152921504606846974", "1e1152921504606846974".to_owned()),
            ("10e1152921504606846975", "1e1152921504606846976".to_owned()),
            // Beyond the exponents that are worked with it stays as it is written.
            ("10e1152921504606846976", "10e1152921504606846976".to_owned()),
            ("10e-1152921504606846976", "1e-1152921504606846975".to_owned()),
            ("10e-1152921504606846977", "10e-1152921504606846977".to_owned()),
        ] {
            assert_eq!(plain(number), expected, "{number}");
        }
    }

    #[test]
    fn the_last_of_several_values_under_one_name_counts() {
        assert_eq!(attribute_text(r#"{"a":1,"b":2,"a":3}"#, "a").unwrap(), "3");
        let error = attribute_text("[]", "a").unwrap_err().to_string();
        assert!(error.contains("expected an object"), "{error}");
    }
}
