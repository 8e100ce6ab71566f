//! JSON read to the letter: RFC 8259, and nothing that two readers could understand in two ways.
//!
//! [`Reader`] walks a text once and hands out [`Value`]s, which are checked slices of it. No tree is built and no number
//! converted, so money keeps its digits.
//!
//! *Invariants.* A [`Value`] is valid in all its depth: grammar, no key twice in one object (compared after escapes), no
//! lone surrogate, nesting at most [`DEPTH_MAX`]. Whoever holds one need not check again.
//! *Limits.* Time is linear in the text but for the sorting of an object's keys; memory is a few bytes for each key of the
//! objects being read.
//! *What is deliberately not here.* Floats, and any leniency.

mod error;
mod reader;
#[cfg(test)]
mod tests;
mod value;

pub use error::{JsonError, JsonProblem};
pub use reader::Reader;
pub use value::{Shape, Value};

/// Containers that may lie in each other; a top-level object or array is the first.
pub const DEPTH_MAX: usize = 32;

/// Checks that a body is UTF-8, which RFC 8259 demands of JSON.
///
/// # Errors
/// A sentence for the client that says where it is not.
pub fn read_utf8(body: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(body).map_err(|error| format!("the body is not UTF-8 at byte {}", error.valid_up_to()))
}
