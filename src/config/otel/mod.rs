//! The standard `OTEL_*` settings: where telemetry is pushed to, and how.
//!
//! *Invariants.* A signal's own setting goes over the one for all signals, each by itself. What the standard lets pass with a
//! warning (an unknown word, a number that is none) is a problem here like in every other setting.

pub(super) mod draft;
mod kinds;
pub(super) mod resolve;
pub(super) mod settings;

#[cfg(test)]
mod tests;
