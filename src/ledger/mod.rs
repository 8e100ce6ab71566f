//! The durable record: an SQLite file that is only ever added to, and the sums of what was added.
//!
//! `contract` is what it promises to whoever writes, `reader` (with `lookups`) to whoever reads beside that, `verify` proves it.
//!
//! *Invariants.* What a commit wrote is synced before it returns. Every row has a checksum; chains and digests in the head row
//! prove that none is missing. Rollups equal the events up to the one that the head row names, of which [`verify()`] is the proof;
//! the few behind it are read at start-up. A checkpoint comes after a rollup. Reservations are written when they change.
//!
//! Each part owns its rows, how they are spelled (`row`), and its place in a commit: `events`, `segment` and `ids`, `sums` over
//! `rows`, `budgets`, `reservations`, `gate`, `outbox`, and `head`, which says where all of them stand. `state` has what is kept of them in
//! memory and puts a commit together. The text of the tables is in `schema`, facts about the file in `meta`, what is let go in
//! `retention`.
//!
//! *Limits.* Start-up reads the head, the days, the series and the open segment (at most 16,384 events), never all events.
//!
//! *Deliberately not here.* Budgets, views, what a duplicate is: the ledger keeps rows, others know what they mean. All SQL of
//! the embedded store is here and nowhere else.

mod archive;
mod breakdown;
mod budgets;
mod calls;
mod cells;
mod checkpoint;
mod checksum;
mod commit;
mod connection;
mod contract;
mod days;
mod error;
mod events;
mod gate;
mod grouper;
mod head;
mod housekeeping;
mod identify;
mod ids;
mod kept;
mod listing;
mod lock;
mod looks;
mod lookups;
mod meta;
mod metering;
mod models;
mod outbox;
mod per_lead;
mod reader;
mod reading;
mod recount;
mod reservations;
mod retention;
mod row;
mod rows;
mod scan;
mod schema;
mod segment;
mod settings;
mod spread;
mod state;
mod sums;
mod transaction;
mod verify;
mod wal;
mod wal_mark;

pub use archive::{Archive, Encode, Export, Exported, Lines};
pub use budgets::{BudgetChanges, StoredMeter, StoredTally, TALLIES_FORGOTTEN_MAX};
pub use calls::{CallSpan, Unpriced, UnpricedChange, UnpricedGroup};
pub use commit::{Change, Commit, Rollup, Summary};
pub use contract::Ledger;
pub use error::{LedgerError, OpenError};
pub use events::{KeyedEvent, StoredEvent};
pub use grouper::KEYS_MAX;
pub use identify::is_of_database;
pub use kept::{KEPT_DAYS_MAX, KeptDays, Knowledge};
pub use listing::{ListedAdjustment, ListedEvent, Listing};
pub use outbox::{DELIVERIES_MAX, DeliveryReport, NewMessage, NextAttempt, OpenDelivery, OutboxChanges, StoredMessage};
pub use per_lead::PerLead;
pub use reader::Reader;
pub use reservations::{ReservationChange, StoredReservation};
pub use rows::PairRow;
pub use settings::{RETENTION_DAYS_MIN, Settings};
pub use spread::SPREAD_KEYS_MAX;
pub use verify::{Counted, Counting, ReadDefinition, VerifyReport, verify, verify_counting};
pub use wal::LogCare;

#[cfg(test)]
mod tests;
