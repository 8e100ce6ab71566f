//! Amounts, and shares of them.

use super::super::kind::{Kind, Parsed, Shape};
use super::super::spec::quoted;
use crate::domain::{ParseUsdError, Threshold, Usd};

/// What [`limit`] takes.
const LIMIT: &str = "an amount in USD from 0, or none";

fn usd(text: &str) -> Parsed<Usd> {
    Usd::parse(text).map_err(|problem| match problem {
        ParseUsdError::NotANumber => "is not an amount in USD such as 50 or 0.25".into(),
        ParseUsdError::OutOfRange => "is out of range".into(),
    })
}

fn limit_of(text: &str) -> Parsed<Option<Usd>> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let amount = usd(text)?;
    if amount < Usd::ZERO { Err("is negative".into()) } else { Ok(Some(amount)) }
}

/// A limit in USD, or `none`.
pub fn limit() -> Kind<Option<Usd>> {
    Kind::new(Shape::Number, "USD", LIMIT, limit_of).shown_as(|limit| match limit.map(|usd| usd.to_string()) {
        None => "none".into(),
        Some(text) if text.contains('.') => text,
        Some(dollars) => dollars + ".0",
    })
}

/// The same where no [`Spec`](super::super::spec::Spec) reads it; an error is the whole of what is to be said.
pub fn parse_limit(text: &str) -> Parsed<Option<Usd>> {
    limit_of(text).map_err(|wrong| format!("{} {wrong}; allowed: {LIMIT}", quoted(text)))
}

/// The largest size of one event.
pub fn event_usd() -> Kind<Usd> {
    const USD_MAX: i64 = 1_000_000;
    let parse = |text: &str| {
        let amount = usd(text)?;
        if amount <= Usd::ZERO || amount > Usd::from_dollars(USD_MAX) {
            return Err(format!("is not above 0 and at most {USD_MAX} USD"));
        }
        Ok(amount)
    };
    Kind::new(Shape::Number, "USD", format!("an amount above 0 and at most {USD_MAX}"), parse).shown_as(Usd::to_string)
}

/// Shares of a limit, ascending. In the file it may be a list.
pub fn shares() -> Kind<Vec<Threshold>> {
    let share = share();
    Kind::new(Shape::Number, "SHARE", share.allowed, move |text| (share.parse)(text).map(|share| vec![share])).shown_as(
        |shares: &Vec<Threshold>| shares.iter().map(|share| share.share().to_string()).collect::<Vec<_>>().join(", "),
    )
}

/// A share of a limit. Percent figures are the usual mistake, so they get the answer they need.
pub fn share() -> Kind<Threshold> {
    let parse = |text: &str| {
        if let Ok(threshold) = Threshold::parse(text) {
            return Ok(threshold);
        }
        let figure = text.strip_suffix('%').unwrap_or(text).trim_end();
        match Usd::parse(figure) {
            Ok(percent) if percent > Usd::ZERO && percent <= Usd::from_dollars(1_000) => {
                let share = Usd::from_pico(percent.pico() / 100);
                Err(format!("is not a share of the limit (1 is the whole limit); for {figure} percent write {share}"))
            }
            Ok(_) => Err("is out of range".into()),
            Err(_) => Err("is not a number".into()),
        }
    };
    Kind::new(Shape::Number, "SHARE", "a share above 0 and at most 10, where 1 is the whole limit", parse)
        .shown_as(|share| (share.percent() / 100.0).to_string())
}
