//! Events that were read and break a rule: each is refused by name, and nothing of its batch is recorded.
//!
//! Guards against: a negative or NaN cost, a typo in a money field that is silently ignored, a batch recorded in part, a retry
//! that counts twice or hides other content.

use jiff::ToSpan;
use serde_json::{Value, json};

use crate::support::{Setup, TestAgent, now};

/// Posts a good event beside a bad one and checks that the bad one is named and the good one not recorded.
#[track_caller]
fn assert_invalid(agent: &TestAgent, bad: &str, field: &str) {
    let answer = agent.costs(format!(r#"[{{"service":"good","amount_usd":1}},{bad}]"#));
    let shown: String = bad.chars().take(120).collect();
    assert_eq!(answer.status, 422, "{shown}: {}", answer.text());
    assert_eq!(answer.slug(), "invalid-event", "{shown}");
    let errors = answer.json()["errors"].clone();
    assert_eq!(errors[0]["index"], 1, "{shown}: {errors}");
    assert!(errors[0]["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{errors}");
    if field.is_empty() {
        return;
    }
    assert_eq!(errors[0]["field"], field, "{shown}: {errors}");
}

#[track_caller]
fn assert_nothing_recorded(agent: &TestAgent) {
    assert_eq!(agent.get("/costs/daily").text(), "{}");
    assert_eq!(
        agent.get("/costs/history?days=40").json().as_array().unwrap().iter().filter(|day| day["total_usd"] != 0).count(),
        0
    );
    assert_eq!(
        agent.metrics().get("lead_factory_events_total", &[("format", "json"), ("result", "recorded")]).unwrap_or(0.0),
        0.0
    );
    agent.assert_healthy();
}

#[test]
fn an_amount_that_is_no_exact_charge_is_refused() {
    let agent = Setup::new().start();
    let digits = "9".repeat(10_000);
    for amount in [
        "-1",
        "-0.000000000001",
        "10000.000000000001",
        "1e5",
        "1e400",
        "-1e400",
        "1e999999999999999999",
        &digits,
        "null",
        "true",
        "[]",
        "{}",
        "[1]",
        r#""""#,
        r#""NaN""#,
        r#""Infinity""#,
        r#"" 1""#,
        r#""1 ""#,
        r#""+1""#,
        r#""1,00""#,
        r#""1_000""#,
        r#""0x1""#,
        r#""1.""#,
        r#"".5""#,
        r#""01""#,
        r#""١""#,
        r#""-1""#,
        r#""$1""#,
        r#""1e400""#,
    ] {
        assert_invalid(&agent, &format!(r#"{{"service":"s","amount_usd":{amount}}}"#), "amount_usd");
    }
    assert_invalid(&agent, r#"{"service":"s","amount_usd":1,"kind":"credit"}"#, "amount_usd");
    assert_invalid(&agent, r#"{"service":"s","amount_usd":-10000.1,"kind":"credit"}"#, "amount_usd");
    assert_invalid(&agent, r#"{"service":"s"}"#, "amount_usd");
    assert_nothing_recorded(&agent);
    // The edges themselves are fine; a long number is no trouble.
    let long = format!("1.{}", "3".repeat(10_000));
    for amount in ["0", "-0", "10000", "1e4", "10000.0000000000004", &long] {
        agent.costs(format!(r#"{{"service":"s","amount_usd":{amount}}}"#)).expect(200);
    }
}

/// Values, as JSON, that a field may not have.
const WRONG_VALUES: &[(&str, &[&str])] = &[
    ("service", &["\"\"", "null", "1", "[\"s\"]", r#""a\u0000b""#, r#""a\nb""#, r#""a\u007fb""#, r#""a\u0085b""#]),
    ("operation", &["\"\"", "null", "true", r#""\t""#]),
    ("id", &["\"\"", "null", "7", r#""a\u001fb""#]),
    ("source", &["null", "[]", r#""\r""#]),
    ("kind", &["\"\"", "null", "\"refund\"", "1"]),
    ("worker", &["null", "1", r#""\u0001""#]),
    ("batch_id", &["null", "{}", r#""\u0001""#]),
    ("lead_id", &["null", "false", r#""\u0001""#]),
    ("model", &["null", "[]", r#""\u0001""#]),
    ("usage", &["null", "[]", "1"]),
    ("duration_seconds", &["null", "-1", "\"1\"", "1e400"]),
    ("outcome", &["null", "true", "\"fine\""]),
    ("attributes", &["null", "[]", "\"a\""]),
    ("revision", &["null", "\"1\"", "-1", "1.0", "1e3", "2147483648"]),
];

/// How many bytes a text may have.
const LONGEST: &[(&str, usize)] = &[
    ("service", 128),
    ("operation", 128),
    ("id", 200),
    ("source", 200),
    ("worker", 200),
    ("batch_id", 200),
    ("lead_id", 200),
    ("model", 200),
];

/// A good event, but for one field.
fn event_with(field: &str, value: &str) -> String {
    let service = if field == "service" { "" } else { r#""service":"s","# };
    format!(r#"{{{service}"amount_usd":1,"{field}":{value}}}"#)
}

#[test]
fn a_field_that_breaks_its_rule_is_named() {
    let agent = Setup::new().start();
    for (field, values) in WRONG_VALUES {
        for value in *values {
            assert_invalid(&agent, &event_with(field, value), field);
        }
    }
    for (field, bytes_max) in LONGEST {
        assert_invalid(&agent, &event_with(field, &format!("\"{}\"", "x".repeat(bytes_max + 1))), field);
        // Bytes, not characters.
        assert_invalid(&agent, &event_with(field, &format!("\"{}\"", "é".repeat(bytes_max / 2 + 1))), field);
    }
    assert_invalid(&agent, &event_with("attributes", &format!(r#"{{"a":"{}"}}"#, "x".repeat(4_096))), "attributes");
    let names: Vec<String> = (0..17).map(|name| format!(r#""u{name}":1"#)).collect();
    assert_invalid(&agent, &event_with("usage", &format!("{{{}}}", names.join(","))), "usage");
    for value in ["-1", "0.0000001", "\"1\"", "true", "{}", "{\"n\":1}", "[1]", "9007199254740992", "1e400"] {
        assert_invalid(&agent, &event_with("usage", &format!(r#"{{"tokens":{value}}}"#)), "");
    }
    assert_invalid(&agent, r#"{"amount_usd":1}"#, "service");
    assert_invalid(&agent, r#"{"service":"s","amount_usd":1,"ammount_usd":2}"#, "ammount_usd");
    assert_invalid(&agent, r#"{"service":"s","amount_usd":1,"Operation":"o"}"#, "Operation");
    for element in ["1", "null", "\"s\"", "[]", "[\"s\",1]"] {
        assert_invalid(&agent, element, "");
    }
    assert_nothing_recorded(&agent);
    for (field, bytes_max) in LONGEST {
        agent.costs(event_with(field, &format!("\"{}\"", "x".repeat(*bytes_max)))).expect(200);
    }
}

#[test]
fn a_time_that_is_no_instant_in_the_window_is_refused() {
    let agent = Setup::new().start();
    let old = now().checked_sub((35 * 24 * 60 + 1).minutes()).unwrap().to_string();
    let ahead = now().checked_add(7.minutes()).unwrap().to_string();
    for time in [
        "2026-11-22",
        "2026-11-22T10:00:00",
        "2026-02-30T10:00:00Z",
        "2026-11-22T25:00:00Z",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "now",
        "",
        "2026-11-22T10:00:00+99:00",
        &old,
        &ahead,
    ] {
        assert_invalid(&agent, &format!(r#"{{"service":"s","amount_usd":1,"time":"{time}"}}"#), "time");
    }
    for time in ["1700000000", "null", "{}"] {
        assert_invalid(&agent, &format!(r#"{{"service":"s","amount_usd":1,"time":{time}}}"#), "time");
    }
    assert_nothing_recorded(&agent);
    let young = now().checked_sub((35 * 24 * 60 - 5).minutes()).unwrap();
    let soon = now().checked_add(4.minutes()).unwrap();
    for time in [young, soon] {
        agent.costs(format!(r#"{{"service":"s","amount_usd":1,"time":"{time}"}}"#)).expect(200);
    }
}

#[test]
fn every_bad_event_is_listed_up_to_a_hundred() {
    let agent = Setup::new().start();
    let events: Vec<Value> =
        (0..150).map(|number| json!({"id": format!("e{number}"), "service": "s", "amount_usd": -1})).collect();
    let answer = agent.costs(serde_json::to_vec(&events).unwrap()).expect(422);
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    assert_eq!(errors.len(), 100);
    assert_eq!((&errors[99]["index"], &errors[99]["id"]), (&json!(99), &json!("e99")));
    assert_nothing_recorded(&agent);
}

#[test]
fn the_same_id_with_other_content_conflicts_and_names_the_fields() {
    let agent = Setup::new().start();
    let first = r#"{"id":"a","service":"s","amount_usd":1.5,"usage":{"x":1,"y":2},"attributes":{"k":[1,{"z":1}]}}"#;
    agent.costs(first).expect(200);
    // By meaning it is the same.
    let retry = r#"{"attributes":{"k":[1.0,{"z":1}]},"usage":{"y":2,"x":1},"amount_usd":"15e-1","service":"s","id":"a","operation":"unknown","kind":"charge","outcome":"ok"}"#;
    assert_eq!(agent.costs(retry).expect(200).json(), json!({"accepted": 0, "duplicates": 1}));

    let other = agent.costs(r#"[{"id":"new","service":"s","amount_usd":9},{"id":"a","service":"t","amount_usd":1.5000000001,"usage":{"x":1,"y":2},"attributes":{"k":[1,{"z":1}]}}]"#);
    assert_eq!((other.status, other.slug().as_str()), (409, "id-conflict"));
    let text = other.json()["errors"].to_string();
    assert!(text.contains("service") && text.contains("amount_usd") && !text.contains("usage"), "{text}");
    assert_eq!((&other.json()["errors"][0]["index"], &other.json()["errors"][0]["id"]), (&json!(1), &json!("a")));

    let within = agent.costs(r#"[{"id":"b","service":"s","amount_usd":1},{"id":"b","service":"s","amount_usd":2}]"#);
    assert_eq!((within.status, within.slug().as_str()), (409, "id-conflict"), "also within one batch");
    let within = agent.costs(r#"[{"id":"c","service":"s","amount_usd":0.25},{"id":"c","service":"s","amount_usd":0.250}]"#);
    assert_eq!(within.expect(200).json(), json!({"accepted": 1, "duplicates": 1}));
    // Another source may use the same id.
    agent.costs(r#"{"id":"a","source":"worker-2","service":"s","amount_usd":8}"#).expect(200);
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":9.75}"#);
    agent.assert_healthy();
}

#[test]
fn a_retry_without_time_matches_and_one_with_another_time_conflicts() {
    let agent = Setup::new().start();
    let time = now().checked_sub(10.minutes()).unwrap();
    agent.costs(format!(r#"{{"id":"a","service":"s","amount_usd":1,"time":"{time}"}}"#)).expect(200);
    assert_eq!(agent.costs(r#"{"id":"a","service":"s","amount_usd":1}"#).expect(200).json()["duplicates"], 1);
    let other = time.checked_add(1.second()).unwrap();
    let answer = agent.costs(format!(r#"{{"id":"a","service":"s","amount_usd":1,"time":"{other}"}}"#)).expect(409);
    assert!(answer.json()["errors"].to_string().contains("time"));
}

#[test]
fn awkward_text_comes_back_as_it_was() {
    let agent = Setup::new().start();
    for name in ["quote\"s", "back\\slash", "🙂 emoji", "مرحبا بالعالم", "{a=\"b\"}", "</script>", "a,b", "two  blanks"]
    {
        let event = json!({"service": name, "operation": name, "amount_usd": 1, "lead_id": name});
        agent.costs(event.to_string()).expect(200);
        assert_eq!(agent.get("/costs/daily").json()[name], 1, "{name}");
        assert_eq!(agent.metrics().get("lead_factory_daily_cost", &[("service", name)]), Some(1.0), "{name}");
    }
    agent.assert_healthy();
}
