//! The read side: which source answers a question about cost, and the answer, as values that know nothing of HTTP.
//!
//! *Invariants.* The sum over any grouping is the total. What one published state knows is answered from it alone; only days
//! that have left memory, and groupings that only the events know, are read from the ledger, beside the async threads. Cost by model
//! and by worker is kept once it was read.
//!
//! *Limits.* `LOOKUPS_MAX` short reads and `SCANS_MAX` long ones at once; `NAMES_MAX` names in an answer from rollups,
//! [`KEYS_MAX`](crate::ledger::KEYS_MAX) in one from events; [`SPREAD_KEYS_MAX`](crate::ledger::SPREAD_KEYS_MAX) leads or batches.
//!
//! *Deliberately not here.* What a client may ask for, and how the answer is written down: `api` and `wire`.

mod costs;
mod in_order;
mod kept;
mod per_lead;
mod plan;
mod reads;
mod rollups;

pub use costs::{ask, spread};
pub use in_order::{in_order, is_in_order};
pub use per_lead::LeadWatch;
pub use plan::{Plan, Source};
pub use reads::{READS_WAITING_MAX, ReadError, Reads};
pub use rollups::RollupGroups;
