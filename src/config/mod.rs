//! Settings: flag over environment over file over default, checked as a whole before anything is bound.
//!
//! *Invariants.* Every setting can be given in every layer under one name (see [`SETTINGS`]). A wrong value is a problem also
//! where a higher layer overrides it. All problems are found in one go. No secret is ever part of a text.
//!
//! *Limits.* [`FILE_BYTES_MAX`], [`TOKEN_FILE_BYTES_MAX`], [`TOKENS_MAX`], [`BUDGETS_MAX`], [`WEBHOOKS_MAX`](crate::notify::WEBHOOKS_MAX),
//! [`SECRET_FILE_BYTES_MAX`].
//!
//! *Deliberately not here.* What a setting does: each stage owns its own settings type, and this module only fills them in.

mod budgets;
mod caps;
mod file;
mod layers;
mod otel;
mod problem;
mod section;
mod shown;
mod sources;
mod table;
mod tokens;
mod value;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::api::Token;
use crate::budget::Policy;
use crate::notify::Webhook;
use crate::telemetry::{LogSettings, OtlpSettings};
use crate::{api, ingest, ledger, net, telemetry, writer};

pub use budgets::BUDGETS_MAX;
pub use file::FILE_BYTES_MAX;
pub use problem::{Origin, Problem, Problems};
pub use shown::{Shown, ShownBudget, ShownWebhook};
pub use sources::Sources;
pub use table::{SETTINGS, Setting};
pub use tokens::{TOKEN_FILE_BYTES_MAX, TOKENS_MAX};
pub use webhooks::SECRET_FILE_BYTES_MAX;

use layers::{Layers, Resolved};

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
    /// The ledger.
    pub ledger: ledger::Settings,
    /// The one owner of the ledger.
    pub writer: writer::Settings,
    /// The metrics.
    pub telemetry: telemetry::Settings,
    /// The push over OTLP.
    pub otlp: OtlpSettings,
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

/// Reads every layer and checks the whole.
///
/// # Errors
/// Everything that is wrong, with where it was written.
pub fn load(sources: &Sources) -> Result<Config, Problems> {
    let mut layers = Layers::read(sources);
    let tokens = layers.tokens();
    layers.check_relations();
    let resolved = Resolved { tokens, otlp: layers.otlp(sources), budgets: layers.budgets(), webhooks: layers.webhooks() };
    Ok(layers.sound()?.into_config(resolved, sources.terminal))
}

/// Where the agent with these settings listens. Problems elsewhere are let be: a probe must not fail on a setting it has no use
/// for.
///
/// # Errors
/// What is wrong with the address.
pub fn load_address(sources: &Sources) -> Result<SocketAddr, Problems> {
    let layers = Layers::read(sources).only_about(&["metrics_host", "metrics_port"])?;
    Ok(SocketAddr::new(layers.draft.host, layers.draft.port))
}

/// A token that allows writing to the agent with these settings, if any is set; the first one. Problems elsewhere are let be.
///
/// # Errors
/// What is wrong with the tokens.
pub fn load_token(sources: &Sources) -> Result<Option<Token>, Problems> {
    let mut layers = Layers::read(sources);
    let token = layers.tokens().into_iter().next();
    layers.only_about(&["api_token", "api_token_file"])?;
    Ok(token)
}

#[cfg(test)]
mod tests;
