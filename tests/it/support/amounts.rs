//! Exact amounts, by a library that the program does not use.

use std::collections::BTreeMap;
use std::str::FromStr;

use bigdecimal::{BigDecimal, RoundingMode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Response, TestAgent};

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

/// What each key of a budget has spent.
#[track_caller]
pub fn spent_by_key(agent: &TestAgent, budget: &str) -> BTreeMap<String, Amount> {
    #[derive(Deserialize)]
    struct Item<'a> {
        name: String,
        #[serde(borrow, default)]
        fullest: Vec<Key<'a>>,
    }
    #[derive(Deserialize)]
    struct Key<'a> {
        key: String,
        #[serde(borrow)]
        spent_usd: &'a RawValue,
    }
    let answer = agent.get("/budgets").text();
    let items: Vec<Item> = serde_json::from_str(&answer).unwrap();
    let item = items.into_iter().find(|item| item.name == budget).unwrap_or_else(|| panic!("no {budget} in {answer}"));
    item.fullest.into_iter().map(|key| (key.key, plain(key.spent_usd.get()))).collect()
}

#[track_caller]
fn plain(text: &str) -> Amount {
    let needless = text.contains('.') && text.ends_with(['0', '.']);
    assert!(!text.contains(['e', 'E', '"']) && !needless, "an amount is written with its exact digits only: {text}");
    exact(text)
}
