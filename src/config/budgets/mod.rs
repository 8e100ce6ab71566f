//! All budgets: the two for all services, the `[[budget]]` tables of the file, and the caps, as one list.
//!
//! *Invariants.* A budget is a [`draft::BudgetDraft`] wherever it was written, and then a [`Budget`](crate::budget::Budget).
//!
//! *Limits.* [`BUDGETS_MAX`].

pub(super) mod caps;
pub(super) mod doubts;
pub(super) mod draft;
pub(super) mod fields;
pub(super) mod resolve;
mod rules;
mod usage;

pub use resolve::BUDGETS_MAX;
