//! Whether the last load of the settings was good.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::metrics::Meter;

/// The outcome of the last load of the settings, shown as `lead_factory_config_reload_success`.
#[derive(Clone, Debug)]
pub struct ReloadStatus(Arc<AtomicBool>);

impl ReloadStatus {
    /// Begins as good: a process whose first load fails does not get this far.
    pub fn new(meter: &Meter) -> Self {
        let good = Arc::new(AtomicBool::new(true));
        let shown = Arc::clone(&good);
        meter
            .u64_observable_gauge("lead_factory_config_reload_success")
            .with_description("1 when the last load of the settings was good, 0 when it was refused and the old ones stay.")
            .with_callback(move |observer| observer.observe(u64::from(shown.load(Ordering::Relaxed)), &[]))
            .build();
        Self(good)
    }

    /// The settings in force are the ones that were asked for.
    pub fn succeeded(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the last load was good.
    pub fn is_good(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The settings that were asked for are bad; the old ones stay in force.
    pub fn failed(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
