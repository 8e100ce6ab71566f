//! What the writer shows of itself, and of the calls it records.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::Health;
use super::tally::Tally;
use crate::domain::{CostEvent, Pair};
use crate::views::Series;

/// Seconds from 100 µs, where a commit on a fast disk lies, to 10 s, where something is broken.
const COMMIT_SECONDS_BUCKETS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Powers of four up to the largest group that a commit takes.
const COMMIT_EVENTS_BUCKETS: [f64; 9] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 32_768.0];
/// A paid call takes from milliseconds to minutes.
const CALL_SECONDS_BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Service and operation pairs with call durations of their own; further ones are counted under `other`/`other`. A histogram
/// has 17 series for each, which is why this bound lies below the one of the cost counters.
const CALL_PAIRS_MAX: usize = 200;

/// The writer's instruments.
pub(super) struct Instruments {
    commit_seconds: Histogram<f64>,
    commit_events: Histogram<u64>,
    call_seconds: Histogram<f64>,
    call_pairs: HashSet<Pair>,
    reservations: Counter<u64>,
    size_bytes: Arc<AtomicU64>,
}

impl Instruments {
    pub fn new(meter: &Meter, queued_events: Arc<AtomicUsize>, health: Health) -> Self {
        // Readers add the unit to the name.
        let size_bytes = Arc::new(AtomicU64::new(0));
        let shown_size = Arc::clone(&size_bytes);
        meter
            .u64_observable_gauge("lead_factory_ledger_queue_depth")
            .with_description("Events that wait for the ledger's next commit.")
            .with_callback(move |observer| observer.observe(queued_events.load(Ordering::Relaxed) as u64, &[]))
            .build();
        meter
            .u64_observable_gauge("lead_factory_ledger_size")
            .with_unit("By")
            .with_description("Size of the ledger's file and its write-ahead log.")
            .with_callback(move |observer| observer.observe(shown_size.load(Ordering::Relaxed), &[]))
            .build();
        meter
            .u64_observable_gauge("lead_factory_ledger_up")
            .with_description("1 while cost can be recorded, else 0.")
            .with_callback(move |observer| observer.observe(u64::from(health.problem().is_none()), &[]))
            .build();
        let instruments = Self {
            commit_seconds: meter
                .f64_histogram("lead_factory_ledger_commit_duration")
                .with_unit("s")
                .with_description("How long one group commit took, its sync included.")
                .with_boundaries(COMMIT_SECONDS_BUCKETS.to_vec())
                .build(),
            commit_events: meter
                .u64_histogram("lead_factory_ledger_commit_events")
                .with_description("Events in one group commit.")
                .with_boundaries(COMMIT_EVENTS_BUCKETS.to_vec())
                .build(),
            call_seconds: meter
                .f64_histogram("lead_factory_api_call_duration")
                .with_unit("s")
                .with_description("How long the workers' paid calls took, as they reported it.")
                .with_boundaries(CALL_SECONDS_BUCKETS.to_vec())
                .build(),
            call_pairs: HashSet::new(),
            reservations: meter
                .u64_counter("lead_factory_reservations")
                .with_description("Reservations of this process, by what became of them.")
                .build(),
            size_bytes,
        };
        // An increase can only be seen from a series that is there.
        Tally::default().by_result().into_iter().for_each(|(result, count)| instruments.count_result(result, count));
        instruments
    }

    pub fn count_reservations(&self, tally: Tally) {
        // Most commits are about none.
        for (result, count) in tally.by_result().into_iter().filter(|(_, count)| *count > 0) {
            self.count_result(result, count);
        }
    }

    fn count_result(&self, result: &'static str, count: u64) {
        self.reservations.add(count, &[KeyValue::new("result", result)]);
    }

    pub fn committed(&self, took: Duration, events: usize) {
        self.commit_seconds.record(took.as_secs_f64(), &[]);
        if events > 0 {
            self.commit_events.record(events as u64, &[]);
        }
    }

    pub fn set_size(&self, bytes: u64) {
        self.size_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Notes how long a recorded event's call took, if it said so, under labels that the cost counters use as well.
    pub fn called(&mut self, event: &CostEvent, series: &Series) {
        let Some(seconds) = event.duration_seconds else { return };
        let mut label = series.label(&event.service, &event.operation);
        if !self.call_pairs.contains(&label) {
            if self.call_pairs.len() < CALL_PAIRS_MAX {
                self.call_pairs.insert(label.clone());
            } else {
                label = Pair::other();
            }
        }
        let attributes = [
            KeyValue::new("service", label.service.to_string()),
            KeyValue::new("operation", label.operation.to_string()),
            KeyValue::new("outcome", event.outcome.as_str()),
        ];
        self.call_seconds.record(seconds, &attributes);
    }
}
