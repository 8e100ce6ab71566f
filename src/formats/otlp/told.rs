//! Texts inside attributes: a provider's answer and costs in JSON.
//!
//! *Limits.* [`TEXT_BYTES_MAX`] of such a text; a longer one says nothing.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::record::TEXT_BYTES_KEPT_MAX;
use crate::domain::Usd;

/// Bytes of a text that is looked into: an answer of a few pages.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// A text's members, or nothing if it is no object.
pub(super) type Members<'t> = BTreeMap<String, &'t RawValue>;

/// What a provider's answer says of its call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub id: Option<String>,
    pub service_tier: Option<String>,
}

impl Answer {
    /// Of a text in JSON, which must be whole. LangChain has the answer's members in its own result.
    pub fn read(text: &str) -> Self {
        let Some(members) = members(text) else { return Self::default() };
        let first = first_generation(&members).unwrap_or_default();
        let metadata = ["message", "kwargs", "response_metadata"].iter().fold(first, |inner, name| nested(&inner, &[name]));
        let places = [nested(&members, &["llm_output"]), metadata];
        let id = |members| text_at(members, &["id"]).filter(|id| !id.is_empty() && id.len() <= TEXT_BYTES_KEPT_MAX);
        let tier = |members| text_at(members, &["service_tier"]).or_else(|| text_at(members, &["usage", "service_tier"]));
        Self {
            id: id(&members).or_else(|| places.iter().find_map(id)),
            service_tier: tier(&members).or_else(|| places.iter().find_map(tier)),
        }
    }
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

pub(super) fn members(text: &str) -> Option<Members<'_>> {
    if text.len() > TEXT_BYTES_MAX { None } else { serde_json::from_str(text).ok() }
}

pub(super) fn nested<'t>(members: &Members<'t>, names: &[&str]) -> Members<'t> {
    names.iter().find_map(|name| serde_json::from_str(members.get(*name)?.get()).ok()).unwrap_or_default()
}

/// The text at a path.
pub(super) fn text_at(members: &Members<'_>, path: &[&str]) -> Option<String> {
    let (last, above) = path.split_last()?;
    let mut inner = None;
    for name in above {
        inner = Some(nested(inner.as_ref().unwrap_or(members), &[name]));
    }
    serde_json::from_str(inner.as_ref().unwrap_or(members).get(*last)?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
