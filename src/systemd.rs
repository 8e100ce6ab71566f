//! Tells the service manager where the agent stands, by the protocol of `sd_notify(3)`.
//!
//! *Invariants.* Without `NOTIFY_SOCKET` in the environment nothing happens, and a manager that does not listen stops nothing.

use sd_notify::NotifyState;

/// Requests are answered from now on; also the end of a reload.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The settings are being read again; [`ready`] ends it. With the time that `Type=notify-reload` asks for.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "there is no monotonic clock to tell the service manager of"),
    }
}

/// New requests are no longer taken.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
