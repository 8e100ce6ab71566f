//! What a provider's answer says of its call, and costs: texts in JSON inside attributes.
//!
//! *Limits.* Those of `members`.

use serde_json::value::RawValue;
use uuid::Uuid;

use super::count::Counted;
use super::members::{Members, members, nested, only, raw_at, text_at};
use super::record::TEXT_BYTES_KEPT_MAX;
use super::usage_text::told_usage;
use crate::domain::Usd;

/// What a provider's answer says of its call.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Answer {
    pub id: Option<String>,
    pub service_tier: Option<String>,
    pub usage: Option<Counted>,
}

/// Where frameworks keep the provider's usage object: in its answer, Haystack in `meta`, Genkit in `raw` or `custom`; Genkit's own is the last.
const USAGE: [&[&str]; 6] = [
    &["raw", "usage"],
    &["custom", "usage"],
    &["custom", "usageMetadata"],
    &["meta", "usage"],
    &["usageMetadata"],
    &["usage"],
];
/// The same in the message that LangChain makes of an answer.
const USAGE_OF_MESSAGE: [&[&str]; 2] = [&["response_metadata", "usage"], &["usage_metadata"]];
/// What frameworks put in the place of a response's id that they do not know: LangChain, and OpenAI's agents in both languages.
const MADE_UP: [&str; 4] = ["run-", "lc_run-", "__fake_id__", "FAKE_ID"];

impl Answer {
    /// Of a text in JSON, which must be whole; of several answers, that of one alone. LangChain has the answer's members in its own result.
    pub fn read(text: &str) -> Self {
        let Some(members) = members(text).or_else(|| members(only(text)?)) else { return Self::default() };
        let first = first_generation(&members).unwrap_or_default();
        let message = ["message", "kwargs"].iter().fold(first, |inner, name| nested(&inner, &[name]));
        let metadata = nested(&message, &["response_metadata"]);
        let places = [nested(&members, &["llm_output", "llmOutput"]), metadata];
        // Gemini's has another name for it, and of a stream the Mistral client keeps each piece as `data`.
        let id = |members: &Members<'_>| {
            let id = [&["id"][..], &["response_id"], &["data", "id"]].into_iter().find_map(|path| text_at(members, path));
            id.filter(|id| !id.is_empty() && id.len() <= TEXT_BYTES_KEPT_MAX && !is_made_up(id))
        };
        let tier = |members| text_at(members, &["service_tier"]).or_else(|| text_at(members, &["usage", "service_tier"]));
        // In JavaScript it is the message's own.
        let of_message = || id(&message).filter(|id| Uuid::try_parse(id).is_err());
        let usage = |members: &Members<'_>, path: &[&str]| {
            let usage = told_usage(raw_at(members, path)?.get());
            Some(usage).filter(|usage| usage.input.is_some() || usage.output.is_some())
        };
        let in_answer = USAGE.iter().find_map(|path| usage(&members, path));
        Self {
            id: id(&members).or_else(|| places.iter().find_map(id)).or_else(of_message),
            usage: in_answer.or_else(|| USAGE_OF_MESSAGE.iter().find_map(|path| usage(&message, path))),
            service_tier: tier(&members).or_else(|| places.iter().find_map(tier)),
        }
    }
}

/// Whether an id stands for none.
pub(super) fn is_made_up(id: &str) -> bool {
    MADE_UP.iter().any(|beginning| id.starts_with(beginning))
}

/// The first of what LangChain calls generations: for each prompt a list.
fn first_generation<'t>(members: &Members<'t>) -> Option<Members<'t>> {
    let of_prompts: Vec<Vec<&'t RawValue>> = serde_json::from_str(members.get("generations")?.get()).ok()?;
    serde_json::from_str(of_prompts.first()?.first()?.get()).ok()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::otlp::members::TEXT_BYTES_MAX;

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
            (r#"{"candidates":[],"model_version":"gemini-2.5-pro","response_id":"r1"}"#, Some("r1")),
            (r#"{"data":{"id":"cmpl-1","model":"mistral-large-latest"}}"#, Some("cmpl-1")),
            (r#"{"data":[{"id":"no"}]}"#, None),
            (r#"[{"id":"chatcmpl-1","model":"gpt-4o"}]"#, Some("chatcmpl-1")),
            (r#"[{"id":"chatcmpl-1"},{"id":"chatcmpl-2"}]"#, None),
            (r#"[{"id":"__fake_id__","object":"response"}]"#, None),
            (r#"{"generations":[[{"message":{"kwargs":{"id":"chatcmpl-3"}}}]]}"#, Some("chatcmpl-3")),
            (r#"{"generations":[[{"message":{"kwargs":{"id":"d5f9d469-7669-42ae-a17b-a4bf2fd2b485"}}}]]}"#, None),
            // LangChain's result: of OpenAI, of Anthropic without `llm_output`, and streamed, where nobody says it.
            (
                r#"{"generations":[[{"text":"hi","type":"ChatGeneration","message":{"lc":1,"id":["langchain","schema","messages","AIMessage"],"kwargs":{"content":"hi","response_metadata":{"model_provider":"openai","id":"chatcmpl-2","service_tier":"default"},"type":"ai","id":"lc_run--01a2-0"}}}]],"llm_output":{"token_usage":{"completion_tokens":50},"id":"chatcmpl-2","service_tier":"default"},"run":null,"type":"LLMResult"}"#,
                Some("chatcmpl-2"),
            ),
            (
                r#"{"generations":[[{"message":{"kwargs":{"response_metadata":{"id":"msg_1"},"id":"lc_run--01a2-0"}}}]],"llm_output":null}"#,
                Some("msg_1"),
            ),
            (
                r#"{"generations":[[{"message":{"kwargs":{"response_metadata":{"model_provider":"anthropic"},"id":"lc_run--01a2"}}}]],"llm_output":null}"#,
                None,
            ),
            (r#"{"generations":[[]],"llm_output":{"id":7}}"#, None),
            (r#"{"generations":[],"llm_output":[]}"#, None),
            (r#"{"generations":{"id":"no"},"llm_output":"no"}"#, None),
            (r#"{"id":"chatcmpl-1","llm_output":{"id":"no"}}"#, Some("chatcmpl-1")),
        ] {
            assert_eq!(Answer::read(answer).id.as_deref(), id, "{answer}");
        }
        assert_eq!(Answer::read(&format!(r#"{{"id":"x","text":"{}"}}"#, "y".repeat(TEXT_BYTES_MAX))), Answer::default());
    }

    #[test]
    fn an_answer_tells_its_tier() {
        for (answer, tier) in [
            (r#"{"id":"chatcmpl-1","service_tier":"priority"}"#, Some("priority")),
            (r#"{"id":"msg_1","usage":{"input_tokens":1,"service_tier":"batch"}}"#, Some("batch")),
            (r#"{"llm_output":{"id":"chatcmpl-1","service_tier":"flex"}}"#, Some("flex")),
            (r#"{"llm_output":{"id":"msg_1","usage":{"service_tier":"batch"}}}"#, Some("batch")),
            (r#"{"generations":[[{"message":{"kwargs":{"response_metadata":{"service_tier":"flex"}}}}]]}"#, Some("flex")),
            (r#"{"service_tier":null,"usage":[]}"#, None),
        ] {
            assert_eq!(Answer::read(answer).service_tier.as_deref(), tier, "{answer}");
        }
    }
}
