//! What was spent of each budget: by key and span, and what open holds set aside by key.
//!
//! *Invariants.* A tally is the sum over the entries whose time lies in its span and that the budget covers under its key; each entry
//! counts once, whether it is counted as it comes or again after a start (a tally knows the last entry that changed it). Budgets stand in
//! the order of the policy that they are counted under. Tallies of keys are changed in place, once they are committed; all of a key at once
//! (docs/decisions/0013-keys-in-place.md). Until then they are laid over what all others see, and dropped with the state that is not
//! published. What may be missing in memory is found in the ledger; nobody takes it for
//! zero: see [`Missing`].
//!
//! *Limits.* The spans that are current, to come, or over for less than [`KEPT`]. Keys in memory over all budgets: a setting
//! ([`KEYS_MAX`]); beyond it the emptiest that the ledger has give way.

mod changes;
mod counted;
mod counting;
mod entries;
mod fullest;
mod keys;
mod meter;
mod of_policy;
mod slot;
mod table;
mod tally;

use std::time::Duration;

pub use entries::{Crossing, Missing, Placed};
pub use fullest::{FULLEST_MAX, let_go};
pub use meter::Meter;
pub use of_policy::Tallies;
pub use tally::Tally;

/// Keys in memory over all budgets, unless a setting says otherwise. Each takes some 70 bytes where budgets have the
/// same keys, else some 180.
pub const KEYS_MAX: usize = 100_000;
/// How long a span that is over stays: the clock may be set back a little.
pub const KEPT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod meter_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod tests;
