//! What the operator asked for: the budgets, and whether the gate may close.

use super::{BudgetScope, CriticalOperations, Limit};
use crate::domain::{BudgetZone, Cover, Cycle, Facet, FoldedSubject, Name, Threshold};

/// A limit for a period: for everything, for what it covers, or for each value of something by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Unique name, such as `daily`.
    pub name: String,
    /// What counts against it.
    pub cover: Cover,
    /// Where the limit holds for each value of something by itself: of what. What has no such value does not count.
    pub each: Option<Facet>,
    /// How often it begins anew.
    pub cycle: Cycle,
    /// What may be spent in one period.
    pub limit: Limit,
    /// Shares of the limit at which a message is sent, ascending, at least one; from the lowest on the state is `warning`.
    pub warn_at: Vec<Threshold>,
    /// Share of the limit from which the state is `critical`; a global budget closes the gate there.
    pub gate_at: Threshold,
    /// What happens to work that would pass the limit.
    pub action: Action,
    /// Who keeps it.
    pub scope: BudgetScope,
}

/// What happens to work that would pass a limit.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, strum::EnumString, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Action {
    /// It is refused.
    #[default]
    Block,
    /// It is counted and told.
    Watch,
}

/// Everything the rules need to know besides what was spent.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The zone whose days and months are counted.
    pub zone: BudgetZone,
    /// In the order in which they are shown.
    pub budgets: Vec<Budget>,
    /// `false`: watch and account, but never close the gate.
    pub gate_enabled: bool,
    /// Operations that are never refused.
    pub critical: CriticalOperations,
}

impl Policy {
    /// The services that budgets name, as far as they are names.
    pub fn services(&self) -> impl Iterator<Item = Name> + '_ {
        let patterns = self.budgets.iter().flat_map(|budget| budget.cover.patterns(Facet::Service));
        patterns.filter_map(|pattern| Name::new(pattern.literal()?).ok())
    }
}

impl Action {
    /// The word used in settings and JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Budget {
    /// Whether all cost counts against it, and passing it means that work must stop: such budgets move the gate.
    pub fn is_global(&self) -> bool {
        self.is_of_all() && self.action == Action::Block
    }

    /// Whether everything counts against it, under the one empty key.
    pub fn is_of_all(&self) -> bool {
        self.each.is_none() && self.cover.is_everything()
    }

    /// Under which key this counts against it: an empty one where the budget has no `each`; `None` where it does not count.
    pub fn key_of<'s>(&self, subject: &'s FoldedSubject<'_>) -> Option<&'s str> {
        self.cover.key_of(self.each, subject)
    }
}

#[cfg(test)]
impl Policy {
    /// The two global budgets at their default thresholds, 1,000 USD a month, for tests.
    pub(crate) fn example(zone: BudgetZone, daily_dollars: i64) -> Self {
        use crate::domain::PeriodKind;
        let budgets = vec![
            Budget::example("daily", PeriodKind::Daily, &daily_dollars.to_string()),
            Budget::example("monthly", PeriodKind::Monthly, "1000"),
        ];
        Self { zone, budgets, gate_enabled: true, critical: CriticalOperations::default() }
    }
}

#[cfg(test)]
impl Budget {
    /// A budget of all cost at the default thresholds, for tests.
    pub(crate) fn example(name: &str, kind: crate::domain::PeriodKind, limit: &str) -> Self {
        Self {
            name: name.into(),
            cover: Cover::default(),
            each: None,
            cycle: Cycle::calendar(kind),
            limit: Limit::Usd(crate::domain::Usd::parse(limit).unwrap()),
            warn_at: vec![Threshold::parse("0.8").unwrap()],
            gate_at: Threshold::parse("0.9").unwrap(),
            action: Action::Block,
            scope: BudgetScope::Agent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_of_all_cost_and_refuses_work_moves_the_gate() {
        let plain = Policy::example(BudgetZone::UTC, 10).budgets[0].clone();
        let of_service = Cover::of_service(&Name::new("openai").unwrap());
        for (budget, is_of_all, is_global) in [
            (plain.clone(), true, true),
            (Budget { action: Action::Watch, ..plain.clone() }, true, false),
            (Budget { each: Some(Facet::Lead), ..plain.clone() }, false, false),
            (Budget { cover: of_service, ..plain }, false, false),
        ] {
            assert_eq!((budget.is_of_all(), budget.is_global()), (is_of_all, is_global), "{budget:?}");
        }
        assert_eq!([Action::Block.as_str(), Action::Watch.as_str()], ["block", "watch"]);
    }

    #[test]
    fn services_are_those_that_patterns_name() {
        let mut policy = Policy::example(BudgetZone::UTC, 10);
        let patterns = ["OpenAI", "any*", ""].map(crate::domain::Pattern::new);
        policy.budgets[0].cover = Cover::default().with(Facet::Service, patterns);
        let services: Vec<_> = policy.services().map(|service| service.to_string()).collect();
        assert_eq!(services, ["OpenAI"]);
    }
}
