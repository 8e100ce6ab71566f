//! Values of arguments whose rule clap does not know.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Failure;
use crate::domain::{Month, Period, Quantity, Usd};
use crate::transfer::{check_bound, check_time};

/// Longest time after which an operator's word on the gate lapses by itself: a year.
const EXPIRES_IN_SECONDS_MAX: u64 = 31_536_000;

/// Checks an amount and keeps its digits.
pub fn amount(text: &str) -> Result<String, String> {
    Usd::parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Reads `name=quantity`.
pub fn usage(text: &str) -> Result<(String, Quantity), String> {
    let wrong = || "expected NAME=QUANTITY, such as input_tokens=1000".to_owned();
    let (name, quantity) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    let quantity = Quantity::parse(quantity).map_err(|error| format!("{name} {error}"))?;
    Ok((name.to_owned(), quantity))
}

/// Quantities by their names, none of them twice; `flag` is what they were given with.
pub fn usage_by_name<'a>(given: &'a [(String, Quantity)], flag: &str) -> Result<BTreeMap<&'a str, Quantity>, Failure> {
    let mut usage = BTreeMap::new();
    for (name, count) in given {
        if usage.insert(name.as_str(), *count).is_some() {
            return Err(Failure::Usage(format!("{flag} was given twice for {name:?}")));
        }
    }
    Ok(usage)
}

/// Reads a limit in USD.
pub fn limit_usd(text: &str) -> Result<Usd, String> {
    let amount = Usd::parse(text).map_err(|error| error.to_string())?;
    if amount < Usd::ZERO { Err("must not be negative".to_owned()) } else { Ok(amount) }
}

/// Reads a quantity.
pub fn quantity(text: &str) -> Result<Quantity, String> {
    Quantity::parse(text).map_err(|error| error.to_string())
}

/// Checks a day, which the agent reads.
pub fn day(text: &str) -> Result<String, String> {
    Period::parse_day(text).map(|_| text.to_owned()).map_err(|_| "must be a day of the calendar, YYYY-MM-DD".to_owned())
}

/// Checks a month, which the agent reads.
pub fn month(text: &str) -> Result<String, String> {
    text.parse::<Month>().map(|_| text.to_owned()).map_err(|_| "must be a month of the calendar, YYYY-MM".to_owned())
}

/// Checks a point in time, which the agent reads.
pub fn time(text: &str) -> Result<String, String> {
    check_time(text).map(|()| text.to_owned())
}

/// Checks a day or a point in time, where something begins or ends.
pub fn day_or_time(text: &str) -> Result<String, &'static str> {
    check_bound(text).map(|()| text.to_owned())
}

/// Reads how long a call took.
pub fn duration_seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err("expected a number of seconds, zero or more".into()),
    }
}

/// Reads a JSON object and keeps its text.
pub fn attributes(text: &str) -> Result<Box<RawValue>, String> {
    let value: Box<RawValue> = serde_json::from_str(text).map_err(|error| format!("not valid JSON: {error}"))?;
    if value.get().starts_with('{') { Ok(value) } else { Err("expected a JSON object".into()) }
}

/// Reads after how long something lapses, as whole seconds.
///
/// Our own, since humantime and jiff also take blanks, fractions or months: with money nothing should be guessed.
pub fn expires_in(text: &str) -> Result<u64, String> {
    const WRONG: &str = "expected a duration such as 90s, 15m, 1h30m or 7d";
    let mut total: u64 = 0;
    let mut rest = text;
    loop {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| WRONG.to_owned())?;
        let mut behind = rest[digits..].chars();
        let unit_seconds = match behind.next() {
            // Bare digits are seconds, but only alone: the unit of `1h30` is a guess.
            None if digits == text.len() => 1,
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3_600,
            Some('d') => 86_400,
            _ => return Err(WRONG.to_owned()),
        };
        total = total.saturating_add(number.saturating_mul(unit_seconds));
        rest = behind.as_str();
        if rest.is_empty() {
            break;
        }
    }
    if (1..=EXPIRES_IN_SECONDS_MAX).contains(&total) {
        Ok(total)
    } else {
        Err("must be between 1 second and 365 days".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_has_units() {
        for (text, seconds) in
            [("3600", 3_600), ("90s", 90), ("15m", 900), ("1h", 3_600), ("1h30m", 5_400), ("365d", 31_536_000), ("1", 1)]
        {
            assert_eq!(expires_in(text), Ok(seconds), "{text}");
        }
        for text in ["", "0", "0h", "-1", "1.5h", "h", "1x", "1h30", "1 h", "366d", "31536001", "99999999999999999999", "1é"]
        {
            assert!(expires_in(text).is_err(), "{text}");
        }
    }
}
