//! Ledgers and other records of cost, from one place to another: the lines of an export, and what an import reads.
//!
//! *Invariants.* What JSON lines and CSV say is read back as the same events. Amounts keep their digits. Nothing here asks for the time.
//! What comes from outside becomes lines of events that the agent checks like all others; a row that cannot become one is told with
//! its place and its reason, and holds up no other.
//!
//! *Limits.* One row in memory at a time, of at most [`ROW_BYTES_MAX`].
//!
//! *Deliberately not here.* Which rows a ledger has (`ledger`), and how lines travel (`api`, `cli`).

mod check;
mod event_line;
mod focus;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz_tests;
mod json_lines;
mod line_starts;
mod litellm;
mod naive_time;
mod original;
mod row;
mod selection;
mod sheet;
mod sheet_rows;
mod source;

pub use check::check_rows;
pub use format::ExportFormat;
pub use row::{BadRow, Mapping, ROW_BYTES_MAX, Row, SourceError};
pub use selection::{SELECTION_PARAMETERS, check_bound, check_time, read_selection};
pub use source::{SourceFormat, read_source};
