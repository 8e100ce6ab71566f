//! What the targets for formats of calls have in common: a sink that holds calls to what every format promises.

use std::io::BufReader;

use http::{HeaderMap, HeaderName, HeaderValue};
use lead_factory_metrics::domain::{Quantity, Usd};
use lead_factory_metrics::formats::{CallError, CallFormat, CallSink};
use lead_factory_metrics::ingest::{Call, CallKeys, Ignored};

/// Counts what it is given.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counted {
    keys: CallKeys,
    /// Calls, and what they cost.
    pub calls: usize,
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
        assert!(!call.road.is_empty());
        assert!(call.cost.is_none_or(|cost| cost >= Usd::ZERO), "{call:?}");
        assert!(call.duration_seconds.is_none_or(|seconds| !seconds.is_sign_negative() || seconds == 0.0 || call.road == "cloudevents"), "{call:?}");
        assert!(call.attributes.as_deref().is_none_or(|text| text.starts_with('{') && text.ends_with('}')), "{call:?}");
        self.calls += 1;
        self.cost = self.cost.checked_add(call.cost.unwrap_or(Usd::ZERO)).unwrap_or(self.cost);
        for (name, count) in &call.usage {
            assert!(!name.is_empty() || call.road == "cloudevents");
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

/// Reads a body at once and in pieces, which must not make a difference.
pub fn read(format: &CallFormat, headers: &[(&str, &[u8])], body: &[u8]) {
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
