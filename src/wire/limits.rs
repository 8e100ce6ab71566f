//! `PUT /budgets/{name}` and `GET /budgets/history`: limits that somebody sets in place of those of the settings.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::refusal::given;
use super::{Exact, UsageAmounts};
use crate::budget::{Limit, Measure, Unit};
use crate::domain::{LimitOverride, Name, Quantity, Usd};

/// One line of the history. It has the one of its first two members that the budget's unit asks for, null where what was set is lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitLine {
    /// The budget's name.
    pub budget: String,
    /// The limit from then on.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<Option<Usd>>,
    /// The limits from then on, by kind.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub limit_usage: Option<Option<UsageAmounts>>,
    /// Why.
    pub reason: String,
    /// Who set it; empty when not said.
    pub actor: String,
    /// When it was set.
    pub timestamp: Timestamp,
    /// When it lapses or lapsed by itself; null: not at all.
    pub expires_at: Option<Timestamp>,
    /// The name of the token that it was set with; absent where that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Box<str>>,
}

/// What a client sends to set a limit, or with nothing of either to lift it.
#[derive(Clone, Debug, Serialize)]
pub struct SetLimitBody<'a> {
    /// So much money.
    #[serde(skip_serializing_if = "is_absent")]
    pub limit_usd: Option<Option<Usd>>,
    /// So much usage.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limit_usage: BTreeMap<&'a str, Quantity>,
    /// Why.
    pub reason: &'a str,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<&'a str>,
    /// When it lapses by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
}

#[expect(clippy::option_option, clippy::ref_option, reason = "as serde asks; null is something that is said")]
const fn is_absent(limit: &Option<Option<Usd>>) -> bool {
    limit.is_none()
}

impl LimitLine {
    /// A line about a budget whose limit in the settings is this, if it still is in them.
    pub fn new(line: LimitOverride, configured: Option<&Limit>) -> Self {
        let LimitOverride { budget, limit, reason, actor, timestamp, expires_at, token } = line;
        let money = limit.as_deref().and_then(|limit| match limit {
            [(unit, pico)] if **unit == *Unit::Usd.as_str() => Some(Usd::from_pico(*pico)),
            _ => None,
        });
        let is_of_usage = configured.is_some_and(|limit| matches!(limit, Limit::Usage(_)));
        let (limit_usd, limit_usage) = match (limit, money) {
            (None, _) if is_of_usage => (None, Some(None)),
            (None, _) => (Some(None), None),
            (Some(_), Some(money)) if !is_of_usage => (Some(Some(money)), None),
            (Some(limit), _) => (None, Some(Some(limit.into_iter().filter_map(count).collect()))),
        };
        Self { budget: budget.into(), limit_usd, limit_usage, reason, actor, timestamp, expires_at, token }
    }
}

fn count((kind, parts): (Box<str>, i128)) -> Option<(String, Exact)> {
    let unit = Unit::Usage(Name::new(&kind).ok()?);
    Some((kind.into(), Exact::of(&Measure { unit, parts })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UsageCount;

    fn line(limit: Option<&[(&str, i128)]>, configured: Option<&Limit>) -> String {
        let limit = limit.map(|limit| limit.iter().map(|(unit, parts)| ((*unit).into(), *parts)).collect());
        let (reason, actor, expires_at) = ("sale".to_owned(), "ann".to_owned(), None);
        let timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let line = LimitOverride { budget: "b".into(), limit, reason, actor, timestamp, expires_at, token: None };
        let shown = LimitLine::new(line, configured);
        let json = serde_json::to_string(&shown).unwrap();
        assert_eq!(serde_json::from_str::<LimitLine>(&json).unwrap(), shown);
        let rest = r#","reason":"sale","actor":"ann","timestamp":"2026-11-22T10:00:00Z","expires_at":null}"#;
        json.strip_prefix(r#"{"budget":"b","#).unwrap().strip_suffix(rest).unwrap().to_owned()
    }

    #[test]
    fn a_line_has_the_member_of_its_unit_and_null_lifts() {
        let usd = Limit::Usd(Usd::ZERO);
        let usage = Limit::Usage(vec![UsageCount { kind: Name::new("USD").unwrap(), count: Quantity::ZERO }]);
        let money = Some([("USD", 1)].as_slice());
        assert_eq!(line(money, Some(&usd)), r#""limit_usd":0.000000000001"#);
        assert_eq!(line(money, None), r#""limit_usd":0.000000000001"#);
        assert_eq!(line(money, Some(&usage)), r#""limit_usage":{"USD":0.000001}"#, "of something that is called so");
        let counts = Some([("input_tokens", 2_000_000_500_000), ("pages", 0)].as_slice());
        for configured in [None, Some(&usd), Some(&usage)] {
            assert_eq!(line(counts, configured), r#""limit_usage":{"input_tokens":2000000.5,"pages":0}"#);
        }
        assert_eq!(line(None, Some(&usd)), r#""limit_usd":null"#);
        assert_eq!(line(None, None), r#""limit_usd":null"#);
        assert_eq!(line(None, Some(&usage)), r#""limit_usage":null"#);
    }
}
