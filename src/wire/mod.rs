//! The JSON that clients send and get, as types: what the server writes, the command line reads with the same type, and so does
//! whoever makes a text of a message to a webhook.
//!
//! *Invariants.* Names and order of the members are promised (`docs/reference.md`). Amounts keep their exact digits both ways and
//! never pass through a float. A reader passes over members that it does not know, and takes a [`Word`] that it does not know as
//! it stands: the agent may be newer than its client.
//!
//! *Limits.* None here: what is read comes from an agent, of which the client bounds the bytes.
//!
//! *Deliberately not here.* What a client may send: `ingest` reads that, more strictly than a type can say.

mod budgets;
mod costs;
mod costs_in_parts;
mod events;
mod exact;
mod fleet;
mod gate;
mod health;
mod index;
mod limits;
mod listing;
mod message;
mod prices;
mod problem;
mod refusal;
mod reservations;
mod seen;
mod spread;
mod word;

pub use budgets::{BudgetItem, KeyItem, OverrideItem, UsageAmounts};
pub use costs::{CostsByName, CostsOfDay};
pub use costs_in_parts::CostsInParts;
pub use events::{BatchAnswer, EventBody, PricedItem};
pub use exact::Exact;
pub use fleet::{FleetAgentItem, FleetAnswer, FleetBudgetItem, FleetCosts};
pub use gate::{CheckAnswer, GateBudget, GateLine, GateStatus, SetGateBody};
pub use health::HealthAnswer;
pub use index::{IndexAnswer, RouteItem};
pub use limits::{LimitLine, SetLimitBody};
pub use listing::{AdjustmentItem, EventItem, EventsPage, on_one_line, usage_json};
pub use message::{Message, MessageData, MessageType, Origin};
pub use prices::{PriceItem, PriceStep, PricesAnswer, ReloadAnswer, RepriceAnswer, UnpricedItem};
pub use problem::{ProblemDocument, ProblemEntry};
pub use reservations::{ExtendedAnswer, GrantedAnswer, ReleasedAnswer, ReservationItem, SettledAnswer};
pub use seen::{EventSeen, EventsSeen};
pub use spread::{BatchCost, BatchCosts, LeadCost, LeadCosts};
pub use word::Word;
