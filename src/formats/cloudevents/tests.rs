use serde_json::{Value, json};

use super::FORMATS;
use crate::domain::Usd;
use crate::formats::calls::Collected;
use crate::formats::{CallCounts, CallError};
use crate::ingest::{Call, Ignored};

const STRUCTURED: &[(&str, &[u8])] = &[("content-type", b"application/cloudevents+json; charset=utf-8")];
const BATCHED: &[(&str, &[u8])] = &[("content-type", b"application/cloudevents-batch+json")];

#[track_caller]
fn read(headers: &[(&str, &[u8])], body: &[u8]) -> Collected {
    Collected::of(&FORMATS[0], headers, body, 11).unwrap()
}

#[track_caller]
fn refused(headers: &[(&str, &[u8])], body: &[u8]) -> String {
    match Collected::of(&FORMATS[0], headers, body, 11) {
        Err(CallError::Malformed(why)) => why,
        Ok(found) if found.calls.is_empty() && found.ignored.is_empty() && found.rejected.len() == 1 => {
            found.rejected[0].clone()
        }
        other => panic!("{}: {other:?}", body.escape_ascii()),
    }
}

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap()
}

fn usage(call: &Call<'_>) -> String {
    let counts: Vec<String> = call.usage.iter().map(|(name, count)| format!("{name} {count}")).collect();
    counts.join(", ")
}

/// An event with this data, and these members put over it.
fn event(data: Value, over: Value) -> Vec<u8> {
    let mut event = json!({
        "specversion": "1.0", "id": "1", "source": "/w", "type": "llm.cost", "time": "2026-11-28T12:00:00Z", "data": data,
    });
    for (name, value) in over.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string().into_bytes()
}

#[track_caller]
fn of_data(data: Value) -> Call<'static> {
    read(STRUCTURED, &event(data, json!({}))).only()
}

#[test]
fn events_of_litellm_are_calls_under_the_id_of_its_generic_callback() {
    for (body, id, cost, counts) in [
        (
            &include_bytes!("../../../tests/captures/cloudevents/openmeter_tiny.json")[..],
            "7d2a5d16-850a-47a3-a95e-a2fb6abd19c0",
            Some("0.00000014"),
            "input_tokens 7",
        ),
        (
            include_bytes!("../../../tests/captures/cloudevents/openmeter_float_noise.json"),
            "chatcmpl-6d8bb793-6aff-4103-a91b-5792b780d192",
            Some("0.002355"),
            "input_tokens 1000, output_tokens 50",
        ),
        (
            include_bytes!("../../../tests/captures/cloudevents/openmeter_cost_null.json"),
            "chatcmpl-A644",
            None,
            "input_tokens 1000, output_tokens 50",
        ),
        (
            include_bytes!("../../../tests/captures/cloudevents/openmeter_cache_miss.json"),
            "chatcmpl-A638",
            Some("0.002"),
            "input_tokens 1000, output_tokens 50",
        ),
        (
            include_bytes!("../../../tests/captures/cloudevents/openmeter_cache_hit.json"),
            "chatcmpl-A638",
            Some("0"),
            "input_tokens 1000, output_tokens 50",
        ),
        (
            include_bytes!("../../../tests/captures/cloudevents/openmeter_responses_no_tokens.json"),
            "resp_f6ca49478b9d000031",
            Some("0.002"),
            "",
        ),
    ] {
        let call = read(STRUCTURED, body).only();
        assert_eq!((&*call.response_id, call.cost, usage(&call).as_str()), (id, cost.map(usd), counts));
        assert_eq!((&*call.worker, &*call.service_otherwise, &*call.road), ("u1", "litellm_tokens", "cloudevents"));
        assert_eq!(call.attributes.as_deref(), Some("{\"subject\":\"u1\"}"));
        assert!(call.end.is_some());
    }
}

#[test]
fn binary_events_are_read_as_the_sdks_send_them() {
    let python: &[(&str, &[u8])] = &[
        ("ce-type", b"llm.cost"),
        ("ce-source", b"/w/%C3%A4%20100%25"),
        ("ce-id", b"a%201%E2%82%AC"),
        ("ce-subject", b"kunde%20%22%C3%BC%22"),
        ("ce-time", b"2026-11-28T12:00:00.123456Z"),
        ("content-type", b"application/json"),
        ("ce-specversion", b"1.0"),
    ];
    let call = read(python, b"{\"cost\": 1.5e-07, \"tokens\": 7}").only();
    assert_eq!(call.own_key, Some(("/w/\u{e4} 100%".into(), "a 1\u{20ac}".into())));
    assert_eq!((call.cost, usage(&call).as_str()), (Some(usd("0.00000015")), "tokens 7"));
    assert_eq!((&*call.worker, &*call.service_otherwise, &*call.response_id), ("kunde \"\u{fc}\"", "llm.cost", ""));
    assert_eq!(call.end.unwrap().to_string(), "2026-11-28T12:00:00.123456Z");

    let without_type: &[(&str, &[u8])] = &[
        ("ce-type", b"llm.cost"),
        ("ce-source", b"/w"),
        ("ce-id", b"b1"),
        ("ce-cached", b"True"),
        ("ce-attempt", b"2"),
        ("ce-specversion", b"1.0"),
    ];
    let call = read(without_type, b"{\"cost\": 0.30000000000000004}").only();
    assert_eq!((call.cost, call.is_cache_hit, call.end), (Some(usd("0.3")), false, None));
    let kept: Value = serde_json::from_str(call.attributes.as_deref().unwrap()).unwrap();
    assert_eq!(kept, json!({"cached": true, "attempt": "2"}));

    for subject in ["kunde \u{fc} 100%".as_bytes(), b"kunde \xfc 100%"] {
        let javascript: &[(&str, &[u8])] = &[
            ("content-type", b"application/json; charset=utf-8"),
            ("ce-id", b"a1"),
            ("ce-time", b"2026-11-28T10:00:00.000Z"),
            ("ce-type", b"llm.cost"),
            ("ce-source", b"/w/%C3%A4"),
            ("ce-specversion", b"1.0"),
            ("ce-subject", subject),
        ];
        assert_eq!(&*read(javascript, b"{\"cost\":1.5e-7,\"tokens\":7}").only().worker, "kunde \u{fc} 100%");
    }
}

#[test]
fn data_has_our_names_or_those_of_others() {
    let call = of_data(json!({
        "service": "openai", "operation": "chat", "model": "gpt-4o", "amount_usd": "0.5", "worker": "w", "batch_id": "b", "lead_id": 7,
        "usage": {"input_tokens": 1000, "cached_input_tokens": 800, "output_tokens": 0, "audio_seconds": 521.5},
        "duration_seconds": 1.5, "outcome": "error", "attributes": {"a": 1.50},
    }));
    assert_eq!((&*call.provider, &*call.operation, &*call.model, call.cost), ("openai", "chat", "gpt-4o", Some(usd("0.5"))));
    assert_eq!((&*call.worker, &*call.batch_id, &*call.lead_id), ("w", "b", "7"));
    assert_eq!(usage(&call), "audio_seconds 521.5, cached_input_tokens 800, input_tokens 1000");
    assert_eq!((call.duration_seconds, call.has_failed), (Some(1.5), true));
    assert_eq!(call.attributes.as_deref(), Some("{\"a\":1.5}"));

    for (data, expected) in [
        (
            json!({"provider": "mistral", "cost": 1, "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}),
            "input_tokens 7, output_tokens 3",
        ),
        (json!({"cost": 1, "total_tokens": 10}), "total_tokens 10"),
        (json!({"model": "gpt-4o", "tokens": "12", "type": "input"}), "input_tokens 12"),
        (json!({"model": "gpt-4o", "tokens": "12", "type": "output"}), "output_tokens 12"),
        (
            json!({"cost": "0.1", "usage": {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 5}}}),
            "input_tokens 7, cached_input_tokens 5",
        ),
        (
            json!({"cost": 1, "usage": {"input_tokens": 100, "cache_read_input_tokens": 600, "output_tokens": 5}}),
            "input_tokens 700, cached_input_tokens 600, output_tokens 5",
        ),
        (json!({"amount_usd": 1, "input_tokens": 5, "total_tokens": 5}), "input_tokens 5"),
        (
            json!({"service": "openai", "kind": "charge", "revision": 0, "usage_raw": {"prompt_tokens": 7, "completion_tokens": 3}}),
            "input_tokens 7, output_tokens 3",
        ),
        (json!({"cost_usd": 1, "tokens": 5}), "tokens 5"),
        (json!({"response_cost": "1", "tokens": 5}), "tokens 5"),
    ] {
        assert_eq!(usage(&of_data(data)), expected);
    }
    let both = of_data(json!({"amount_usd": 2, "cost": 1}));
    assert_eq!(both.cost, Some(usd("2")), "our own name is the more particular one");
}

#[test]
fn attributes_join_what_is_kept_of_the_event() {
    let over = json!({"subject": "s", "region": "eu", "cached": false, "traceparent": "00-1"});
    let call = read(STRUCTURED, &event(json!({"cost": 1, "attributes": {"region": "us", "n": 1}}), over)).only();
    let kept: Value = serde_json::from_str(call.attributes.as_deref().unwrap()).unwrap();
    assert_eq!(kept, json!({"subject": "s", "cached": false, "region": "us", "n": 1}));
}

#[test]
fn data_in_base64_is_data() {
    let over = json!({"data": null, "data_base64": "eyJjb3N0IjogMC4yNX0="});
    assert_eq!(read(STRUCTURED, &event(json!(null), over)).only().cost, Some(usd("0.25")));
    let both = json!({"data_base64": "eyJjb3N0IjogMC4yNX0="});
    assert!(refused(STRUCTURED, &event(json!({"cost": 1}), both)).contains("both"));
    assert!(refused(STRUCTURED, &event(json!(null), json!({"data_base64": "*"}))).contains("Base64"));
}

#[test]
fn a_bad_event_of_a_batch_does_not_refuse_the_others() {
    let good = event(json!({"cost": 1}), json!({}));
    let bad = event(json!({"cost": 1}), json!({"id": ""}));
    let batch = [b"[".as_slice(), &good, b",", &bad, b", 5,", &event(json!({"path": "/"}), json!({})), b"]"].concat();
    let found = read(BATCHED, &batch);
    assert_eq!((found.calls.len(), found.rejected.len(), found.ignored), (1, 2, vec![Ignored::NotACall]));
    assert_eq!(read(BATCHED, b"[]").calls, []);
}

#[test]
fn what_is_no_event_or_says_what_cannot_be_is_told() {
    for (body, why) in [
        (event(json!({"cost": 1}), json!({"specversion": "0.3"})), "specversion"),
        (event(json!({"cost": 1}), json!({"id": null})), "no id"),
        (event(json!({"cost": 1}), json!({"source": ""})), "no source"),
        (event(json!({"cost": 1}), json!({"type": 5})), "type must be a string"),
        (event(json!({"cost": 1}), json!({"time": "yesterday"})), "time"),
        (event(json!({"cost": "NaN"}), json!({})), "cost"),
        (event(json!({"cost": -0.1}), json!({})), "negative"),
        (event(json!({"cost": [1]}), json!({})), "cost"),
        (event(json!({"cost": true}), json!({})), "cost"),
        (event(json!({"cost": 1, "prompt_tokens": -5}), json!({})), "prompt_tokens"),
        (event(json!({"cost": 1, "usage": {"input_tokens": 0.0000001}}), json!({})), "input_tokens"),
        (event(json!({"cost": 1, "usage": [1]}), json!({})), "usage"),
        (event(json!({"service": "openai"}), json!({})), "neither"),
        (event(json!({"cost": 1, "kind": "credit"}), json!({})), "its kind is not charge"),
        (event(json!({"cost": 1, "revision": 1}), json!({})), "its revision is not 0"),
        (event(json!({"cost": 1, "attributes": 7}), json!({})), "attributes"),
        (
            b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"a\",\"type\":\"t\",\"data\":{\"cost\":1e400}}".to_vec(),
            "cost",
        ),
        (
            b"{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"a\",\"type\":\"t\",\"data\":{\"cost\":1,\"cost\":2}}"
                .to_vec(),
            "duplicate key",
        ),
        (
            b"{\"specversion\":\"1.0\",\"id\":\"1\",\"id\":\"2\",\"source\":\"a\",\"type\":\"t\",\"data\":{\"cost\":1}}"
                .to_vec(),
            "duplicate key",
        ),
        (b"{\"specversion\":\"1.0\",\"data\":{\"cost\":NaN}}".to_vec(), "JSON"),
        (b"5".to_vec(), "no object"),
        (b"".to_vec(), "empty"),
        (b"{".to_vec(), "early"),
    ] {
        let told = refused(STRUCTURED, &body);
        assert!(told.contains(why), "{}: {told}", body.escape_ascii());
    }
    let twice: &[(&str, &[u8])] =
        &[("ce-id", b"1"), ("ce-id", b"2"), ("ce-source", b"a"), ("ce-type", b"t"), ("ce-specversion", b"1.0")];
    assert!(refused(twice, b"{\"cost\":1}").contains("twice"));
    let text: &[(&str, &[u8])] = &[
        ("ce-id", b"1"),
        ("ce-source", b"a"),
        ("ce-type", b"t"),
        ("ce-specversion", b"1.0"),
        ("content-type", b"text/plain"),
    ];
    assert!(refused(text, b"cost 1").contains("JSON"));
}

#[test]
fn an_event_that_ends_anywhere_early_is_malformed() {
    let whole = event(json!({"cost": 0.002, "prompt_tokens": 12}), json!({}));
    let binary: &[(&str, &[u8])] = &[("ce-id", b"1"), ("ce-source", b"a"), ("ce-type", b"t"), ("ce-specversion", b"1.0")];
    let data = b"{\"cost\": 0.002}";
    for end in 0..whole.len() {
        refused(STRUCTURED, &whole[..end]);
    }
    for end in 1..data.len() {
        refused(binary, &data[..end]);
    }
}

#[test]
fn media_types_of_other_event_formats_are_not_taken() {
    let matches = |value: &str| {
        let headers = http::HeaderMap::from_iter([(http::header::CONTENT_TYPE, value.parse().unwrap())]);
        (FORMATS[0].matches)(&headers)
    };
    assert!(matches("application/cloudevents+json") && matches("Application/CloudEvents-Batch+JSON;charset=UTF-8"));
    assert!(matches("application/json"));
    assert!(!matches("application/cloudevents+avro") && !matches("text/plain"));
}

#[test]
fn the_answer_says_whether_all_was_taken() {
    let status = |accepted, duplicates, rejected| {
        let answer = (FORMATS[0].answer)(&CallCounts { accepted, duplicates, rejected, ..CallCounts::default() });
        (answer.status.as_u16(), answer.body.is_some())
    };
    assert_eq!(status(1, 0, 0), (204, false));
    assert_eq!(status(0, 1, 0), (204, false));
    assert_eq!(status(0, 0, 1), (400, true));
    assert_eq!(status(1, 0, 1), (200, true));
}
