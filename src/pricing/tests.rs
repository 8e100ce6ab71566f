//! The book as others use it.

use jiff::Timestamp;

use super::*;
use crate::domain::{Name, Quantity, UsageCount, Usd};

fn usage(counts: &[(&str, &str)]) -> Vec<UsageCount> {
    counts
        .iter()
        .map(|(kind, count)| UsageCount { kind: Name::new(kind).unwrap(), count: Quantity::parse(count).unwrap() })
        .collect()
}

fn noon() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn rated(book: &Book, service: &str, model: &str, at: Timestamp, attributes: Option<&str>, sent: &[(&str, &str)]) -> Rated {
    book.rate(&Query { service, model, time: at, usage: &usage(sent), attributes })
}

#[track_caller]
fn assert_usd(book: &Book, service: &str, model: &str, sent: &[(&str, &str)], usd: &str) {
    match rated(book, service, model, noon(), None, sent) {
        Rated::Priced { amount, .. } => assert_eq!(amount, Usd::parse(usd).unwrap(), "{service} {model} {sent:?}"),
        Rated::Unpriced => panic!("{service} {model} {sent:?} has no price"),
    }
}

#[test]
fn calls_cost_what_their_providers_bill() {
    let book = Book::embedded().unwrap();
    let gpt = [("input_tokens", "1000"), ("cached_input_tokens", "800"), ("output_tokens", "50")];
    assert_usd(&book, "openai", "gpt-4o", &gpt, "0.002");
    let reasoned = [&gpt[..], &[("reasoning_output_tokens", "20")]].concat();
    assert_usd(&book, "openai", "gpt-4o-2024-08-06", &reasoned, "0.002");
    let claude = [
        ("input_tokens", "1000"),
        ("cache_write_input_tokens", "300"),
        ("cached_input_tokens", "600"),
        ("output_tokens", "50"),
    ];
    assert_usd(&book, "anthropic", "claude-sonnet-4-5", &claude, "0.002355");
    assert_usd(&book, "anthropic", "claude-sonnet-4-5-20250929", &claude, "0.002355");
    assert_usd(&book, "openai", "text-embedding-3-small", &[("input_tokens", "7")], "0.00000014");
    let gemini = [("input_tokens", "1000"), ("cached_input_tokens", "800"), ("output_tokens", "50")];
    assert_usd(&book, "google", "gemini-2.5-pro", &gemini, "0.00085");
    assert_usd(&book, "openai", "gpt-5.1-codex", &gpt, "0.00085");
    let rated = rated(&book, "openai", "gpt-4o", noon(), None, &gpt);
    let Rated::Priced { price, .. } = rated else { panic!("{rated:?}") };
    assert_eq!((&*price.name, &*price.version), ("genai-prices openai/gpt-4o", "0.2.3"));
    assert_eq!(price.date, Some(jiff::civil::date(2026, 11, 10)));
}
