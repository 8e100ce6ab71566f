//! The instruments over the views: each a function of one [`Moment`], without side effects.
//!
//! *Invariants.* Names, labels and meanings are promised in `docs/reference.md`. Amounts become floats here, each the nearest to
//! the exact one. A series that is not observed in a collection is gone from it, so a service without cost today vanishes by
//! itself. Labels are given in the order of their names, the order in which the SDK keeps them.

mod costs;
mod definition;
mod limits;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::moment::{Moment, Source};
use super::settings::Settings;
use definition::Counter;
#[cfg(test)]
pub(super) use definition::Reading;
pub(super) use definition::{Definition, Total};

/// Present in every scrape that is whole.
pub(super) const BUILD_INFO: &str = "lead_factory_build_info";

/// How many series an instrument with the views' names can have, at most; `None` where the SDK's own limit of 2,000 is far above.
pub(super) fn series_max(name: &str, source: &Source) -> Option<usize> {
    match name {
        "lead_factory_daily_cost" | "lead_factory_monthly_cost" | "lead_factory_credit_usd" => Some(source.services_max),
        "lead_factory_cost_usd" | "lead_factory_scaling_gate_blocked" => Some(source.pairs_max),
        "lead_factory_usage" => Some(source.usage_max),
        _ => None,
    }
}

/// Makes the one instrument that does not depend on the ledger.
pub(super) fn build_info(meter: &Meter, settings: &Settings) {
    let labels = [
        KeyValue::new("environment", settings.environment.clone()),
        KeyValue::new("revision", settings.revision.clone()),
        KeyValue::new("version", env!("CARGO_PKG_VERSION")),
    ];
    meter
        .u64_observable_gauge(BUILD_INFO)
        .with_description("1, with what was built and where it runs as labels.")
        .with_callback(move |observer| observer.observe(1, &labels))
        .build();
}

/// Makes every instrument over the views.
pub(super) fn over_views(meter: &Meter, source: &Arc<Source>) {
    for definition in costs::GAUGES.into_iter().chain(limits::GAUGES) {
        gauge(meter, source, definition);
    }
    for definition in counters() {
        counter(meter, source, definition);
    }
}

/// Every counter over the ledger with its totals, to the last digit. One whose reading panics is missing, as in a scrape.
pub(super) fn totals(moment: &Moment) -> Vec<(&'static str, Vec<Total>)> {
    let read = |counter: Counter| Some((counter.name, catch_unwind(AssertUnwindSafe(|| (counter.read)(moment))).ok()?));
    counters().filter_map(read).collect()
}

fn counters() -> impl Iterator<Item = Counter> {
    costs::COUNTERS.into_iter().chain(limits::COUNTERS)
}

pub(super) fn gauge(meter: &Meter, source: &Arc<Source>, definition: Definition) {
    let source = Arc::clone(source);
    meter
        .f64_observable_gauge(definition.name)
        .with_unit(definition.unit)
        .with_description(definition.help)
        .with_callback(move |observer| {
            let read =
                |moment: &Moment| (definition.read)(moment).into_iter().map(|reading| (reading.value, reading.labels));
            observe(definition.name, &source, observer, |moment| read(moment).collect());
        })
        .build();
}

fn counter(meter: &Meter, source: &Arc<Source>, definition: Counter) {
    let source = Arc::clone(source);
    meter
        .f64_observable_counter(definition.name)
        .with_unit(definition.unit)
        .with_description(definition.help)
        .with_callback(move |observer| {
            let read = |moment: &Moment| (definition.read)(moment).into_iter().map(|total| (total.to_f64(), total.labels));
            observe(definition.name, &source, observer, |moment| read(moment).collect());
        })
        .build();
}

/// A panic that left a callback would empty every later scrape (`findings/panic-in-one-callback-empties-all.sh`), so it ends here and costs this instrument's series only.
fn observe(
    metric: &str,
    source: &Source,
    observer: &dyn AsyncInstrument<f64>,
    read: impl FnOnce(&Moment) -> Vec<(f64, Vec<KeyValue>)>,
) {
    // All readings first, then the observations: half of an instrument's series would be another total.
    match catch_unwind(AssertUnwindSafe(|| read(&source.moment()))) {
        Ok(values) => values.iter().for_each(|(value, labels)| observer.observe(*value, labels)),
        Err(_) => tracing::error!(metric, "reading a metric panicked; this scrape lacks it"),
    }
}
