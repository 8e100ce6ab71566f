//! Whole bodies, as clients send them.

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use proptest::prelude::*;

use super::events::{read_json, read_lines};
use crate::domain::{CostEvent, EventKey, Kind, Name, Outcome, Quantity, REVISION_MAX, UsageCount, Usd};
use crate::formats::{BadEvents, Batch, BodyError};
use crate::ingest::{Limits, REASONS_MAX, USAGE_COUNT_END, USAGE_NAMES_MAX, Validator};
use crate::wire::ProblemEntry;

const NOW: &str = "2026-11-22T10:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    NdJson,
}

fn read_within(
    format: Format,
    body: &[u8],
    limits: &Limits,
    new_id: &mut dyn FnMut() -> Box<str>,
) -> Result<Vec<CostEvent>, BodyError> {
    let validator = Validator::new(now(), limits, new_id);
    let read = match format {
        Format::Json => read_json,
        Format::NdJson => read_lines,
    };
    read(&HeaderMap::new(), body, validator, BadEvents::RefuseAll).map(|batch| {
        assert_eq!((batch.left_out.bad_events(), batch.places), (0, vec![]), "all or nothing");
        batch.events
    })
}

fn read_as(format: Format, body: &[u8]) -> Result<Vec<CostEvent>, BodyError> {
    let mut made = 0;
    read_within(format, body, &Limits::default(), &mut || {
        made += 1;
        format!("made-{made}").into()
    })
}

fn read(body: &str) -> Result<Vec<CostEvent>, BodyError> {
    read_as(Format::Json, body.as_bytes())
}

/// An event with these members besides a service.
fn event(members: &str) -> String {
    format!(r#"{{"service":"openai",{members}}}"#)
}

#[track_caller]
fn read_one(members: &str) -> CostEvent {
    let events = read(&event(members)).unwrap();
    let [event] = <[CostEvent; 1]>::try_from(events).unwrap();
    event
}

#[track_caller]
fn malformed(format: Format, body: &[u8]) -> String {
    match read_as(format, body) {
        Err(BodyError::Malformed { detail, .. }) => detail,
        other => panic!("{:?} gave {other:?}", String::from_utf8_lossy(body)),
    }
}

#[track_caller]
fn problems(body: &str) -> Vec<ProblemEntry> {
    match read(body) {
        Err(BodyError::Invalid { errors, .. }) => errors,
        other => panic!("{body} gave {other:?}"),
    }
}

/// The only problem of a single event: its field and detail.
#[track_caller]
fn only_problem(body: &str) -> (Option<String>, String) {
    let [problem] = <[ProblemEntry; 1]>::try_from(problems(body)).unwrap();
    assert_eq!(problem.index, Some(0));
    (problem.field, problem.detail)
}

#[test]
fn the_least_event_gets_the_defaults() {
    let event = read_one(r#""amount_usd":0.0015"#);
    assert_eq!(event.amount, Usd::parse("0.0015").unwrap());
    assert_eq!((event.service.as_str(), event.operation.as_str()), ("openai", "unknown"));
    assert_eq!((&*event.key.source, &*event.key.id), ("", "made-1"));
    assert_eq!((event.time, event.time_given), (now(), false));
    assert_eq!((event.kind, event.outcome), (Kind::Charge, Outcome::Ok));
    assert_eq!((event.worker, event.batch_id, event.lead_id, event.model), (None, None, None, None));
    assert_eq!((event.usage, event.duration_seconds, event.attributes), (vec![], None, None));
    assert_eq!(event.revision, 0);
}

#[test]
fn every_field_is_read() {
    let event = read_one(
        r#""amount_usd":"-1.50","operation":"chat \"x\" 🙂 \u05e9","id":"call\\1","source":"worker a","time":
        "2026-11-22T11:00:00.25+01:00","kind":"credit","worker":"w","batch_id":"b","lead_id":"l","model":"m","usage":
        {"output_tokens":50,"input_tokens":9007199254740991.999999,"x":0,"null":null},"duration_seconds":0.25,"outcome":"error",
        "revision":2147483647,"attributes":{ "b" : [1.0, null],"a":"\u0041" }"#,
    );
    assert_eq!(event.revision, REVISION_MAX);
    assert_eq!(event.amount, Usd::parse("-1.5").unwrap());
    assert_eq!(event.operation.as_str(), "chat \"x\" 🙂 ש");
    assert_eq!((&*event.key.source, &*event.key.id), ("worker a", "call\\1"));
    assert_eq!((event.time, event.time_given), ("2026-11-22T10:00:00.25Z".parse().unwrap(), true));
    assert_eq!((event.kind, event.outcome), (Kind::Credit, Outcome::Error));
    let texts = [event.worker, event.batch_id, event.lead_id, event.model];
    assert_eq!(texts.each_ref().map(|text| text.as_deref()), [Some("w"), Some("b"), Some("l"), Some("m")]);
    let usage: Vec<_> = event.usage.iter().map(|usage| (usage.kind.as_str(), usage.count.to_string())).collect();
    let expected = [("input_tokens", "9007199254740991.999999"), ("output_tokens", "50"), ("x", "0")];
    assert_eq!(usage, expected.map(|(kind, count)| (kind, count.to_owned())), "ordered by kind");
    assert_eq!(event.duration_seconds, Some(0.25));
    assert_eq!(event.attributes.as_deref(), Some(r#"{ "b" : [1.0, null],"a":"\u0041" }"#), "kept to the letter");
}

#[test]
fn an_empty_optional_text_is_an_absent_one() {
    let event = read_one(r#""amount_usd":1,"worker":"","batch_id":"","lead_id":"","model":"","source":"","usage":{}"#);
    assert_eq!((event.worker, event.batch_id, event.lead_id, event.model), (None, None, None, None));
    assert_eq!((&*event.key.source, event.usage), ("", vec![]));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn one_bad_field_is_named_with_its_reason() {
    let long = |bytes: usize| "x".repeat(bytes);
    let usage_17 = (0..17).map(|at| format!("\"u{at}\":1")).collect::<Vec<_>>().join(",");
    let amount = |members: &str| format!(r#""amount_usd":1,{members}"#);
    for (members, field, words) in [
        (r#""operation":"a""#.to_owned(), "amount_usd", "required"),
        (r#""amount_usd":null"#.to_owned(), "amount_usd", "not null"),
        (r#""amount_usd":true"#.to_owned(), "amount_usd", "not a boolean"),
        (r#""amount_usd":{}"#.to_owned(), "amount_usd", "not an object"),
        (r#""amount_usd":[1]"#.to_owned(), "amount_usd", "not an array"),
        (r#""amount_usd":"NaN""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":"""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":" 1""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":"1 ""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":"+1""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":"1,00""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":"0x1""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":"٣""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":"$1""#.to_owned(), "amount_usd", "not a decimal number"),
        (r#""amount_usd":-1"#.to_owned(), "amount_usd", "negative"),
        (
            r#""amount_usd":-0.00750"#.to_owned(),
            "amount_usd",
            "charges as negative numbers: send 0.00750. Only money that really comes back",
        ),
        (r#""amount_usd":"-1e-13""#.to_owned(), "amount_usd", "negative"),
        (r#""amount_usd":-1e-999999"#.to_owned(), "amount_usd", "negative"),
        (r#""kind":"credit","amount_usd":1e-13"#.to_owned(), "amount_usd", "must not be positive"),
        (r#""kind":"credit","amount_usd":-10000.000000000001"#.to_owned(), "amount_usd", "at most 10000 USD"),
        (r#""amount_usd":10000.000000000001"#.to_owned(), "amount_usd", "at most 10000 USD"),
        (r#""amount_usd":1e400"#.to_owned(), "amount_usd", "out of range"),
        (format!(r#""amount_usd":{}"#, "9".repeat(10_000)), "amount_usd", "out of range"),
        (amount(r#""operation":"""#), "operation", "empty"),
        (amount(r#""operation":null"#), "operation", "must be a string, not null; leave the field out"),
        (amount(r#""operation":"a ""#), "operation", "must not begin or end with white space"),
        (amount(r#""worker":"\u00a0""#), "worker", "must not begin or end with white space"),
        (amount(r#""batch_id":" b""#), "batch_id", "must not begin or end with white space"),
        (amount(r#""lead_id":"a\u200bb""#), "lead_id", "contains an invisible character, U+200B"),
        (amount(r#""model":"a\u00a0b""#), "model", "contains an invisible character, U+00A0"),
        (amount(r#""operation":5"#), "operation", "must be a string, not a number"),
        (amount(r#""operation":"a\u0000b""#), "operation", "control character"),
        (amount(&format!(r#""operation":"{}""#, long(129))), "operation", "128 bytes"),
        (amount(r#""id":"""#), "id", "empty"),
        (amount(r#""id":7"#), "id", "must be a string"),
        (amount(r#""id":"a\nb""#), "id", "control character"),
        (amount(&format!(r#""id":"{}""#, long(201))), "id", "200 bytes"),
        (amount(&format!(r#""source":"{}""#, long(201))), "source", "200 bytes"),
        (amount(r#""source":"\u007f""#), "source", "control character"),
        (amount(&format!(r#""worker":"{}""#, long(201))), "worker", "200 bytes"),
        (amount(r#""batch_id":"\t""#), "batch_id", "control character"),
        (amount(r#""lead_id":12"#), "lead_id", "must be a string"),
        (amount(r#""model":null"#), "model", "leave the field out"),
        (amount(r#""kind":"refund""#), "kind", "\"charge\" or \"credit\", not \"refund\""),
        (amount(r#""kind":"Charge""#), "kind", "\"charge\""),
        (amount(r#""kind":null"#), "kind", "null"),
        (amount(r#""outcome":"failed""#), "outcome", "\"ok\" or \"error\""),
        (amount(r#""outcome":true"#), "outcome", "must be a string"),
        (amount(r#""time":1763805600"#), "time", "must be a string"),
        (amount(r#""time":"2026-11-22T10:00:00""#), "time", "offset"),
        (amount(r#""time":"2026-02-30T10:00:00Z""#), "time", "a date, time or offset that does not exist"),
        (amount(r#""time":"2026-11-22T10:05:00.000000001Z""#), "time", "more than 5 minutes ahead"),
        (amount(r#""time":"9999-12-31T23:59:59Z""#), "time", "more than 5 minutes ahead"),
        (amount(r#""time":"2026-10-18T09:59:59.999999999Z""#), "time", "more than 35 days old"),
        (amount(r#""time":"0000-01-01T00:00:00Z""#), "time", "more than 35 days old"),
        (r#""amount_usd":-1,"kind":"credit","time":"2025-10-18T09:59:59Z""#.to_owned(), "time", "more than 400 days old"),
        (amount(r#""usage":[]"#), "usage", "must be an object, not an array"),
        (amount(r#""usage":{"a":1.0000001}"#), "usage", "usage \"a\" must have at most 6 decimals"),
        (amount(r#""usage":{"a":1e-7}"#), "usage", "\"a\" must have at most 6 decimals"),
        (amount(r#""usage":{"a":"5"}"#), "usage", "\"a\" must be a number, not a string"),
        (amount(r#""usage":{"a":-1}"#), "usage", "\"a\" must not be negative"),
        (amount(r#""usage":{"a":true}"#), "usage", "\"a\" must be a number, not a boolean"),
        (amount(r#""usage":{"a":{"b":1}}"#), "usage", r#"flatten it: "a_NAME":1 in place of "a":{"NAME":1}"#),
        (amount(r#""usage":{"a":[1]}"#), "usage", "\"a\" must be a number, not an array"),
        (amount(r#""usage":{"a":9007199254740992}"#), "usage", "\"a\" must be below 9007199254740992"),
        (amount(r#""usage":{"a":1e400}"#), "usage", "\"a\" must be below 9007199254740992"),
        (amount(r#""usage":{"":1}"#), "usage", "empty"),
        (amount(r#""usage":{"a\nb":1}"#), "usage", "control character"),
        (amount(&format!(r#""usage":{{"{}":1}}"#, long(129))), "usage", "128 bytes"),
        (amount(&format!(r#""usage":{{{usage_17}}}"#)), "usage", "has more than 16 names"),
        (amount(r#""duration_seconds":-0.1"#), "duration_seconds", "negative"),
        (amount(r#""duration_seconds":-1e-400"#), "duration_seconds", "negative"),
        (amount(r#""duration_seconds":1e400"#), "duration_seconds", "out of range"),
        (amount(r#""duration_seconds":"1""#), "duration_seconds", "must be a number"),
        (amount(r#""duration_seconds":null"#), "duration_seconds", "null"),
        (amount(r#""revision":-1"#), "revision", "must be an integer from 0 to 2147483647"),
        (amount(r#""revision":2147483648"#), "revision", "must be an integer from 0 to 2147483647"),
        (amount(r#""revision":1.0"#), "revision", "must be an integer"),
        (amount(r#""revision":"1""#), "revision", "must be a number, not a string"),
        (amount(r#""revision":null"#), "revision", "null; leave the field out"),
        (amount(r#""attributes":[]"#), "attributes", "must be an object"),
        (amount(r#""attributes":null"#), "attributes", "null"),
        (amount(r#""attributes":"{}""#), "attributes", "must be an object"),
        (amount(r#""attributes":{"a":[1e400]}"#), "attributes", "out of range"),
        (
            amount(&format!(r#""attributes":{{"a":"{}"}}"#, long(4_089))),
            "attributes",
            "is 4097 bytes of JSON; the limit is 4096",
        ),
        (amount(r#""colour":"red""#), "colour", "\"colour\" is not a field of an event"),
        (amount(r#""Model":"x""#), "Model", "did you mean \"model\"?"),
        (amount(r#""timestamp":"x""#), "timestamp", "did you mean \"time\"?"),
        (amount(r#""":1"#), "", "not a field"),
    ] {
        let (named, detail) = only_problem(&event(&members));
        assert_eq!(named.as_deref(), Some(field), "{members}: {detail}");
        assert!(detail.contains(words), "{members}: {detail}");
    }
}

#[test]
fn the_service_is_required_and_bounded() {
    for (body, words) in [
        (r#"{"amount_usd":1}"#.to_owned(), "service is required"),
        (r#"{"amount_usd":1,"service":""}"#.to_owned(), "service must not be empty"),
        (r#"{"amount_usd":1,"service":null}"#.to_owned(), "service must be a string, not null"),
        (r#"{"amount_usd":1,"service":["a"]}"#.to_owned(), "service must be a string, not an array"),
        (r#"{"amount_usd":1,"service":"a\u0085"}"#.to_owned(), "service contains a control character"),
        (format!(r#"{{"amount_usd":1,"service":"{}"}}"#, "é".repeat(65)), "service is longer than 128 bytes"),
    ] {
        let (field, detail) = only_problem(&body);
        assert_eq!(field.as_deref(), Some("service"));
        assert!(detail.starts_with(words), "{detail}");
    }
}

#[test]
fn values_at_their_bounds_are_taken() {
    let usage_16 = (0..16).map(|at| format!("\"u{at}\":1")).collect::<Vec<_>>().join(",");
    let nulls = (0..100).map(|at| format!("\"n{at}\":null")).collect::<Vec<_>>().join(",");
    for members in [
        r#""amount_usd":10000"#.to_owned(),
        r#""amount_usd":10000.0000000000004"#.to_owned(),
        r#""amount_usd":-0.0e7"#.to_owned(),
        r#""amount_usd":"1e-05""#.to_owned(),
        r#""amount_usd":"\u0031""#.to_owned(),
        r#""amount_usd":0,"kind":"credit""#.to_owned(),
        r#""amount_usd":-10000,"kind":"credit""#.to_owned(),
        format!(r#""amount_usd":0.{}1"#, "0".repeat(10_000)),
        r#""amount_usd":1,"time":"2026-11-22T10:05:00Z""#.to_owned(),
        r#""amount_usd":1,"time":"2026-10-18T10:00:00Z""#.to_owned(),
        r#""amount_usd":1,"time":"2026-11-22T10:00:00+0000""#.to_owned(),
        r#""amount_usd":-1,"kind":"credit","time":"2025-10-18T10:00:00Z""#.to_owned(),
        r#""amount_usd":1,"id":" my id ","source":"\u200b""#.to_owned(),
        r#""amount_usd":1,"usage":{"a ":1,"a":2}"#.to_owned(),
        format!(r#""amount_usd":1,"id":"{}""#, "x".repeat(200)),
        format!(r#""amount_usd":1,"operation":"{}""#, "x".repeat(128)),
        format!(r#""amount_usd":1,"attributes":{{"a":"{}"}}"#, "x".repeat(4_088)),
        r#""amount_usd":1,"duration_seconds":-0.0"#.to_owned(),
        r#""amount_usd":1,"usage":{"a":-0}"#.to_owned(),
        r#""amount_usd":1,"usage":{"a":10.0,"b":1e3,"c":0.0000010,"d":9007199254740991.999999}"#.to_owned(),
        format!(r#""amount_usd":1,"usage":{{"":null,{nulls},{usage_16}}}"#),
        r#""amount_usd":1,"\u0069d":"x""#.to_owned(),
    ] {
        let read = read(&event(&members));
        assert!(read.is_ok(), "{members}: {read:?}");
    }
    assert!(read_one(r#""amount_usd":1,"duration_seconds":-0.0"#).duration_seconds.unwrap().is_sign_positive());
}

#[test]
fn what_cannot_be_read_is_malformed_wherever_it_stands() {
    let good = event(r#""amount_usd":1"#);
    let deep =
        |depth: usize| event(&format!(r#""amount_usd":1,"attributes":{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth)));
    for body in [
        String::new(),
        "  \n".to_owned(),
        format!("\u{feff}{good}"),
        good[..good.len() - 1].to_owned(),
        format!("{good}{good}"),
        format!("{good},"),
        format!("[{good}] []"),
        format!("[{good},]"),
        format!("[{good},{{\"service\":5}},nope]"),
        event(r#""amount_usd":NaN"#),
        event(r#""amount_usd":+1"#),
        event(r#""amount_usd":01"#),
        event(r#""amount_usd":1,"amount_usd":1"#),
        event(r#""amount_usd":1,"\u0073ervice":"x""#),
        event(r#""amount_usd":1,"usage":{"a":1,"a":1}"#),
        event(r#""amount_usd":1,"attributes":{"x":[{"a":1,"a":1}]}"#),
        event(r#""amount_usd":1,"surprise":[{"a":1,"a":1}]"#),
        event(r#""amount_usd":1,"id":"\ud800""#),
        event(r#""amount_usd":1,"attributes":{"a":"\udfff"}"#),
        event("\"amount_usd\":1,\"id\":\"a\nb\""),
        format!("{good} // done"),
        "null".to_owned(),
        "5".to_owned(),
        "\"text\"".to_owned(),
        deep(31),
        format!("[{}]", deep(30)),
    ] {
        malformed(Format::Json, body.as_bytes());
    }
    assert!(read(&deep(30)).is_ok());
    assert!(read(&format!("[{}]", deep(29))).is_ok());
    assert_eq!(malformed(Format::Json, b"{\"service\":\"\xff\"}"), "The body is not valid UTF-8 at byte 12");
    assert_eq!(malformed(Format::Json, b""), "The body is empty");
    assert!(malformed(Format::Json, b"17").ends_with("expected an object or an array of objects, not a number"));
}

#[test]
fn every_bad_event_is_listed_with_its_place_and_id() {
    let body = format!(
        r#"[{},{{"id":"b","service":"","amount":3}},[{{}}],7,{}]"#,
        event(r#""amount_usd":1,"id":"a""#),
        event(r#""amount_usd":1,"id":"","worker":null"#)
    );
    let error = read(&body).unwrap_err();
    assert_eq!(error.events_seen(), 5);
    let BodyError::Invalid { errors, total, .. } = error else { panic!("{error}") };
    assert_eq!(total, 4);
    let listed: Vec<_> =
        errors.iter().map(|each| (each.index.unwrap(), each.id.as_deref(), each.field.as_deref())).collect();
    assert_eq!(
        listed,
        [
            (1, Some("b"), Some("amount")),
            (1, Some("b"), Some("service")),
            (1, Some("b"), Some("amount_usd")),
            (2, None, None),
            (3, None, None),
            (4, Some(""), Some("id")),
            (4, Some(""), Some("worker")),
        ]
    );
    assert!(errors[0].detail.ends_with("did you mean \"amount_usd\"?"), "{}", errors[0].detail);
    assert_eq!(errors[3].detail, "an event must be an object, not an array");
    assert_eq!(
        serde_json::to_string(&errors[4]).unwrap(),
        r#"{"index":3,"detail":"an event must be an object, not a number"}"#
    );
}

#[test]
fn a_hundred_problems_are_listed_and_all_bad_events_counted() {
    let body = format!("[{}]", vec!["{}"; 300].join(","));
    let error = read(&body).unwrap_err();
    let BodyError::Invalid { errors, total, events_seen } = error else { panic!("{error}") };
    assert_eq!((errors.len(), total, events_seen), (REASONS_MAX, 300, 300));

    // Each of sixty has an entry, and the first forty have a second one.
    let body = format!("[{}]", vec!["{}"; 60].join(","));
    let BodyError::Invalid { errors, .. } = read(&body).unwrap_err() else { panic!() };
    let of_event = |index: usize| errors.iter().filter(|error| error.index == Some(index)).count();
    assert_eq!((errors.len(), of_event(0), of_event(39), of_event(40), of_event(59)), (REASONS_MAX, 2, 2, 1, 1));
    assert!(errors.is_sorted_by_key(|error| error.index));

    let unknown = (0..5_000).map(|at| format!("\"f{at}\":0")).collect::<Vec<_>>().join(",");
    assert_eq!(problems(&event(&unknown)).len(), REASONS_MAX);
    let long = problems(&format!(r#"{{"{0}":1,"id":"{0}"}}"#, "x".repeat(1_000_000)));
    let bytes: usize = long.iter().map(|each| serde_json::to_string(each).unwrap().len()).sum();
    assert!(bytes < 5_000, "an answer repeats only the beginning of what was sent: {bytes}");
}

#[test]
fn events_beyond_the_bound_are_not_looked_at() {
    let limits = Limits { events_max: 3, ..Limits::default() };
    let good = event(r#""amount_usd":1"#);
    let many = |count: usize, tail: &str| format!("[{}{tail}", vec![&good[..]; count].join(","));
    let read = |body: &str| read_within(Format::Json, body.as_bytes(), &limits, &mut || "x".into());
    assert_eq!(read(&many(3, "]")).unwrap().len(), 3);
    let error = read(&many(4, ", this is never read")).unwrap_err();
    assert_eq!(error, BodyError::TooManyEvents { limit: 3 });
    assert_eq!(error.events_seen(), 4);
}

#[test]
fn no_events_are_an_empty_list() {
    assert_eq!(read(" [ ] \n"), Ok(vec![]));
    assert_eq!(read_as(Format::NdJson, b" \r\n\n\t"), Ok(vec![]));
    malformed(Format::NdJson, b"");
}

#[test]
fn lines_are_events() {
    let good = event(r#""amount_usd":1"#);
    for body in [format!("{good}\n{good}"), format!("{good}\r\n\r\n {good} \r\n"), format!("\n\n{good}\n \t\n{good}\n\n")] {
        let events = read_as(Format::NdJson, body.as_bytes()).unwrap();
        let ids: Vec<_> = events.iter().map(|event| &*event.key.id).collect();
        assert_eq!(ids, ["made-1", "made-2"], "{body:?}");
    }
    let one_element = read_as(Format::NdJson, format!("{good}\n\n[{good}]\n5\n").as_bytes()).unwrap_err();
    let BodyError::Invalid { errors, total, events_seen } = one_element else { panic!("{one_element}") };
    assert_eq!((total, events_seen), (2, 3));
    assert_eq!(errors.iter().map(|each| each.index.unwrap()).collect::<Vec<_>>(), [1, 2]);
    for (body, line) in [
        (format!("{good}\n\n{good}{good}\n"), "line 3,"),
        (format!("{good}\n{{\"service\":5}}\n{{\"a\":"), "line 3,"),
        ("{\"service\":\n\"a\"}".to_owned(), "line 1,"),
        (format!("[{good},\n{good}]"), "line 1,"),
        (format!("\u{feff}{good}"), "line 1,"),
        (format!("{good}\n\u{feff}{good}"), "line 2,"),
        (format!("{good}\n{good},"), "line 2,"),
    ] {
        let detail = malformed(Format::NdJson, body.as_bytes());
        assert!(detail.contains(line), "{body:?}: {detail}");
    }
}

#[test]
fn a_second_document_as_json_is_told_of_the_type_for_lines() {
    let good = event(r#""amount_usd":1"#);
    for second in [&good[..], "[]", "\"a\"", "7"] {
        let detail = malformed(Format::Json, format!("{good}\n{second}\n").as_bytes());
        assert!(detail.contains("line 2, column 1: trailing characters"), "{detail}");
        assert!(detail.ends_with("for one event per line, Content-Type is application/x-ndjson"), "{detail}");
    }
    for body in [format!("{good},"), format!("{good}]"), format!("[{good},]"), format!("{good}{{")] {
        let detail = malformed(Format::Json, body.as_bytes());
        assert_eq!(detail.contains("ndjson"), body.ends_with('{'), "{detail}");
    }
    let detail = malformed(Format::NdJson, format!("{good}{good}").as_bytes());
    assert!(!detail.contains("ndjson"), "{detail}");
}

fn read_good_ones(format: Format, body: &[u8]) -> Result<Batch, BodyError> {
    let (limits, mut new_id) = (Limits::default(), || Box::from("made"));
    let validator = Validator::new(now(), &limits, &mut new_id);
    match format {
        Format::Json => read_json(&HeaderMap::new(), body, validator, BadEvents::LeaveOut),
        Format::NdJson => read_lines(&HeaderMap::new(), body, validator, BadEvents::LeaveOut),
    }
}

#[test]
fn bad_events_are_left_out_where_that_is_asked_for() {
    let (good, bad) = (event(r#""amount_usd":1"#), event(r#""id":"b""#));
    let array = format!("[{bad},{good},7,{good},{{}}]");
    let lines = format!("{bad}\n\n{good}\n7\n{good}\r\n{{}}");
    for (format, body) in [(Format::Json, array), (Format::NdJson, lines)] {
        let Batch { events, places, left_out } = read_good_ones(format, body.as_bytes()).unwrap();
        assert_eq!((events.len(), places, left_out.bad_events()), (2, vec![1, 3], 3));
        let listed: Vec<_> = left_out.into_listed().into_iter().map(|each| (each.index, each.id, each.field)).collect();
        let field = |name: &str| Some(name.to_owned());
        assert_eq!(
            listed,
            [
                (Some(0), Some("b".to_owned()), field("amount_usd")),
                (Some(2), None, None),
                (Some(4), None, field("service")),
                (Some(4), None, field("amount_usd")),
            ]
        );
    }
    let many = format!("[{good}{}]", format!(",{bad}").repeat(5_000));
    let Batch { events, left_out, .. } = read_good_ones(Format::Json, many.as_bytes()).unwrap();
    assert_eq!((events.len(), left_out.bad_events(), left_out.into_listed().len()), (1, 5_000, REASONS_MAX));
    for body in [&b""[..], b"nope", b"[{},", b"{}{}"] {
        assert!(matches!(read_good_ones(Format::Json, body), Err(BodyError::Malformed { .. })));
    }
}

#[test]
fn a_line_that_is_no_json_is_a_bad_event_among_others() {
    let good = event(r#""amount_usd":1"#);
    let torn = &good[..20];
    let mut body = format!("{good}{good}\n\n{good}\n{torn}\n\u{feff}{good}\n").into_bytes();
    body.extend(b"{\"service\":\"\xff\",\"amount_usd\":1}\n{\"id\":\"a\",\"id\":\"a\"}\n");
    let Batch { events, places, left_out } = read_good_ones(Format::NdJson, &body).unwrap();
    assert_eq!((events.len(), places, left_out.bad_events()), (1, vec![1], 5));
    let details: Vec<_> = left_out.into_listed().into_iter().map(|each| (each.index.unwrap(), each.detail)).collect();
    for ((at, detail), (index, words)) in details.iter().zip([
        (0, "Invalid JSON at line 1, column 36: trailing characters"),
        (2, "Invalid JSON at line 4, column 21: unexpected end"),
        (3, "line 5, column 1: a byte order mark"),
        (4, "Line 6 is not valid UTF-8"),
        (5, "duplicate key \"id\""),
    ]) {
        assert_eq!(*at, index);
        assert!(detail.contains(words), "{detail}");
    }
    for body in [&b""[..], b"nope", b"{\n\"service\":\"a\"\n}", b"\xff\n\xff"] {
        assert!(matches!(read_good_ones(Format::NdJson, body), Err(BodyError::Malformed { .. })), "not one line is JSON");
    }
    assert_eq!(read_good_ones(Format::NdJson, b"\n \r\n"), Ok(Batch::default()));
    let error = read_good_ones(Format::NdJson, format!("{good}\n").repeat(10_001).as_bytes()).unwrap_err();
    assert_eq!(error, BodyError::TooManyEvents { limit: 10_000 });
}

#[test]
fn the_key_of_the_request_is_the_id_of_its_one_event() {
    let read = |body: &str, key: &str| {
        let (limits, mut new_id) = (Limits::default(), || Box::from("made"));
        let headers = HeaderMap::from_iter([("idempotency-key".parse().unwrap(), key.parse().unwrap())]);
        let validator = Validator::new(now(), &limits, &mut new_id);
        read_json(&headers, body.as_bytes(), validator, BadEvents::RefuseAll)
    };
    let (without, with) = (event(r#""amount_usd":1"#), event(r#""amount_usd":1,"id":"k-1""#));
    for body in [without.clone(), with.clone(), format!("[{without}]")] {
        let batch = read(&body, "k-1").unwrap();
        assert_eq!(batch.events.iter().map(|event| &*event.key.id).collect::<Vec<_>>(), ["k-1"], "{body}");
    }
    assert_eq!(read("[]", "k-1"), Ok(Batch::default()));
    for (body, key, field) in [
        (with, "k-2".to_owned(), "id"),
        (without.clone(), String::new(), "Idempotency-Key"),
        (without.clone(), "k".repeat(201), "Idempotency-Key"),
        (format!("[{without},{without}]"), "k-1".to_owned(), "Idempotency-Key"),
        (format!("[{without},7]"), "k-1".to_owned(), "Idempotency-Key"),
    ] {
        let BodyError::Invalid { errors, .. } = read(&body, &key).unwrap_err() else { panic!("{body}") };
        assert_eq!(errors[0].field.as_deref(), Some(field), "{body}");
    }
}

#[test]
fn the_same_id_twice_is_not_decided_here() {
    let good = event(r#""amount_usd":1,"id":"a""#);
    assert_eq!(read(&format!("[{good},{good}]")).unwrap().len(), 2);
}

#[test]
fn ids_are_made_only_for_valid_events() {
    let mut made = 0;
    let body = format!("[{},{}]", event(r#""amount_usd":-1"#), event(r#""amount_usd":1,"id":"mine""#));
    let read = read_within(Format::Json, body.as_bytes(), &Limits::default(), &mut || {
        made += 1;
        "made".into()
    });
    assert!(read.is_err());
    assert_eq!(made, 0);
}

/// Millionths of a count: of any size, and often a whole one.
fn any_count() -> impl Strategy<Value = u128> {
    let end = USAGE_COUNT_END.micros();
    prop_oneof![0..end, (0..end / 1_000_000).prop_map(|whole| whole * 1_000_000)]
}

prop_compose! {
    /// The JSON of a valid event, and the event.
    fn any_event()(
        service in "[^\\p{C}\\p{Z}]{1,16}( [^\\p{C}\\p{Z}]{1,16})?",
        pico in 0_i64..10_000_000_000_000_000,
        as_text in any::<bool>(),
        id in "[^\\p{Cc}]{1,50}",
        worker in proptest::option::of("[^\\p{C}\\p{Z}]{1,50}"),
        age_nanos in -300_000_000_000_i64..3_024_000_000_000_000,
        usage in proptest::collection::btree_map("[a-z_]{1,20}", any_count(), 0..=USAGE_NAMES_MAX),
        duration_seconds in proptest::option::of(0.0..1e9),
        revision in 0..=REVISION_MAX,
        note in proptest::option::of(any::<String>().prop_map(|text| text.chars().take(500).collect::<String>())),
    ) -> (String, CostEvent) {
        let amount = Usd::from_pico(i128::from(pico));
        let time = Timestamp::from_nanosecond(now().as_nanosecond() - i128::from(age_nanos)).unwrap();
        let mut json = serde_json::json!({"service": service, "id": id, "time": time.to_string(), "usage": {}});
        json["amount_usd"] = amount.to_string().into();
        let attributes = note.map(|note| serde_json::json!({ "note": note }));
        for (name, value) in [
            ("worker", worker.clone().map(serde_json::Value::from)),
            ("duration_seconds", duration_seconds.map(serde_json::Value::from)),
            ("attributes", attributes.clone()),
        ] {
            if let Some(value) = value {
                json[name] = value;
            }
        }
        let usage: BTreeMap<Name, Quantity> = usage
            .into_iter()
            .map(|(kind, micros)| (Name::new(&kind).unwrap(), Quantity::from_micros(micros)))
            .collect();
        if revision != 0 || as_text {
            json["revision"] = revision.into();
        }
        if as_text {
            json["operation"] = "unknown".into();
        }
        let event = CostEvent {
            key: EventKey { source: "".into(), id: id.into() },
            service: Name::new(&service).unwrap(),
            operation: Name::new("unknown").unwrap(),
            amount,
            kind: Kind::Charge,
            time,
            time_given: true,
            worker: worker.map(Box::from),
            batch_id: None,
            lead_id: None,
            model: None,
            usage: usage.iter().map(|(kind, count)| UsageCount { kind: kind.clone(), count: *count }).collect(),
            duration_seconds,
            outcome: Outcome::Ok,
            attributes: attributes.map(|attributes| attributes.to_string().into()),
            revision,
            first_recorded_at: None,
            origin: None,
        };
        // With all their digits, for which a `Value` has no place.
        (json.to_string().replace(r#""usage":{}"#, &format!(r#""usage":{}"#, serde_json::to_string(&usage).unwrap())), event)
    }
}

/// A line that is not blank: a good event, one that breaks a rule, something else, or rubbish.
fn any_line() -> impl Strategy<Value = Vec<u8>> {
    let good = event(r#""amount_usd":1"#);
    prop_oneof![
        Just(good.clone().into_bytes()),
        Just(event(r#""amount_usd":-1"#).into_bytes()),
        Just(b"[{}]".to_vec()),
        Just(format!("{good}{good}").into_bytes()),
        (1..good.len()).prop_map(move |end| good.as_bytes()[..end].to_vec()),
        proptest::collection::vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 1..20).prop_map(|mut line| {
            line.insert(0, b'x');
            line
        }),
    ]
}

proptest! {
    #[test]
    fn a_valid_event_is_read_as_it_was_meant(events in proptest::collection::vec(any_event(), 1..4)) {
        let (json, events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        let array = format!("[{}]", json.join(","));
        prop_assert_eq!(read(&array), Ok(events.clone()));
        let lines: String = json.iter().map(|json| format!("{json}\n")).collect();
        prop_assert_eq!(read_as(Format::NdJson, lines.as_bytes()), Ok(events));
    }

    #[test]
    fn a_changed_body_is_read_or_refused_in_order((json, _) in any_event(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = json.into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        match read_as(Format::Json, &body) {
            Ok(events) => prop_assert_eq!(events.len(), 1),
            Err(BodyError::Invalid { errors, total, events_seen }) => {
                prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok());
                prop_assert!(!errors.is_empty());
                prop_assert_eq!((total, events_seen), (1, 1));
            }
            Err(BodyError::Malformed { detail, .. }) => prop_assert!(!detail.is_empty()),
            Err(other) => prop_assert!(false, "{other}"),
        }
        body.truncate(at);
        let is_malformed = matches!(read_as(Format::Json, &body), Err(BodyError::Malformed { .. }));
        prop_assert!(is_malformed);
    }

    /// What is read of each line by itself is what is left of many when the bad ones are left out.
    #[test]
    fn each_line_stands_for_itself(lines in proptest::collection::vec(any_line(), 0..20)) {
        let alone: Vec<_> = lines.iter().map(|line| read_as(Format::NdJson, line)).collect();
        let good: Vec<_> = alone.iter().enumerate().filter(|(_, read)| read.is_ok()).map(|(at, _)| at).collect();
        let is_nothing_json = alone.iter().all(|read| matches!(read, Err(BodyError::Malformed { .. })));
        match read_good_ones(Format::NdJson, &lines.join(&b"\n"[..])) {
            Ok(Batch { events, places, left_out }) => {
                prop_assert_eq!(&places, &good);
                prop_assert_eq!((events.len(), left_out.bad_events()), (good.len(), lines.len() - good.len()));
                let told: std::collections::BTreeSet<_> =
                    left_out.into_listed().into_iter().map(|each| each.index.unwrap()).collect();
                prop_assert!(told.into_iter().eq((0..lines.len()).filter(|at| alone[*at].is_err())));
            }
            Err(error) => prop_assert!(matches!(error, BodyError::Malformed { .. }) && is_nothing_json, "{}", error),
        }
    }

    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}:,\"a-z0-9\n ]{0,60}") {
        for format in [Format::Json, Format::NdJson] {
            let _ = read_as(format, &body);
            let _ = read_as(format, text.as_bytes());
            let _ = read_good_ones(format, &body);
            let _ = read_good_ones(format, text.as_bytes());
        }
    }
}
