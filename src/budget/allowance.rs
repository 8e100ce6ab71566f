//! A limit that moves: what an agent may use of a budget that a fleet shares.
//!
//! *Invariants.* Nothing is granted of a fleet's budget without one. What is used stays used: an allowance below it grants nothing more. One
//! for a period that is still to come binds already, since what is held now is held then as well.

use std::sync::Arc;

use crate::domain::{Span, Steady, Usd};

/// Who keeps a budget.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, strum::EnumString, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum BudgetScope {
    /// Each agent by itself.
    #[default]
    Agent,
    /// All agents of the fleet together.
    Fleet,
}

/// What was used of a budget in a period, as one ledger has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    /// What was spent; below zero where credits prevail.
    pub spent: Usd,
    /// What open reservations set aside.
    pub held: Usd,
}

/// What this agent may use of a fleet's budget in one period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The budget's name.
    pub budget: Arc<str>,
    /// The period.
    pub span: Span,
    /// The most that may be spent and held here, what is so already included.
    pub limit: Usd,
    /// From then on nothing is granted of it; `None`: it does not lapse.
    pub until: Option<Steady>,
    /// What nobody has, as far as is known: more may be had by asking.
    pub free: Usd,
    /// What the other agents use.
    pub elsewhere: InUse,
}

/// A change of an allowance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowanceOrder {
    /// It is this from now on.
    Set(Allowance),
    /// What is in use, and no more than this beyond it.
    Lower {
        /// The budget's name.
        budget: Arc<str>,
        /// The period.
        span: Span,
        /// What may stay unused; `None`: whatever is.
        unused: Option<Usd>,
    },
    /// There is none any more.
    Drop {
        /// The budget's name.
        budget: Arc<str>,
        /// The period.
        span: Span,
    },
}

/// What this agent may use of budgets that a fleet shares. Few; cloning them is cheap.
#[derive(Clone, Debug, Default)]
pub struct Allowances(Arc<Vec<Allowance>>);

impl BudgetScope {
    /// The word used in settings and JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl InUse {
    /// From amounts of money.
    pub fn of(spent: &[i128], held: &[i128]) -> Self {
        let usd = |amounts: &[i128]| Usd::from_pico(amounts.first().copied().unwrap_or(0));
        Self { spent: usd(spent), held: usd(held) }
    }

    /// What of the limit is taken. Credits never make more than the limit available.
    pub fn used(&self) -> Usd {
        self.spent.max(Usd::ZERO) + self.held
    }
}

impl Allowance {
    /// What may still be granted of it.
    pub fn left(&self, in_use: &InUse, now: Steady) -> Usd {
        let has_lapsed = self.until.is_some_and(|until| until <= now);
        if has_lapsed { Usd::ZERO } else { self.limit - in_use.used() }
    }
}

impl AllowanceOrder {
    /// The budget's name.
    pub fn budget(&self) -> &Arc<str> {
        match self {
            Self::Set(allowance) => &allowance.budget,
            Self::Lower { budget, .. } | Self::Drop { budget, .. } => budget,
        }
    }

    /// The period.
    pub fn span(&self) -> Span {
        match self {
            Self::Set(allowance) => allowance.span,
            Self::Lower { span, .. } | Self::Drop { span, .. } => *span,
        }
    }
}

impl Allowances {
    /// Of a budget, that of a period.
    pub fn of(&self, budget: &str, span: Span) -> Option<&Allowance> {
        self.0.iter().find(|allowance| *allowance.budget == *budget && allowance.span == span)
    }

    /// Those of a budget that bind in a period: its own, and those of later ones.
    pub fn binding<'a>(&'a self, budget: &'a str, span: Span) -> impl Iterator<Item = &'a Allowance> {
        self.0.iter().filter(move |allowance| *allowance.budget == *budget && allowance.span.start >= span.start)
    }

    /// Carries out a change; `in_use` is what is used in its period at this moment.
    pub fn order(&mut self, order: AllowanceOrder, in_use: &InUse) {
        let list = Arc::make_mut(&mut self.0);
        let (budget, span) = (Arc::clone(order.budget()), order.span());
        let place = list.iter().position(|allowance| allowance.budget == budget && allowance.span == span);
        match (order, place) {
            (AllowanceOrder::Set(allowance), Some(place)) => list[place] = allowance,
            (AllowanceOrder::Set(allowance), None) => list.push(allowance),
            (AllowanceOrder::Lower { unused: Some(unused), .. }, Some(place)) => {
                list[place].limit = list[place].limit.min(in_use.used() + unused);
            }
            (AllowanceOrder::Drop { .. }, Some(place)) => drop(list.remove(place)),
            (AllowanceOrder::Lower { .. } | AllowanceOrder::Drop { .. }, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::parse(text).unwrap()
    }

    fn allowance(limit: &str) -> Allowance {
        let (budget, span) = ("daily".into(), Span::EVER);
        Allowance { budget, span, limit: usd(limit), until: None, free: Usd::ZERO, elsewhere: InUse::default() }
    }

    #[test]
    fn what_is_lowered_keeps_what_is_in_use() {
        let mut allowances = Allowances::default();
        let in_use = InUse { spent: usd("2"), held: usd("1") };
        allowances.order(AllowanceOrder::Set(allowance("10")), &in_use);
        let lower =
            |unused: &str| AllowanceOrder::Lower { budget: "daily".into(), span: Span::EVER, unused: Some(usd(unused)) };
        for (unused, limit) in [("20", "10"), ("4", "7"), ("5", "7"), ("0", "3")] {
            allowances.order(lower(unused), &in_use);
            assert_eq!(allowances.of("daily", Span::EVER).unwrap().limit, usd(limit), "{unused}");
        }
        allowances.order(AllowanceOrder::Drop { budget: "daily".into(), span: Span::EVER }, &in_use);
        assert_eq!(allowances.of("daily", Span::EVER), None);
    }

    #[test]
    fn credits_and_time_never_make_more_of_it() {
        let at = |seconds| Steady::since_start(std::time::Duration::from_secs(seconds));
        let mut allowance = allowance("10");
        assert_eq!(allowance.left(&InUse { spent: usd("-5"), held: usd("4") }, at(0)), usd("6"));
        allowance.until = Some(at(7));
        assert_eq!(allowance.left(&InUse::default(), at(6)), usd("10"));
        assert_eq!(allowance.left(&InUse::default(), at(7)), Usd::ZERO);
    }

    #[test]
    fn an_order_is_for_one_budget_in_one_period() {
        let day = |day: i8| {
            let at = |day| jiff::civil::date(2026, 11, day).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
            Span { start: at(day), end: at(day + 1) }
        };
        let of = |budget: &str, at: i8| Allowance { budget: budget.into(), span: day(at), ..allowance("10") };
        let mut allowances = Allowances::default();
        for allowance in [of("daily", 22), of("daily", 23), of("team", 22)] {
            allowances.order(AllowanceOrder::Set(allowance), &InUse::default());
        }
        let later = Allowance { limit: usd("3"), ..of("daily", 23) };
        allowances.order(AllowanceOrder::Set(later.clone()), &InUse::default());
        assert_eq!(allowances.of("daily", day(22)), Some(&of("daily", 22)));
        assert_eq!(allowances.of("daily", day(23)), Some(&later));
        assert_eq!(allowances.of("team", day(22)), Some(&of("team", 22)));
        assert_eq!(allowances.of("team", day(23)), None);
        // What is to come binds already; what is over does not.
        let binding = |at| allowances.binding("daily", day(at)).map(|allowance| allowance.limit).collect::<Vec<_>>();
        assert_eq!([binding(22), binding(23), binding(24)], [vec![usd("10"), usd("3")], vec![usd("3")], vec![]]);

        let keep = AllowanceOrder::Lower { budget: "daily".into(), span: day(23), unused: None };
        assert_eq!((&**keep.budget(), keep.span()), ("daily", day(23)));
        allowances.order(keep, &InUse::default());
        let unknown = AllowanceOrder::Lower { budget: "other".into(), span: day(23), unused: Some(Usd::ZERO) };
        allowances.order(unknown, &InUse::default());
        assert_eq!(allowances.of("daily", day(23)), Some(&later), "whatever is unused may stay so");
        allowances.order(AllowanceOrder::Drop { budget: "daily".into(), span: day(22) }, &InUse::default());
        assert_eq!((allowances.of("daily", day(22)), allowances.of("daily", day(23))), (None, Some(&later)));
        assert_eq!(allowances.of("team", day(22)), Some(&of("team", 22)));
    }

    #[test]
    fn what_is_in_use_is_money() {
        assert_eq!(InUse::of(&[3, 9], &[4]), InUse { spent: Usd::from_pico(3), held: Usd::from_pico(4) });
        assert_eq!(InUse::of(&[], &[]), InUse::default());
        assert_eq!([BudgetScope::Agent.as_str(), BudgetScope::Fleet.as_str()], ["agent", "fleet"]);
    }
}
