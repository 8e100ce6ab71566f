//! Formats of paid calls: a sink that holds calls to what every format promises.

use std::io::BufReader;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::domain::{Quantity, Usd};
use crate::formats::cloudevents::FORMATS as CLOUDEVENTS;
use crate::formats::litellm::FORMATS as LITELLM;
use crate::formats::otlp::{LOGS, METRICS, TRACES};
use crate::formats::{CallError, CallFormat, CallSink};
use crate::ingest::{Call, CallKeys, Ignored};

/// CloudEvents: structured and batched, and binary ones, whose headers are the lines before the body. The first byte chooses.
pub fn cloudevents(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let read = |headers: &[(&str, &[u8])], body| CLOUDEVENTS.iter().for_each(|format| read(format, headers, body));
    match choice % 4 {
        0 => read(&[("content-type", b"application/cloudevents+json")], rest),
        1 => read(&[("content-type", b"application/cloudevents-batch+json")], rest),
        2 => {
            let names =
                ["ce-id", "ce-source", "ce-type", "ce-specversion", "ce-time", "ce-subject", "ce-cached", "content-type"];
            let mut lines = rest.splitn(names.len() + 1, |byte| *byte == b'\n');
            let headers: Vec<(&str, &[u8])> =
                names.into_iter().zip(lines.by_ref()).filter(|(_, value)| !value.is_empty()).collect();
            read(&headers, lines.next().unwrap_or_default());
        }
        _ => read(&[("ce-id", b"1"), ("ce-source", b"s"), ("ce-type", b"t"), ("ce-specversion", b"1.0")], rest),
    }
}

/// Bodies of LiteLLM's generic callback. The first byte chooses the media type.
pub fn litellm(data: &[u8]) {
    let Some((choice, body)) = data.split_first() else { return };
    let media_type: &[u8] = if choice % 2 == 0 { b"application/json" } else { b"application/x-ndjson" };
    LITELLM.iter().for_each(|format| read(format, &[("content-type", media_type)], body));
}

/// OTLP as protobuf and as JSON. The first byte chooses the message and the encoding.
pub fn otlp(data: &[u8]) {
    const MEDIA_TYPES: [&[u8]; 2] = [b"application/x-protobuf", b"application/json"];
    let Some((choice, body)) = data.split_first() else { return };
    let formats = [TRACES, LOGS, METRICS][usize::from(*choice) % 3];
    let media_type = MEDIA_TYPES[usize::from(*choice / 3) % 2];
    formats.iter().for_each(|format| read(format, &[("content-type", media_type)], body));
}

/// Reads a body at once and in pieces, which must not make a difference.
fn read(format: &CallFormat, headers: &[(&str, &[u8])], body: &[u8]) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    if !(format.matches)(&map) {
        return;
    }
    let read = |piece| {
        let mut counted = Counted::default();
        let read = (format.read)(&map, &mut BufReader::with_capacity(piece, body), &mut counted);
        (read.map_err(|error| error.to_string()), counted)
    };
    let whole = read(1 << 16);
    assert_eq!(whole, read(3));
}

/// Counts what it is given.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    keys: CallKeys,
    calls: usize,
    /// What they cost.
    cost: Usd,
    used: Quantity,
    ignored: usize,
    rejected: usize,
}

impl CallSink for Counted {
    fn keys(&self) -> &CallKeys {
        &self.keys
    }

    fn call(&mut self, call: &Call<'_>) -> Result<(), CallError> {
        let is_cloudevent = call.road == "cloudevents";
        assert!(!call.road.is_empty());
        assert!(call.cost.is_none_or(|cost| cost >= Usd::ZERO), "{call:?}");
        assert!(call.duration_seconds.is_none_or(|seconds| seconds >= 0.0 || is_cloudevent), "{call:?}");
        assert!(call.attributes.as_deref().is_none_or(|text| text.starts_with('{') && text.ends_with('}')), "{call:?}");
        self.calls += 1;
        self.cost = self.cost.checked_add(call.cost.unwrap_or(Usd::ZERO)).unwrap_or(self.cost);
        for (name, count) in &call.usage {
            assert!(!name.is_empty() || is_cloudevent);
            self.used += *count;
        }
        Ok(())
    }

    fn ignore(&mut self, _: Ignored, count: usize) {
        self.ignored += count;
    }

    fn reject(&mut self, why: &dyn Fn() -> String) {
        assert!(!why().is_empty());
        self.rejected += 1;
    }
}
