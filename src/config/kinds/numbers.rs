//! Numbers between two bounds: counts, sizes, times.
//!
//! *Deliberately not here.* Durations with units such as `90s`: each key of ours ends in its unit, and the standard's names say
//! milliseconds, so that a number is unmistakable and a text with a unit would only be a second spelling.

use std::time::Duration;

use jiff::SignedDuration;

use super::super::kind::{Kind, Parsed, Shape};

/// A whole number between two bounds, both included.
fn whole(text: &str, least: u64, most: u64) -> Parsed<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits {
        return Err("is not a whole number".into());
    }
    match text.parse::<u64>() {
        Ok(number) if number < least => Err(format!("is below {least}")),
        Ok(number) if number <= most => Ok(number),
        _ => Err(format!("is above {most}")),
    }
}

/// A whole number of something, in the type that the program counts it in.
fn number<T>(value_name: &'static str, least: u64, most: u64, from: fn(u64) -> T, shown: fn(&T) -> String) -> Kind<T>
where
    T: 'static,
{
    let parse = move |text: &str| whole(text, least, most).map(from);
    Kind::new(Shape::Number, value_name, format!("{least} to {most}"), parse).shown_as(shown)
}

/// A count that is a size in memory.
pub fn count(value_name: &'static str, least: usize, most: usize) -> Kind<usize> {
    // Bounds that fit a `usize` keep what is between them in one.
    let from = |number| usize::try_from(number).unwrap_or(usize::MAX);
    number(value_name, least as u64, most as u64, from, ToString::to_string)
}

/// A port to listen on.
pub fn port() -> Kind<u16> {
    number("PORT", 0, 65_535, |port| u16::try_from(port).unwrap_or(0), ToString::to_string)
}

/// A day that every month has.
pub fn day_of_month() -> Kind<Option<i8>> {
    number("DAY", 1, 28, |day| i8::try_from(day).unwrap_or(1), ToString::to_string).optional()
}

/// Whole seconds.
pub fn seconds(least: u64, most: u64) -> Kind<SignedDuration> {
    let from = |seconds| SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    number("SECONDS", least, most, from, |duration| duration.as_secs().to_string())
}

/// Milliseconds from 10 to an hour.
pub fn milliseconds() -> Kind<Duration> {
    number("MS", 10, 3_600_000, Duration::from_millis, |duration| duration.as_millis().to_string())
}

/// Seconds, with decimals, between a tenth of a second and an hour.
pub fn timeout() -> Kind<Duration> {
    let parse = |text: &str| {
        let seconds = text.parse::<f64>().map_err(|_| "is not a number of seconds".to_owned())?;
        if !(0.1..=3_600.0).contains(&seconds) {
            return Err("is not between 0.1 and 3600 seconds".into());
        }
        Duration::try_from_secs_f64(seconds).map_err(|_| "is not a number of seconds".into())
    };
    Kind::new(Shape::Number, "SECONDS", "0.1 to 3600", parse).shown_as(|duration| duration.as_secs_f64().to_string())
}

/// A length of time such as `6s`, `10m` or `2h` from a second to a day, or `none`.
pub fn duration_or_none() -> Kind<Option<Duration>> {
    const UNITS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3_600)];
    let parse = |text: &str| {
        if text.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        let unit = UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)));
        let (digits, unit_seconds) = unit.ok_or("has no unit: s, m or h")?;
        let seconds = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit_seconds));
        let seconds = seconds.filter(|seconds| (1..=86_400).contains(seconds));
        seconds.map(|seconds| Some(Duration::from_secs(seconds))).ok_or_else(|| "is not between 1s and 24h".to_owned())
    };
    let show = |length: &Option<Duration>| {
        let Some(seconds) = length.map(|length| length.as_secs()) else { return "none".to_owned() };
        let (unit, of) = UNITS.into_iter().rev().find(|(_, of)| seconds.is_multiple_of(*of)).unwrap_or(UNITS[0]);
        format!("{}{unit}", seconds / of)
    };
    Kind::new(Shape::Text, "DURATION", "such as 6s, 10m or 2h, or none", parse).shown_as(show)
}

/// Days, or `none` for ever.
pub fn days_or_none(least: u32) -> Kind<Option<u32>> {
    const DAYS_MAX: u32 = 36_500;
    let parse = move |text: &str| {
        if text.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        let days = whole(text, u64::from(least), u64::from(DAYS_MAX))?;
        u32::try_from(days).map(Some).map_err(|_| "is out of range".into())
    };
    Kind::new(Shape::Number, "DAYS", format!("{least} to {DAYS_MAX}, or none to keep all"), parse)
        .shown_as(|days| days.map_or_else(|| "none".into(), |days| days.to_string()))
}
