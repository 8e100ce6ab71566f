//! All other shapes: OpenAI's responses, embeddings, images, sound and realtime; Anthropic's messages; Bedrock's Converse; Cohere; OCR.

use super::extracted::{ExtractError, Extracted};
use super::node::{Counts, Node};
use crate::domain::Quantity;

pub(super) fn read(provider: &str, node: &Node<'_>, found: &mut Extracted) -> Result<(), ExtractError> {
    if let Some(billed) = node.object("billed_units") {
        return cohere(node, &billed, found);
    }
    if node.has("inputTokens") || node.has("outputTokens") {
        return converse(provider, node, found);
    }
    if node.has("pages_processed") {
        found.push_always("pages", node.count(&["pages_processed"])?);
        return Ok(());
    }
    // A length of sound.
    found.push("seconds", node.first(&[&["seconds"], &["billable_audio_seconds"], &["audio_seconds"]])?);
    if node.has("input_tokens") || node.has("output_tokens") || node.has("total_tokens") {
        let is_anthropic = node.has("cache_creation_input_tokens")
            || node.has("cache_read_input_tokens")
            || node.has("cache_creation")
            || node.has("server_tool_use");
        return if is_anthropic && !node.has("input_tokens_details") {
            messages(node, found)
        } else {
            responses(node, found)
        };
    }
    Ok(())
}

/// Anthropic: what was read from the cache, and written to it, stands beside the input. An hour's writes are part of all writes.
fn messages(node: &Node<'_>, found: &mut Extracted) -> Result<(), ExtractError> {
    let read = node.count(&["cache_read_input_tokens"])?;
    let for_an_hour = node.count(&["cache_creation", "ephemeral_1h_input_tokens"])?;
    let for_minutes = node.count(&["cache_creation", "ephemeral_5m_input_tokens"])?;
    let written = node.count(&["cache_creation_input_tokens"])?;
    let for_minutes = for_minutes.max(written.checked_sub(for_an_hour).unwrap_or_default());
    let mut input = node.count(&["input_tokens"])?;
    for part in [read, for_minutes, for_an_hour] {
        input += part;
    }
    found.push_always("input_tokens", input);
    found.push("cached_input_tokens", read);
    found.push("cache_write_input_tokens", for_minutes);
    found.push("cache_write_1h_input_tokens", for_an_hour);
    found.push_always("output_tokens", node.count(&["output_tokens"])?);
    found.push("reasoning_output_tokens", node.count(&["output_tokens_details", "thinking_tokens"])?);
    found.push("searches", node.count(&["server_tool_use", "web_search_requests"])?);
    found.push("code_executions", node.count(&["server_tool_use", "code_execution_requests"])?);
    Ok(())
}

/// OpenAI: every detail is part of its whole. The realtime API says `token` where the others say `tokens`.
fn responses(node: &Node<'_>, found: &mut Extracted) -> Result<(), ExtractError> {
    let input = |names: &[&str]| {
        let [all, realtime] =
            ["input_tokens_details", "input_token_details"].map(|details| [&[details][..], names].concat());
        node.first(&[&all, &realtime])
    };
    let output = |names: &[&str]| {
        let [all, realtime] =
            ["output_tokens_details", "output_token_details"].map(|details| [&[details][..], names].concat());
        node.first(&[&all, &realtime])
    };
    let out = node.count(&["output_tokens"])?;
    let mut all = node.count(&["input_tokens"])?;
    if !node.has("input_tokens") {
        // Embeddings of some say their total only.
        all = node.count(&["total_tokens"])?.checked_sub(out).unwrap_or_default();
    }
    found.push_always("input_tokens", all);
    let mut cached = input(&["cached_tokens"])?;
    if cached == Quantity::ZERO {
        cached = input(&["cache_read_input_tokens"])?;
    }
    found.push("cached_input_tokens", cached);
    found.push("cache_write_input_tokens", input(&["cache_write_tokens"])?);
    found.push("audio_input_tokens", input(&["audio_tokens"])?);
    found.push("cached_audio_input_tokens", input(&["cached_tokens_details", "audio_tokens"])?);
    found.push("image_input_tokens", input(&["image_tokens"])?);
    found.push("cached_image_input_tokens", input(&["cached_tokens_details", "image_tokens"])?);
    found.push("video_input_tokens", input(&["video_tokens"])?);
    found.push_always("output_tokens", out);
    found.push("reasoning_output_tokens", output(&["reasoning_tokens"])?);
    found.push("audio_output_tokens", output(&["audio_tokens"])?);
    // The images API tells what went in by modality; what comes out of it are images, unless it says otherwise.
    let is_of_images = node.object("input_tokens_details").is_some_and(|details| details.has("image_tokens"));
    let has_details = node.has("output_tokens_details") || node.has("output_token_details");
    found.push("image_output_tokens", if is_of_images && !has_details { out } else { output(&["image_tokens"])? });
    found.push("video_output_tokens", output(&["video_tokens"])?);
    found.push("searches", node.count(&["tool_calls_details", "search_web", "invocation"])?);
    Ok(())
}

/// Bedrock's Converse: what was read from the cache, and written to it, stands beside the input. The same names with another word for
/// cached tokens are the Vercel AI SDK's, where they are part of the input.
fn converse(provider: &str, node: &Node<'_>, found: &mut Extracted) -> Result<(), ExtractError> {
    let read = node.first(&[&["cacheReadInputTokens"], &["cacheReadInputTokenCount"]])?;
    let mut written = node.first(&[&["cacheWriteInputTokens"], &["cacheWriteInputTokenCount"]])?;
    let mut for_an_hour = Quantity::ZERO;
    for detail in node.objects("cacheDetails") {
        if detail.text("ttl").as_deref() == Some("1h") {
            for_an_hour += detail.count(&["inputTokens"])?;
        }
    }
    written = written.max(for_an_hour);
    let mut input = node.count(&["inputTokens"])?;
    for part in [read, written] {
        input += part;
    }
    let within = node.first(&[&["cachedInputTokens"], &["inputTokenDetails", "cacheReadTokens"]])?;
    found.push_always("input_tokens", input);
    found.push("cached_input_tokens", if provider == "aws" || within == Quantity::ZERO { read } else { within });
    found.push("cache_write_input_tokens", written.checked_sub(for_an_hour).unwrap_or_default());
    found.push("cache_write_1h_input_tokens", for_an_hour);
    found.push_always("output_tokens", node.count(&["outputTokens"])?);
    found.push("reasoning_output_tokens", node.count(&["reasoningTokens"])?);
    Ok(())
}

/// Cohere bills other counts than it tells as `tokens`.
fn cohere(node: &Node<'_>, billed: &Node<'_>, found: &mut Extracted) -> Result<(), ExtractError> {
    found.push_always("input_tokens", billed.count(&["input_tokens"])?);
    found.push("cached_input_tokens", node.count(&["cached_tokens"])?);
    found.push("images", billed.count(&["images"])?);
    found.push_always("output_tokens", billed.count(&["output_tokens"])?);
    found.push("searches", billed.count(&["search_units"])?);
    Ok(())
}
