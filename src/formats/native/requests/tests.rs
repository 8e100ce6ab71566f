use super::*;
use crate::domain::{Name, Outcome, ReservationRequest, Usd};
use crate::ingest::{Field, GateWish};

const NOW: &str = "2026-11-22T10:00:00Z";

fn reserve(body: &str) -> Result<ReservationRequest, RequestError> {
    let read = read_reservation(body.as_bytes(), Field::Absent, &Limits::default(), || "made".into());
    read.map(|wish| wish.request)
}

fn settle(body: &str) -> Result<Settlement, RequestError> {
    read_settlement(body.as_bytes(), NOW.parse().unwrap(), &Limits::default(), &|_| String::new())
}

/// A reservation with these members besides a service and an estimate.
fn with(members: &str) -> String {
    format!(r#"{{"service":"openai","estimated_cost_usd":1{members}}}"#)
}

/// The only broken rule: its field and what is wrong.
#[track_caller]
fn refused<T: std::fmt::Debug>(read: Result<T, RequestError>) -> (String, String) {
    match read {
        Err(RequestError::Invalid(problems)) => {
            let [problem] = <[_; 1]>::try_from(problems).unwrap();
            assert_eq!((problem.index, problem.id), (None, None), "there are no events to tell apart");
            (problem.field.unwrap_or_default(), problem.detail)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_least_reservation_gets_the_defaults() {
    let request = reserve(&with("")).unwrap();
    assert_eq!((&*request.id, request.id_given), ("made", false));
    assert_eq!(request.operation, Name::new("unknown").unwrap());
    assert_eq!((request.estimated_cost, request.ttl_seconds), (Usd::from_dollars(1), 60));
    assert_eq!(request.attribution, None);
}

#[test]
fn every_field_of_a_reservation_is_read() {
    let body = r#"{"id":"job/1","service":"s","operation":"o","estimated_cost_usd":"1.50","ttl_seconds":86400,
        "worker":"w","batch_id":"b","lead_id":"l"}"#;
    let request = reserve(body).unwrap();
    assert_eq!((&*request.id, request.id_given, request.ttl_seconds), ("job/1", true, 86_400));
    assert_eq!(request.estimated_cost, Usd::parse("1.5").unwrap());
    assert_eq!(request.attributed_to(), [Some("w"), Some("b"), Some("l")]);
}

#[test]
fn an_estimate_is_exact_and_at_most_what_an_event_may_cost() {
    for (estimate, expected) in [("0", "0"), ("-0.0", "0"), ("1e-12", "0.000000000001"), ("\"10000\"", "10000")] {
        let request = reserve(&format!(r#"{{"service":"s","estimated_cost_usd":{estimate}}}"#)).unwrap();
        assert_eq!(request.estimated_cost, Usd::parse(expected).unwrap(), "{estimate}");
    }
    for (estimate, detail) in [
        ("-1", "estimated_cost_usd must not be negative"),
        ("-1e-13", "estimated_cost_usd must not be negative"),
        ("10000.000000000001", "estimated_cost_usd is out of range: an event may be at most 10000 USD"),
        ("1e400", "estimated_cost_usd is out of range: an event may be at most 10000 USD"),
        ("true", "estimated_cost_usd must be a number or a numeric string, not a boolean"),
        ("\"1,5\"", "estimated_cost_usd \"1,5\" is not a decimal number such as 0.0015 or 1.5e-3"),
    ] {
        let read = reserve(&format!(r#"{{"service":"s","estimated_cost_usd":{estimate}}}"#));
        assert_eq!(refused(read), ("estimated_cost_usd".to_owned(), detail.to_owned()), "{estimate}");
    }
}

#[test]
fn a_reservation_that_breaks_a_rule_is_refused_by_field() {
    for (body, field, detail) in [
        (r#"{"estimated_cost_usd":1}"#.to_owned(), "service", "service is required"),
        (
            r#"{"service":"s"}"#.to_owned(),
            "estimated_cost_usd",
            "estimated_cost_usd is required, or model and usage, to price it by",
        ),
        (with(r#","ttl_seconds":0"#), "ttl_seconds", "ttl_seconds must be an integer from 1 to 86400"),
        (with(r#","ttl_seconds":86401"#), "ttl_seconds", "ttl_seconds must be an integer from 1 to 86400"),
        (with(r#","ttl_seconds":1.5"#), "ttl_seconds", "ttl_seconds must be an integer from 1 to 86400"),
        (with(r#","ttl_seconds":"60""#), "ttl_seconds", "ttl_seconds must be a number, not a string"),
        (with(r#","id":"""#), "id", "id must not be empty; leave it out to have one made"),
        (with(r#","worker":null"#), "worker", "worker must be a string, not null; leave the field out instead"),
        (with(r#","ttl":5"#), "ttl", "\"ttl\" is not a field of a reservation; did you mean \"ttl_seconds\"?"),
        (with(r#","source":"x""#), "source", "\"source\" is not a field of a reservation"),
        ("[]".to_owned(), "", "a reservation must be an object, not an array"),
    ] {
        assert_eq!(refused(reserve(&body)), (field.to_owned(), detail.to_owned()), "{body}");
    }
    match reserve(r#"{"operation":"","ttl_seconds":0,"x":1}"#) {
        Err(RequestError::Invalid(problems)) => {
            let fields: Vec<_> = problems.iter().map(|each| each.field.as_deref().unwrap()).collect();
            assert_eq!(fields, ["x", "service", "operation", "estimated_cost_usd", "ttl_seconds"]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_read_is_malformed() {
    let deep = with(&format!(r#","x":{}{}"#, "[".repeat(32), "]".repeat(32)));
    for body in ["", " ", "{", "{} {}", "[] 1", "3", "null", "\"x\"", "\u{feff}{}", r#"{"id":"a","id":"b"}"#, &deep] {
        assert!(matches!(reserve(body), Err(RequestError::Malformed(_))), "{body}");
    }
    assert!(matches!(
        read_reservation(b"\xff", Field::Absent, &Limits::default(), || "made".into()),
        Err(RequestError::Malformed(_))
    ));
}

#[test]
fn a_settlement_is_read_by_the_rules_of_events() {
    let least = settle(r#"{"amount_usd":"1.5"}"#).unwrap();
    assert_eq!((least.amount, least.outcome, least.time_given), (Usd::parse("1.5").unwrap(), Outcome::Ok, false));
    assert_eq!(least.time.to_string(), NOW);
    let all = settle(
        r#"{"amount_usd":1,"time":"2026-11-22T09:00:00Z","usage":{"b":2.5,"a":1,"c":null},"model":"m","duration_seconds":0.5,
        "outcome":"error","attributes":{"k": 1.10}}"#,
    )
    .unwrap();
    assert_eq!((all.time.to_string().as_str(), all.time_given), ("2026-11-22T09:00:00Z", true));
    let usage: Vec<_> = all.usage.iter().map(|each| format!("{}={}", each.kind, each.count)).collect();
    assert_eq!(usage, ["a=1", "b=2.5"]);
    assert_eq!((all.model.as_deref(), all.duration_seconds, all.outcome), (Some("m"), Some(0.5), Outcome::Error));
    assert_eq!(all.attributes.as_deref(), Some(r#"{"k": 1.10}"#));

    for (body, field) in [
        ("{}", "amount_usd"),
        (r#"{"amount_usd":-1}"#, "amount_usd"),
        (r#"{"amount_usd":10000.1}"#, "amount_usd"),
        (r#"{"amount_usd":1,"time":"2026-11-22"}"#, "time"),
        (r#"{"amount_usd":1,"time":"2026-10-01T00:00:00Z"}"#, "time"),
        (r#"{"amount_usd":1,"usage":{"a":{"b":1}}}"#, "usage"),
        (r#"{"amount_usd":1,"outcome":"failed"}"#, "outcome"),
        (r#"{"amount_usd":1,"attributes":[]}"#, "attributes"),
        (r#"{"amount_usd":1,"service":"s"}"#, "service"),
        (r#"{"amount_usd":1,"kind":"credit"}"#, "kind"),
    ] {
        assert_eq!(refused(settle(body)).0, field, "{body}");
    }
}

#[test]
fn a_release_may_say_why_and_an_extension_must_say_how_long() {
    assert_eq!(read_release(b""), Ok(None));
    assert_eq!(read_release(b"{}"), Ok(None));
    assert_eq!(read_release(br#"{"reason":"not needed"}"#), Ok(Some("not needed".into())));
    assert_eq!(refused(read_release(br#"{"reason":""}"#)).1, "reason must not be empty");
    assert_eq!(refused(read_release(br#"{"why":"x"}"#)).1, "\"why\" is not a field of a release");
    assert!(matches!(read_release(b" "), Err(RequestError::Malformed(_))));

    assert_eq!(read_extension(br#"{"ttl_seconds":86400}"#), Ok(86_400));
    assert_eq!(refused(read_extension(b"{}")).1, "ttl_seconds is required");
    assert_eq!(refused(read_extension(br#"{"ttl_seconds":86401}"#)).0, "ttl_seconds");
    assert!(matches!(read_extension(b""), Err(RequestError::Malformed(_))));
}

/// The fields that are refused, and why.
#[track_caller]
fn refused_order(body: &str) -> Vec<(String, String)> {
    match read_gate(body.as_bytes()) {
        Err(RequestError::Invalid(problems)) => {
            problems.into_iter().map(|each| (each.field.unwrap_or_default(), each.detail)).collect()
        }
        other => panic!("{body} gave {other:?}"),
    }
}

#[test]
fn an_order_is_read_with_all_that_belongs_to_it() {
    let body = r#"{"state":"active","reason":"sale","actor":"ann","expires_in_seconds":31536000}"#;
    let expected = GateRequest {
        wish: GateWish::Manual { active: true },
        reason: "sale".into(),
        actor: "ann".into(),
        expires_in_seconds: Some(31_536_000),
    };
    assert_eq!(read_gate(body.as_bytes()), Ok(expected));
    let least = read_gate(br#"{"state":"auto","reason":"x"}"#).unwrap();
    assert_eq!((least.wish, &*least.actor, least.expires_in_seconds), (GateWish::Auto, "", None));
    let bounds = format!(r#"{{"state":"inactive","reason":"{}","actor":"{}"}}"#, "r".repeat(500), "a".repeat(200));
    assert_eq!(read_gate(bounds.as_bytes()).unwrap().wish, GateWish::Manual { active: false });
}

#[test]
fn an_order_that_breaks_a_rule_is_refused_by_field() {
    for (body, field, detail) in [
        (r#"{"reason":"x"}"#, "state", "state is required"),
        (r#"{"state":"on","reason":"x"}"#, "state", r#"state must be "active", "inactive" or "auto", not "on""#),
        (r#"{"state":null,"reason":"x"}"#, "state", "state must be a string, not null"),
        (r#"{"state":true,"reason":"x"}"#, "state", "state must be a string, not a boolean"),
        (r#"{"state":"active"}"#, "reason", "reason is required"),
        (r#"{"state":"active","reason":""}"#, "reason", "reason must not be empty"),
        (r#"{"state":"active","reason":"a\nb"}"#, "reason", "reason contains a control character"),
        (
            r#"{"state":"auto","reason":"x","expires_in_seconds":5}"#,
            "expires_in_seconds",
            "expires_in_seconds cannot be combined with the state \"auto\"",
        ),
        (
            r#"{"state":"active","reason":"x","expires_in":5}"#,
            "expires_in",
            "\"expires_in\" is not a field of the gate's state; did you mean \"expires_in_seconds\"?",
        ),
    ] {
        assert_eq!(refused_order(body), [(field.to_owned(), detail.to_owned())], "{body}");
    }
    for seconds in ["0", "-1", "31536001", "1.0", "1e3", "4294967297"] {
        let body = format!(r#"{{"state":"active","reason":"x","expires_in_seconds":{seconds}}}"#);
        let detail = "expires_in_seconds must be an integer from 1 to 31536000";
        assert_eq!(refused_order(&body), [("expires_in_seconds".to_owned(), detail.to_owned())], "{seconds}");
    }
    for (field, bytes) in [("reason", 501), ("actor", 201)] {
        let (reason, actor) = if field == "reason" { (bytes, 1) } else { (1, bytes) };
        let body = format!(r#"{{"state":"active","reason":"{}","actor":"{}"}}"#, "r".repeat(reason), "a".repeat(actor));
        assert_eq!(refused_order(&body)[0].0, field);
    }
}
