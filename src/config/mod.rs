//! Settings: flag over environment over file over default, checked as a whole before anything is bound.
//!
//! The way: `settings` lists what there is, by `spec` and `kinds`; `layers` puts what [`Sources`] and the `file` say into a `draft`;
//! `finish` makes each stage's settings from it, as one [`Config`].
//!
//! *Invariants.* Every setting can be given in every layer under one name (see [`SETTINGS`]). A wrong value is a problem also
//! where a higher layer overrides it. All problems are found in one go. No secret is ever part of a text.
//!
//! *Limits.* [`FILE_BYTES_MAX`], [`TOKEN_FILE_BYTES_MAX`], [`TOKENS_MAX`], [`BUDGETS_MAX`], [`WEBHOOKS_MAX`](crate::notify::WEBHOOKS_MAX),
//! [`SECRET_FILE_BYTES_MAX`], [`WEB_FILE_BYTES_MAX`], [`PEM_FILE_BYTES_MAX`], [`USERS_MAX`].
//!
//! *Deliberately not here.* What a setting does: each stage owns its own settings type, and this module only fills them in.

mod budgets;
mod draft;
mod file;
mod finish;
mod fleet;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz_tests;
mod kind;
mod kinds;
mod layers;
mod loaded;
mod lookalikes;
mod near;
mod otel;
mod page;
mod patterns;
mod prices;
mod problem;
mod relations;
mod settings;
mod shown;
mod sources;
mod spec;
mod table;
mod tokens;
mod web;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::api::Scope;
use crate::fleet::DatabaseUrl;

pub use budgets::BUDGETS_MAX;
pub use draft::Setting;
pub use file::FILE_BYTES_MAX;
pub use fleet::URL_FILE_BYTES_MAX;
pub use loaded::Config;
pub use problem::{Origin, Problem, Problems};
pub use settings::SETTINGS;
pub use shown::{Shown, ShownBudget, ShownWebhook};
pub use sources::Sources;
pub use tokens::{TOKEN_FILE_BYTES_MAX, TOKENS_MAX};
pub use web::{OwnTls, PEM_FILE_BYTES_MAX, USERS_MAX, WEB_FILE_BYTES_MAX, certificates};
pub use webhooks::SECRET_FILE_BYTES_MAX;

use layers::Layers;

/// Reads every layer and checks the whole.
///
/// # Errors
/// Everything that is wrong, with where it was written.
pub fn load(sources: &Sources) -> Result<Config, Problems> {
    finish::finish(Layers::read(sources), sources)
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

/// How an agent with these settings is spoken to on its own host: `None` without TLS. Problems elsewhere are let be.
///
/// # Errors
/// What is wrong with the file that says so.
pub fn load_own_tls(sources: &Sources) -> Result<Option<OwnTls>, Problems> {
    let layers = Layers::read(sources).only_about(&["web_config_file"])?;
    let Some(path) = &layers.draft.web_file else { return Ok(None) };
    web::own_tls(path, layers.origin_of("web_config_file")).map_err(Problems)
}

/// The file of prices that these settings name, if any, read or not. Problems elsewhere are let be.
///
/// # Errors
/// What is wrong with its path.
pub fn load_prices_file(sources: &Sources) -> Result<Option<PathBuf>, Problems> {
    Ok(Layers::read(sources).only_about(&["prices_file"])?.draft.prices_file)
}

/// A token to record cost with at the agent with these settings, if any is set: the first that allows it, else the first, so that the
/// agent says what it lacks. Problems elsewhere are let be.
///
/// # Errors
/// What is wrong with the tokens.
pub fn load_recording_token(sources: &Sources) -> Result<Option<String>, Problems> {
    load_token(sources, Scope::Record)
}

/// The same to change something else.
///
/// # Errors
/// What is wrong with the tokens.
pub fn load_admin_token(sources: &Sources) -> Result<Option<String>, Problems> {
    load_token(sources, Scope::Admin)
}

/// The same to read with, where reading asks for a login.
///
/// # Errors
/// What is wrong with the tokens.
pub fn load_reading_token(sources: &Sources) -> Result<Option<String>, Problems> {
    load_token(sources, Scope::Read)
}

fn load_token(sources: &Sources, scope: Scope) -> Result<Option<String>, Problems> {
    let mut layers = Layers::read(sources);
    let tokens = finish::read_tokens(&mut layers);
    layers.only_about(&["api_token", "api_token_file"])?;
    let token = tokens.iter().find(|token| token.allows(scope)).or(tokens.first());
    Ok(token.map(|token| String::from_utf8_lossy(token.expose()).into_owned()))
}

/// The fleet's database under these settings, if any is set. Problems elsewhere are let be.
///
/// # Errors
/// What is wrong with its URL.
pub fn load_fleet_url(sources: &Sources) -> Result<Option<DatabaseUrl>, Problems> {
    let mut layers = Layers::read(sources);
    let url = fleet::resolve::find_url(&mut layers);
    layers.only_about(&["fleet_url", "fleet_url_file"])?;
    Ok(url)
}

#[cfg(test)]
mod tests;
