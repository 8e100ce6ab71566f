//! Query strings, cursors and headers, whatever a client makes of them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use warp::http::HeaderMap;
use warp::http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderName, HeaderValue};

use super::accept::{Form, accepts_gzip};
use super::events::{cursor as cursor_of, place};
use super::host::Host;
use super::login::Pair;
use super::query_string::QueryString;
use super::{costs_query, percent};
use crate::domain::{BudgetZone, Dimension, EventPlace, GroupKey, TimeSpan};
use crate::formats::native::idempotency_key;
use crate::ingest::Field;
use crate::transfer::read_selection;

const TODAY: Date = date(2026, 11, 22);
const KNOWN: &[&str] = &[
    "by",
    "from",
    "to",
    "date",
    "month",
    "days",
    "service",
    "operation",
    "worker",
    "batch",
    "lead",
    "model",
    "source",
    "limit",
    "dry_run",
];

/// A query string, all of it but the first byte, and what its parameters say.
pub fn query(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    check_encoding(text);
    match QueryString::parse(text, KNOWN) {
        Ok(query) => {
            let pairs = naive_pairs(text);
            let expected =
                |name: &str| pairs.iter().flatten().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
            for name in KNOWN {
                assert_eq!(query.get(name), expected(name), "{name} of {text:?}");
            }
            check_meaning(&query, i32::from(*choice) + 1);
        }
        Err(problem) => {
            let pairs = naive_pairs(text).unwrap_or_default();
            let twice = (1..pairs.len()).any(|at| pairs[..at].iter().any(|(name, _)| *name == pairs[at].0));
            let unknown = pairs.iter().any(|(name, _)| !KNOWN.contains(&name.as_str()));
            assert!(naive_pairs(text).is_none() || twice || unknown, "{text:?}: {problem:?}");
        }
    }
    check_among(text);
    check_keys(text);
}

/// The parameters of a query string, in the plainest way; `None` where one is not an encoding of text.
fn naive_pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pieces = text.split('&').filter(|piece| !piece.is_empty());
    let pair = |piece: &str| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        Some((naive_text(name, b' ')?, naive_text(value, b' ')?))
    };
    pieces.map(pair).collect()
}

/// What is percent-encoded, where a plus stands for `plus`.
fn naive_text(text: &str, plus: u8) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push(match byte {
            b'%' => u8::try_from(digit(rest.next()?)? * 16 + digit(rest.next()?)?).ok()?,
            b'+' => plus,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn check_encoding(text: &str) {
    assert_eq!(percent::decode(text).ok().map(String::from), naive_text(text, b'+'), "{text:?}");
    assert_eq!(percent::decode(&percent::encode(text)).ok().as_deref(), Some(text));
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let written = format!("by={}&worker={encoded}", percent::encode(text));
    let read = QueryString::parse(&written, KNOWN).ok();
    let values = read.as_ref().map(|query| [query.get("by"), query.get("worker")]);
    assert_eq!(values, Some([Some(text); 2]), "{written}");
}

/// Somebody else's query, in which ours stand among others.
fn check_among(text: &str) {
    let ours = &KNOWN[..3];
    let Ok(found) = QueryString::parse_among(text, ours) else {
        // Nothing of ours is wrong where all of it can be read, and nothing comes twice.
        let Some(pairs) = naive_pairs(text) else { return };
        assert!(ours.iter().any(|name| pairs.iter().filter(|(given, _)| given == name).count() > 1), "{text:?}");
        return;
    };
    for name in ours {
        let pieces = text.split('&').filter_map(naive_pairs);
        let values: Vec<String> = pieces.flatten().filter(|(given, _)| given == name).map(|(_, value)| value).collect();
        assert_eq!(found.get(name).into_iter().collect::<Vec<_>>(), values, "{name} of {text:?}");
    }
}

fn check_meaning(query: &QueryString<'_>, days_max: i32) {
    if let Ok(by) = costs_query::by(query) {
        let words: Vec<String> = by.iter().map(word).collect();
        let again = format!("by={}", percent::encode(&words.join(",")));
        let again = QueryString::parse(&again, KNOWN).ok().and_then(|query| costs_query::by(&query).ok());
        assert_eq!(again.as_ref(), Some(&by));
        assert!((1..=3).contains(&by.len()) && (1..by.len()).all(|at| !by[..at].contains(&by[at])), "{by:?}");
    }
    for filter in costs_query::filters(query).unwrap_or_default() {
        assert_eq!(query.get(filter.dimension.word()), Some(&*filter.value));
    }
    if let Ok(Some((first, last))) = costs_query::range(query, TODAY, days_max) {
        assert!(first <= last && (last - first).get_days() < days_max, "{first} to {last}");
    }
    if let Ok((first, last)) = costs_query::days_of_history(query, TODAY) {
        assert!(first <= last && (last - first).get_days() < 400, "{first} to {last}");
    }
    for name in ["from", "to", "date"] {
        if let Ok(Some(day)) = costs_query::day(query, name) {
            assert_eq!(Some(&*day.to_string()), query.get(name));
        }
    }
    if let Ok(Some(month)) = costs_query::month(query) {
        assert_eq!(Some(&*month.to_string()), query.get("month"));
    }
    if let Ok(limit) = query.number("limit", 1..=1_000) {
        let expected = query.get("limit").map(|text| text.trim_start_matches('0').to_owned());
        assert_eq!(limit.map(|limit| limit.to_string()), expected);
    }
    if let Ok(flag) = query.flag("dry_run") {
        assert_eq!(query.get("dry_run").unwrap_or("false"), flag.to_string());
    }
    check_selection(query);
}

/// A dimension as a query names it.
fn word(dimension: &Dimension) -> String {
    match dimension {
        Dimension::Attribute(name) => format!("attributes.{}", name.replace('\\', r"\\").replace(',', r"\,")),
        field => field.word().to_owned(),
    }
}

/// Days are the instants at which they begin and end.
fn check_selection(query: &QueryString<'_>) {
    let zones = [BudgetZone::UTC, BudgetZone::named("America/Sao_Paulo").unwrap_or(BudgetZone::UTC)];
    for zone in zones {
        let Ok(selection) = read_selection(|name| query.get(name), &zone) else { continue };
        let TimeSpan { from_ns, until_ns } = selection.span;
        assert!(from_ns < until_ns);
        let time = |ns: i64| Timestamp::from_nanosecond(ns.into()).ok().map(|time| time.to_string());
        let bounds = [("from", from_ns, i64::MIN), ("to", until_ns, i64::MAX)];
        let said: Vec<(&str, String)> = bounds
            .into_iter()
            // Beyond what a count of nanoseconds holds, there is no instant to name.
            .filter(|(name, ns, end)| query.get(name).is_some() && ns != end)
            .filter_map(|(name, ns, _)| Some((name, time(ns)?)))
            .collect();
        let get = |name: &str| match said.iter().find(|(bound, _)| *bound == name) {
            Some((_, time)) => Some(time.as_str()),
            None => query.get(name).filter(|_| !["from", "to"].contains(&name)),
        };
        assert_eq!(read_selection(get, &zone), Ok(selection), "{said:?}");
    }
}

/// Keys of groups come back as their values, and are ordered as these are.
fn check_keys(text: &str) {
    let key = |text: &str| {
        let values: Vec<String> = text.split('/').map(str::to_owned).collect();
        (GroupKey::of(values.iter().map(String::as_str)), values)
    };
    let (one, two) = text.split_once('&').unwrap_or((text, ""));
    let ((one_key, one), (two_key, two)) = (key(one), key(two));
    assert_eq!(one_key.values().collect::<Vec<_>>(), one);
    if one.len() == two.len() {
        assert_eq!(one_key.cmp(&two_key), one.cmp(&two), "{one:?} {two:?}");
    }
}

/// A place (16 bytes), and what somebody makes of its cursor: pairs of a position and a byte.
pub fn cursor(data: &[u8]) {
    if let Some(there) = std::str::from_utf8(data).ok().and_then(place) {
        assert_eq!(cursor_of(there).as_bytes(), data, "there is one cursor for each place");
    }
    let Some((time_ns, rest)) = data.split_first_chunk::<8>() else { return };
    let Some((seq, changes)) = rest.split_first_chunk::<8>() else { return };
    let there = EventPlace { time_ns: i64::from_be_bytes(*time_ns), seq: i64::from_be_bytes(*seq) };
    let written = cursor_of(there);
    assert_eq!(place(&written), Some(there));
    let mut changed = written.clone().into_bytes();
    for [at, byte] in changes.as_chunks::<2>().0 {
        match usize::from(*at) {
            at if at < changed.len() => changed[at] = *byte,
            at if at % 2 == 0 => changed.push(*byte),
            _ => drop(changed.pop()),
        }
    }
    if let Ok(changed) = String::from_utf8(changed)
        && changed != written
    {
        assert_eq!(place(&changed), None, "{changed} is not {written}");
    }
}

/// Headers that are read here: the first byte chooses which, the rest is their value.
pub fn headers(data: &[u8]) {
    let Some((choice, value)) = data.split_first() else { return };
    match choice % 4 {
        0 => check_accept(value),
        1 => check_host(value),
        2 => check_key(value),
        _ => check_login(value),
    }
}

fn with(name: &HeaderName, values: &[&[u8]]) -> HeaderMap {
    let values = values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok());
    values.map(|value| (name.clone(), value)).collect()
}

/// A list means the same in one header and in several, and in any order unless it says something twice.
fn check_accept(value: &[u8]) {
    let parts: Vec<&[u8]> = value.split(|byte| *byte == b',').collect();
    let reversed: Vec<&[u8]> = parts.iter().rev().copied().collect();
    // A header that is no text is not read, and takes the others of its line along.
    if !value.iter().all(|byte| (b' '..0x7f).contains(byte)) {
        return;
    }
    let form = Form::of(&with(&ACCEPT, &[value]));
    assert_eq!(Form::of(&with(&ACCEPT, &parts)), form);
    assert_eq!(Form::of(&with(&ACCEPT, &reversed)), form);
    let names_html = parts.iter().any(|part| part.trim_ascii().to_ascii_lowercase().starts_with(b"text/html"));
    assert!(form != Form::Html || names_html, "a page is for those who name it");
    let takes_gzip = accepts_gzip(&with(&ACCEPT_ENCODING, &[value]));
    assert_eq!(accepts_gzip(&with(&ACCEPT_ENCODING, &parts)), takes_gzip);
    let is_named = |name: &[u8]| value.to_ascii_lowercase().windows(name.len()).any(|window| window == name);
    assert!(!takes_gzip || is_named(b"gzip") || is_named(b"*"));
}

/// A host that is understood is the same in capitals, with a port, and when it is read again.
fn check_host(value: &[u8]) {
    let Ok(text) = std::str::from_utf8(value) else { return };
    let Some(host) = Host::parse(text) else { return };
    assert_eq!(Host::parse(&text.to_ascii_uppercase()).as_ref(), Some(&host));
    // What is an address without the dot that ends it is no name of its own.
    if let Host::Name(name) = &host
        && name.parse::<std::net::Ipv4Addr>().is_err()
    {
        for again in [name.clone(), format!("{name}:8080"), format!("{name}:")] {
            assert_eq!(Host::parse(&again).as_ref(), Some(&host), "{again}");
        }
    }
}

/// A key is taken as it is, and in the quotation marks of the draft.
fn check_key(value: &[u8]) {
    let name = HeaderName::from_static("idempotency-key");
    let read = idempotency_key(&with(&name, &[value]));
    let Ok(text) = std::str::from_utf8(value) else {
        assert!(read.is_err() || HeaderValue::from_bytes(value).is_err());
        return;
    };
    if HeaderValue::from_str(text).is_err() {
        return;
    }
    if !text.starts_with('"') {
        assert_eq!(read, Ok(Field::Given(text.into())));
    }
    let quoted = format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""));
    assert_eq!(idempotency_key(&with(&name, &[quoted.as_bytes()])), Ok(Field::Given(text.into())));
}

/// A name and a password are what was encoded.
fn check_login(value: &[u8]) {
    let login = |sent: &[u8]| {
        let pair = Pair::of(&with(&AUTHORIZATION, &[sent]))?;
        Some((pair.name().to_vec(), pair.password().to_vec()))
    };
    let encoded = |pair: &[u8]| format!("Basic {}", BASE64_STANDARD.encode(pair));
    if let Some((name, password)) = login(value) {
        let again = [&*name, b":", &*password].concat();
        assert_eq!(login(encoded(&again).as_bytes()), Some((name, password)));
    }
    let colon = value.iter().position(|byte| *byte == b':');
    let expected = colon.map(|colon| (value[..colon].to_vec(), value[colon + 1..].to_vec()));
    assert_eq!(login(encoded(value).as_bytes()), expected);
}
