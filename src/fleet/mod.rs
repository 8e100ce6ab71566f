//! One budget over many agents: a database that speaks PostgreSQL's protocol has who may use how much of it.
//!
//! The fleet's database gets sums and leases, never events. Each agent grants reservations from its *lease*, a part of the limit that it
//! was given in a transaction that nothing overtakes, so recording and checks wait for nobody.
//!
//! `pool`, `lease` and `share` are the rule, which only computes; `sync` is the one task that speaks with the database about leases, and
//! `desk` the one that sends sums and answers questions; `postgres` has all of the SQL.
//!
//! *Invariants.* What all agents together may use, have spent and hold is never granted beyond the limit. An agent stops using what it gives
//! back before it says so, and uses what it is given after the database has said so. No safety rests on a clock: a lease does not lapse, but
//! where the settings say so.
//!
//! *Limits.* Two connections to the database for an agent.

mod bounds;
mod chance;
mod costs;
mod desk;
mod error;
mod handle;
mod instruments;
mod lease;
mod others;
mod parts;
mod pool;
mod postgres;
mod settings;
mod share;
#[cfg(test)]
mod simulation;
mod status;
mod sync;
mod verdict;

pub use bounds::{ANSWER_MAX, LEASE_TTL_MIN, STOP_MAX, WANT_MAX, WANTS_MAX};
pub use error::FleetError;
pub use handle::Fleet;
pub use lease::{Ask, Lease};
pub use others::{Around, Other, WAIT_MAX};
pub use parts::FleetParts;
pub use pool::{Outcome, Pool, RECALL_MAX};
pub use postgres::{DatabaseUrl, DatabaseUrlError, Forgotten, GONE_AFTER, forget, in_doubt, init};
pub use settings::Settings;
pub use share::{Keep, Seen, Share, Waiting};
pub use status::{FleetAgent, FleetStatus, Known, SharedBudget};
pub use verdict::Verdict;
