//! Prices are exactly what the catalogue says: another program, in another language, works out the same amounts from its text.

use std::process::Command;

use lead_factory_metrics::domain::{Name, Quantity, UsageCount, Usd};
use lead_factory_metrics::pricing::{Book, Query, Rated};
use serde_json::Value;

const TIMES: [&str; 3] = ["2025-06-01T02:00:00Z", "2026-11-25T08:15:00Z", "2026-11-25T23:59:59Z"];

fn usage(counts: &Value) -> Vec<UsageCount> {
    let mut usage: Vec<UsageCount> = counts
        .as_object()
        .unwrap()
        .iter()
        .map(|(kind, count)| UsageCount {
            kind: Name::new(kind).unwrap(),
            count: Quantity::parse(&count.to_string()).unwrap(),
        })
        .collect();
    usage.sort_by(|left, right| left.kind.cmp(&right.kind));
    usage
}

#[test]
fn two_hundred_models_and_five_shapes_of_usage_cost_what_pythons_decimal_says() {
    let root = env!("CARGO_MANIFEST_DIR");
    let book = Book::embedded();
    for time in TIMES {
        let output = Command::new("python3")
            .arg(format!("{root}/tests/it/prices/decimal_prices.py"))
            .arg(format!("{root}/src/pricing/embedded/genai-prices.jsonl"))
            .arg(time)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        assert_eq!(lines.lines().count(), 1_000, "200 models with 5 shapes each");
        let (mut priced, mut of_doubles) = (0, 0);
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let usage = usage(&line["usage"]);
            let (service, model) = (line["service"].as_str().unwrap(), line["model"].as_str().unwrap());
            let query = Query { service, model, time: time.parse().unwrap(), usage: &usage, attributes: None };
            let rated = match book.rate(&query) {
                Rated::Priced { amount, .. } => Some(amount),
                Rated::Unpriced => None,
            };
            let expected = line["usd"].as_str().map(|usd| Usd::parse(usd).unwrap());
            assert_eq!(rated, expected, "{time} {line}");
            let double = line["float"].as_str().and_then(|text| Usd::parse(text).ok());
            of_doubles += usize::from(double != expected);
            priced += usize::from(expected.is_some_and(|usd| usd > Usd::ZERO));
        }
        // Sums of doubles, as LiteLLM has them, are not held to anything: only how often they are another amount is told.
        eprintln!(
            "{time}: {of_doubles} of 1000 amounts are others when summed as doubles and rounded at the twelfth decimal"
        );
        assert!(priced > 900, "only {priced} of 1000 cost anything");
    }
}

/// Names as LiteLLM has them, with what the package genai-prices itself finds by them; and more, checked by hand.
#[test]
fn hundreds_of_real_names_find_their_model_or_nothing() {
    let book = Book::embedded();
    let at = "2026-11-25T12:00:00Z".parse().unwrap();
    let names = include_str!("prices/names.tsv");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in names.lines().filter(|line| !line.starts_with('#')) {
        let [service, model, expected] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line:?}") };
        let found = book.find(service, model, at);
        let found = found.map_or("-".to_owned(), |found| format!("{}/{}", found.provider, found.model));
        if found != expected {
            wrong.push(format!("{service} {model}: {found}, not {expected}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 400, "only {count} names");
}
