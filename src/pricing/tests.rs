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
    let book = Book::embedded();
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

#[track_caller]
fn assert_unpriced(book: &Book, service: &str, model: &str, attributes: Option<&str>, sent: &[(&str, &str)]) {
    let rated = rated(book, service, model, noon(), attributes, sent);
    assert_eq!(rated, Rated::Unpriced, "{service} {model} {sent:?}");
}

#[track_caller]
fn usd_of(book: &Book, service: &str, model: &str, at: &str, attributes: Option<&str>, sent: &[(&str, &str)]) -> String {
    match rated(book, service, model, at.parse().unwrap(), attributes, sent) {
        Rated::Priced { amount, .. } => amount.to_string(),
        Rated::Unpriced => "unpriced".to_owned(),
    }
}

const TOKENS: [(&str, &str); 2] = [("input_tokens", "1000000"), ("output_tokens", "1000000")];

#[test]
fn what_is_not_known_for_certain_has_no_price() {
    let book = Book::embedded();
    for (service, model) in [
        ("openai", "my-own-model"),
        ("openai", ""),
        ("openrouter", "openai/gpt-4o"),
        ("ollama", "deepseek-r1"),
        ("acme", "llama-3.3-70b-instruct"),
        ("google", "gemma-3"),
    ] {
        assert_unpriced(&book, service, model, None, &TOKENS);
    }
    // Nothing that was used has a price, or nothing was used.
    assert_unpriced(&book, "openai", "gpt-4o", None, &[("seconds", "3")]);
    assert_unpriced(&book, "openai", "gpt-4o", None, &[("made_up", "3")]);
    assert_unpriced(&book, "openai", "gpt-4o", None, &[]);
    assert_unpriced(&book, "openai", "gpt-4o", Some(r#"{"service_tier":"scale"}"#), &TOKENS);
    // Beside tokens, a name that nobody knows costs nothing.
    assert_usd(&book, "openai", "gpt-4o", &[("input_tokens", "1000000"), ("made_up", "3")], "2.5");
    assert_usd(&book, "openai", "gpt-4o", &[("input_tokens", "0"), ("output_tokens", "0")], "0");
}

#[test]
fn the_whole_call_costs_more_above_the_limit_and_cached_tokens_count_towards_it() {
    let book = Book::embedded();
    let call = |input: &str| {
        let sent = [("input_tokens", input), ("cached_input_tokens", "199000"), ("output_tokens", "100")];
        usd_of(&book, "google", "gemini-2.5-pro", "2026-11-25T12:00:00Z", None, &sent)
    };
    // 1,000 × 1.25 + 199,000 × 0.125 + 100 × 10, then 1,001 × 2.5 + 199,000 × 0.25 + 100 × 15, for a million.
    assert_eq!(call("200000"), "0.027125");
    assert_eq!(call("200001"), "0.0537525");
}

#[test]
fn hours_and_days_are_those_of_the_event() {
    let book = Book::embedded();
    let at = |time: &str| usd_of(&book, "deepseek", "deepseek-chat", time, None, &TOKENS);
    assert_eq!(at("2026-11-25T00:29:59Z"), "0.685");
    assert_eq!(at("2026-11-25T00:30:00Z"), "1.37");
    assert_eq!(at("2026-11-25T16:29:59.999Z"), "1.37");
    assert_eq!(at("2026-11-25T16:30:00Z"), "0.685");
    let at = |time: &str| usd_of(&book, "deepseek", "deepseek-v4-pro", time, None, &TOKENS);
    assert_eq!(at("2026-08-16T23:59:59Z"), "1.305");
    assert_eq!(at("2026-08-17T00:00:00Z"), "2.64");
}

#[test]
fn batches_and_tiers_have_their_own_price() {
    let book = Book::embedded();
    let of = |service: &str, model: &str, attributes: &str| {
        usd_of(&book, service, model, "2026-11-25T12:00:00Z", Some(attributes), &TOKENS)
    };
    assert_eq!(of("openai", "o3", "{}"), "10");
    assert_eq!(of("openai", "o3", r#"{"service_tier":"default"}"#), "10");
    assert_eq!(of("openai", "o3", r#"{"service_tier":"flex"}"#), "5");
    assert_eq!(of("openai", "o3", r#"{"processing":"batch"}"#), "5");
    assert_eq!(
        of("anthropic", "claude-sonnet-4-5", r#"{"service_tier":"batch"}"#),
        of("anthropic", "claude-sonnet-4-5", r#"{"processing":"batch"}"#)
    );
    assert_eq!(of("anthropic", "claude-opus-4-8", r#"{"speed":"fast"}"#), "60");
    // Not in the catalogue, but published: half of 15 and 75.
    assert_eq!(of("anthropic", "claude-3-opus-20240229", r#"{"processing":"batch"}"#), "45");
    assert_eq!(of("openai", "text-embedding-3-small", r#"{"processing":"batch"}"#), "0.01");
    assert_eq!(
        of("groq", "llama-3.3-70b-versatile", r#"{"service_tier":"flex"}"#),
        of("groq", "llama-3.3-70b-versatile", "{}")
    );
    assert_eq!(of("mistral", "mistral-large-2512", r#"{"service_tier":"priority"}"#), "unpriced");
}

#[test]
fn an_hours_cache_write_is_twice_the_input_where_the_catalogue_does_not_say() {
    let book = Book::embedded();
    let sent = [("input_tokens", "1000000"), ("cache_write_1h_input_tokens", "1000000")];
    assert_usd(&book, "google", "claude-3-opus", &sent, "30");
    assert_usd(&book, "anthropic", "claude-3-opus-latest", &sent, "30");
    // Without any price for it, what is cached costs what the rest costs.
    assert_usd(&book, "openai", "gpt-4", &[("input_tokens", "1000000"), ("cached_input_tokens", "400000")], "30");
}

#[test]
fn a_fee_for_asking_is_due_once_unless_the_usage_says_how_often() {
    let book = Book::embedded();
    let sent = [("input_tokens", "1000"), ("output_tokens", "1000")];
    assert_usd(&book, "perplexity", "sonar", &sent, "0.014");
    assert_usd(&book, "perplexity", "sonar", &[&sent[..], &[("requests", "3")]].concat(), "0.038");
    assert_unpriced(&book, "perplexity", "sonar", None, &[("made_up", "1")]);
    let own = PriceTable {
        service: "serper".into(),
        unit: "requests".into(),
        usd: "0.001".parse().unwrap(),
        ..PriceTable::default()
    };
    let book = Book::with(&[own], None).unwrap();
    assert_usd(&book, "serper", "", &[], "0.001");
    assert_usd(&book, "Serper", "", &[("requests", "5")], "0.005");
}

#[test]
fn sound_is_billed_for_its_least_length() {
    let book = Book::embedded();
    assert_usd(&book, "groq", "whisper-large-v3", &[("seconds", "3")], "0.000308333333");
    assert_usd(&book, "groq", "whisper-large-v3", &[("seconds", "0")], "0");
    assert_usd(&book, "openai", "whisper-1", &[("seconds", "521.5")], "0.05215");
}

fn table(unit: &str, usd: &str) -> PriceTable {
    PriceTable { model: "m".into(), unit: unit.into(), usd: usd.parse().unwrap(), ..PriceTable::default() }
}

#[test]
fn steps_of_one_price_belong_together_in_any_order() {
    let step = |above, usd| PriceTable { above: Some(above), ..table("input_tokens", usd) };
    let mut steps = [table("input_tokens", "1"), step(10, "2"), step(20, "3")];
    for turn in 0..3 {
        steps.rotate_left(turn);
        let book = Book::with(&steps, None).unwrap();
        for (tokens, usd) in [("10", "10"), ("11", "22"), ("20", "40"), ("21", "63")] {
            assert_usd(&book, "x", "m", &[("input_tokens", tokens)], usd);
        }
        let found = book.find("x", "M", noon()).unwrap();
        assert_eq!(found.units.len(), 1);
        assert_eq!((found.units[0].usd.as_str(), found.units[0].per), ("1", 1));
        assert_eq!(found.units[0].above, [(10, "2".to_owned()), (20, "3".to_owned())]);
    }
    // Of what is not tokens, so many of it; a later table for all lengths is another price.
    let images = [table("images", "1"), PriceTable { above: Some(2), ..table("images", "0.5") }];
    let book = Book::with(&images, None).unwrap();
    assert_usd(&book, "x", "m", &[("images", "2")], "2");
    assert_usd(&book, "x", "m", &[("images", "3")], "1.5");
    let later = [step(10, "2"), PriceTable { model: "m*".into(), ..table("input_tokens", "7") }];
    assert_usd(&Book::with(&later, None).unwrap(), "x", "m", &[("input_tokens", "11")], "77");
}

#[test]
fn tables_hold_for_their_hours_days_and_tiers() {
    let night =
        PriceTable { hours: Hours::parse("22:00-06:00"), days: Days::parse("sat-sun"), ..table("input_tokens", "1") };
    let batch = PriceTable { tier: Some("batch".into()), ..table("input_tokens", "3") };
    let book = Book::with(&[table("input_tokens", "2"), night, batch], None).unwrap();
    let at = |time: &str, attributes| usd_of(&book, "x", "m", time, attributes, &[("input_tokens", "1")]);
    // 2026-11-28 is a Saturday.
    assert_eq!(at("2026-11-28T21:59:59Z", None), "2");
    assert_eq!(at("2026-11-28T22:00:00Z", None), "1");
    assert_eq!(at("2026-11-29T05:59:59Z", None), "1");
    assert_eq!(at("2026-11-30T05:59:59Z", None), "2");
    assert_eq!(at("2026-11-28T23:00:00Z", Some(r#"{"processing":"batch"}"#)), "3");
}

#[test]
fn litellms_file_is_read_with_tiers_hours_batches_and_aliases() {
    let json = r#"{"sample_spec":{"litellm_provider":"one of","input_cost_per_token":"0.0"},
      "a/long":{"litellm_provider":"acme","mode":"chat","input_cost_per_token":1e-06,"output_cost_per_token":2e-06,
        "input_cost_per_token_above_200k_tokens":3e-06,"output_cost_per_token_above_200k_tokens":4e-06,
        "input_cost_per_token_batches":5e-07,"cache_creation_input_token_cost":1.25e-06,
        "cache_creation_input_token_cost_above_1hr":2e-06,"search_context_cost_per_query":{"low":0.01,"high":0.01}},
      "acme/latest":{"alias_of":"a/long"},
      "deepseek/deepseek-flash":{"litellm_provider":"deepseek","input_cost_per_token":3e-07,"output_cost_per_token":1.2e-06,
        "off_peak_pricing":{"input_cost_per_token":1.5e-07,"windows":[
          {"hours_utc":["00:00-01:00","10:00-00:00"],"weekdays":[1,2,3,4,5]},{"hours_utc":"00:00-00:00","weekdays":[6,7]}],
          "weekday_timezone":"Asia/Shanghai"}},
      "ranges":{"litellm_provider":"acme","tiered_pricing":[{"input_cost_per_token":1e-06,"range":[0,32000.0]},
        {"input_cost_per_token":2e-06,"range":[32000.0,128000.0]}]},
      "painter":{"litellm_provider":"acme","mode":"image_generation","output_cost_per_image":0.04}}"#;
    let book = Book::with(&[], Some(PriceFile::of_json(json).unwrap())).unwrap();
    let million = |unit| [(unit, "1000000")];
    assert_usd(&book, "acme", "a/long", &[("input_tokens", "200000"), ("output_tokens", "100")], "0.2002");
    assert_usd(&book, "acme", "A/Long", &[("input_tokens", "200001"), ("output_tokens", "100")], "0.600403");
    assert_usd(&book, "acme", "latest", &[("output_tokens", "100")], "0.0002");
    assert_usd(&book, "acme", "a/long", &[("cache_write_1h_input_tokens", "100")], "0.0002");
    assert_usd(&book, "acme", "a/long", &[("searches", "3")], "0.03");
    assert_usd(&book, "nobody", "painter", &[("images", "3")], "0.12");
    assert_usd(&book, "acme", "ranges", &[("input_tokens", "32000")], "0.032");
    assert_usd(&book, "acme", "ranges", &[("input_tokens", "32001")], "0.064002");
    let batch = Some(r#"{"processing":"batch"}"#);
    assert_eq!(usd_of(&book, "acme", "a/long", "2026-11-25T12:00:00Z", batch, &million("input_tokens")), "0.5");
    let flash = |time: &str| usd_of(&book, "deepseek", "deepseek-flash", time, None, &million("input_tokens"));
    assert_eq!(flash("2026-11-25T00:59:59Z"), "0.15");
    assert_eq!(flash("2026-11-25T01:00:00Z"), "0.3");
    assert_eq!(flash("2026-11-28T05:00:00Z"), "0.15");
    // Friday in UTC, Saturday in Shanghai.
    assert_eq!(flash("2026-11-27T16:30:00Z"), "0.15");
    // Sunday in UTC until midnight, Monday in Shanghai from 16:00 on.
    assert_eq!(flash("2026-11-29T02:00:00Z"), "0.15");
    let Rated::Priced { price, .. } = rated(&book, "acme", "latest", noon(), None, &million("output_tokens")) else {
        panic!("no price")
    };
    assert_eq!(&*price.name, "litellm acme/acme/latest");
    // What the file does not have, the embedded catalogue has.
    assert_usd(&book, "openai", "gpt-4o", &million("input_tokens"), "2.5");
}

#[test]
fn garbage_in_files_is_refused_and_never_panics() {
    for json in [
        "",
        "[]",
        "1",
        "{}",
        "{\"a\":1}",
        "{\"a\":{}}",
        "{\"a\":{\"models\":1}}",
        "{\"a\":{\"litellm_provider\":1,\"input_cost_per_token\":1e999}}",
        "{\"a\":{\"litellm_provider\":\"x\",\"input_cost_per_token\":1e999}}",
        "{\"a\":{\"litellm_provider\":\"x\",\"input_cost_per_token\":1,\"off_peak_pricing\":{\"hours_utc\":\"25:00-26:00\"}}}",
        "{\"a\":{\"models\":{\"m\":{\"cost\":{\"input\":-1}}}}}",
        "{\"a\":{\"models\":{\"m\":{\"cost\":{\"input\":1,\"tiers\":[{\"tier\":{\"type\":\"moon\",\"size\":1}}]}}}}}",
    ] {
        if let Ok(file) = PriceFile::of_json(json) {
            let book = Book::with(&[], Some(file)).unwrap();
            assert_unpriced(&book, "x", "a", None, &TOKENS);
        }
    }
}

mod torn {
    //! Files and usage objects with bytes changed at random.

    use proptest::prelude::*;

    use super::*;

    const SEEDS: [&str; 6] = [
        r#"{"a/b":{"litellm_provider":"a","mode":"chat","input_cost_per_token":1e-06,"output_cost_per_token_above_200k_tokens":4e-06}}"#,
        r#"{"x":{"litellm_provider":"x","tiered_pricing":[{"input_cost_per_token":1e-06,"range":[0,32000.0]}],
            "off_peak_pricing":{"input_cost_per_token":1e-7,"windows":[{"hours_utc":["00:00-01:00"],"weekdays":[1,7]}]}}}"#,
        r#"{"o":{"models":{"m":{"cost":{"input":1.5,"tiers":[{"input":2,"tier":{"type":"context","size":200000}}]}}}}}"#,
        r#"{"prompt_tokens":1000,"completion_tokens":50,"prompt_tokens_details":{"cached_tokens":800},"cost":{"total_cost":1e-5}}"#,
        r#"{"promptTokenCount":1000,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":100}],"thoughtsTokenCount":1e1}"#,
        r#"{"usage":{"input_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":5},"cache_read_input_tokens":"7"}}"#,
    ];

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_that_is_read_has_a_negative_price(
            seed in 0..SEEDS.len(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        ) {
            let mut bytes = SEEDS[seed].as_bytes().to_vec();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(found) = extract("x-ai", &text) {
                prop_assert!(found.usage.len() <= 16, "{:?}", found);
            }
            if let Ok(file) = PriceFile::of_json(&text) {
                let book = Book::with(&[], Some(file)).unwrap();
                for (service, model) in [("a", "b"), ("x", "x"), ("o", "m")] {
                    if let Rated::Priced { amount, .. } = rated(&book, service, model, noon(), None, &TOKENS) {
                        prop_assert!(amount >= Usd::ZERO);
                    }
                }
            }
        }
    }
}

#[test]
fn a_unit_that_has_a_price_only_above_a_limit_is_shown_with_it() {
    let step = PriceTable { above: Some(2), ..table("images", "0.5") };
    let book = Book::with(&[table("pages", "1"), step], None).unwrap();
    let units = book.find("x", "m", noon()).unwrap().units;
    let shown: Vec<_> = units.iter().map(|unit| (unit.unit.as_str(), unit.usd.as_str(), unit.above.as_slice())).collect();
    assert_eq!(shown, [("images", "0.5", &[][..]), ("pages", "1", &[])]);
}

#[test]
fn litellms_quiet_hours_and_days_are_those_of_its_zone() {
    let quiet = |zone: &str, more: &str| {
        let json = format!(
            r#"{{"m":{{"litellm_provider":"acme","input_cost_per_token":3e-06,"off_peak_pricing":{{"input_cost_per_token":1e-06{more},
              "windows":[{{"hours_utc":"00:00-00:00","weekdays":[6,7]}}]{zone}}}}}}}"#
        );
        Book::with(&[], Some(PriceFile::of_json(&json).unwrap())).unwrap()
    };
    let at = |book: &Book, time: &str| usd_of(book, "acme", "m", time, None, &[("input_tokens", "1000000")]);
    // 2026-11-27 is a Friday; Shanghai is eight hours ahead.
    let shanghai = quiet(r#","weekday_timezone":"Asia/Shanghai""#, "");
    for (time, usd) in [
        ("2026-11-27T15:59:59Z", "3"),
        ("2026-11-27T16:00:00Z", "1"),
        ("2026-11-29T15:59:59Z", "1"),
        ("2026-11-29T16:00:00Z", "3"),
    ] {
        assert_eq!(at(&shanghai, time), usd, "{time}");
    }
    let utc = quiet("", r#","input_cost_per_token_batches":7e-06,"input_cost_per_token_above_200k_tokens":8e-06"#);
    assert_eq!([at(&utc, "2026-11-27T23:59:59Z"), at(&utc, "2026-11-28T00:00:00Z")], ["3", "1"]);
}

#[test]
fn of_two_names_for_one_unit_in_litellms_file_the_one_with_a_price_counts() {
    let json = r#"{"a":{"litellm_provider":"acme","input_cost_per_second":0,"output_cost_per_second":0.5},
        "b":{"litellm_provider":"acme","input_cost_per_second":0.25,"output_cost_per_second":0.5}}"#;
    let book = Book::with(&[], Some(PriceFile::of_json(json).unwrap())).unwrap();
    assert_usd(&book, "acme", "a", &[("seconds", "2")], "1");
    assert_usd(&book, "acme", "b", &[("seconds", "2")], "0.5");
}
