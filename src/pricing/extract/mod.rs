//! Usage objects as providers answer with them, in our names.
//!
//! Which of a provider's numbers include which is known here and nowhere else. A shape is recognised by its names, since one provider has
//! several and many providers share OpenAI's; who the provider is decides only where two of them mean different things by one name.
//!
//! *Invariants.* `input_tokens` has all that went in, `output_tokens` all that came out, whatever the provider adds up. A number that is
//! no count is an error, never left out.
//!
//! *Limits.* [`USAGE_RAW_BYTES_MAX`], [`DEPTH_MAX`].

mod answer;
mod chat;
mod extracted;
mod gemini;
mod node;
mod tokens;

pub use answer::extract;
pub use extracted::{DEPTH_MAX, ExtractError, Extracted, USAGE_RAW_BYTES_MAX};

#[cfg(test)]
mod tests;
