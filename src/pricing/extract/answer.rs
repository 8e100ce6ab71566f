//! From a usage object, or a whole answer, to what it says: by its shape.

use super::extracted::{ExtractError, Extracted, USAGE_RAW_BYTES_MAX};
use super::node::{Node, read, within_answer};
use super::{chat, gemini, tokens};
use crate::domain::{Quantity, Usd};

/// Takes a provider's usage object apart. `provider` is its id (see [`Book::provider`](crate::pricing::Book::provider)), or empty.
///
/// A whole answer is fine, too: its usage object is found in it.
///
/// # Errors
/// See [`ExtractError`].
pub fn extract(provider: &str, usage_raw: &str) -> Result<Extracted, ExtractError> {
    if usage_raw.len() > USAGE_RAW_BYTES_MAX {
        return Err(ExtractError::TooLarge(usage_raw.len()));
    }
    let node = within_answer(read(usage_raw)?);
    let mut found = Extracted::default();
    if node.has("promptTokenCount") || node.has("prompt_token_count") || node.has("candidatesTokenCount") {
        gemini::read(&node, &mut found)?;
    } else if node.has("prompt_tokens") || node.has("completion_tokens") {
        chat::read(provider, &node, &mut found)?;
    } else {
        tokens::read(provider, &node, &mut found)?;
    }
    found.cost = cost(&node)?;
    for (name, theirs) in [("service_tier", "service_tier"), ("speed", "speed")] {
        if let Some(text) = node.text(theirs) {
            found.attribute(name, text);
        }
    }
    if found.usage.iter().all(|(_, count)| *count == Quantity::ZERO) && found.usage.len() < 2 && found.cost.is_none() {
        return Err(ExtractError::NothingKnown);
    }
    Ok(found)
}

/// What it costs by the provider's own word: OpenRouter's `cost`, Perplexity's `cost.total_cost`, xAI's ten-billionths.
fn cost(node: &Node<'_>) -> Result<Option<Usd>, ExtractError> {
    let digits = node.digits(&["cost"]).or_else(|| node.digits(&["cost", "total_cost"]));
    let of_ticks = || node.digits(&["cost_in_usd_ticks"]).map(|ticks| format!("{ticks}e-10"));
    let Some(text) = digits.map(str::to_owned).or_else(of_ticks) else { return Ok(None) };
    let wrong = |why: String| ExtractError::Number("cost".into(), why);
    match Usd::parse(&text) {
        Ok(cost) if cost < Usd::ZERO => Err(wrong("must not be negative".into())),
        Ok(cost) => Ok(Some(cost)),
        Err(error) => Err(wrong(error.to_string())),
    }
}
