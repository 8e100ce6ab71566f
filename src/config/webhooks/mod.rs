//! Receivers of messages: the settings `webhook_*` and the `[[webhook]]` tables of the file, as one list.
//!
//! *Invariants.* No message repeats a secret, or more of a URL than its scheme, host and port: the path of a webhook often is its
//! password.
//!
//! *Limits.* [`WEBHOOKS_MAX`](crate::notify::WEBHOOKS_MAX), [`SECRET_FILE_BYTES_MAX`].

pub(super) mod draft;
pub(super) mod fields;
pub(super) mod resolve;
mod secret;

pub use secret::SECRET_FILE_BYTES_MAX;
