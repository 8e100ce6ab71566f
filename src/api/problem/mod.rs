//! Errors at the edge, as RFC 9457 problems.
//!
//! *Invariants.* What a client reads here was written for clients: no paths, no SQL, no type names. Each problem says by its
//! status whether the same request may be sent again: 408 and 503 yes, everything else no. (A refused reservation may be asked for
//! later, when there is money again.)

mod cause;
mod kind;
mod rendering;

pub(super) use cause::Problem;
#[cfg(test)]
pub(super) use kind::KINDS;
pub(super) use rendering::differences;
