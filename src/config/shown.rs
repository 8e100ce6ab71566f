//! The settings as they hold, for people and programs to read.
//!
//! *Invariants.* Nothing here is secret: secrets are dots, and of a webhook's URL the path is left out.

use serde::{Serialize, Serializer};

use super::problem::Origin;
use crate::budget::Budget;
use crate::domain::PeriodKind;
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
    /// The service it covers; `None` covers all cost.
    pub service: Option<String>,
    /// How often it begins anew.
    pub period: PeriodKind,
    /// What may be spent in one period.
    pub limit: String,
    /// Share of the limit, in percent, from which its state is `warning`.
    pub warn_at_percent: f64,
    /// Share of the limit, in percent, from which its state is `critical`.
    pub gate_at_percent: f64,
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
    /// Where its URL came from.
    #[serde(rename = "from", serialize_with = "in_words")]
    pub origin: Origin,
}

impl ShownBudget {
    pub(super) fn of(budget: &Budget, origin: Origin) -> Self {
        Self {
            name: budget.name.clone(),
            service: budget.service().map(str::to_owned),
            period: budget.cycle.kind,
            limit: budget.limit.to_string(),
            warn_at_percent: budget.warn_at.first().map_or(100.0, |lowest| lowest.percent()),
            gate_at_percent: budget.gate_at.percent(),
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
            origin,
        }
    }
}

fn in_words<S: Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(origin)
}
