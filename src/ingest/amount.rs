//! Amounts and estimates, from their digits.

use super::reason::shown;
use crate::domain::{Kind, ParseUsdError, Usd};

/// Why an estimate is refused, whatever its size.
const NEGATIVE: &str = "must not be negative";

/// Reads an amount. `kind` decides the sign; when it is not known, either is fine.
///
/// # Errors
/// A message that completes a sentence which begins with the field's name.
pub(super) fn read_amount(digits: &str, kind: Option<Kind>, usd_max: Usd) -> Result<Usd, String> {
    let amount = parse(digits, usd_max)?;
    match (kind, sign(digits)) {
        (Some(Kind::Charge), Sign::Negative) => {
            let positive = shown(digits.trim_start_matches('-'));
            Err(format!(
                "must not be negative. Some providers give charges as negative numbers: send {positive}. Only money that really \
                 comes back is a credit, an event with \"kind\":\"credit\""
            ))
        }
        (Some(Kind::Credit), Sign::Positive) => Err("must not be positive, because the event is a credit".to_owned()),
        _ if amount.abs() > usd_max => Err(too_large(usd_max)),
        _ => Ok(amount),
    }
}

/// Holds an amount that was read elsewhere to the rules of a charge.
///
/// # Errors
/// A message that completes a sentence which begins with the field's name.
pub(super) fn check_charge(amount: Usd, usd_max: Usd) -> Result<Usd, String> {
    match amount {
        amount if amount < Usd::ZERO => Err(NEGATIVE.to_owned()),
        amount if amount > usd_max => Err(too_large(usd_max)),
        amount => Ok(amount),
    }
}

/// Reads what something is thought to cost: written as an amount is, zero or more, and no more than an event may cost.
///
/// # Errors
/// A message that completes a sentence which begins with the field's name.
pub(super) fn read_estimate(digits: &str, usd_max: Usd) -> Result<Usd, String> {
    let amount = parse(digits, usd_max)?;
    match sign(digits) {
        Sign::Negative => Err(NEGATIVE.to_owned()),
        _ if amount > usd_max => Err(too_large(usd_max)),
        _ => Ok(amount),
    }
}

/// Reads an estimate from bare text, as a query has it, of any size.
///
/// # Errors
/// A message that completes a sentence which begins with the field's name.
pub fn parse_estimate(text: &str) -> Result<Usd, String> {
    let amount = Usd::parse(text).map_err(|error| error.to_string())?;
    if sign(text) == Sign::Negative { Err(NEGATIVE.to_owned()) } else { Ok(amount) }
}

fn parse(text: &str, usd_max: Usd) -> Result<Usd, String> {
    Usd::parse(text).map_err(|error| match error {
        ParseUsdError::NotANumber => format!("{:?} {error}", shown(text)),
        ParseUsdError::OutOfRange => too_large(usd_max),
    })
}

fn too_large(usd_max: Usd) -> String {
    format!("is out of range: an event may be at most {usd_max} USD")
}

/// The sign that a number's digits say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Negative,
    Zero,
    Positive,
}

/// The sign of a JSON number by its digits: `-1e-13` is negative although it rounds to nothing, `-0.0` is zero.
pub(super) fn sign(number: &str) -> Sign {
    let is_zero = number.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).all(|byte| !matches!(byte, b'1'..=b'9'));
    match (is_zero, number.starts_with('-')) {
        (true, _) => Sign::Zero,
        (false, true) => Sign::Negative,
        (false, false) => Sign::Positive,
    }
}
