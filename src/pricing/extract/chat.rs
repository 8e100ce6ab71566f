//! OpenAI's chat completions, and all who answer in their shape: `prompt_tokens` and `completion_tokens`.

use super::extracted::{ExtractError, Extracted};
use super::node::{Counts, Node};
use crate::domain::Quantity;

/// Cached tokens and those of images and sound are part of the prompt with everybody. Reasoning is part of the completion with most; xAI
/// and Perplexity count it beside: where there is a total, it tells.
pub(super) fn read(provider: &str, node: &Node<'_>, found: &mut Extracted) -> Result<(), ExtractError> {
    let prompt = node.count(&["prompt_tokens"])?;
    let completion = node.count(&["completion_tokens"])?;
    let reasoning = node.first(&[&["completion_tokens_details", "reasoning_tokens"], &["reasoning_tokens"]])?;
    let citation = node.count(&["citation_tokens"])?;
    let mut output = completion;
    if is_beside(provider, node, prompt, completion, reasoning)? {
        output += reasoning;
    }
    output += citation;
    found.push_always("input_tokens", prompt);
    let cached: &[&[&str]] = &[
        &["prompt_tokens_details", "cached_tokens"],
        // LiteLLM, DeepSeek, Moonshot, xAI's older answers.
        &["cache_read_input_tokens"],
        &["prompt_cache_hit_tokens"],
        &["cached_tokens"],
        &["cached_prompt_text_tokens"],
    ];
    found.push("cached_input_tokens", node.first(cached)?);
    let written: &[&[&str]] = &[
        &["cache_creation_input_tokens"],
        &["prompt_tokens_details", "cache_write_tokens"],
        &["prompt_tokens_details", "cache_creation_tokens"],
    ];
    let for_an_hour: &[&[&str]] = &[
        &["cache_creation", "ephemeral_1h_input_tokens"],
        &["prompt_tokens_details", "cache_creation_token_details", "ephemeral_1h_input_tokens"],
    ];
    let (written, for_an_hour) = (node.first(written)?, node.first(for_an_hour)?);
    found.push("cache_write_input_tokens", written.checked_sub(for_an_hour).unwrap_or_default());
    found.push("cache_write_1h_input_tokens", for_an_hour);
    found.push("audio_input_tokens", node.count(&["prompt_tokens_details", "audio_tokens"])?);
    let cached_of = |kind| node.count(&["prompt_tokens_details", "cached_tokens_details", kind]);
    found.push("cached_audio_input_tokens", cached_of("audio_tokens")?);
    found.push("image_input_tokens", node.count(&["prompt_tokens_details", "image_tokens"])?);
    found.push("cached_image_input_tokens", cached_of("image_tokens")?);
    found.push("video_input_tokens", node.count(&["prompt_tokens_details", "video_tokens"])?);
    found.push_always("output_tokens", output);
    found.push("reasoning_output_tokens", reasoning);
    found.push("audio_output_tokens", node.count(&["completion_tokens_details", "audio_tokens"])?);
    found.push("image_output_tokens", node.count(&["completion_tokens_details", "image_tokens"])?);
    found.push("video_output_tokens", node.count(&["completion_tokens_details", "video_tokens"])?);
    found.push("citation_output_tokens", citation);
    let searches: &[&[&str]] =
        &[&["num_search_queries"], &["num_sources_used"], &["server_tool_use", "web_search_requests"]];
    found.push("searches", node.first(searches)?);
    found.push("seconds", node.count(&["prompt_audio_seconds"])?);
    Ok(())
}

/// Whether reasoning is counted beside the completion.
fn is_beside(
    provider: &str,
    node: &Node<'_>,
    prompt: Quantity,
    completion: Quantity,
    reasoning: Quantity,
) -> Result<bool, ExtractError> {
    if reasoning == Quantity::ZERO {
        return Ok(false);
    }
    let mut inside = prompt;
    inside += completion;
    let mut beside = inside;
    beside += reasoning;
    let total = node.count(&["total_tokens"])?;
    // More reasoning than completion can only be beside it.
    Ok(if total == inside && reasoning <= completion {
        // xAI's older answers have a total without what was reasoned.
        provider == "perplexity" && node.has("reasoning_tokens")
    } else {
        total == beside || reasoning > completion || ["x-ai", "perplexity"].contains(&provider)
    })
}
