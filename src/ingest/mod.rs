//! Bodies to valid events and requests.
//!
//! Bytes go in, and either every event of the request comes out valid, or a list of what is wrong with them: `inflate` undoes
//! gzip as it arrives, `json` reads strictly, `body` walks the events, `check` holds the rules. A request about a reservation or
//! the gate is one object (`request`), of which the same holds.
//!
//! *Invariants.* Pure: the time and new ids come in as arguments. Nothing here panics, whatever the bytes. All or nothing.
//! *Limits.* [`Limits`], and the constants beside the rules they bound. Time is linear in the body.
//! *What is deliberately not here.* Whether an id was seen before, also within one request: that is the writer's question.

mod amount;
mod body;
mod check;
mod event;
mod fields;
mod format;
mod gate;
mod inflate;
mod json;
mod limits;
mod names;
mod problem;
mod request;
mod reservation;
#[cfg(test)]
mod tests;
mod time;

pub use amount::{parse_estimate, read_amount};
pub use body::read_events;
pub use check::{
    ATTRIBUTES_BYTES_MAX, OPERATION_DEFAULT, REASON_BYTES_MAX, TEXT_BYTES_MAX, USAGE_COUNT_MAX, USAGE_NAMES_MAX,
};
pub use format::Format;
pub use gate::{EXPIRES_IN_SECONDS, GateRequest, GateWish, read_gate};
pub use inflate::{GZIP_MEMBERS_MAX, InflateError, Inflater};
pub use limits::Limits;
pub use problem::{EventProblem, IngestError, PROBLEMS_LISTED_MAX, RequestError};
pub use reservation::{TTL_SECONDS, TTL_SECONDS_DEFAULT, read_extension, read_release, read_reservation, read_settlement};
pub use time::{TimeError, read_time};
