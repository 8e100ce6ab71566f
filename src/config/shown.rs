//! The settings as they hold, for people and programs to read.
//!
//! *Invariants.* Nothing here is secret: secrets are dots, and of a webhook's URL the path is left out.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use serde::{Serialize, Serializer};

use super::problem::Origin;
use crate::budget::{Action, Budget, BudgetScope, Limit};
use crate::domain::{Cycle, Facet, Pattern, PeriodKind, Quantity, UsageCount, Usd};
use crate::notify::Webhook;

/// One setting as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The setting's key.
    pub key: &'static str,
    /// The text that won; `None` when it is not set. Secrets are dots.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}

/// One budget as it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownBudget {
    /// Its unique name.
    pub name: String,
    /// The service it covers; `None` covers more than that of one.
    pub service: Option<String>,
    /// How often it begins anew.
    pub period: PeriodKind,
    /// The first day of its weeks, unless that is Monday.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week_starts: Option<String>,
    /// The day of the month on which its periods begin, unless that is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_day: Option<i8>,
    /// What it covers, where that is more than a service: patterns by what they match.
    #[serde(rename = "match", skip_serializing_if = "BTreeMap::is_empty")]
    pub cover: BTreeMap<&'static str, Vec<String>>,
    /// Of what each value has the limit by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub each: Option<Facet>,
    /// What may be spent in one period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<Usd>,
    /// What may be used in one period.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limit_usage: BTreeMap<String, Quantity>,
    /// Share of the limit, in percent, from which its state is `warning`.
    pub warn_at_percent: f64,
    /// All such shares, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warn_at_percents: Vec<f64>,
    /// Share of the limit, in percent, from which its state is `critical`.
    pub gate_at_percent: f64,
    /// What happens to work that would pass the limit, unless it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// Who keeps it, unless this agent does by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<BudgetScope>,
    /// Where its limit came from.
    #[serde(rename = "from", serialize_with = "in_words")]
    pub origin: Origin,
}

/// One webhook as it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownWebhook {
    /// Scheme, host and port of its URL; the path is dots.
    pub url: String,
    /// `json` or `slack`.
    pub format: &'static str,
    /// Whether its messages are signed.
    pub signed: bool,
    /// Types of messages that it is told; none are all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Names of budgets that it is told of; none are all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<String>,
    /// Where its URL came from.
    #[serde(rename = "from", serialize_with = "in_words")]
    pub origin: Origin,
}

impl ShownBudget {
    pub(super) fn of(budget: &Budget, origin: Origin) -> Self {
        let Cycle { kind, week_starts, start_day } = budget.cycle;
        let (service, asked) = budget.cover.told();
        let usage: &[UsageCount] = if let Limit::Usage(counts) = &budget.limit { counts } else { &[] };
        let percents: Vec<f64> = budget.warn_at.iter().map(|share| share.percent()).collect();
        Self {
            name: budget.name.clone(),
            service: service.map(str::to_owned),
            period: kind,
            week_starts: (week_starts != Weekday::Monday).then(|| format!("{week_starts:?}").to_lowercase()),
            start_day: (start_day != 1).then_some(start_day),
            cover: asked.into_iter().map(|(facet, patterns)| (facet.as_str(), texts(patterns))).collect(),
            each: budget.each,
            limit_usd: budget.limit.usd(),
            limit_usage: usage.iter().map(|count| (count.kind.to_string(), count.count)).collect(),
            warn_at_percent: percents.first().copied().unwrap_or(100.0),
            warn_at_percents: if percents.len() > 1 { percents } else { Vec::new() },
            gate_at_percent: budget.gate_at.percent(),
            action: Some(budget.action).filter(|action| *action != Action::Block),
            scope: Some(budget.scope).filter(|scope| *scope != BudgetScope::Agent),
            origin,
        }
    }
}

impl ShownWebhook {
    pub(super) fn of(webhook: &Webhook, origin: Origin) -> Self {
        Self {
            url: format!("{}/•••", webhook.url.origin().ascii_serialization()),
            format: webhook.format.as_str(),
            signed: webhook.secret.is_some(),
            events: texts(&webhook.subscription.events),
            budgets: texts(&webhook.subscription.budgets),
            origin,
        }
    }
}

fn texts(patterns: &[Pattern]) -> Vec<String> {
    patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect()
}

fn in_words<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}
