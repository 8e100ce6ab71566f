//! What was spent, and on what.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::definition::{Counter, Definition, NONE, Reading, Total, USD};
use crate::domain::{Month, Name, PeriodKind, Sums, Usd};
use crate::telemetry::moment::Moment;

pub(super) const GAUGES: [Definition; 5] = [
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
        name: "lead_factory_ledger_last_event_timestamp",
        unit: "s",
        help: "When the last event was recorded, in seconds since the Unix epoch.",
        read: last_event,
    },
    Definition {
        name: "lead_factory_cost_per_lead",
        unit: USD,
        help: "Cost attributed to leads in USD divided by their number, in the current day and month; at most a minute old.",
        read: per_lead,
    },
    Definition {
        name: "lead_factory_unpriced_events",
        unit: NONE,
        help: "Events that wait for a price, by service and model. They count 0 USD until then.",
        read: unpriced,
    },
];

pub(super) const COUNTERS: [Counter; 4] = [
    Counter {
        name: "lead_factory_cost_usd",
        unit: USD,
        help: "Charges in USD since the ledger began, by service and operation.",
        read: charges,
    },
    Counter {
        name: "lead_factory_credit_usd",
        unit: USD,
        help: "Credits in USD since the ledger began, by service.",
        read: credits,
    },
    Counter {
        name: "lead_factory_usage",
        unit: NONE,
        help: "Quantities that events reported in usage since the ledger began, such as tokens.",
        read: usage,
    },
    Counter {
        name: "lead_factory_model_cost_usd",
        unit: USD,
        help: "Charges in USD since the ledger began, by service and model.",
        read: model_charges,
    },
];

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

fn last_event(moment: &Moment) -> Vec<Reading> {
    // Whole microseconds fit a float's 53 bits until the year 2255, so the one rounding is the division's.
    let seconds = |at: Timestamp| at.as_microsecond() as f64 / 1e6;
    moment.published.views.last_recorded_at.map(|at| Reading::plain(seconds(at))).into_iter().collect()
}

fn per_lead(moment: &Moment) -> Vec<Reading> {
    let today = moment.published.policy.zone.day_of(moment.now.time);
    let (daily, monthly) = moment.per_lead.map(|costs| costs.at(moment.now, today)).unwrap_or_default();
    let periods = [(PeriodKind::Daily, daily), (PeriodKind::Monthly, monthly)].into_iter();
    periods.filter_map(|(period, usd)| Some(Reading::labelled(usd?.to_f64(), [("period", period.as_str())]))).collect()
}

fn unpriced(moment: &Moment) -> Vec<Reading> {
    let counts = moment.published.views.unpriced.iter();
    counts
        .map(|(key, count)| Reading::labelled(count as f64, [("model", &*key.model), ("service", key.service.as_str())]))
        .collect()
}

fn charges(moment: &Moment) -> Vec<Total> {
    let series = moment.published.views.series.iter();
    series
        .map(|(label, sums)| {
            let labels = [("operation", label.operation.as_str()), ("service", label.service.as_str())];
            Total::usd(sums.charges, labels)
        })
        .collect()
}

/// Every service that has cost has a series, also at 0: an increase can only be seen from a series that is there.
fn credits(moment: &Moment) -> Vec<Total> {
    let mut by_service = BTreeMap::<&Name, Usd>::new();
    for (label, sums) in moment.published.views.series.iter() {
        *by_service.entry(&label.service).or_default() += -sums.credits;
    }
    by_service.into_iter().map(|(name, usd)| Total::usd(usd, [("service", name.as_str())])).collect()
}

fn model_charges(moment: &Moment) -> Vec<Total> {
    let charges = moment.published.views.models.iter();
    charges.map(|(key, usd)| Total::usd(*usd, [("model", &*key.model), ("service", key.service.as_str())])).collect()
}

fn usage(moment: &Moment) -> Vec<Total> {
    let counts = moment.published.views.usage.iter();
    counts
        .map(|(key, count)| {
            let labels = [("kind", key.kind.as_str()), ("model", &*key.model), ("service", key.service.as_str())];
            Total::count(*count, labels)
        })
        .collect()
}
