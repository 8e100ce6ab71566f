//! Gemini's `usageMetadata`, in its own names or those of the Python SDK.

use super::extracted::{ExtractError, Extracted};
use super::node::{Counts, Node};
use crate::domain::Quantity;

/// Thoughts stand beside the candidates, tool results beside the prompt; cached tokens are part of the prompt.
pub(super) fn read(node: &Node<'_>, found: &mut Extracted) -> Result<(), ExtractError> {
    let count = |camel: &str, snake: &str| node.first(&[&[camel], &[snake]]);
    let mut input = count("promptTokenCount", "prompt_token_count")?;
    input += count("toolUsePromptTokenCount", "tool_use_prompt_token_count")?;
    let thoughts = count("thoughtsTokenCount", "thoughts_token_count")?;
    let mut output = count("candidatesTokenCount", "candidates_token_count")?;
    if output == Quantity::ZERO {
        // The Live API.
        output = count("responseTokenCount", "response_token_count")?;
    }
    output += thoughts;
    let details = |names: &[&str], modalities: &[&str]| by_modality(node, names, modalities);
    let prompt =
        ["promptTokensDetails", "prompt_tokens_details", "toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"];
    let cache = ["cacheTokensDetails", "cache_tokens_details"];
    let candidates =
        ["candidatesTokensDetails", "candidates_tokens_details", "responseTokensDetails", "response_tokens_details"];
    // A document is looked at as images are.
    let images = ["IMAGE", "DOCUMENT"];
    found.push_always("input_tokens", input);
    found.push("cached_input_tokens", count("cachedContentTokenCount", "cached_content_token_count")?);
    found.push("audio_input_tokens", details(&prompt, &["AUDIO"])?);
    found.push("cached_audio_input_tokens", details(&cache, &["AUDIO"])?);
    found.push("image_input_tokens", details(&prompt, &images)?);
    found.push("cached_image_input_tokens", details(&cache, &images)?);
    found.push("video_input_tokens", details(&prompt, &["VIDEO"])?);
    found.push_always("output_tokens", output);
    found.push("reasoning_output_tokens", thoughts);
    found.push("audio_output_tokens", details(&candidates, &["AUDIO"])?);
    found.push("image_output_tokens", details(&candidates, &images)?);
    found.push("video_output_tokens", details(&candidates, &["VIDEO"])?);
    let traffic = node.text("trafficType").or_else(|| node.text("traffic_type")).unwrap_or_default();
    for (sign, tier) in [("FLEX", "flex"), ("PRIORITY", "priority")] {
        if traffic.contains(sign) {
            found.attribute("service_tier", tier.to_owned());
        }
    }
    Ok(())
}

/// The sum of what lists say of some modalities.
fn by_modality(node: &Node<'_>, names: &[&str], modalities: &[&str]) -> Result<Quantity, ExtractError> {
    let mut sum = Quantity::ZERO;
    for name in names {
        for part in node.objects(name) {
            // The Python SDK's enumeration prints itself with its name before it.
            let modality = part.text("modality").unwrap_or_default().to_ascii_uppercase();
            if modalities.contains(&modality.rsplit('.').next().unwrap_or_default()) {
                sum += part.first(&[&["tokenCount"], &["token_count"]])?;
            }
        }
    }
    Ok(sum)
}
