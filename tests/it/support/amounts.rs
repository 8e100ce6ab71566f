//! Exact amounts, by a library that the program does not use.

use std::collections::BTreeMap;
use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode};
use serde_json::value::RawValue;

use super::Response;

/// An amount of US dollars with all its digits.
pub type Amount = BigDecimal;

/// Reads an amount with all its digits.
#[track_caller]
pub fn exact(text: &str) -> Amount {
    BigDecimal::from_str(text).unwrap_or_else(|error| panic!("{text:?} is no number: {error}"))
}

/// What the program must keep of an amount: rounded half-to-even at 12 decimals.
#[track_caller]
pub fn recorded(text: &str) -> Amount {
    exact(text).with_scale_round(12, RoundingMode::HalfEven)
}

/// The float that a metric must show.
pub fn nearest_float(amount: &Amount) -> f64 {
    amount.to_plain_string().parse().unwrap()
}

/// `{"openai":10.5}` with every digit. Checks that no number is written with an exponent or a needless zero.
#[track_caller]
pub fn amounts_in(answer: &Response) -> BTreeMap<String, Amount> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let raw: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()));
    raw.into_iter().map(|(key, number)| (key, plain(number.get()))).collect()
}

/// `{"openai":{"chat":6.5}}`, likewise, as pairs.
#[track_caller]
pub fn nested_amounts_in(answer: &Response) -> BTreeMap<(String, String), Amount> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let raw: BTreeMap<String, BTreeMap<String, Box<RawValue>>> =
        serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.text()));
    raw.into_iter()
        .flat_map(|(outer, inner)| inner.into_iter().map(move |(key, number)| ((outer.clone(), key), number)))
        .map(|(key, number)| (key, plain(number.get())))
        .collect()
}

#[track_caller]
fn plain(text: &str) -> Amount {
    let needless = text.contains('.') && text.ends_with(['0', '.']);
    assert!(!text.contains(['e', 'E', '"']) && !needless, "an amount is written with its exact digits only: {text}");
    exact(text)
}
