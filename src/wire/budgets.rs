//! `GET /budgets`, and what somebody sets a limit to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Word;
use super::exact::Exact;
use crate::budget::{
    Account, Action, BudgetScope, BudgetStanding, BudgetState, KeyStanding, KeysStanding, Limit, Measure, Standing, Used,
};
use crate::domain::{Facet, LimitOverride, Pattern, PeriodKind, Usd};

/// So much of each kind of usage, by its name.
pub type UsageAmounts = BTreeMap<String, Exact>;

/// One budget in its current period. Of a budget of money the members in USD are there, of one of usage those of usage; of a budget with
/// `each`, unless one key was asked for, its limit, how its keys stand, and the fullest of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetItem {
    /// The budget's name.
    pub name: String,
    /// The service it covers; null covers more than that of one.
    pub service: Option<String>,
    /// How often it begins anew.
    pub period: Word<PeriodKind>,
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_usd: Option<Usd>,
    /// Cost of the period so far: charges and credits; below zero where credits prevail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_usd: Option<Usd>,
    /// Set aside by open reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_usd: Option<Usd>,
    /// Limit − spent − reserved, where a sum below zero counts as 0; negative once the limit is passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_usd: Option<Usd>,
    /// The limit of each kind of usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_usage: Option<UsageAmounts>,
    /// Usage of the period so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_usage: Option<UsageAmounts>,
    /// Set aside by open reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_usage: Option<UsageAmounts>,
    /// Limit − spent − reserved; negative once the limit is passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_usage: Option<UsageAmounts>,
    /// Spent ÷ limit × 100, where a sum below zero counts as 0: the float nearest to the exact share. Of several kinds of usage the
    /// highest, of several keys that of the fullest.
    pub utilization_percent: f64,
    /// How serious it is; of several keys the fullest.
    pub state: Word<BudgetState>,
    /// First instant of the period; null where it always was.
    pub period_start: Option<Timestamp>,
    /// First instant of the next one; null where there is none.
    pub period_end: Option<Timestamp>,
    /// What the period will cost at its pace so far; null until an hour and a twentieth of it have passed.
    pub forecast_usd: Option<Usd>,
    /// Of an exhausted budget the time of the event with which it first was, null if that is not known; else when it will be at the
    /// pace so far, null if not within the period or without a forecast.
    pub exhausted_at: Option<Timestamp>,
    /// What it covers, where that is more than a service: patterns by what they match.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub cover: Option<BTreeMap<String, Vec<String>>>,
    /// What each value of has the limit by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Word<Facet>>,
    /// The value that was asked for, or that a message is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `watch` where nothing is refused; absent where work that would pass the limit is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Word<Action>>,
    /// `fleet` where all agents of a fleet share it: then what is spent and reserved is so by all of them, as far as is known. Absent where
    /// this agent keeps it by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Word<BudgetScope>>,
    /// Values with cost or holds in this period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Those from the lowest alert threshold on, but below the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_warning: Option<u64>,
    /// Those that have used up the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_exhausted: Option<u64>,
    /// The fullest of them, first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fullest: Option<Vec<KeyItem>>,
    /// In a message about an alert threshold: which, as a share of the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<Usd>,
    /// Where somebody has set the limit in place of that of the settings: who and why.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub overridden: Option<OverrideItem>,
}

/// What is said about a limit that somebody has set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideItem {
    /// The limit of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_limit_usd: Option<Usd>,
    /// The limits of the settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_limit_usage: Option<UsageAmounts>,
    /// Why.
    pub reason: String,
    /// Who says so; empty when not said.
    pub actor: String,
    /// Since when.
    pub timestamp: Timestamp,
    /// When it lapses; null: not by itself.
    pub expires_at: Option<Timestamp>,
    /// The name of the token that it was set with; absent where that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Box<str>>,
}

/// One value of what a budget has a limit for each of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyItem {
    /// The value, in folded letter case.
    pub key: String,
    /// Cost of the period so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_usd: Option<Usd>,
    /// Set aside by open reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_usd: Option<Usd>,
    /// Limit − spent − reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_usd: Option<Usd>,
    /// Usage of the period so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_usage: Option<UsageAmounts>,
    /// Set aside by open reservations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_usage: Option<UsageAmounts>,
    /// Limit − spent − reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_usage: Option<UsageAmounts>,
    /// Spent ÷ limit × 100.
    pub utilization_percent: f64,
    /// How serious it is.
    pub state: Word<BudgetState>,
}

/// One amount of an account, in money or in usage.
fn amounts(account: &Account, of: impl Fn(&Used) -> i128) -> (Option<Usd>, Option<UsageAmounts>) {
    let measure = |used: &Used| Measure { unit: used.unit.clone(), parts: of(used) };
    let usd = account.units().first().and_then(|used| measure(used).usd());
    let usage = || {
        let exact = |used: &Used| (used.unit.as_str().to_owned(), Exact::of(&measure(used)));
        account.units().iter().map(exact).collect()
    };
    if usd.is_some() { (usd, None) } else { (None, Some(usage())) }
}

impl From<Standing> for BudgetItem {
    fn from(standing: Standing) -> Self {
        let account = &standing.account;
        let (limit_usd, limit_usage) = amounts(account, |used| used.limit);
        let (spent_usd, spent_usage) = amounts(account, |used| used.spent);
        let (reserved_usd, reserved_usage) = amounts(account, |used| used.reserved);
        let (remaining_usd, remaining_usage) = amounts(account, Used::remaining);
        let (service, asked) = standing.cover.told();
        let texts = |patterns: &[Pattern]| patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect();
        let cover: BTreeMap<_, _> =
            asked.into_iter().map(|(facet, patterns)| (facet.as_str().to_owned(), texts(patterns))).collect();
        Self {
            service: service.map(str::to_owned),
            period: standing.cycle.kind.into(),
            limit_usd,
            spent_usd,
            reserved_usd,
            remaining_usd,
            limit_usage,
            spent_usage,
            reserved_usage,
            remaining_usage,
            utilization_percent: standing.utilization_percent,
            state: standing.state.into(),
            period_start: standing.span.starts_at(),
            period_end: standing.span.ends_at(),
            forecast_usd: standing.forecast_usd(),
            exhausted_at: standing.exhausted_at,
            cover: Some(cover).filter(|cover| !cover.is_empty()),
            each: standing.each.map(Word::from),
            key: standing.key.as_deref().map(str::to_owned),
            action: Some(standing.action).filter(|action| *action != Action::Block).map(Word::from),
            scope: Some(standing.scope).filter(|scope| *scope != BudgetScope::Agent).map(Word::from),
            keys: None,
            keys_warning: None,
            keys_exhausted: None,
            fullest: None,
            threshold: None,
            overridden: None,
            name: standing.name,
        }
    }
}

impl From<BudgetStanding> for BudgetItem {
    fn from(standing: BudgetStanding) -> Self {
        match standing {
            BudgetStanding::Whole(standing) => standing.into(),
            BudgetStanding::Keyed(KeysStanding { standing, counts, fullest }) => Self {
                spent_usd: None,
                reserved_usd: None,
                remaining_usd: None,
                spent_usage: None,
                reserved_usage: None,
                remaining_usage: None,
                forecast_usd: None,
                exhausted_at: None,
                key: None,
                keys: Some(counts.keys),
                keys_warning: Some(counts.warning),
                keys_exhausted: Some(counts.exhausted),
                fullest: Some(fullest.into_iter().map(KeyItem::from).collect()),
                ..standing.into()
            },
        }
    }
}

impl From<KeyStanding> for KeyItem {
    fn from(KeyStanding { key, account, state }: KeyStanding) -> Self {
        let (spent_usd, spent_usage) = amounts(&account, |used| used.spent);
        let (reserved_usd, reserved_usage) = amounts(&account, |used| used.reserved);
        let (remaining_usd, remaining_usage) = amounts(&account, Used::remaining);
        Self {
            key: key.into(),
            spent_usd,
            reserved_usd,
            remaining_usd,
            spent_usage,
            reserved_usage,
            remaining_usage,
            utilization_percent: account.utilization_percent(),
            state: state.into(),
        }
    }
}

impl OverrideItem {
    /// What is said where the settings have this limit.
    pub fn new(line: &LimitOverride, configured: &Limit) -> Self {
        let account = Account::new(configured, None, None);
        let (configured_limit_usd, configured_limit_usage) = amounts(&account, |used| used.limit);
        let LimitOverride { reason, actor, timestamp, expires_at, token, .. } = line.clone();
        Self { configured_limit_usd, configured_limit_usage, reason, actor, timestamp, expires_at, token }
    }
}

impl BudgetItem {
    /// The limit, as a person writes it.
    pub fn limit(&self) -> String {
        match (&self.limit_usd, &self.limit_usage) {
            (Some(usd), _) => format!("{usd} USD"),
            (None, Some(usage)) => joined(usage),
            (None, None) => String::new(),
        }
    }

    /// What was spent, as a person writes it next to the limit.
    pub fn spent(&self) -> Option<String> {
        self.spent_usd.map(|usd| usd.to_string()).or_else(|| self.spent_usage.as_ref().map(joined))
    }
}

fn joined(usage: &UsageAmounts) -> String {
    let one = |(name, amount): (&String, &Exact)| format!("{amount} {name}");
    usage.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_written_as_it_was_read_to_the_last_digit() {
        let json = r#"{"name":"openai-daily","service":"openai","period":"daily","limit_usd":50,"spent_usd":49.999999999999,"reserved_usd":0.000000000001,"remaining_usd":0,"utilization_percent":99.999999999998,"state":"critical","period_start":"2026-11-22T00:00:00Z","period_end":"2026-11-23T00:00:00Z","forecast_usd":123456789012345678.000000000001,"exhausted_at":null}"#;
        let item: BudgetItem = serde_json::from_str(json).unwrap();
        assert_eq!(item.forecast_usd, Some(Usd::parse("123456789012345678.000000000001").unwrap()));
        assert!(serde_json::from_str::<BudgetItem>(&json.replace("123456789012345678.000000000001", "null")).is_ok());
        assert_eq!(serde_json::to_string(&item).unwrap(), json);
        let newer = json.replace("\"critical\"", "\"frozen\",\"owner\":[1]");
        assert_eq!(serde_json::from_str::<BudgetItem>(&newer).unwrap().state.as_str(), "frozen");
    }

    #[test]
    fn usage_is_written_with_all_its_digits() {
        let json = r#"{"name":"t","service":null,"period":"hourly","limit_usage":{"input_tokens":2000000,"seconds":0.5},"spent_usage":{"input_tokens":9007199254740993.000001,"seconds":0},"reserved_usage":{"input_tokens":0,"seconds":0},"remaining_usage":{"input_tokens":-9007199252740993.000001,"seconds":0.5},"utilization_percent":1.0,"state":"exhausted","period_start":null,"period_end":null,"forecast_usd":null,"exhausted_at":null,"match":{"model":["gpt-*"]},"each":"lead","key":"acme","action":"watch"}"#;
        let item: BudgetItem = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&item).unwrap(), json);
        assert_eq!(item.limit(), "2000000 input_tokens, 0.5 seconds");
    }
}
