//! Prices of the operator's own.

use jiff::Timestamp;

use super::*;
use crate::domain::{Name, Quantity, UsageCount, Usd};
use crate::pricing::{Query, Rated};

/// What 1,000 input and 100 output tokens cost on a day at noon.
#[track_caller]
fn cost(config: &Config, service: &str, model: &str, day: &str) -> Option<(Usd, String)> {
    let usage = [("input_tokens", 1000), ("output_tokens", 100)]
        .map(|(kind, count)| UsageCount { kind: Name::new(kind).unwrap(), count: Quantity::of(count) });
    let time: Timestamp = format!("{day}T12:00:00Z").parse().unwrap();
    match config.book.rate(&Query { service, model, time, usage: &usage, attributes: None }) {
        Rated::Priced { amount, price } => Some((amount, price.name.into())),
        Rated::Unpriced => None,
    }
}

/// The settings that a file gives.
#[track_caller]
fn of_file(text: &str) -> Config {
    let folder = tempfile::tempdir().unwrap();
    load(&with_file(folder.path(), text)).unwrap()
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap()
}

const TABLES: &str = "
[[price]]
service = 'acme'
model = 'own-*'
unit = 'input_tokens'
usd = 0.5
per = 1_000_000
[[price]]
service = 'Acme'
model = 'own-*'
unit = 'output_tokens'
usd = '2'
per = 1000000
[[price]]
service = 'acme'
model = 'own-*'
unit = 'input_tokens'
usd = 1.5
per = 1_000_000
from = 2026-11-01
until = 2026-12-01
";

#[test]
fn own_tables_have_their_price_and_the_last_one_counts() {
    let config = of_file(TABLES);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    for (day, expected) in [("2026-10-31", "0.0007"), ("2026-11-01", "0.0017"), ("2026-12-01", "0.0007")] {
        let (amount, name) = cost(&config, "acme", "own-7b", day).unwrap();
        assert_eq!((amount, &*name), (usd(expected), "price acme own-*"), "{day}");
    }
    assert_eq!(cost(&config, "acme", "other", "2026-11-01"), None);
    // What the tables do not name is as it was.
    assert_eq!(cost(&config, "openai", "gpt-4o", "2026-11-01").unwrap().0, usd("0.0035"));
}

#[test]
fn a_file_of_prices_stands_between_own_tables_and_the_embedded_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices");
    let text = format!(
        "prices_file = '{}'\n[[price]]\nmodel = 'gpt-4o'\nunit = 'output_tokens'\nusd = 1\nper = 1000000",
        path.display()
    );
    let load = || load(&with_file(folder.path(), &text)).unwrap();

    std::fs::write(
        &path,
        "[[price]]\nservice = 'openai'\nmodel = 'gpt-4o'\nunit = 'input_tokens'\nusd = '7'\nper = 1000000\n",
    )
    .unwrap();
    assert_eq!(cost(&load(), "openai", "gpt-4o", "2026-11-01").unwrap().0, usd("0.0071"));

    let litellm = r#"{"sample_spec":{"litellm_provider":"one of"},
        "gpt-4o":{"litellm_provider":"openai","mode":"chat","input_cost_per_token":5.0000000000000004e-08,"output_cost_per_token":1}}"#;
    std::fs::write(&path, litellm).unwrap();
    assert_eq!(cost(&load(), "openai", "gpt-4o", "2026-11-01").unwrap().0, usd("0.00015"));

    std::fs::write(&path, r#"{"openai":{"id":"openai","models":{"gpt-4o":{"cost":{"input":3,"output":9}}}}}"#).unwrap();
    assert_eq!(cost(&load(), "openai", "gpt-4o", "2026-11-01").unwrap().0, usd("0.0031"));
    assert_eq!(cost(&load(), "anthropic", "claude-sonnet-4-5", "2026-11-01").unwrap().0, usd("0.0045"));
}

#[test]
fn what_is_wrong_with_a_price_is_told_with_its_place() {
    for (text, said) in [
        ("price = 1", "agent.toml:1:9: price must be tables, each under [[price]], not an integer"),
        ("[[price]]\nunit = 'a'", "agent.toml:1:1: price has no usd; allowed: an amount in USD from 0"),
        (
            "[[price]]\nunit = 'a'\nusd = -1",
            "agent.toml:3:7: price usd \"-1\" must not be negative; allowed: an amount in USD from 0",
        ),
        (
            "[[price]]\nunit = 'a'\nusd = 1\nper = 0",
            "agent.toml:4:7: price per \"0\" is not a whole number from 1; allowed: a whole number from 1",
        ),
        (
            "[[price]]\nunit = 'a'\nusd = 1\nhours = '8-9'",
            "agent.toml:4:9: price hours \"8-9\" is not two times in UTC such as 00:30-08:30; allowed: two times in UTC such as 00:30-08:30",
        ),
        (
            "[[price]]\nunit = 'a'\nusd = 1\ndays = ['mon', 'moon']",
            "agent.toml:4:8: price days \"mon,moon\" is not a list of days such as mon-fri; allowed: days such as mon-fri or [\"sat\", \"sun\"]",
        ),
        (
            "[[price]]\nunit = 'a'\nusd = 1\nfrom = '2026-02-30'",
            "agent.toml:4:8: price from \"2026-02-30\" is not a date such as 2026-11-01; allowed: a date such as 2026-11-01",
        ),
        (
            "[[price]]\nunit = 'a'\nusd = 1\nfrom = 2026-02-02\nuntil = '2026-02-02'",
            "agent.toml:1:1: price until 2026-02-02 is not after from 2026-02-02, so it never holds",
        ),
        (
            "[[price]]\nunit = 'a'\nusd = 1\nuntill = '2026-02-02'",
            "agent.toml:4:1: price has no key \"untill\"; did you mean until?",
        ),
    ] {
        assert_eq!(file_problems(text), [said], "{text}");
    }
}

#[test]
fn a_price_for_a_million_that_is_given_for_one_is_doubted() {
    let config = of_file("[[price]]\nmodel = 'm'\nunit = 'input_tokens'\nusd = 2.5\n");
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(config.warnings[0].contains("price is 2.5 USD for 1 input_tokens"), "{:?}", config.warnings);
}

#[test]
fn a_file_that_has_no_prices_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prices");
    let said = || {
        let sources = with_file(folder.path(), &format!("prices_file = '{}'", path.display()));
        let problems = load(&sources).unwrap_err().0;
        problems
            .iter()
            .map(|problem| problem.to_string().replace(&folder.path().display().to_string(), ""))
            .collect::<Vec<_>>()
    };
    assert!(said()[0].contains("cannot be read: No such file"), "{:?}", said());
    std::fs::write(&path, r#"{"a":{"b":1}}"#).unwrap();
    assert!(said()[0].contains("is neither LiteLLM's file of prices"), "{:?}", said());
    std::fs::write(&path, r#"{"a":{"litellm_provider":"a","input_cost_per_token":-1}}"#).unwrap();
    assert!(said()[0].contains("a: input_cost_per_token must not be negative"), "{:?}", said());
    std::fs::write(&path, "[[price]]\nunit = 'a'\nusd = 1\n[[budget]]\n").unwrap();
    assert!(said()[0].contains("/prices:4:3: \"budget\" is no price; the file has [[price]] tables only"), "{:?}", said());
    std::fs::write(&path, "[[price]]\nunit = 'a'\nusd = 'x'\n").unwrap();
    assert!(said()[0].contains("/prices:3:7: price usd \"x\" must be a decimal number"), "{:?}", said());
}
