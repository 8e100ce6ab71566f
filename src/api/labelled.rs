//! A counter that every request adds to.
//!
//! *Why not the SDK's own:* it copies, sorts and hashes the labels' texts each time, which is 3 of 100 instructions of recording an event.
//! Here they are compared as they are, and become texts when somebody reads them.
//!
//! *Limits.* As many series as there are keys: routes, methods, statuses, formats, all from our own code.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashMap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

/// Counts by a key of few values.
#[derive(Debug)]
pub(super) struct Labelled<K> {
    counts: Arc<Mutex<HashMap<K, u64>>>,
}

impl<K: Copy + Eq + Hash + Send + 'static> Labelled<K> {
    /// Shows the counts under this name, each with the labels of its key. Once per meter.
    pub fn new<const LABELS: usize>(
        meter: &Meter,
        name: &'static str,
        description: &'static str,
        labels: fn(K) -> [KeyValue; LABELS],
    ) -> Self {
        let counts = Arc::new(Mutex::new(HashMap::new()));
        let shown = Arc::clone(&counts);
        meter
            .u64_observable_counter(name)
            .with_description(description)
            .with_callback(move |observer| {
                // Copied, so that nobody who counts waits for whoever reads.
                let counts = locked(&shown).clone();
                counts.into_iter().for_each(|(key, count)| observer.observe(count, &labels(key)));
            })
            .build();
        Self { counts }
    }

    /// Adds to the count of a key, which is shown from then on.
    pub fn add(&self, key: K, count: u64) {
        *locked(&self.counts).entry(key).or_default() += count;
    }
}

/// The counts. Whoever panicked with the lock held has changed one of them or none.
fn locked<K>(counts: &Mutex<HashMap<K, u64>>) -> std::sync::MutexGuard<'_, HashMap<K, u64>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
