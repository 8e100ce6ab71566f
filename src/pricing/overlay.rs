//! What providers publish and the catalogue does not say: by how much other ways of calling differ from the usual price.
//!
//! Only where the catalogue has no price of its own for that. Sources, read in November 2026:
//! - Batches at half price: <https://platform.claude.com/docs/en/build-with-claude/batch-processing>,
//!   <https://platform.openai.com/docs/guides/batch>, <https://ai.google.dev/gemini-api/docs/batch-api>,
//!   <https://docs.mistral.ai/capabilities/batch>, <https://console.groq.com/docs/batch>.
//! - OpenAI's flex at the price of batches: <https://platform.openai.com/docs/guides/flex-processing>.
//! - Groq's flex at the usual price: <https://console.groq.com/docs/flex-processing>.
//! - Anthropic's one-hour cache writes at twice the input price:
//!   <https://platform.claude.com/docs/en/build-with-claude/prompt-caching>.

use super::pattern::Pattern;
use super::price::Text;

/// A tier of a provider, and by what its prices are those of another call: `digits` × 10^-`scale`.
struct Share {
    provider: &'static str,
    tier: &'static str,
    /// Models it is about.
    models: &'static str,
    digits: u64,
    scale: u8,
    /// Units that cost what they usually cost.
    usual: &'static [&'static str],
}

const HALF: (u64, u8) = (5, 1);
/// Tools are billed by themselves, at their usual price.
const TOOLS: &[&str] = &["searches", "storage_searches", "social_searches", "code_executions"];

const fn half(provider: &'static str, tier: &'static str, models: &'static str) -> Share {
    Share { provider, tier, models, digits: HALF.0, scale: HALF.1, usual: TOOLS }
}

const SHARES: &[Share] = &[
    half("anthropic", "batch", "claude-*"),
    half("openai", "batch", "gpt-*"),
    half("openai", "batch", "o*"),
    half("openai", "batch", "text-embedding-*"),
    half("openai", "flex", "gpt-5*"),
    half("openai", "flex", "o3*"),
    half("openai", "flex", "o4-mini*"),
    // Cached tokens are at their usual price.
    Share {
        usual: &["cached_input_tokens", "cached_audio_input_tokens", "searches"],
        ..half("google", "batch", "gemini-*")
    },
    half("mistral", "batch", "*"),
    half("groq", "batch", "*"),
    Share { digits: 1, scale: 0, ..half("groq", "flex", "*") },
];

/// By what a price of the usual way is multiplied for a tier: digits and scale. `None`: nobody says.
pub(super) fn share(provider: &str, model: &str, tier: &str, unit: &str) -> Option<(u64, u8)> {
    let is_it = |share: &&Share| {
        share.provider == provider && share.tier == tier && Pattern::new(Text::from(share.models)).matches(model)
    };
    let share = SHARES.iter().find(is_it)?;
    Some(if share.usual.contains(&unit) { (1, 0) } else { (share.digits, share.scale) })
}

/// The unit and the multiple of its price that a unit costs where the catalogue does not say.
pub(super) fn stand_in(model: &str, unit: &str) -> Option<(&'static str, u64)> {
    (unit == "cache_write_1h_input_tokens" && model.contains("claude")).then_some(("input_tokens", 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_costs_half_but_for_what_its_provider_bills_as_usual() {
        for (provider, model, unit, expected) in [
            ("openai", "gpt-4o", "cached_input_tokens", HALF),
            ("openai", "gpt-4o", "searches", (1, 0)),
            ("google", "gemini-2.5-pro", "input_tokens", HALF),
            ("google", "gemini-2.5-pro", "cached_input_tokens", (1, 0)),
            ("google", "gemini-2.5-pro", "cached_audio_input_tokens", (1, 0)),
        ] {
            assert_eq!(share(provider, model, "batch", unit), Some(expected), "{provider} {unit}");
        }
        assert_eq!(share("openai", "o1", "flex", "input_tokens"), None, "nobody says");
    }

    #[test]
    fn only_an_hours_cache_write_of_a_claude_model_is_twice_the_input() {
        for (model, unit, expected) in [
            ("claude-sonnet-4-5", "cache_write_1h_input_tokens", Some(("input_tokens", 2))),
            ("claude-sonnet-4-5", "cache_write_input_tokens", None),
            ("gpt-4o", "cache_write_1h_input_tokens", None),
        ] {
            assert_eq!(stand_in(model, unit), expected, "{model} {unit}");
        }
    }
}
