//! The promise: reading events strictly, with every digit kept, costs little more than reading them as carelessly as one can.
//!
//! In the bench's own process, since nothing is served: what is measured is CPU an event.

use std::borrow::Cow;
use std::hint::black_box;
use std::time::Instant;

use lead_factory_metrics::formats::BadEvents;
use lead_factory_metrics::formats::json::{Reader, Top, Value, Visit};
use lead_factory_metrics::formats::native::FORMATS;
use lead_factory_metrics::ingest::{Limits, Validator};
use serde::Deserialize;

use crate::events::{self, BATCH};
use crate::trial::Demand::AtMost;
use crate::trial::{Bar, Contender, Figure, Pace, Round, Trial};
use crate::{Outcome, machine};

const STRICT: &str = "strict JSON";
const WHOLE: &str = "strict JSON, validated";
const LENIENT: &str = "serde, derived";

/// Reads a text of one event a line.
type Read = fn(&str) -> Outcome<()>;

/// An event as far as it must be read to be refused when it is none.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    service: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    amount_usd: f64,
}

pub fn trials() -> Vec<Trial> {
    [("reading-batch", BATCH), ("reading-single", 1)].map(|(name, lines)| trial(name, lines)).into()
}

fn trial(name: &'static str, lines: usize) -> Trial {
    let contenders = [(WHOLE, whole as Read), (STRICT, strict), (LENIENT, lenient)]
        .map(|(name, read)| {
            let text = events::lines(lines);
            Contender::new(name, move |pace: &Pace| round(&text, lines, read, pace))
        })
        .into();
    Trial {
        name,
        title: format!("Reading NDJSON, events in a body: {lines}"),
        contenders,
        bars: vec![Bar::ratio(Figure::Cpu, STRICT, LENIENT, AtMost(2.0))],
    }
}

fn round(text: &str, lines: usize, read: Read, pace: &Pace) -> Outcome<Round> {
    let began = Instant::now();
    while began.elapsed() < pace.warm_up {
        read(text)?;
    }
    let pid = std::process::id();
    let (cpu, began, mut events) = (machine::cpu(pid)?, Instant::now(), 0.0);
    while began.elapsed() < pace.measure {
        // Looking at the clock takes as long as reading a few fields.
        for _ in 0..BATCH / lines {
            read(text)?;
        }
        events += BATCH as f64;
    }
    let (took, used) = (began.elapsed(), machine::cpu(pid)?.saturating_sub(cpu));
    let cpu_us = used.as_secs_f64() * 1e6 / events;
    Ok(Round::from([(Figure::Rate, events / took.as_secs_f64()), (Figure::Cpu, cpu_us), (Figure::Count, events)]))
}

/// As the agent does it, from bytes to valid events.
fn whole(text: &str) -> Outcome<()> {
    let limits = Limits::default();
    let mut new_id = || Box::from("made");
    let validator = Validator::new("2026-11-22T10:00:00Z".parse()?, &limits, &mut new_id);
    let ndjson = FORMATS.iter().find(|format| format.label == "ndjson").ok_or("no NDJSON")?;
    black_box((ndjson.read)(&http::HeaderMap::new(), text.as_bytes(), validator, BadEvents::RefuseAll)?);
    Ok(())
}

/// All of the grammar and its promises, but nobody takes the values.
fn strict(text: &str) -> Outcome<()> {
    struct Nobody;
    impl<'a> Visit<'a> for Nobody {
        fn member(&mut self, key: &Cow<'a, str>, value: Value<'a>) {
            black_box((key, value));
        }
    }
    let malformed = |_| "malformed";
    let mut reader = Reader::new(text).map_err(malformed)?;
    for line in text.lines() {
        reader.read(line, Top::Object, &mut Nobody).map_err(malformed)?;
    }
    Ok(())
}

/// What a program does that does not mind floats, keys that stand twice, or what it was not told of.
fn lenient(text: &str) -> Outcome<()> {
    for line in text.lines() {
        let Event { id, service, operation, amount_usd } = serde_json::from_str(line)?;
        black_box((id, service, operation, amount_usd));
    }
    Ok(())
}
