//! What the fleet shows of itself.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};

use super::FleetStatus;
use crate::clock::Clock;

/// The instruments that something is added to.
#[derive(Clone, Debug)]
pub(super) struct Instruments {
    refusals: Counter<u64>,
    rows: Counter<u64>,
}

impl Instruments {
    pub fn new(meter: &Meter, status: Arc<ArcSwap<FleetStatus>>, clock: Clock) -> Self {
        let shown = Arc::clone(&status);
        meter
            .u64_observable_gauge("lead_factory_fleet_up")
            .with_description("1 while this agent has a part in the fleet, else 0.")
            .with_callback(move |observer| observer.observe(u64::from(shown.load().is_up()), &[]))
            .build();
        let shown = Arc::clone(&status);
        let started = clock.instant().steady;
        meter
            .f64_observable_gauge("lead_factory_fleet_sync_lag")
            .with_unit("s")
            .with_description("How long ago the fleet's database answered last; since the start where it never did.")
            .with_callback(move |observer| {
                let now = clock.instant().steady;
                let lag: Duration = shown.load().lag(now).unwrap_or_else(|| now.since(started));
                observer.observe(lag.as_secs_f64(), &[]);
            })
            .build();
        meter
            .f64_observable_gauge("lead_factory_fleet_lease_usd")
            .with_unit("{USD}")
            .with_description("What this agent has in hand of a budget that the fleet shares.")
            .with_callback(move |observer| {
                for shared in &status.load().budgets {
                    observer.observe(shared.own_lease.to_f64(), &[KeyValue::new("budget", shared.budget.to_string())]);
                }
            })
            .build();
        let refusals = meter
            .u64_counter("lead_factory_fleet_lease_refusals")
            .with_description(
                "Reservations that were refused because the fleet had no room for them, or could not be asked.",
            )
            .build();
        let rows = meter
            .u64_counter("lead_factory_fleet_sync_rows")
            .with_description("Sums that were sent to the fleet's database.")
            .build();
        rows.add(0, &[]);
        Self { refusals, rows }
    }

    /// Shows a budget before anything of it is refused: an increase can only be seen from a series that is there.
    pub fn show_budget(&self, budget: &str) {
        self.refusals.add(0, &[KeyValue::new("budget", budget.to_owned())]);
    }

    pub fn count_refusal(&self, budget: &str) {
        self.refusals.add(1, &[KeyValue::new("budget", budget.to_owned())]);
    }

    pub fn count_rows(&self, count: usize) {
        self.rows.add(count as u64, &[]);
    }
}
