//! The words of the program: money, names, calendar periods, events.
//!
//! *Invariants.* A value of one of these types is valid: only constructors that check make one. Money is an integer.
//! Nothing here asks for the time, reads a file, or knows a format.

mod event;
mod gate;
mod money;
mod name;
mod period;
mod ratio;
mod sums;

pub use event::{CostEvent, EventKey, Kind, Outcome, UsageCount, differing_fields};
pub use gate::{GateChange, GateMode};
pub use money::{ParseUsdError, Usd};
pub use name::{NAME_BYTES_MAX, Name, NameError, OTHER_LABEL, check_text};
pub use period::{BudgetZone, Month, Period, PeriodKind, PeriodParseError};
pub use ratio::{Threshold, nearest_f64_percent};
pub use sums::{Pair, Sums, UsageKey};
