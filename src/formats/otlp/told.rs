//! Texts inside attributes: a provider's answer, counts and costs in JSON.
//!
//! *Limits.* [`TEXT_BYTES_MAX`] of such a text; a longer one says nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::count::Counted;
use super::record::TEXT_BYTES_KEPT_MAX;
use crate::domain::{Quantity, Usd};

/// Bytes of a text that is looked into: an answer of a few pages.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// A text's members, or nothing if it is no object.
type Members<'t> = BTreeMap<String, &'t RawValue>;

/// The id of a provider's answer; the text must be whole.
pub(super) fn told_id(answer: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        id: Option<String>,
    }
    if answer.len() > TEXT_BYTES_MAX || !answer.trim_start().starts_with('{') {
        return None;
    }
    let answer: Answer = serde_json::from_str(answer).ok()?;
    answer.id.filter(|id| !id.is_empty() && id.len() <= TEXT_BYTES_KEPT_MAX)
}

/// What counts in JSON say, in the words of OpenAI, Anthropic or Langfuse; also as Python prints them.
pub(super) fn told_usage(text: &str) -> Counted {
    let as_json;
    let text = if text.contains('\'') {
        as_json = from_python(text);
        &as_json
    } else {
        text
    };
    let Some(members) = members(text) else { return Counted::default() };
    let input_details = nested(&members, &["prompt_tokens_details", "input_tokens_details", "input_token_details"]);
    let output_details = nested(&members, &["completion_tokens_details", "output_tokens_details", "output_token_details"]);
    let written = nested(&members, &["cache_creation"]);
    let top = |names: &[&str]| first(&members, names);
    let beside = [
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "input_cached_tokens",
        "input_cache_read",
        "input_cache_creation",
    ];
    // `prompt_tokens` is the whole everywhere; of the others it shows by where the cached ones stand.
    let has_cached = members.contains_key("prompt_tokens") || !beside.iter().any(|name| members.contains_key(*name));
    Counted {
        input: top(&["prompt_tokens", "input_tokens", "input"]),
        cached: first(&input_details, &["cached_tokens", "cache_read"])
            .or_else(|| top(&["cache_read_input_tokens", "input_cached_tokens", "input_cache_read", "cached_tokens"])),
        cache_write: first(&input_details, &["cache_creation_tokens", "cache_write_tokens", "cache_creation"])
            .or_else(|| top(&["cache_creation_input_tokens", "input_cache_creation"])),
        cache_write_1h: first(&written, &["ephemeral_1h_input_tokens"]),
        more_input: None,
        audio_input: first(&input_details, &["audio_tokens", "audio"]),
        image_input: first(&input_details, &["image_tokens"]),
        video_input: first(&input_details, &["video_tokens"]),
        output: top(&["completion_tokens", "output_tokens", "output"]),
        reasoning: first(&output_details, &["reasoning_tokens", "reasoning"])
            .or_else(|| top(&["output_reasoning_tokens", "output_reasoning"])),
        audio_output: first(&output_details, &["audio_tokens", "audio"]),
        image_output: first(&output_details, &["image_tokens"]),
        video_output: first(&output_details, &["video_tokens"]),
        input_has_cached: Some(has_cached),
        output_lacks_reasoning: false,
    }
}

/// A cost in JSON: its `total`, else the sum of its parts.
pub(super) fn told_cost(text: &str) -> Option<Usd> {
    let members = members(text)?;
    if let Some(total) = members.get("total") {
        return Usd::parse(total.get()).ok();
    }
    let mut sum = None::<Usd>;
    for part in members.values() {
        let part = Usd::parse(part.get()).ok()?;
        sum = Some(sum.unwrap_or(Usd::ZERO).checked_add(part)?);
    }
    sum
}

fn members(text: &str) -> Option<Members<'_>> {
    if text.len() > TEXT_BYTES_MAX { None } else { serde_json::from_str(text).ok() }
}

fn nested<'t>(members: &Members<'t>, names: &[&str]) -> Members<'t> {
    names.iter().find_map(|name| serde_json::from_str(members.get(*name)?.get()).ok()).unwrap_or_default()
}

fn first(members: &Members<'_>, names: &[&str]) -> Option<Quantity> {
    names.iter().find_map(|name| Quantity::parse(members.get(*name)?.get().trim()).ok())
}

/// A dictionary as Python prints it, as JSON. Texts with quotes in them come out as nonsense, which is then no JSON.
fn from_python(text: &str) -> String {
    text.replace('\'', "\"").replace(": None", ": null").replace(": True", ": true").replace(": False", ": false")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::otlp::count::usage_of;

    fn usage(text: &str) -> Vec<(&'static str, u64)> {
        let usage = usage_of(&told_usage(text), true);
        usage.into_iter().map(|(name, count)| (name, u64::try_from(count.micros() / 1_000_000).unwrap())).collect()
    }

    #[test]
    fn counts_are_read_in_all_vocabularies() {
        let openai =
            [("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50), ("reasoning_output_tokens", 20)];
        let anthropic =
            [("input_tokens", 1000), ("cached_input_tokens", 600), ("cache_write_input_tokens", 300), ("output_tokens", 50)];
        for (text, expected) in [
            (
                r#"{"completion_tokens":50,"prompt_tokens":1000,"total_tokens":1050,"completion_tokens_details":{"reasoning_tokens":20,"audio_tokens":0},"prompt_tokens_details":{"audio_tokens":0,"cached_tokens":800}}"#,
                &openai[..],
            ),
            (
                r#"{"input_tokens":1000,"input_tokens_details":{"cached_tokens":800},"output_tokens":50,"output_tokens_details":{"reasoning_tokens":20}}"#,
                &openai,
            ),
            (
                "{'completion_tokens': 50, 'prompt_tokens': 1000, 'completion_tokens_details': {'reasoning_tokens': 20, 'text_tokens': None}, 'prompt_tokens_details': {'cached_tokens': 800}, 'cost': 1e-05}",
                &openai,
            ),
            (r#"{"input":100,"output":50,"cache_creation_input_tokens":300,"cache_read_input_tokens":600}"#, &anthropic),
            (
                r#"{"input_tokens":100,"output_tokens":50,"cache_creation_input_tokens":300,"cache_read_input_tokens":600}"#,
                &anthropic,
            ),
            // As LiteLLM and Langfuse tell what a model of images said.
            (
                "{'completion_tokens': 1290, 'prompt_tokens': 10, 'total_tokens': 1300, 'completion_tokens_details': {'text_tokens': 0, 'image_tokens': 1290}, 'prompt_tokens_details': {'audio_tokens': None, 'image_tokens': None, 'text_tokens': 10}}",
                &[("input_tokens", 10), ("output_tokens", 1290), ("image_output_tokens", 1290)],
            ),
            (
                r#"{"prompt_tokens":100,"completion_tokens":50,"prompt_tokens_details":{"audio_tokens":10,"image_tokens":20,"video_tokens":30},"completion_tokens_details":{"audio_tokens":1,"image_tokens":2,"video_tokens":3}}"#,
                &[
                    ("input_tokens", 100),
                    ("audio_input_tokens", 10),
                    ("image_input_tokens", 20),
                    ("video_input_tokens", 30),
                    ("output_tokens", 50),
                    ("audio_output_tokens", 1),
                    ("image_output_tokens", 2),
                    ("video_output_tokens", 3),
                ],
            ),
            (r#"{"input":7}"#, &[("input_tokens", 7)]),
            ("", &[]),
            ("[1]", &[]),
            (r#"{"input":"#, &[]),
            (r#"{"input":-1}"#, &[]),
        ] {
            assert_eq!(usage(text), expected, "{text}");
        }
    }

    #[test]
    fn costs_are_totals_or_sums() {
        for (text, cost) in [
            (r#"{"input":0.001,"output":0.001,"total":0.002}"#, Some("0.002")),
            (r#"{"input":0.001,"output":0.0015}"#, Some("0.0025")),
            (r#"{"input":"x"}"#, None),
            ("{}", None),
            ("", None),
        ] {
            assert_eq!(told_cost(text), cost.map(|cost| Usd::parse(cost).unwrap()), "{text}");
        }
    }

    #[test]
    fn an_answer_tells_its_id_only_when_it_is_whole() {
        for (answer, id) in [
            (r#"{"id":"chatcmpl-1","choices":[{"id":"no"}]}"#, Some("chatcmpl-1")),
            (r#"{"choices":[{"id":"no"}]}"#, None),
            (r#"{"id":"chatcmpl-1","choices":["#, None),
            (r#"{"id":7}"#, None),
            (r#"{"id":""}"#, None),
            ("hi", None),
        ] {
            assert_eq!(told_id(answer).as_deref(), id, "{answer}");
        }
        assert_eq!(told_id(&format!(r#"{{"id":"x","text":"{}"}}"#, "y".repeat(TEXT_BYTES_MAX))), None);
    }
}
