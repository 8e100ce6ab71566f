//! The one owner of all state: everything that changes the ledger passes here, in order.
//!
//! *Invariants.* One thread decides, commits and publishes. Others hold a [`Writer`] (a bounded queue) or read the
//! [`Board`](crate::views::Board). See `run` for what an answer means.
//!
//! *Limits.* [`QUEUE_MESSAGES_MAX`] waiting messages; the bodies behind them are bounded by the HTTP surface.

mod answer;
mod bell;
mod calls;
mod command;
mod decide;
mod decision;
mod draft;
mod exhausted;
mod gate;
mod handle;
mod health;
mod housekeep;
mod instruments;
mod load;
mod memory;
mod meters;
mod notices;
mod pending;
mod rate;
mod recent;
mod recover;
mod reserve;
mod run;
mod saving;
mod settings;
mod shared;
mod spans;
mod start;
mod tally;
mod trace;
mod unsaved;

pub use answer::{
    Conflict, Disagreement, Done, RecordAnswer, RecordError, Recorded, ReservationAnswer, ReservationError, Taking,
};
pub use command::{GateOrder, Receipt, ReservationCommand};
pub use handle::{QUEUE_MESSAGES_MAX, Writer};
pub use health::Health;
pub use rate::{NewRate, RateAnswer, RateOrder, Rateable, ToRate};
pub use run::Ended;
pub use settings::Settings;
pub use start::{Loaded, StartError, Started, load};

#[cfg(test)]
mod allowance_tests;
#[cfg(test)]
mod calls_tests;
#[cfg(test)]
mod draft_tests;
#[cfg(test)]
mod meters_tests;
#[cfg(test)]
mod reservation_tests;
#[cfg(test)]
mod tests;
