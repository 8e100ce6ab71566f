//! The page at `GET /`: where the money goes, for whoever pays it and for the engineer at night.
//!
//! A page is a beginning that never changes, a head, which needs nothing that is read, then one section after the other, then a foot. Each is made by a function of values
//! that also answer REST, so no number here can be another one than there.
//!
//! *Invariants.* Everything from outside is escaped, and what is invisible in it is shown. No script, no inline style, nothing that is loaded:
//! the one style is [`STYLE`], and sizes in drawings are attributes. An id is used once. Amounts are added up as integers, and a rounded one
//! has all its digits in the `value` of its `data`.
//!
//! *Limits.* [`BYTES_MAX`] for a whole page: each list stops where its share of it is used up, and says how many are left out.
//!
//! *Deliberately not here.* What is read, and from where: `api` gathers it. The same in a terminal: `top`.

mod asked;
mod breakdown;
mod budgets;
pub mod chart;
mod days;
mod events;
mod fleet;
mod frame;
mod gate;
mod holds;
mod pieces;
mod problems;
mod ranking;
mod room;
mod start;
mod totals;
mod unpriced;
mod view;
mod words;

pub use asked::Asked;
pub use breakdown::{Breakdown, MODELS, Part, SERVICES, WORKERS};
pub use budgets::{BudgetShown, budgets};
pub use days::days;
pub use events::{EVENTS_SHOWN, events};
pub use fleet::fleet;
pub use frame::{BEGINNING, Link, foot, head};
pub use gate::{BAND_HOURS, CHANGES_READ_MAX, gate};
pub use holds::{HOLDS_COUNTED_MAX, HoldsShown, holds};
pub use pieces::failed;
pub use problems::{Troubles, problems};
pub use ranking::Ranking;
pub use start::{Agent, start};
pub use totals::{Totals, totals};
pub use unpriced::unpriced;
pub use view::View;

/// The one style sheet, within the page.
pub const STYLE: &str = include_str!("style.css");
/// No page has more bytes, whatever the ledger holds.
pub const BYTES_MAX: usize = 100 * 1024;

#[cfg(test)]
mod tests;
