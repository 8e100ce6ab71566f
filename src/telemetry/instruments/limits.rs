//! Where the budgets stand, what is set aside, and whether the gate stops work.

use std::collections::BTreeMap;

use super::definition::{Counter, Definition, NONE, PERCENT, Reading, Total, USD};
use crate::budget::{KeyCounts, Standing};
use crate::domain::{PeriodKind, Quantity, ReservationStage, Usd};
use crate::telemetry::moment::Moment;

pub(super) const GAUGES: [Definition; 9] = [
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
        read: |moment| by_budget(moment, |standing| Some(standing.usd()?[0])),
    },
    Definition {
        name: "lead_factory_budget_spent_usd",
        unit: USD,
        help: "Cost of the current period that counts against the budget, in USD.",
        read: |moment| by_budget(moment, |standing| Some(standing.usd()?[1])),
    },
    Definition {
        name: "lead_factory_budget_reserved_usd",
        unit: USD,
        help: "What open reservations set aside of the budget, in USD.",
        read: |moment| by_budget(moment, |standing| Some(standing.usd()?[2])),
    },
    Definition {
        name: "lead_factory_budget_keys",
        unit: NONE,
        help: "Keys with cost or holds in the current period of a budget with `each`, by how they stand against its limit.",
        read: budget_keys,
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
        help: "What the current period will cost at its pace so far, in USD, by budget; none until an hour and 5 % of it have passed.",
        read: |moment| by_budget(moment, Standing::forecast_usd),
    },
];

pub(super) const COUNTERS: [Counter; 1] = [Counter {
    name: "lead_factory_scaling_gate_activations",
    unit: NONE,
    help: "How often the scaling gate became active since the ledger began.",
    read: |moment| vec![Total::count(Quantity::of(moment.published.views.gate_activations), [])],
}];

/// A period has one series: that of its fullest global budget.
fn budget_utilization(moment: &Moment) -> Vec<Reading> {
    let mut fullest: BTreeMap<PeriodKind, f64> = BTreeMap::new();
    for standing in moment.standings.iter().filter(|standing| standing.is_global) {
        let percent = fullest.entry(standing.cycle.kind).or_default();
        *percent = percent.max(standing.utilization_percent);
    }
    fullest.into_iter().map(|(period, percent)| Reading::labelled(percent, [("period", period.as_str())])).collect()
}

fn service_budget_utilization(moment: &Moment) -> Vec<Reading> {
    let of_services = moment.standings.iter().filter_map(|standing| Some((standing, standing.cover.service()?)));
    of_services
        .map(|(standing, service)| {
            let period = standing.cycle.kind.as_str();
            let labels = [("budget", standing.name.as_str()), ("period", period), ("service", service)];
            Reading::labelled(standing.utilization_percent, labels)
        })
        .collect()
}

/// A budget without the amount has no series.
fn by_budget(moment: &Moment, amount: fn(&Standing) -> Option<Usd>) -> Vec<Reading> {
    moment
        .standings
        .iter()
        .filter_map(|standing| {
            let labels = [("budget", standing.name.as_str()), ("period", standing.cycle.kind.as_str())];
            Some(Reading::labelled(amount(standing)?.to_f64(), labels))
        })
        .collect()
}

/// Three series for each budget with `each`, also where they are 0; never one for a key, of which there may be any number.
fn budget_keys(moment: &Moment) -> Vec<Reading> {
    let of_budget = |(budget, counts): (String, KeyCounts)| {
        let KeyCounts { keys, warning, exhausted } = counts;
        let ok = keys.saturating_sub(warning + exhausted);
        [("ok", ok), ("warning", warning), ("exhausted", exhausted)]
            .map(|(state, count)| Reading::labelled(count as f64, [("budget", budget.as_str()), ("state", state)]))
    };
    moment.published.key_counts(moment.now).into_iter().flat_map(of_budget).collect()
}

fn open_reservations(moment: &Moment) -> Vec<Reading> {
    let (holds, now) = (&moment.published.views.holds, moment.now.steady);
    let open = [(ReservationStage::Held, holds.held(now)), (ReservationStage::Expired, holds.expired(now))];
    open.map(|(stage, count)| Reading::labelled(count as f64, [("state", stage.as_str())])).into()
}
