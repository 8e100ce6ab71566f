//! What a usage object says, and why one cannot be read.

use crate::domain::{Quantity, Usd};

/// Largest usage object: real ones have a few hundred bytes.
pub const USAGE_RAW_BYTES_MAX: usize = 16_384;
/// Containers around a number, at most: providers need three.
pub const DEPTH_MAX: usize = 8;

/// What a usage object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// Names that prices know and counts, each name once. What was not used is left out, but for `input_tokens` and `output_tokens`.
    pub usage: Vec<(&'static str, Quantity)>,
    /// What the provider says that it bills.
    pub cost: Option<Usd>,
    /// Attributes of the event that the price depends on, each name once: `service_tier`, `speed`.
    pub attributes: Vec<(&'static str, String)>,
}

/// Why a usage object cannot be read. Completes a sentence that begins with `usage_raw`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// Larger than any usage object.
    #[error("is {0} bytes of JSON; the limit is {USAGE_RAW_BYTES_MAX}")]
    TooLarge(usize),
    /// Nested deeper than any usage object.
    #[error("is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// Not JSON.
    #[error("is not JSON: {0}")]
    Json(String),
    /// Not an object.
    #[error("must be the usage object of a provider's answer")]
    NotAnObject,
    /// A number is no count.
    #[error("has {0}, which {1}")]
    Number(String, String),
    /// Nothing in it has a name that is known.
    #[error("has no count that is known of any provider; give usage in its place")]
    NothingKnown,
}

impl Extracted {
    /// Adds a count that was used.
    pub(super) fn push(&mut self, name: &'static str, count: Quantity) {
        if count != Quantity::ZERO {
            self.usage.push((name, count));
        }
    }

    /// Adds a count that every call has, also when it is zero.
    pub(super) fn push_always(&mut self, name: &'static str, count: Quantity) {
        self.usage.push((name, count));
    }

    /// Adds an attribute, unless it is known.
    pub(super) fn attribute(&mut self, name: &'static str, text: String) {
        if self.attributes.iter().all(|(known, _)| *known != name) {
            self.attributes.push((name, text));
        }
    }
}
