//! The one task that speaks with the fleet's database about shares.
//!
//! *Invariants.* Nobody but those who wait for a share waits for it. What the writer grants never goes beyond what the database has said; what
//! is given back is taken from the writer first. Whatever goes wrong with the connection, a new one begins with a hello.
//!
//! *Limits.* `STEP_MAX` for an exchange or a connection, `LOOK_EVERY` between two looks, `BEAT_EVERY` between two words that this agent is there,
//! `BACKOFF_MAX` between two attempts to connect.

mod hello;
mod overrides;
mod publish;
mod publisher;
mod run;
mod share_out;
mod state;
mod talk;
mod target;
mod targets;
mod waits;

pub(super) use run::run;
