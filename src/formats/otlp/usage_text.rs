//! Counts in a text inside an attribute: what a provider's usage object, or a sender's own, says in JSON or as Python prints it.
//!
//! Four vocabularies are read: OpenAI's, which is also LiteLLM's and LangChain's, with parts in `…_details`; Anthropic's, with what was read from and
//! written to a cache beside the input; Gemini's `usageMetadata`, with thoughts beside the output; and Langfuse's.
//!
//! *Limits.* Those of `members`.

use serde::Deserialize;

use super::count::Counted;
use super::members::{Members, members, nested, text_at};
use crate::domain::{Quantity, Usd};

/// What counts in JSON say; nothing where the text is none of it.
pub(super) fn told_usage(text: &str) -> Counted {
    let as_json;
    let text = if text.contains('\'') {
        as_json = from_python(text);
        &as_json
    } else {
        text
    };
    let Some(members) = members(text) else { return Counted::default() };
    let has = |names: &[&str]| names.iter().any(|name| members.contains_key(*name));
    if has(&["promptTokenCount", "candidatesTokenCount"]) {
        in_words_of_gemini(&members)
    } else if has(&["input", "output"]) && !has(&["prompt_tokens", "input_tokens", "completion_tokens", "output_tokens"]) {
        in_words_of_langfuse(&members)
    } else {
        in_words_of_openai_or_anthropic(&members)
    }
}

/// It charges in US dollars and says what.
const OPENROUTER: &str = "openrouter";

/// What a provider says besides its answer, as far as that matters.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ProviderMetadata {
    /// Its usage object, where that is whole.
    pub usage: Option<Counted>,
    /// What it charges, where it is one that says so in US dollars.
    pub cost: Option<Usd>,
    pub service_tier: Option<String>,
}

impl ProviderMetadata {
    /// Of a text in JSON that has it under the provider's name.
    pub fn read(text: &str) -> Self {
        let mut found = Self::default();
        for (provider, said) in members(text).unwrap_or_default() {
            let said: Members<'_> = serde_json::from_str(said.get()).unwrap_or_default();
            if provider == OPENROUTER {
                found.cost = nested(&said, &["usage"]).get("cost").and_then(|cost| Usd::parse(cost.get()).ok());
            }
            let usage = said.get("usage").or_else(|| said.get("usageMetadata")).map_or("", |usage| usage.get());
            let whole = Some(told_usage(usage)).filter(|usage| usage.input.is_some() && usage.output.is_some());
            found.usage = found.usage.or(whole);
            let tier = text_at(&said, &["serviceTier"]).or_else(|| text_at(&said, &["usage", "service_tier"]));
            found.service_tier = found.service_tier.or(tier);
        }
        found
    }
}

fn in_words_of_openai_or_anthropic(members: &Members<'_>) -> Counted {
    let input_details = nested(members, &["prompt_tokens_details", "input_tokens_details", "input_token_details"]);
    let output_details = nested(members, &["completion_tokens_details", "output_tokens_details", "output_token_details"]);
    let written = nested(members, &["cache_creation"]);
    let top = |names: &[&str]| first(members, names);
    let beside = [
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "input_cached_tokens",
        "input_cache_read",
        "input_cache_creation",
    ];
    let (input, output) = (
        top(&["prompt_tokens", "input_tokens", "input", "inputTokens"]),
        top(&["completion_tokens", "output_tokens", "output", "outputTokens"]),
    );
    // `prompt_tokens` is the whole everywhere; of the others it shows by where the cached ones stand, or by a total (MLflow).
    let is_whole =
        top(&["total_tokens"]).is_some_and(|total| total == sum(&[input.unwrap_or_default(), output.unwrap_or_default()]));
    let has_cached =
        members.contains_key("prompt_tokens") || is_whole || !beside.iter().any(|name| members.contains_key(*name));
    // LangChain says 0 where it has them by how long they are kept.
    let by_time = ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]
        .map(|name| first(&input_details, &[name]).unwrap_or_default());
    Counted {
        input,
        cached: first(&input_details, &["cached_tokens", "cache_read"])
            .or_else(|| top(&["cache_read_input_tokens", "input_cached_tokens", "input_cache_read", "cached_tokens"])),
        cache_write: first(&input_details, &["cache_creation_tokens", "cache_write_tokens", "cache_creation"])
            .max(said(sum(&by_time)))
            .or_else(|| top(&["cache_creation_input_tokens", "input_cache_creation"])),
        cache_write_1h: first(&written, &["ephemeral_1h_input_tokens"])
            .or_else(|| first(&input_details, &["ephemeral_1h_input_tokens"])),
        more_input: None,
        audio_input: first(&input_details, &["audio_tokens", "audio"]),
        image_input: first(&input_details, &["image_tokens"]),
        video_input: first(&input_details, &["video_tokens"]),
        output,
        reasoning: first(&output_details, &["reasoning_tokens", "reasoning"])
            .or_else(|| top(&["output_reasoning_tokens", "output_reasoning"])),
        audio_output: first(&output_details, &["audio_tokens", "audio"]),
        image_output: first(&output_details, &["image_tokens"]),
        video_output: first(&output_details, &["video_tokens"]),
        input_has_cached: Some(has_cached),
        output_lacks_reasoning: false,
    }
}

/// Langfuse's own words: a part, such as `input_cache_read`, stands beside `input`, unless the `total` shows that it stands within. What has
/// Anthropic's names stands beside.
fn in_words_of_langfuse(members: &Members<'_>) -> Counted {
    let (mut input, mut output, mut beside) = (Side::default(), Side::default(), Side::default());
    let mut total = Quantity::ZERO;
    for (name, value) in members {
        let Ok(count) = Quantity::parse(value.get().trim()) else { continue };
        match name.as_str() {
            "input" => input.whole = count,
            "output" => output.whole = count,
            "total" => total = count,
            "cache_read_input_tokens" => beside.cached = count,
            "cache_creation_input_tokens" => beside.written = count,
            "cache_creation_ephemeral_5m_input_tokens" => beside.written_5m = count,
            "cache_creation_ephemeral_1h_input_tokens" => beside.written_1h = count,
            // As Vertex AI has them, of which LangChain keeps the names.
            "cached_content_token_count" => raise(&mut input.cached, count),
            "thoughts_token_count" => raise(&mut output.reasoning, count),
            name => {
                if let Some(part) = name.strip_prefix("input_") {
                    input.part(part, count);
                } else if let Some(part) = name.strip_prefix("output_") {
                    output.part(part, count);
                } else if name.starts_with("cached_modality_") {
                    input.cached_by_modality += count;
                }
            }
        }
    }
    let (mut all_input, all_output) = wholes(&input, &output, total);
    all_input += beside.parts();
    let mut counted = Counted {
        input: said(all_input),
        cached: said(sum(&[input.all_cached(), beside.cached])),
        cache_write: said(sum(&[input.all_written(), beside.all_written()])),
        cache_write_1h: said(sum(&[input.written_1h, beside.written_1h])),
        audio_input: said(input.audio),
        image_input: said(input.image),
        video_input: said(input.video),
        output: said(all_output),
        reasoning: said(output.reasoning),
        audio_output: said(output.audio),
        image_output: said(output.image),
        video_output: said(output.video),
        input_has_cached: Some(true),
        ..Counted::default()
    };
    // Some put a provider's details into it.
    counted.complete(in_words_of_openai_or_anthropic(members));
    counted
}

/// Gemini's `usageMetadata`: thoughts stand beside the candidates, tool results beside the prompt; cached tokens are part of the prompt.
fn in_words_of_gemini(members: &Members<'_>) -> Counted {
    let count = |name: &str| first(members, &[name]).unwrap_or_default();
    let details = |name: &str, modalities: &[&str]| {
        let parts: Vec<OfModality> =
            members.get(name).and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default();
        let of = parts.iter().filter(|part| modalities.iter().any(|modality| part.modality.eq_ignore_ascii_case(modality)));
        said(sum(&of.map(|part| Quantity::of(part.token_count)).collect::<Vec<_>>()))
    };
    let (prompt, candidates) = ("promptTokensDetails", "candidatesTokensDetails");
    // A document is looked at as images are.
    let images = ["IMAGE", "DOCUMENT"];
    Counted {
        input: said(sum(&[count("promptTokenCount"), count("toolUsePromptTokenCount")])),
        cached: said(count("cachedContentTokenCount")),
        audio_input: details(prompt, &["AUDIO"]),
        image_input: details(prompt, &images),
        video_input: details(prompt, &["VIDEO"]),
        output: said(sum(&[count("candidatesTokenCount"), count("thoughtsTokenCount")])),
        reasoning: said(count("thoughtsTokenCount")),
        audio_output: details(candidates, &["AUDIO"]),
        image_output: details(candidates, &images),
        video_output: details(candidates, &["VIDEO"]),
        input_has_cached: Some(true),
        ..Counted::default()
    }
}

/// What Gemini says of a modality.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfModality {
    modality: String,
    #[serde(default)]
    token_count: u64,
}

/// What Langfuse tells of what went in, or came out.
#[derive(Default)]
struct Side {
    whole: Quantity,
    cached: Quantity,
    cached_by_modality: Quantity,
    written: Quantity,
    written_5m: Quantity,
    written_1h: Quantity,
    audio: Quantity,
    image: Quantity,
    video: Quantity,
    reasoning: Quantity,
    /// What costs what the rest of the whole costs.
    plain: Quantity,
}

impl Side {
    /// Takes a part. Under several names it is one all the same.
    fn part(&mut self, word: &str, count: Quantity) {
        // LangChain has the service tier in names, too.
        let word = ["priority_", "flex_"].iter().find_map(|tier| word.strip_prefix(tier)).unwrap_or(word);
        let known = match word.to_ascii_lowercase().as_str() {
            "cached" | "cached_tokens" | "cache_read" => &mut self.cached,
            "cache_creation" | "cache_creation_tokens" | "cache_write" | "cache_write_tokens" => &mut self.written,
            "ephemeral_5m_input_tokens" => &mut self.written_5m,
            "ephemeral_1h_input_tokens" => &mut self.written_1h,
            "audio" | "audio_tokens" | "modality_audio" => &mut self.audio,
            "image" | "image_tokens" | "modality_image" | "modality_document" => &mut self.image,
            "video" | "video_tokens" | "modality_video" => &mut self.video,
            "reasoning" | "reasoning_tokens" => &mut self.reasoning,
            "text" | "text_tokens" | "modality_text" | "priority" | "flex" => &mut self.plain,
            _ => return,
        };
        raise(known, count);
    }

    fn all_cached(&self) -> Quantity {
        self.cached.max(self.cached_by_modality)
    }

    fn all_written(&self) -> Quantity {
        self.written.max(sum(&[self.written_5m, self.written_1h]))
    }

    fn parts(&self) -> Quantity {
        sum(&[self.all_cached(), self.all_written(), self.audio, self.image, self.video, self.reasoning, self.plain])
    }
}

/// All that went in, and all that came out.
fn wholes(input: &Side, output: &Side, total: Quantity) -> (Quantity, Quantity) {
    let beside = (sum(&[input.whole, input.parts()]), sum(&[output.whole, output.parts()]));
    let within = (input.whole, output.whole);
    if total == Quantity::ZERO {
        return beside;
    }
    let ways = [beside, within, (beside.0, within.1), (within.0, beside.1)];
    if let Some(shown) = ways.into_iter().find(|(input, output)| sum(&[*input, *output]) == total) {
        return shown;
    }
    // Parts that are parts of each other, such as cached sound, are more than what they are taken from.
    let rest = total.checked_sub(beside.1).filter(|rest| *rest < beside.0);
    (rest.unwrap_or(beside.0), beside.1)
}

fn first(members: &Members<'_>, names: &[&str]) -> Option<Quantity> {
    names.iter().find_map(|name| Quantity::parse(members.get(*name)?.get().trim()).ok())
}

fn sum(counts: &[Quantity]) -> Quantity {
    let mut sum = Quantity::ZERO;
    for count in counts {
        sum += *count;
    }
    sum
}

fn said(count: Quantity) -> Option<Quantity> {
    Some(count).filter(|count| *count != Quantity::ZERO)
}

fn raise(known: &mut Quantity, count: Quantity) {
    *known = (*known).max(count);
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

    /// Guards against: parts that Langfuse took out of the totals, so that only the larger of two was charged.
    #[test]
    fn what_langfuse_takes_out_of_the_totals_is_put_back() {
        let gpt =
            [("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50), ("reasoning_output_tokens", 20)];
        let claude =
            [("input_tokens", 1000), ("cached_input_tokens", 600), ("cache_write_input_tokens", 300), ("output_tokens", 50)];
        let claude_1h = [
            ("input_tokens", 1000),
            ("cached_input_tokens", 600),
            ("cache_write_1h_input_tokens", 300),
            ("output_tokens", 50),
        ];
        for (text, expected) in [
            // Its handler for LangChain: gpt-4o, in the priority tier, Claude at once, streamed, by time.
            (
                r#"{"input":200,"output":30,"total":1050,"input_audio":0,"input_cache_read":800,"output_audio":0,"output_reasoning":20}"#,
                &gpt[..],
            ),
            (
                r#"{"input":1000,"output":50,"total":1050,"input_audio":0,"input_priority_cache_read":800,"input_priority":200,"output_audio":0,"output_priority_reasoning":20,"output_priority":30}"#,
                &gpt,
            ),
            (
                r#"{"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"input":100,"output":50,"cache_creation_ephemeral_1h_input_tokens":0,"cache_creation_ephemeral_5m_input_tokens":300}"#,
                &claude,
            ),
            (r#"{"input":100,"output":50,"total":1050,"input_cache_creation":300,"input_cache_read":600}"#, &claude),
            (
                r#"{"input":100,"output":50,"total":1050,"input_cache_creation":0,"input_cache_read":600,"input_ephemeral_1h_input_tokens":300}"#,
                &claude_1h,
            ),
            (
                r#"{"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"input":100,"output":50,"cache_creation_ephemeral_1h_input_tokens":300,"cache_creation_ephemeral_5m_input_tokens":0}"#,
                &claude_1h,
            ),
            // By hand, as its documentation has it.
            (r#"{"input":200,"input_cached_tokens":800,"output":30,"output_reasoning_tokens":20}"#, &gpt),
            (r#"{"input":200,"input_cached_tokens":800,"output":30,"output_reasoning_tokens":20,"total":1050}"#, &gpt),
            // The total shows that parts stand within: of both, of one side.
            (r#"{"input":1000,"input_cached_tokens":800,"output":50,"output_reasoning_tokens":20,"total":1050}"#, &gpt),
            (r#"{"input":200,"input_cached_tokens":800,"output":50,"output_reasoning":20,"total":1050}"#, &gpt),
            (r#"{"input":1000,"input_cached_tokens":800,"output":30,"output_reasoning":20,"total":1050}"#, &gpt),
            (r#"{"input":1000,"output":30,"total":1050,"cached_content_token_count":800,"thoughts_token_count":20}"#, &gpt),
            (
                r#"{"input":0,"input_modality_TEXT":200,"cached_modality_TEXT":800,"cached_content_token_count":800,"output":0,"output_modality_TEXT":30,"thoughts_token_count":20,"total":1050}"#,
                &gpt,
            ),
            (
                r#"{"input":400,"output":0,"total":1050,"input_audio":600,"input_cache_read":0,"output_audio":30,"output_reasoning":20}"#,
                &[
                    ("input_tokens", 1000),
                    ("audio_input_tokens", 600),
                    ("output_tokens", 50),
                    ("reasoning_output_tokens", 20),
                    ("audio_output_tokens", 30),
                ],
            ),
            // Cached sound was taken away twice.
            (
                r#"{"input":0,"output":50,"total":1050,"input_audio":600,"input_cache_read":500}"#,
                &[("input_tokens", 1000), ("cached_input_tokens", 500), ("audio_input_tokens", 600), ("output_tokens", 50)],
            ),
            (
                r#"{"input":10,"input_image":20,"output_video":5,"total":0,"input_what":9}"#,
                &[("input_tokens", 30), ("image_input_tokens", 20), ("output_tokens", 5), ("video_output_tokens", 5)],
            ),
        ] {
            assert_eq!(usage(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_provider_says_besides_its_answer_is_read_where_it_is_whole() {
        for (text, expected, tier) in [
            (
                r#"{"anthropic":{"usage":{"input_tokens":100,"output_tokens":50,"cache_creation_input_tokens":300,"cache_read_input_tokens":600,"cache_creation":{"ephemeral_5m_input_tokens":300,"ephemeral_1h_input_tokens":0},"service_tier":"batch"},"cacheCreationInputTokens":300,"stopSequence":null}}"#,
                Some([1000, 50]),
                Some("batch"),
            ),
            (
                r#"{"google":{"promptFeedback":null,"serviceTier":null,"usageMetadata":{"cachedContentTokenCount":800,"thoughtsTokenCount":20,"promptTokenCount":1000,"candidatesTokenCount":30,"totalTokenCount":1050}}}"#,
                Some([1000, 50]),
                None,
            ),
            (r#"{"openai":{"responseId":"resp_1","serviceTier":"priority"}}"#, None, Some("priority")),
            (r#"{"bedrock":{"usage":{"cacheWriteInputTokens":3}},"x":7}"#, None, None),
            (r#"{"anthropic":{"usage":{"input_tokens":100}}}"#, None, None),
            ("[]", None, None),
            ("", None, None),
        ] {
            let found = ProviderMetadata::read(text);
            let units = |count: Quantity| u64::try_from(count.micros() / 1_000_000).unwrap();
            let usage = found.usage.map(|usage| usage_of(&usage, true));
            let of = |name: &str| usage.as_ref()?.iter().find(|(known, _)| *known == name).map(|(_, count)| units(*count));
            assert_eq!(
                of("input_tokens").zip(of("output_tokens")),
                expected.map(|[input, output]| (input, output)),
                "{text}"
            );
            assert_eq!(found.service_tier.as_deref(), tier, "{text}");
        }
    }

    #[test]
    fn thoughts_and_tool_results_of_gemini_stand_beside() {
        assert_eq!(
            usage(
                r#"{"cachedContentTokenCount":800,"thoughtsTokenCount":20,"promptTokenCount":1000,"candidatesTokenCount":30,"totalTokenCount":1050}"#
            ),
            [("input_tokens", 1000), ("cached_input_tokens", 800), ("output_tokens", 50), ("reasoning_output_tokens", 20)]
        );
        assert_eq!(
            usage(
                r#"{"promptTokenCount":10,"toolUsePromptTokenCount":5,"candidatesTokenCount":1290,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":6}],"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]}"#
            ),
            [("input_tokens", 15), ("audio_input_tokens", 6), ("output_tokens", 1290), ("image_output_tokens", 1290)]
        );
    }
}
