//! The instruments over the views: each a function of one [`Moment`], without side effects.
//!
//! *Invariants.* Names, labels and meanings are contract section 3. Amounts become floats here, each the nearest to the exact
//! one. A series that is not observed in a collection is gone from it, so a service without cost today vanishes by itself.
//! Labels are given in the order of their names, the order in which the SDK keeps them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use opentelemetry::{KeyValue, StringValue};

use super::moment::{Moment, Source};
use super::settings::Settings;
use crate::budget::Standing;
use crate::domain::{Month, Name, ReservationStage, Sums, Usd};

/// Present in every scrape that is whole.
pub(super) const BUILD_INFO: &str = "lead_factory_build_info";

/// One series' value.
#[derive(Debug)]
pub(super) struct Reading {
    value: f64,
    labels: Vec<KeyValue>,
}

/// An instrument: its name as the SDK wants it (without what readers add: `_total` for a counter, `_seconds` for the unit `s`),
/// its unit, its help, and what it shows of a moment.
pub(super) struct Definition {
    pub name: &'static str,
    pub unit: &'static str,
    pub help: &'static str,
    pub read: fn(&Moment) -> Vec<Reading>,
}

/// Units in braces say what is counted and become no part of a name.
const USD: &str = "{USD}";
const PERCENT: &str = "{percent}";
const NONE: &str = "";

const GAUGES: [Definition; 11] = [
    Definition {
        name: "lead_factory_daily_cost",
        unit: USD,
        help: "Cost of the current day in USD, charges less credits, by service.",
        read: daily_cost,
    },
    Definition {
        name: "lead_factory_monthly_cost",
        unit: USD,
        help: "Cost of the current month in USD, charges less credits, by service.",
        read: monthly_cost,
    },
    Definition {
        name: "lead_factory_budget_utilization",
        unit: PERCENT,
        help: "Cost of the current period in percent of the global budget's limit.",
        read: budget_utilization,
    },
    Definition {
        name: "lead_factory_service_budget_utilization",
        unit: PERCENT,
        help: "Cost of the current period in percent of the limit of a service's budget.",
        read: service_budget_utilization,
    },
    Definition {
        name: "lead_factory_scaling_gate_active",
        unit: NONE,
        help: "1 while the scaling gate is active and work that is not critical must stop, else 0.",
        read: |moment| vec![Reading::plain(f64::from(u8::from(moment.gate.active)))],
    },
    Definition {
        name: "lead_factory_budget_limit_usd",
        unit: USD,
        help: "What may be spent in one period, in USD, by budget.",
        read: |moment| by_budget(moment, |standing| standing.limit_usd),
    },
    Definition {
        name: "lead_factory_budget_spent_usd",
        unit: USD,
        help: "Cost of the current period that counts against the budget, in USD.",
        read: |moment| by_budget(moment, |standing| standing.spent_usd),
    },
    Definition {
        name: "lead_factory_budget_reserved_usd",
        unit: USD,
        help: "What open reservations set aside of the budget, in USD.",
        read: |moment| by_budget(moment, |standing| standing.reserved_usd),
    },
    Definition {
        name: "lead_factory_reservations_open",
        unit: NONE,
        help: "Reservations that were neither committed nor released: held, or expired.",
        read: open_reservations,
    },
    Definition {
        name: "lead_factory_budget_forecast_usd",
        unit: USD,
        help: "What the current period will cost at its pace so far, in USD, by budget.",
        read: |moment| by_budget(moment, |standing| standing.forecast_usd),
    },
    Definition {
        name: "lead_factory_ledger_last_event_timestamp",
        unit: "s",
        help: "When the last event was recorded, in seconds since the Unix epoch.",
        read: last_event,
    },
];

const COUNTERS: [Definition; 4] = [
    Definition {
        name: "lead_factory_cost_usd",
        unit: USD,
        help: "Charges in USD since the ledger began, by service and operation.",
        read: charges,
    },
    Definition {
        name: "lead_factory_credit_usd",
        unit: USD,
        help: "Credits in USD since the ledger began, by service.",
        read: credits,
    },
    Definition {
        name: "lead_factory_usage",
        unit: NONE,
        help: "Quantities that events reported in usage since the ledger began, such as tokens.",
        read: usage,
    },
    Definition {
        name: "lead_factory_scaling_gate_activations",
        unit: NONE,
        help: "How often the scaling gate became active since the ledger began.",
        read: |moment| vec![Reading::plain(moment.published.views.gate_activations as f64)],
    },
];

/// How many series an instrument with the views' names can have, at most; `None` where the SDK's own limit of 2,000 is far above.
pub(super) fn series_max(name: &str, source: &Source) -> Option<usize> {
    match name {
        "lead_factory_daily_cost" | "lead_factory_monthly_cost" | "lead_factory_credit_usd" => Some(source.services_max),
        "lead_factory_cost_usd" | "lead_factory_scaling_gate_blocked" => Some(source.pairs_max),
        "lead_factory_usage" => Some(source.usage_max),
        _ => None,
    }
}

/// Makes the one instrument that needs no ledger.
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
pub(super) fn over_views(meter: &Meter, source: &Arc<OnceLock<Source>>) {
    for definition in GAUGES {
        gauge(meter, source, definition);
    }
    for definition in COUNTERS {
        let source = Arc::clone(source);
        meter
            .f64_observable_counter(definition.name)
            .with_unit(definition.unit)
            .with_description(definition.help)
            .with_callback(move |observer| observe(&definition, &source, observer))
            .build();
    }
}

pub(super) fn gauge(meter: &Meter, source: &Arc<OnceLock<Source>>, definition: Definition) {
    let source = Arc::clone(source);
    meter
        .f64_observable_gauge(definition.name)
        .with_unit(definition.unit)
        .with_description(definition.help)
        .with_callback(move |observer| observe(&definition, &source, observer))
        .build();
}

/// A panic that left a callback would empty every later scrape, so it ends here and costs this instrument's series only.
fn observe(definition: &Definition, source: &OnceLock<Source>, observer: &dyn AsyncInstrument<f64>) {
    let Some(source) = source.get() else { return };
    // All readings first, then the observations: half of an instrument's series would be another total.
    match catch_unwind(AssertUnwindSafe(|| (definition.read)(&source.moment()))) {
        Ok(readings) => readings.iter().for_each(|reading| observer.observe(reading.value, &reading.labels)),
        Err(_) => tracing::error!(metric = definition.name, "reading a metric panicked; this scrape lacks it"),
    }
}

// === impl Reading ===

impl Reading {
    pub(super) fn plain(value: f64) -> Self {
        Self { value, labels: Vec::new() }
    }

    fn labelled<const N: usize>(value: f64, labels: [(&'static str, &str); N]) -> Self {
        debug_assert!(labels.is_sorted(), "labels stand in the order of their names");
        let labels =
            labels.into_iter().map(|(name, value)| KeyValue::new(name, StringValue::from(value.to_owned()))).collect();
        Self { value, labels }
    }
}

// === what they read ===

fn daily_cost(moment: &Moment) -> Vec<Reading> {
    let today = moment.published.policy.zone.day_of(moment.now.time);
    by_service(&moment.published.views.day_by_label(today))
}

fn monthly_cost(moment: &Moment) -> Vec<Reading> {
    let month = Month::of(moment.published.policy.zone.day_of(moment.now.time));
    moment.published.views.month(month).map(|costs| by_service(&costs.by_label)).unwrap_or_default()
}

fn by_service(costs: &imbl::OrdMap<Name, Sums>) -> Vec<Reading> {
    costs.iter().map(|(name, sums)| Reading::labelled(sums.net().to_f64(), [("service", name.as_str())])).collect()
}

/// A period has one series: that of its first global budget, which is the one of the settings unless that is `none`.
fn budget_utilization(moment: &Moment) -> Vec<Reading> {
    let mut first = BTreeMap::new();
    for standing in moment.standings.iter().filter(|standing| standing.service.is_none()) {
        first.entry(standing.period).or_insert(standing.utilization_percent);
    }
    first.into_iter().map(|(period, percent)| Reading::labelled(percent, [("period", period.as_str())])).collect()
}

fn service_budget_utilization(moment: &Moment) -> Vec<Reading> {
    let of_services = moment.standings.iter().filter_map(|standing| Some((standing, standing.service.as_ref()?)));
    of_services
        .map(|(standing, service)| {
            let period = standing.period.as_str();
            let labels = [("budget", standing.name.as_str()), ("period", period), ("service", service.as_str())];
            Reading::labelled(standing.utilization_percent, labels)
        })
        .collect()
}

fn by_budget(moment: &Moment, amount: fn(&Standing) -> Usd) -> Vec<Reading> {
    moment
        .standings
        .iter()
        .map(|standing| {
            let labels = [("budget", standing.name.as_str()), ("period", standing.period.as_str())];
            Reading::labelled(amount(standing).to_f64(), labels)
        })
        .collect()
}

fn open_reservations(moment: &Moment) -> Vec<Reading> {
    let (holds, now) = (&moment.published.views.holds, moment.now.steady);
    let open = [(ReservationStage::Held, holds.held(now)), (ReservationStage::Expired, holds.expired(now))];
    open.map(|(stage, count)| Reading::labelled(count as f64, [("state", stage.as_str())])).into()
}

fn last_event(moment: &Moment) -> Vec<Reading> {
    // Whole microseconds fit a float's 53 bits until the year 2255, so the one rounding is the division's.
    let seconds = |at: Timestamp| at.as_microsecond() as f64 / 1e6;
    moment.published.views.last_recorded_at.map(|at| Reading::plain(seconds(at))).into_iter().collect()
}

fn charges(moment: &Moment) -> Vec<Reading> {
    let series = moment.published.views.series.iter();
    series
        .map(|(label, sums)| {
            let labels = [("operation", label.operation.as_str()), ("service", label.service.as_str())];
            Reading::labelled(sums.charges.to_f64(), labels)
        })
        .collect()
}

/// Every service that has cost has a series, also at 0: an increase can only be seen from a series that is there.
fn credits(moment: &Moment) -> Vec<Reading> {
    let mut by_service = BTreeMap::<&Name, Usd>::new();
    for (label, sums) in moment.published.views.series.iter() {
        *by_service.entry(&label.service).or_default() += -sums.credits;
    }
    by_service.into_iter().map(|(name, usd)| Reading::labelled(usd.to_f64(), [("service", name.as_str())])).collect()
}

fn usage(moment: &Moment) -> Vec<Reading> {
    let counts = moment.published.views.usage.iter();
    counts
        .map(|(key, count)| {
            let labels = [("kind", key.kind.as_str()), ("model", &*key.model), ("service", key.service.as_str())];
            Reading::labelled(*count as f64, labels)
        })
        .collect()
}
