//! The fleet that this agent belongs to: where its database is, and which budgets it shares.
//!
//! *Invariants.* A budget that is said to be shared is, or nothing starts: an agent that kept it by itself would let the fleet spend it once
//! for each agent. No part of the database's URL is ever part of a text.
//!
//! *Limits.* [`URL_FILE_BYTES_MAX`].

pub(super) mod draft;
pub(super) mod resolve;
pub(super) mod settings;

pub use resolve::URL_FILE_BYTES_MAX;
