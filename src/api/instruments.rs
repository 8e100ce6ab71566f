//! What the surface measures of itself.
//!
//! *Limits.* Labels are bounded: methods are folded, endpoints are templates, statuses come from our own code, names are those of
//! the cost series.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};
use warp::http::Method;

use super::labelled::Labelled;
use crate::domain::{Name, Pair};
use crate::ingest::Ignored;
use crate::writer::{Disagreement, RecordAnswer};

/// 100 µs to 10 s: a read from memory takes some 100 µs, a write waits for the disk (1 to 50 ms), a sum over raw events takes
/// seconds.
const SECONDS_BUCKETS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The endpoint of requests whose path no route knows.
const UNMATCHED: &str = "unmatched";
/// The status of requests whose client hung up before there was an answer. No answer carries it; servers and dashboards know
/// the number from nginx.
const STATUS_HUNG_UP: u16 = 499;

/// The surface's own counters and histogram.
#[derive(Debug)]
pub(super) struct Instruments {
    requests: Labelled<RequestKind>,
    durations: Histogram<f64>,
    events: Labelled<(&'static str, EventResult)>,
    blocked: Counter<u64>,
    ignored: Counter<u64>,
    disagreements: Counter<u64>,
    suspected: Counter<u64>,
}

/// What requests are counted by: method, endpoint, status.
type RequestKind = (&'static str, &'static str, u16);

/// What became of events that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum EventResult {
    /// New in the ledger, or a new revision of what it had.
    Recorded,
    /// Known before with the same content.
    Duplicate,
    /// Known before with other content; the event was left out, or its batch refused.
    Conflict,
    /// Not recorded, because of this event or of another one in its batch.
    Rejected,
}

// === impl Instruments ===

impl Instruments {
    /// Creates the instruments. Once per meter: a second time would make series twice.
    pub fn new(meter: &Meter) -> Self {
        Self {
            // The exporter adds `_total` and the unit to the names.
            requests: Labelled::new(
                meter,
                "lead_factory_http_requests",
                "Requests to this agent, by the route's template. Status 499: the client hung up before the answer.",
                |(method, endpoint, status): RequestKind| {
                    let status = KeyValue::new("http_status", i64::from(status));
                    [KeyValue::new("method", method), KeyValue::new("endpoint", endpoint), status]
                },
            ),
            durations: meter
                .f64_histogram("lead_factory_http_request_duration")
                .with_unit("s")
                .with_description("Time from a request's headers to its answer.")
                .with_boundaries(SECONDS_BUCKETS.to_vec())
                .build(),
            events: Labelled::new(
                meter,
                "lead_factory_events",
                "Events received by this process, by what became of them.",
                |(format, result): (_, EventResult)| [KeyValue::new("format", format), KeyValue::new("result", result.as_str())],
            ),
            blocked: meter
                .u64_counter("lead_factory_scaling_gate_blocked")
                .with_description("Checks and reservations refused by this process, by the gate or by a budget, by names that have recorded cost, else under other.")
                .build(),
            ignored: meter
                .u64_counter("lead_factory_ingest_ignored")
                .with_description("What senders of calls told that is no paid call, by why.")
                .build(),
            disagreements: meter
                .u64_counter("lead_factory_ingest_disagreements")
                .with_description("Calls of which two roads said different amounts; the log has both.")
                .build(),
            suspected: meter
                .u64_counter("lead_factory_ingest_suspected_duplicates")
                .with_description("Calls that look like one that came over another road; GET /events?suspected=true lists them.")
                .build(),
        }
    }

    /// Counts a request that was answered with `status`, or never.
    pub(super) fn count_request(
        &self,
        method: &'static str,
        endpoint: Option<&'static str>,
        status: Option<u16>,
        took: Duration,
    ) {
        let (endpoint, status) = (endpoint.unwrap_or(UNMATCHED), status.unwrap_or(STATUS_HUNG_UP));
        self.durations.record(took.as_secs_f64(), &[KeyValue::new("method", method), KeyValue::new("endpoint", endpoint)]);
        self.requests.add((method, endpoint, status), 1);
    }

    /// Counts events of one format.
    pub(super) fn count_events(&self, format: &'static str, result: EventResult, count: usize) {
        if count > 0 {
            self.events.add((format, result), count as u64);
        }
    }

    /// Counts calls that look like one that came over another road.
    pub(super) fn count_suspected(&self, format: &'static str, count: usize) {
        if count > 0 {
            self.suspected.add(count as u64, &[KeyValue::new("format", format)]);
        }
    }

    /// Counts what was no paid call.
    pub(super) fn count_ignored(&self, format: &'static str, ignored: &BTreeMap<Ignored, usize>) {
        for (why, count) in ignored {
            let labels = [KeyValue::new("format", format), KeyValue::new("reason", why.as_str())];
            self.ignored.add(*count as u64, &labels);
        }
    }

    /// Counts what became of calls, and logs where their roads disagree.
    pub(super) fn count_calls(&self, format: &'static str, count: usize, outcome: &RecordAnswer) {
        let Ok(recorded) = outcome else {
            return self.count_events(format, EventResult::Rejected, count);
        };
        self.count_events(format, EventResult::Recorded, recorded.accepted + recorded.revised);
        self.count_events(format, EventResult::Duplicate, recorded.duplicates);
        let ignored = [(Ignored::CacheHit, recorded.cache_hits), (Ignored::Aggregate, recorded.aggregates)];
        self.count_ignored(format, &ignored.into_iter().filter(|(_, count)| *count > 0).collect());
        let labels = [KeyValue::new("format", format)];
        self.count_suspected(format, recorded.suspected);
        let (told, disagreements) = &recorded.disagreements;
        self.disagreements.add(*disagreements as u64, &labels);
        for Disagreement { key, standing, other } in told {
            let (id, source) = (&*key.id, &*key.source);
            tracing::warn!(format, id, source, %standing, %other, "two roads say different amounts of one call");
        }
    }

    /// Counts a refused check or reservation, under the label that cost of this service and operation has: refusals take no name.
    pub(super) fn count_blocked(&self, label: &Pair) {
        let value = |name: &Name| name.as_str().to_owned();
        let labels = [KeyValue::new("service", value(&label.service)), KeyValue::new("operation", value(&label.operation))];
        self.blocked.add(1, &labels);
    }
}

/// A method that HTTP defines, by its name; any text that a client made up, as `other`.
pub(super) fn fold_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

// === impl EventResult ===

impl EventResult {
    /// The word used as a label.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
        }
    }
}
