//! Amounts, and shares of them.

use super::super::kind::{Kind, Parsed, Shape};
use super::super::spec::quoted;
use crate::domain::{ParseUsdError, Threshold, Usd};

/// What [`limit`] takes.
const LIMIT: &str = "an amount in USD from 0, or none";
/// Alert thresholds of one budget: each is a message of its own.
const SHARES_MAX: usize = 10;

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

/// Shares of a limit, in any order. In the file it may be an array.
pub fn shares() -> Kind<Vec<Threshold>> {
    let share = share();
    let allowed = format!("{}; or up to {SHARES_MAX} of them", share.allowed);
    let parse = move |text: &str| {
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        let [_, _, ..] = items.as_slice() else { return Ok(vec![(share.parse)(text)?]) };
        let read = |item: &&str| (share.parse)(item).map_err(|wrong| format!("has {}, which {wrong}", quoted(item)));
        let mut shares: Vec<Threshold> = items.iter().map(read).collect::<Parsed<_>>()?;
        if shares.len() > SHARES_MAX {
            return Err(format!("has {} shares", shares.len()));
        }
        shares.sort_unstable();
        match shares.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(format!("has {} twice", pair[0].share())),
            None => Ok(shares),
        }
    };
    Kind::new(Shape::Numbers, "SHARE", allowed, parse).shown_as(|shares: &Vec<Threshold>| {
        shares.iter().map(|share| share.share().to_string()).collect::<Vec<_>>().join(",")
    })
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
