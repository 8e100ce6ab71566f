//! JSON read to the letter: RFC 8259, and nothing that two readers could understand in two ways.
//!
//! serde_json does the reading. What it would let pass is refused on top of it: a key that stands twice in one object (compared after
//! escapes), nesting beyond [`DEPTH_MAX`], half a surrogate pair in a value that is only kept. No tree is built and no number
//! converted, so money keeps its digits.
//!
//! *Invariants.* What is handed out is strict in all its depth, so whoever gets a [`Value`] need not check again; only of an object with a
//! number that no double holds, the rest after this number is known to be no more than JSON.
//! *Limits.* Time is linear in the text but for the sorting of an object's keys; memory is a few bytes for each key of the
//! objects being read.
//! *What is deliberately not here.* Floats, any leniency, and a reader of our own. There was one, hand-written, twice as long: it took
//! as much time as this (290 ns for an event of 4 fields and 108 bytes, 1.1 µs for 10 fields and 310 bytes; `reading` in `benches/`).

mod error;
mod keys;
pub mod lean;
mod reader;
#[cfg(test)]
mod tests;
mod value;

pub use error::JsonError;
pub use keys::DEPTH_MAX;
pub use reader::{Reader, Stop, Top, Visit, members};
pub use value::Value;

/// A body as text: RFC 8259 demands UTF-8 of JSON.
///
/// # Errors
/// A sentence for the client that says where it is not, or that there is nothing.
pub fn utf8(body: &[u8]) -> Result<&str, String> {
    if body.is_empty() {
        return Err("The body is empty".to_owned());
    }
    std::str::from_utf8(body).map_err(|error| format!("The body is not valid UTF-8 at byte {}", error.valid_up_to()))
}
