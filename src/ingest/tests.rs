//! Events as a format without JSON would fill them; `formats::native` tests every rule of every field.

use jiff::Timestamp;

use super::*;
use crate::domain::{Quantity, Usd};

fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

/// What a format of two columns finds.
fn raw<'a>(service: &'a str, amount: &'a str) -> RawEvent<'a> {
    RawEvent { service: service.into(), amount_usd: amount.into(), ..RawEvent::default() }
}

#[test]
fn plain_values_make_an_event() {
    let (limits, mut new_id) = (Limits::default(), || Box::from("made"));
    let mut validator = Validator::new(now(), &limits, &mut new_id);
    let time = now() - jiff::SignedDuration::from_hours(1);
    let raw = RawEvent {
        time: Field::Given(RawTime::At(time)),
        usage: Field::Given(vec![("output_tokens".into(), "5".into()), ("input_tokens".into(), "7".into())]),
        ..raw("openai", "0.0015")
    };
    let event = validator.validate(&raw).unwrap();
    assert_eq!((event.service.as_str(), event.amount), ("openai", Usd::parse("0.0015").unwrap()));
    assert_eq!((event.time, event.time_given, &*event.key.id), (time, true, "made"));
    assert_eq!(event.usage.iter().map(|each| each.count).collect::<Vec<_>>(), [7, 5].map(Quantity::of));
}

#[test]
fn a_time_is_held_to_the_window_whatever_it_was_written_as() {
    let (limits, mut new_id) = (Limits::default(), || Box::from("made"));
    let mut validator = Validator::new(now(), &limits, &mut new_id);
    let late = now() - limits.age_max - jiff::SignedDuration::from_nanos(1);
    for time in [RawTime::At(late), RawTime::Text(late.to_string().into())] {
        let invalid = validator.validate(&RawEvent { time: Field::Given(time), ..raw("openai", "1") }).unwrap_err();
        assert_eq!(invalid.reasons[0].detail, "time is more than 35 days old");
    }
}

#[test]
fn each_event_has_a_result_of_its_own() {
    let (limits, mut new_id) = (Limits::default(), || Box::from("made"));
    let mut validator = Validator::new(now(), &limits, &mut new_id);
    let bad = RawEvent { id: "b".into(), worker: Field::Misshapen(Shape::Array), ..raw("", "1") };
    let invalid = validator.validate(&bad).unwrap_err();
    assert_eq!(invalid.id.as_deref(), Some("b"));
    let details: Vec<_> = invalid.reasons.iter().map(|reason| &*reason.detail).collect();
    assert_eq!(details, ["service must not be empty", "worker must be a string, not an array"]);
    assert!(validator.validate(&raw("openai", "1")).is_ok(), "what a bad event means for others is not decided here");
}

#[test]
fn a_request_has_only_so_many_reasons_but_every_bad_event_is_refused() {
    let (limits, mut new_id) = (Limits::default(), || Box::from("made"));
    let mut validator = Validator::new(now(), &limits, &mut new_id);
    let told: Vec<_> = (0..80).map(|_| validator.validate(&RawEvent::default()).unwrap_err().reasons.len()).collect();
    let (all, one) = told.split_at(REASONS_MAX / 2);
    assert!(all.iter().all(|reasons| *reasons == 2) && one.iter().all(|reasons| *reasons == 1));
    let told: Vec<_> = (0..80).map(|_| validator.validate(&RawEvent::default()).unwrap_err().reasons.len()).collect();
    assert_eq!(told.iter().sum::<usize>(), 20, "of the first hundred");
}

#[test]
fn names_that_another_ledger_recorded_need_not_be_visible() {
    let (limits, mut new_id) = (Limits::default(), || Box::from("made"));
    let odd = |recorded_at: &'static str| RawEvent {
        worker: "w ".into(),
        recorded_at: if recorded_at.is_empty() { Field::Absent } else { Field::Given(RawTime::Text(recorded_at.into())) },
        ..raw("open\u{200b}ai ", "1")
    };
    let mut validator = Validator::new(now(), &limits, &mut new_id).importing();
    let event = validator.validate(&odd("2026-11-22T09:00:00Z")).unwrap();
    assert_eq!((event.service.as_str(), event.worker.as_deref()), ("open\u{200b}ai ", Some("w ")));
    let invalid = validator.validate(&odd("")).unwrap_err();
    assert_eq!(invalid.reasons.len(), 2, "a list from elsewhere is held to the rule: {invalid:?}");
}

#[test]
fn what_a_usage_object_adds_to_attributes_counts_as_they_do() {
    let (limits, mut new_id) = (Limits::default(), || Box::from("made"));
    let mut validator = Validator::new(now(), &limits, &mut new_id);
    let json = |text: String| Field::Given(RawJson { text: text.into(), numbers_are_finite: true });
    let usage_raw = || json(r#"{"prompt_tokens":1,"completion_tokens":1,"service_tier":"flex"}"#.to_owned());
    let added = r#""service_tier":"flex","#.len();
    for (bytes, is_fine) in [(ATTRIBUTES_BYTES_MAX - added, true), (ATTRIBUTES_BYTES_MAX - added + 1, false)] {
        let attributes = format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - r#"{"a":""}"#.len()));
        let found = validator.validate(&RawEvent { attributes: json(attributes), usage_raw: usage_raw(), ..raw("s", "1") });
        assert_eq!(
            found.as_ref().is_ok_and(|event| event.attributes.as_ref().unwrap().len() == ATTRIBUTES_BYTES_MAX),
            is_fine
        );
        assert_eq!(found.is_err_and(|invalid| invalid.reasons[0].detail.contains("with what usage_raw adds")), !is_fine);
    }
}
