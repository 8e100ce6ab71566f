//! Raw events and requests to valid ones.
//!
//! A format fills a [`RawEvent`]; [`Validator::validate`] makes a valid event of it, or says everything that is wrong. Requests about
//! reservations and the gate are held to the same rules (`check`, `extras`), one function for each kind of field.
//!
//! *Invariants.* Pure: the time and new ids come in as arguments. Nothing here panics, whatever a sender wrote. One result for each
//! event: what a bad one means for the others is the format's policy.
//! *Limits.* [`Limits`], and the constants beside them.
//! *What is deliberately not here.* Bytes. And whether an id was seen before, also within one request: that is the writer's
//! question.

mod amount;
mod call;
mod call_settings;
mod calls;
mod check;
mod cost;
mod event;
mod extras;
mod gate;
mod limit;
mod limits;
mod names;
mod raw;
mod reason;
mod reservation;
#[cfg(test)]
mod tests;
mod time;
mod usage_raw;

pub use amount::parse_estimate;
pub use call::{Call, CallUsage, Ignored};
pub use call_settings::{CallKeys, CallSettings, ChargeFrom, CostFrom};
pub use calls::{CallRules, TakenCall, sources_of_calls};
pub use cost::{MODEL_MISSING, within};
pub use event::Validator;
pub use gate::{GateRequest, GateWish, validate_gate_order};
pub use limit::{LimitRequest, LimitWish, validate_limit_order};
pub use limits::{
    AGE_MAX, ATTRIBUTES_BYTES_MAX, EXPIRES_IN_SECONDS, Limits, REASON_BYTES_MAX, TEXT_BYTES_MAX, TTL_SECONDS,
    TTL_SECONDS_DEFAULT, USAGE_COUNT_END, USAGE_NAMES_MAX,
};
pub use raw::{
    Field, RawEvent, RawGateOrder, RawJson, RawLimitOrder, RawNumber, RawReservation, RawSingle, RawText, RawTime, RawUsage,
    Shape,
};
pub use reason::{Invalid, REASONS_MAX, Reason};
pub use reservation::{
    ModelUsage, ReservationWish, validate_extension, validate_release, validate_reservation, validate_settlement,
    validate_usage,
};
pub use time::{TimeError, read_time};
