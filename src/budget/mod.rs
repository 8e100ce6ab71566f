//! The rules of spending, as functions of numbers: how far a budget is used, whether the scaling gate is closed, and
//! whether something may be spent.
//!
//! *Invariants.* Each rule stands in one function; recording, REST, metrics and the command line all call it. What was spent
//! and what time it is come in as arguments. A decision compares integers.

mod account;
mod admission;
mod allowance;
mod bars;
mod critical;
mod definition;
mod gate;
mod keys;
mod limit;
mod policy;
mod standing;

pub use account::{Account, BudgetAccount, BudgetState, Drawn, Used};
pub use admission::{Admission, Asking, BudgetLeft, Looked, Refusal, Rest, Shared, Spend, admit};
pub use allowance::{Allowance, AllowanceOrder, Allowances, BudgetScope, InUse};
pub use bars::Bars;
pub use critical::CriticalOperations;
pub use definition::Definition;
pub use gate::{GateStanding, GateVerdict, REASON_BELOW, REASON_DISABLED, judge};
pub use keys::{BudgetStanding, KeyCounts, KeyStanding, KeysStanding};
pub use limit::{Amounts, Limit, Measure, UNITS_MAX, Unit};
pub use policy::{Action, Budget, Policy};
pub use standing::{Standing, assess};
