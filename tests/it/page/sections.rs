//! Budgets, gate, totals, holds, unpriced calls and events show what REST says, digit for digit.
//!
//! Guards against: a number that is rounded, or worked out in another way than the answer that the section links to.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::driver::read;
use super::ledger;
use super::shown::{amount, answer_of, plain, rows};
use crate::support::{Amount, amounts_in, exact};

/// A member's name in the answers of which the page shows as a share.
const PERCENT: [&str; 2] = ["utilization_percent", "utilization"];

/// Every number of an answer outside of texts, as it is written there, and the sum of a flat one.
fn numbers_in(text: &str) -> Vec<String> {
    let mut numbers = Vec::new();
    let mut chars = text.chars().peekable();
    let mut is_in_text = false;
    while let Some(char) = chars.next() {
        match char {
            '\\' if is_in_text => drop(chars.next()),
            '"' => is_in_text = !is_in_text,
            '-' | '0'..='9' if !is_in_text => {
                let mut number = String::from(char);
                while let Some(digit) = chars.next_if(|char| char.is_ascii_digit() || ".eE+-".contains(*char)) {
                    number.push(digit);
                }
                numbers.push(number);
            }
            _ => {}
        }
    }
    numbers
}

#[test]
fn numbers_are_read_to_the_letter() {
    assert_eq!(numbers_in(r#"{"a 1":-0.50,"b\"2":[3,"4\\",5e1],"c":null}"#), ["-0.50", "3", "5e1"]);
}

/// Numbers of a section that are no share and not among `known`.
fn strangers<'s>(section: &'s Value, known: &[String]) -> Vec<&'s str> {
    let values = section["values"].as_array().unwrap().iter();
    let values = values.filter(|value| !value["shown"].as_str().unwrap().ends_with('%'));
    values.filter_map(|value| value["value"].as_str()).filter(|value| !known.iter().any(|number| number == value)).collect()
}

#[test]
fn budgets_gate_holds_and_events_are_those_of_rest() {
    let agent = ledger::full();
    let page = read(&agent.url(), &["/"]).remove(0);
    let text = |path: &str| agent.get(path).expect(200).text();
    let sum = |path: &str| plain(&amounts_in(&agent.get(path).expect(200)).into_values().sum());

    let budgets = text("/budgets");
    let known = numbers_in(&budgets);
    assert_eq!(strangers(&page["budgets"], &known), Vec::<&str>::new(), "budgets");
    let shown = page["budgets"].to_string();
    let items: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(&budgets).unwrap();
    // A long list is cut, and links to the rest.
    let words: Vec<&str> = page["budgets"]["text"].as_str().unwrap().split_whitespace().collect();
    let left_out = words.windows(3).rfind(|three| three[1] == "more" && three[2].starts_with("budget"));
    let left_out = left_out
        .map_or(0, |three| three[0].trim_start_matches(|char: char| !char.is_ascii_digit()).parse::<usize>().unwrap());
    assert!(left_out < items.len() / 2, "{left_out} of {}", items.len());
    for item in &items[..items.len() - left_out] {
        for member in ["limit_usd", "spent_usd", "remaining_usd", "keys"] {
            // Those of a budget for each key are in its keys.
            if let Some(number) = item.get(member).filter(|_| member == "keys" || !item.contains_key("fullest")) {
                assert!(shown.contains(&format!("\"value\":\"{}\"", number.get())), "{member} of {:?}", item["name"]);
            }
        }
    }
    let mut shares = Vec::new();
    for answer in [&budgets, &text("/scaling-gate/status")] {
        for part in answer.split('"').zip(answer.split('"').skip(1)).filter(|(name, _)| PERCENT.contains(name)) {
            shares.extend(numbers_in(part.1).into_iter().map(|number| number.parse::<f64>().unwrap()));
        }
    }
    assert!(shares.len() > 10, "{shares:?}");
    for id in ["budgets", "gate"] {
        let values =
            page[id]["values"].as_array().unwrap().iter().filter(|value| value["shown"].as_str().unwrap().ends_with('%'));
        for share in values.map(|value| value["value"].as_str().unwrap().parse::<f64>().unwrap()) {
            assert!(shares.contains(&share) || share == 90.0, "{share} in {id}");
        }
    }

    let (today, month) = (sum("/costs/daily"), sum("/costs/monthly"));
    let totals = page["totals"]["values"].as_array().unwrap();
    for expected in [&today, &month] {
        assert!(totals.iter().any(|value| value["value"] == **expected), "{expected} in {totals:?}");
    }
    let known = [known, vec![today, month]].concat();
    assert_eq!(strangers(&page["totals"], &known), Vec::<&str>::new(), "totals");

    let path = answer_of(&page["holds"], "/reservations");
    let holds: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(&text(path)).unwrap();
    let estimates: Vec<String> = holds.iter().map(|hold| hold["estimated_cost_usd"].get().to_owned()).collect();
    let held: Amount = estimates.iter().map(|digits| exact(digits)).sum();
    let shown = page["holds"]["values"].as_array().unwrap();
    for expected in [holds.len().to_string(), plain(&held)] {
        assert!(shown.iter().any(|value| value["value"] == *expected), "{expected} in {shown:?}");
    }
    for row in rows(&page["holds"]) {
        assert!(estimates.iter().any(|estimate| estimate == amount(row)), "{row:?}");
    }

    let groups = text(answer_of(&page["unpriced"], "/unpriced"));
    assert_eq!(strangers(&page["unpriced"], &numbers_in(&groups)), Vec::<&str>::new(), "unpriced");
    assert!(!rows(&page["unpriced"]).is_empty(), "{}", page["unpriced"]);

    let path = answer_of(&page["events"], "/events");
    let events: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text(path)).unwrap();
    let events: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(events["events"].get()).unwrap();
    let rows = rows(&page["events"]);
    assert!(rows.len() >= 10, "{rows:?}");
    for (row, event) in rows.iter().zip(&events) {
        assert_eq!(amount(row), event["amount_usd"].get(), "{row:?}");
    }
}
