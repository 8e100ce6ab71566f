//! What loading the settings yields: each stage's own, finished.

use std::sync::Arc;

use super::problem::Origin;
use super::settings::SETTINGS;
use super::shown::{Shown, ShownBudget, ShownWebhook};
use crate::budget::Policy;
use crate::notify::Webhook;
use crate::pricing::Book;
use crate::telemetry::{LogSettings, OtlpSettings};
use crate::{api, fleet, ingest, ledger, net, telemetry, writer};

/// Everything the program was told, valid as a whole.
#[derive(Clone, Debug)]
pub struct Config {
    /// The log.
    pub log: LogSettings,
    /// Budgets and gate.
    pub policy: Arc<Policy>,
    /// Connections.
    pub net: net::Settings,
    /// The HTTP surface.
    pub api: api::Settings,
    /// Events and requests.
    pub ingest: ingest::Limits,
    /// Calls that come over other roads than workers.
    pub calls: ingest::CallSettings,
    /// What calls cost. `SIGHUP` puts another in force.
    pub book: Arc<Book>,
    /// The ledger.
    pub ledger: ledger::Settings,
    /// The one owner of the ledger.
    pub writer: writer::Settings,
    /// The metrics.
    pub telemetry: telemetry::Settings,
    /// The push over OTLP.
    pub otlp: OtlpSettings,
    /// The fleet that the agent belongs to, if it does.
    pub fleet: Option<fleet::Settings>,
    /// Who is told about budgets and the gate; at most [`WEBHOOKS_MAX`](crate::notify::WEBHOOKS_MAX).
    pub webhooks: Vec<Webhook>,
    /// Every setting as it holds, for people to read.
    pub shown: Vec<Shown>,
    /// Every budget as it holds, in the order of the policy.
    pub shown_budgets: Vec<ShownBudget>,
    /// Every webhook as it holds, without what is secret.
    pub shown_webhooks: Vec<ShownWebhook>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<String>,
}

impl Config {
    /// Settings that `next` has otherwise and that only a new process takes, by key. The text of a secret is not kept, so a secret
    /// that changed is not noticed; of a webhook, what may be shown.
    pub fn waiting_for_a_restart(&self, next: &Self) -> Vec<&'static str> {
        let pairs = SETTINGS.iter().zip(self.shown.iter().zip(&next.shown));
        let changed = pairs.filter(|(setting, (one, other))| !setting.is_reloaded && one.value != other.value);
        // Where they are written makes no difference: a line above may be new.
        let webhooks = |config: &Self| {
            let shown = config.shown_webhooks.iter().cloned();
            shown.map(|webhook| ShownWebhook { origin: Origin::Default, ..webhook }).collect::<Vec<_>>()
        };
        let webhooks = (webhooks(self) != webhooks(next)).then_some("webhook");
        changed.map(|(setting, _)| setting.key).chain(webhooks).collect()
    }
}
