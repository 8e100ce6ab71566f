//! Settings read again while the agent runs (SIGHUP).
//!
//! *Invariants.* Wrong settings change nothing: what is in force stays in force.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::timeout;

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

/// Reads the settings anew.
pub(super) type ReadSettings = Arc<dyn Fn() -> Result<Config, Problems> + Send + Sync>;

/// What reading may take. Where a file hangs, as on a file system that is gone, its thread is left to itself.
const READ_MAX: Duration = Duration::from_secs(30);

/// Reads the settings in a thread of their own.
pub(super) async fn read_apart(read: &ReadSettings) -> Result<Config, Unread> {
    let read = Arc::clone(read);
    match timeout(READ_MAX, tokio::task::spawn_blocking(move || read())).await {
        Ok(Ok(read)) => Ok(read?),
        Ok(Err(_panicked)) => Err(Unread::Panicked),
        Err(_) => Err(Unread::TooSlow),
    }
}

/// Why there are no new settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// They are wrong.
    #[error(transparent)]
    Wrong(#[from] Problems),
    /// One of their files hangs.
    #[error("Reading them took longer than {} s.", READ_MAX.as_secs())]
    TooSlow,
    /// A fault of ours.
    #[error("Reading them failed.")]
    Panicked,
}

impl Unread {
    /// What an answer may say of it.
    fn outward(&self) -> String {
        match self {
            Self::Wrong(problems) => problems.outward(),
            Self::TooSlow | Self::Panicked => self.to_string(),
        }
    }
}

/// Puts budgets, thresholds, tokens, logins and certificates in force, as they were just read.
pub(super) async fn apply(
    read: Result<Config, Unread>,
    running: &Config,
    parts: &Parts<'_>,
    status: &ReloadStatus,
) -> Result<(), String> {
    let next = match read {
        Ok(next) => next,
        Err(unread) => {
            status.failed();
            tracing::error!(problems = %unread, "settings not reloaded; the previous ones stay in force");
            return Err(unread.outward());
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
