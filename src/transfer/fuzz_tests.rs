//! What workers post and what an import reads: no digit is lost on the way in, on the way out, and on the way in again.
#![allow(clippy::panic, reason = "what does not hold stops whoever looks")]

use std::collections::BTreeMap;
use std::io::BufReader;
use std::str::FromStr;
use std::sync::LazyLock;

use bigdecimal::{BigDecimal, RoundingMode};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;

use super::row::{BadRow, Mapping, Row, SourceError};
use super::{ExportFormat, json_lines, litellm, sheet_rows};
use crate::domain::{BudgetZone, CostEvent, CostSource, Kind, Settlement, Usd};
use crate::formats::native::{
    FORMATS, IMPORTS, read_extension, read_gate, read_limit, read_release, read_reservation, read_settlement, read_usage,
};
use crate::formats::{BadEvents, Batch, BodyError, Format};
use crate::ingest::{
    ATTRIBUTES_BYTES_MAX, Field, GateRequest, GateWish, LimitRequest, LimitWish, Limits, ReservationWish, TTL_SECONDS,
    Validator,
};
use crate::ledger::Exported;
use crate::pricing::Book;
use crate::wire::{SetGateBody, SetLimitBody, on_one_line, usage_json};

/// Few, so that there are soon too many.
const EVENTS_MAX: usize = 20;
/// Exponents that the plain arithmetic here can take.
const EXPONENT_MAX: i64 = 300;

static BOOK: LazyLock<Book> = LazyLock::new(Book::embedded);

fn now() -> Timestamp {
    Timestamp::from_second(1_795_348_800).unwrap_or_default()
}

// === events ===

/// A body of events. The first byte says in which format, whether bad events are left out, and whether there is a key.
pub fn events(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let format = [&FORMATS[0], &FORMATS[1], &IMPORTS[0]][usize::from(choice % 3)];
    let mut headers = HeaderMap::new();
    if choice & 0x40 != 0 {
        headers.insert("idempotency-key", HeaderValue::from_static("key"));
    }
    let strict = read(format, &headers, body, BadEvents::RefuseAll);
    let lenient = read(format, &headers, body, BadEvents::LeaveOut);
    check_good_ones(&strict, &lenient);
    if let Ok(Batch { events, places, .. }) = &lenient {
        assert!(places.is_sorted() && places.len() == events.len());
        events.iter().for_each(check_event);
    }
    if format.label == "json" {
        if let (Ok(Batch { events, .. }), Ok(text)) = (&strict, std::str::from_utf8(body)) {
            check_digits(text, events);
        }
    } else if headers.is_empty() {
        check_lines(format, body, &strict, &lenient);
    }
}

fn read(format: &Format, headers: &HeaderMap, body: &[u8], bad: BadEvents) -> Result<Batch, BodyError> {
    let limits = Limits { events_max: EVENTS_MAX, ..Limits::default() }.of_any_age();
    let mut new_id = || Box::from("made");
    (format.read)(headers, body, Validator::new(now(), &limits, &mut new_id).priced_by(&BOOK), bad)
}

/// Whoever wants only good ones recorded gets the same ones, where all are good.
fn check_good_ones(strict: &Result<Batch, BodyError>, lenient: &Result<Batch, BodyError>) {
    match (strict, lenient) {
        (Ok(strict), Ok(lenient)) => {
            assert_eq!(strict.events, lenient.events);
            assert_eq!(lenient.left_out.bad_events(), 0);
        }
        (Err(BodyError::Invalid { total, events_seen, .. }), Ok(lenient)) => {
            assert_eq!((lenient.left_out.bad_events(), lenient.events.len()), (*total, events_seen - total));
        }
        // A line that is no JSON spoils the others only for those who want all or none.
        (Err(BodyError::Malformed { .. }), _) => {}
        (strict, lenient) => assert_eq!(strict, lenient),
    }
}

/// Lines stand for themselves: together they are what each of them is, and an array of the same objects is the same.
fn check_lines(format: &Format, body: &[u8], strict: &Result<Batch, BodyError>, lenient: &Result<Batch, BodyError>) {
    let is_blank = |line: &&[u8]| line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    let lines: Vec<&[u8]> = body.split(|byte| *byte == b'\n').filter(|line| !is_blank(line)).collect();
    let alone = lines.iter().map(|line| read(format, &HeaderMap::new(), line, BadEvents::RefuseAll));
    let good: Vec<CostEvent> = alone.filter_map(Result::ok).flat_map(|batch| batch.events).collect();
    match lenient {
        Ok(batch) => assert_eq!(batch.events, good),
        Err(BodyError::TooManyEvents { .. }) => assert!(lines.len() > EVENTS_MAX),
        Err(_) => assert!(good.is_empty()),
    }
    let Ok(strict) = strict else { return };
    assert_eq!(strict.events, good);
    if format.label == "ndjson" {
        let array = [b"[", lines.join(&b","[..]).as_slice(), b"]"].concat();
        assert_eq!(read(&FORMATS[0], &HeaderMap::new(), &array, BadEvents::RefuseAll).as_ref(), Ok(strict));
    }
}

/// The amounts and counts of one object or several, by plain arithmetic on the digits as they were sent.
fn check_digits(text: &str, events: &[CostEvent]) {
    type Object = BTreeMap<String, Box<RawValue>>;
    let objects: Vec<Object> = match serde_json::from_str(text) {
        Ok(objects) => objects,
        Err(_) => serde_json::from_str(text).into_iter().collect(),
    };
    assert_eq!(objects.len(), events.len());
    for (object, event) in objects.iter().zip(events) {
        if let Some(amount) = object.get("amount_usd").and_then(|amount| exact(amount.get())) {
            let rounded = amount.with_scale_round(12, RoundingMode::HalfEven);
            assert_eq!(BigDecimal::from((event.amount.pico(), 12)), rounded, "{text}");
        }
        let usage: Object = object.get("usage").and_then(|usage| serde_json::from_str(usage.get()).ok()).unwrap_or_default();
        let counts = usage.iter().filter(|(_, count)| count.get() != "null");
        for (name, count) in counts {
            let found = event.usage.iter().find(|known| known.kind.as_str() == name);
            let micros = found.map(|found| BigDecimal::from((i128::try_from(found.count.micros()).unwrap_or(-1), 6)));
            if let Some(count) = exact(count.get()) {
                assert_eq!(micros, Some(count), "{name} of {text}");
            }
        }
    }
}

/// A JSON number, or a text with one; `None` where its exponent is beyond plain arithmetic.
fn exact(json: &str) -> Option<BigDecimal> {
    let digits: String = if json.starts_with('"') { serde_json::from_str(json).ok()? } else { json.to_owned() };
    let exponent = digits.split(['e', 'E']).nth(1).map_or(Ok(0), str::parse::<i64>).ok()?;
    let number = BigDecimal::from_str(&digits).ok().filter(|_| exponent.abs() <= EXPONENT_MAX);
    Some(number?.normalized())
}

/// What holds of every event, and that each export of it says what an import of it reads.
fn check_event(event: &CostEvent) {
    assert!(!event.key.id.is_empty());
    assert!(if event.kind == Kind::Credit { event.amount <= Usd::ZERO } else { event.amount >= Usd::ZERO });
    assert!(event.usage.windows(2).all(|pair| pair[0].kind < pair[1].kind), "{event:?}");
    assert!(event.duration_seconds.is_none_or(|seconds| seconds.is_finite() && seconds.is_sign_positive()));
    assert!(event.attributes.as_deref().is_none_or(|text| text.len() <= ATTRIBUTES_BYTES_MAX));
    let recorded_at = event.first_recorded_at.unwrap_or(now());
    let exported = Exported { event: event.clone(), difference: event.amount, is_adjustment: false, recorded_at };
    let expected = CostEvent {
        time_given: true,
        first_recorded_at: Some(recorded_at),
        attributes: event.attributes.as_deref().map(|text| on_one_line(text).into()),
        ..event.clone()
    };
    let written = |format: ExportFormat| {
        let mut text = format.heading();
        format.write(&exported, &BudgetZone::UTC, &mut text);
        text
    };
    for (format, read_rows) in [(ExportFormat::Jsonl, json_lines::read as ReadRows), (ExportFormat::Csv, sheet_rows::read)] {
        let text = written(format);
        let rows = rows(read_rows, &text, usize::MAX, &Mapping::default());
        let Ok([Ok(row)]) = rows.as_deref() else { panic!("{rows:?} of {:?}", String::from_utf8_lossy(&text)) };
        let again = read(&IMPORTS[0], &HeaderMap::new(), row.json.as_bytes(), BadEvents::RefuseAll);
        assert_eq!(again.map(|batch| batch.events), Ok(vec![expected.clone()]), "{}", row.json);
    }
    let focus = written(ExportFormat::Focus);
    let mut reader = csv::Reader::from_reader(focus.as_slice());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().filter_map(Result::ok).collect();
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(Usd::parse(&row["BilledCost"]), Ok(event.amount));
    assert_eq!((&*row["x_Id"], &*row["x_Service"]), (&*event.key.id, event.service.as_str()));
}

// === imports ===

type ReadRows = fn(
    &mut dyn std::io::BufRead,
    &Mapping,
    &mut dyn FnMut(Result<Row, BadRow>) -> Result<(), SourceError>,
) -> Result<(), SourceError>;

type Rows = Vec<Result<Row, BadRow>>;

/// The rows of a source that comes in pieces of so many bytes.
fn rows(read: ReadRows, source: &[u8], piece: usize, mapping: &Mapping) -> Result<Rows, (String, Rows)> {
    let mut rows = Vec::new();
    let mut take = |row| {
        rows.push(row);
        Ok(())
    };
    let mut input = BufReader::with_capacity(piece.min(source.len() + 1), source);
    match read(&mut input, mapping, &mut take) {
        Ok(()) => Ok(rows),
        Err(error) => Err((error.to_string(), rows)),
    }
}

/// Another record of cost. The first byte chooses its format, and what its rows leave open.
pub fn import(data: &[u8]) {
    let Some((choice, source)) = data.split_first() else { return };
    let formats: [ReadRows; 3] =
        [json_lines::read, sheet_rows::read, |input, mapping, take| litellm::read(input, mapping, take)];
    let read_rows = formats[usize::from(choice % 3)];
    let mapping = Mapping {
        service: (choice & 0x40 != 0).then(|| "other".into()),
        source: (choice & 0x80 != 0).then(|| "elsewhere".into()),
        time_zone: TimeZone::UTC,
    };
    let whole = rows(read_rows, source, usize::MAX, &mapping);
    assert_eq!(rows(read_rows, source, 1 + usize::from(choice & 0x3f) / 3, &mapping), whole);
    let found = whole.unwrap_or_else(|(_, before)| before);
    for row in found.iter().flatten() {
        assert!(!row.json.contains('\n') && row.json.starts_with('{'), "{row:?}");
        assert!(row.bytes <= source.len() as u64);
        // Whoever sends it hears what is wrong with an event, and never that it is none.
        let read = read(&IMPORTS[0], &HeaderMap::new(), row.json.as_bytes(), BadEvents::RefuseAll);
        let is_told = matches!(read, Ok(_) | Err(BodyError::Invalid { .. }));
        assert!(is_told || choice % 3 == 0, "{read:?} of {row:?}");
        if let Ok(Batch { events, .. }) = read {
            check_digits(&row.json, &events);
            events.iter().for_each(check_event);
        }
    }
    let numbers = found.iter().map(|row| row.as_ref().map_or_else(|bad| bad.number, |row| row.number));
    assert!(numbers.is_sorted_by(|one, next| one < next), "{found:?}");
}

// === requests ===

/// The body of a request that is one object. The first byte says which. What was understood is understood again as it is written here.
pub fn requests(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let limits = Limits::default();
    match choice % 7 {
        0 => {
            let read = |body: &[u8]| read_reservation(body, Field::Absent, &limits, || "made".into());
            let Ok(wish) = read(body) else { return };
            assert!(wish.request.estimated_cost >= Usd::ZERO && TTL_SECONDS.contains(&wish.request.ttl_seconds));
            let written = reservation(&wish);
            assert_eq!(read(written.as_bytes()), Ok(wish), "{written}");
        }
        1 => {
            let read = |body: &[u8]| read_settlement(body, now(), &limits, &|_| "openai".to_owned());
            let Ok(settled) = read(body) else { return };
            assert!(settled.attributes.as_deref().is_none_or(|text| text.len() <= ATTRIBUTES_BYTES_MAX));
            let written = settlement(&settled);
            assert_eq!(read(written.as_bytes()), Ok(settled), "{written}");
        }
        2 => {
            let Ok(usage) = read_usage(body) else { return };
            assert_eq!(read_usage(usage_json(&usage).unwrap_or("{}".into()).as_bytes()), Ok(usage));
        }
        3 => {
            let Ok(Some(reason)) = read_release(body) else { return };
            assert_eq!(read_release(object(&[("reason", Some(text(&reason)))]).as_bytes()), Ok(Some(reason)));
        }
        4 => {
            let Ok(ttl_seconds) = read_extension(body) else { return };
            let written = object(&[("ttl_seconds", Some(ttl_seconds.to_string()))]);
            assert_eq!(read_extension(written.as_bytes()), Ok(ttl_seconds));
        }
        5 => {
            let Ok(request) = read_gate(body) else { return };
            let written = gate(&request);
            assert_eq!(read_gate(written.as_bytes()), Ok(request), "{written}");
        }
        _ => {
            let Ok(request) = read_limit(body) else { return };
            let written = limit(&request);
            assert_eq!(read_limit(written.as_bytes()), Ok(request), "{written}");
        }
    }
}

/// A JSON object of these members, each as its JSON.
fn object(members: &[(&str, Option<String>)]) -> String {
    let members = members.iter().filter_map(|(name, json)| Some(format!("\"{name}\":{}", json.as_ref()?)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn optional(said: Option<&str>) -> Option<String> {
    said.map(text)
}

fn reservation(ReservationWish { request, estimate_by }: &ReservationWish) -> String {
    let who = request.attribution.as_deref();
    object(&[
        ("id", request.id_given.then(|| text(&request.id))),
        ("service", Some(text(request.service.as_str()))),
        ("operation", Some(text(request.operation.as_str()))),
        ("estimated_cost_usd", estimate_by.is_none().then(|| text(&request.estimated_cost.to_string()))),
        ("ttl_seconds", Some(request.ttl_seconds.to_string())),
        ("worker", optional(who.and_then(|who| who.worker.as_deref()))),
        ("batch_id", optional(who.and_then(|who| who.batch_id.as_deref()))),
        ("lead_id", optional(who.and_then(|who| who.lead_id.as_deref()))),
        ("model", optional(request.model.as_deref())),
        ("usage", usage_json(&request.usage)),
    ])
}

fn settlement(settled: &Settlement) -> String {
    object(&[
        ("amount_usd", (settled.cost == CostSource::Told).then(|| settled.amount.to_string())),
        ("time", settled.time_given.then(|| text(&settled.time.to_string()))),
        ("model", optional(settled.model.as_deref())),
        ("usage", usage_json(&settled.usage)),
        ("duration_seconds", settled.duration_seconds.map(|seconds| seconds.to_string())),
        ("outcome", Some(text(settled.outcome.as_str()))),
        ("attributes", settled.attributes.as_deref().map(str::to_owned)),
    ])
}

fn gate(GateRequest { wish, reason, actor, expires_in_seconds }: &GateRequest) -> String {
    let state = match wish {
        GateWish::Manual { active: true } => "active",
        GateWish::Manual { active: false } => "inactive",
        GateWish::Auto => "auto",
    };
    let (actor, expires_in_seconds) = (Some(actor.as_str()), expires_in_seconds.map(u64::from));
    serde_json::to_string(&SetGateBody { state, reason, actor, expires_in_seconds }).unwrap_or_default()
}

fn limit(LimitRequest { wish, reason, actor, expires_in_seconds }: &LimitRequest) -> String {
    let (limit_usd, counts) = match wish {
        LimitWish::Usd(amount) => (Some(Some(*amount)), &[][..]),
        LimitWish::Usage(counts) => (None, counts.as_slice()),
        LimitWish::Configured => (Some(None), &[][..]),
    };
    let limit_usage = counts.iter().map(|count| (count.kind.as_str(), count.count)).collect();
    let (actor, expires_in_seconds) = (Some(actor.as_str()), expires_in_seconds.map(u64::from));
    serde_json::to_string(&SetLimitBody { limit_usd, limit_usage, reason, actor, expires_in_seconds }).unwrap_or_default()
}
