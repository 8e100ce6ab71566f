//! Kinds of values that only prices have.

use jiff::civil::Date;

use super::super::kind::{Kind, Parsed, Shape};
use crate::domain::{NAME_BYTES_MAX, Name, check_text};
use crate::pricing::{Days, Hours, PriceUsd};

/// A name in which `*` is any text.
pub fn pattern() -> Kind<String> {
    let parse = |text: &str| {
        check_text(text, 2 * NAME_BYTES_MAX).map_err(|problem| problem.to_string())?;
        if text.is_empty() { Err("must not be empty".into()) } else { Ok(text.to_owned()) }
    };
    Kind::new(Shape::Text, "PATTERN", "a name, * for any text", parse)
}

/// A name of usage.
pub fn unit() -> Kind<String> {
    let parse = |text: &str| Name::new(text).map(|name| name.as_str().to_owned()).map_err(|wrong| wrong.to_string());
    Kind::new(Shape::Text, "NAME", "a name of usage such as input_tokens", parse)
}

/// A price.
pub fn usd() -> Kind<PriceUsd> {
    let parse = |text: &str| text.parse::<PriceUsd>().map_err(|wrong| wrong.to_string());
    Kind::new(Shape::Number, "USD", "an amount in USD from 0", parse)
}

/// A whole number from the least on.
pub fn whole(least: u64, allowed: &'static str) -> Kind<u64> {
    let parse = move |text: &str| -> Parsed<u64> {
        let number = text.replace('_', "").parse().ok().filter(|number| *number >= least);
        number.ok_or_else(|| format!("is not {allowed}"))
    };
    Kind::new(Shape::Number, "COUNT", allowed, parse)
}

/// A day.
pub fn day() -> Kind<Date> {
    Kind::new(Shape::Date, "DATE", "a date such as 2026-11-01", |text| {
        text.parse().map_err(|_| "is not a date such as 2026-11-01".into())
    })
}

/// A part of the day.
pub fn hours() -> Kind<Hours> {
    Kind::new(Shape::Text, "HOURS", "two times in UTC such as 00:30-08:30", |text| {
        Hours::parse(text).ok_or_else(|| "is not two times in UTC such as 00:30-08:30".into())
    })
}

/// Days of the week.
pub fn days() -> Kind<Days> {
    Kind::new(Shape::List, "DAYS", "days such as mon-fri or [\"sat\", \"sun\"]", |text| {
        let days = text.split(',').map(Days::parse).try_fold(Days::NONE, |all, days| days.map(|days| all.and(days)));
        days.filter(|days| !days.is_empty()).ok_or_else(|| "is not a list of days such as mon-fri".into())
    })
}

/// A tier of a provider.
pub fn tier() -> Kind<String> {
    const TIERS: [&str; 5] = ["batch", "flex", "priority", "fast", "scale"];
    Kind::new(Shape::Text, "TIER", "batch, flex, priority, fast or scale", |text| {
        let tier = text.to_ascii_lowercase();
        if TIERS.contains(&tier.as_str()) { Ok(tier) } else { Err("is no tier".into()) }
    })
}
