//! Settings read again while the agent runs (SIGHUP).
//!
//! *Invariants.* Wrong settings change nothing: what is in force stays in force.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::api::Surface;
use crate::budget::Policy;
use crate::config::{Config, Problems};
use crate::net::TlsSwitch;
use crate::pricing::Book;
use crate::telemetry::ReloadStatus;
use crate::writer::Writer;

/// What takes the settings.
pub(super) struct Parts<'a> {
    pub writer: &'a Writer,
    pub surface: &'a Surface,
    pub tls: &'a TlsSwitch,
    pub book: &'a ArcSwap<Book>,
}

/// Puts budgets, thresholds, tokens, logins and certificates in force, as they were just read.
pub(super) async fn apply(
    read: Result<Config, Problems>,
    running: &Config,
    parts: &Parts<'_>,
    status: &ReloadStatus,
) -> Result<(), String> {
    let next = match read {
        Ok(next) => next,
        Err(problems) => {
            status.failed();
            tracing::error!(%problems, "settings not reloaded; the previous ones stay in force");
            return Err(problems.outward());
        }
    };
    for setting in running.waiting_for_a_restart(&next) {
        tracing::warn!(setting, "this change takes effect at the next start");
    }
    for warning in next.warnings.iter().filter(|warning| !running.warnings.contains(warning)) {
        tracing::warn!("{warning}");
    }
    let mut policy = next.policy;
    let zone = &running.policy.zone;
    if policy.zone.name() != zone.name() {
        policy = Arc::new(Policy { zone: zone.clone(), ..Arc::unwrap_or_clone(policy) });
    }
    parts.surface.set_tokens(next.api.tokens);
    parts.surface.set_users(&next.api.users);
    parts.surface.set_headers(next.api.headers);
    parts.tls.set(next.net.tls);
    parts.book.store(next.book);
    // A writer that has stopped ends the agent; there is nothing to reload then.
    let _ = parts.writer.set_policy(policy).await;
    status.succeeded();
    tracing::info!(
        "settings reloaded: budgets, caps, thresholds, critical operations, tokens, logins, certificates and prices are in force"
    );
    Ok(())
}
