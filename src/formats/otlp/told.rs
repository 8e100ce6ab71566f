//! Texts inside attributes: a provider's answer and costs in JSON.
//!
//! *Limits.* [`TEXT_BYTES_MAX`] of such a text; a longer one says nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::record::TEXT_BYTES_KEPT_MAX;
use crate::domain::Usd;

/// Bytes of a text that is looked into: an answer of a few pages.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// A text's members, or nothing if it is no object.
pub(super) type Members<'t> = BTreeMap<String, &'t RawValue>;

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
    let mut inner = members.clone();
    for name in above {
        inner = nested(&inner, &[name]);
    }
    serde_json::from_str(inner.get(*last)?.get()).ok()
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
        ] {
            assert_eq!(told_id(answer).as_deref(), id, "{answer}");
        }
        assert_eq!(told_id(&format!(r#"{{"id":"x","text":"{}"}}"#, "y".repeat(TEXT_BYTES_MAX))), None);
    }
}
