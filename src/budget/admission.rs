//! The one rule for "may this be spent?". A check asks it of the published state, a reservation of the state that the writer is
//! about to commit.

use std::borrow::Cow;

use super::{Action, BudgetScope, Drawn, GateVerdict, InUse, Measure, Policy, Unit};
use crate::domain::{FoldedSubject, GateMode, Span, Subject, UsageCount, Usd};

/// Something that somebody wants to pay for.
#[derive(Clone, Copy, Debug)]
pub struct Spend<'a> {
    /// What is to be paid for, and who asks.
    pub subject: Subject<'a>,
    /// The most that it is thought to cost; zero or more.
    pub estimate: Usd,
    /// The most that it is thought to use, each kind once.
    pub usage: &'a [UsageCount],
}

/// Whether it may be spent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may, whatever gate and budgets say.
    Critical,
    /// It may, because nothing is enforced.
    Unenforced,
    /// It may, because the gate is not active and it fits every budget.
    Fits,
    /// It may not.
    Refused(Refusal),
}

/// Why something may not be spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The scaling gate is active.
    GateActive {
        /// The gate's reason.
        reason: Cow<'static, str>,
        /// The budget that closed it; `None` where an operator did.
        budget: Option<BudgetLeft>,
    },
    /// It would pass a limit.
    BudgetExhausted(BudgetLeft),
    /// It would pass what this agent may use of a budget that a fleet shares. Other agents may have what is left of it.
    BeyondAllowance {
        /// What this agent may still use.
        left: BudgetLeft,
        /// What is known of the rest.
        rest: Rest,
    },
}

/// What is known of the part of a fleet's budget that this agent may not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Nobody was asked for it.
    Unasked,
    /// Other agents have so much of it and did not give it back.
    Elsewhere {
        /// What they have and have not spent.
        usd: Usd,
        /// How many of them did not answer.
        silent_agents: u32,
    },
    /// The fleet's database does not answer.
    Unreachable,
}

/// What asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// A check, which promises nothing: it counts on what nobody in the fleet has.
    Check,
    /// A reservation, which is granted of what this agent has.
    Reservation,
}

/// What is left of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetLeft {
    /// The budget's name.
    pub name: String,
    /// Whose limit it is, where the limit holds for each value of something by itself.
    pub key: Option<Box<str>>,
    /// Limit − spent − reserved, where a sum below zero counts as 0; may be negative. Of several units the one in question.
    pub remaining: Measure,
    /// The current period.
    pub span: Span,
}

/// What is used of a budget by a key, in each unit.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'l> {
    /// What was spent.
    pub spent: &'l [i128],
    /// What is reserved.
    pub reserved: &'l [i128],
    /// The period.
    pub span: Span,
    /// How it stands with the fleet, where one shares the budget.
    pub shared: Option<Shared>,
}

/// How a budget stands that a fleet shares.
#[derive(Clone, Copy, Debug)]
pub struct Shared {
    /// What the other agents use.
    pub elsewhere: InUse,
    /// What this agent may use beyond what it does.
    pub left: Usd,
    /// The period that leaves so little: this one, or one to come.
    pub span: Span,
}

/// Hears what is used; the last time counts.
pub type Take<'t> = &'t mut dyn FnMut(Looked<'_>);

/// Decides. `look` says what is used now of the budget at a place of the policy by a key, which is empty where the budget has no `each`.
///
/// # Errors
/// Those of `look`.
pub fn admit<E>(
    policy: &Policy,
    gate: &GateVerdict,
    spend: Spend<'_>,
    look: impl Fn(usize, &str, Take<'_>) -> Result<(), E>,
) -> Result<Admission, E> {
    let Subject { service, operation, .. } = spend.subject;
    if policy.critical.contains(service, operation) {
        return Ok(Admission::Critical);
    }
    if !policy.gate_enabled {
        return Ok(Admission::Unenforced);
    }
    if gate.active {
        let budget = if gate.mode == GateMode::Manual { None } else { closed_by(policy, &look)? };
        return Ok(Admission::Refused(Refusal::GateActive { reason: gate.reason.clone(), budget }));
    }
    let subject = spend.subject.folded();
    Ok(tightest(policy, spend, &subject, look)?.map_or(Admission::Fits, Admission::Refused))
}

/// The budget that closed the gate.
fn closed_by<E>(policy: &Policy, look: impl Fn(usize, &str, Take<'_>) -> Result<(), E>) -> Result<Option<BudgetLeft>, E> {
    for (position, budget) in policy.budgets.iter().enumerate().filter(|(_, budget)| budget.is_global()) {
        let (mut drawn, mut span) = (Drawn::default(), Span::default());
        look(position, "", &mut |looked| {
            (drawn, span) = (Drawn { spent: looked.spent.into(), reserved: looked.reserved.into() }, looked.span);
            looked.shared.iter().for_each(|shared| drawn.add(&shared.elsewhere));
        })?;
        if let Some(used) = drawn.account(&budget.limit).at_or_above(budget.gate_at) {
            let remaining = Measure { unit: used.unit.clone(), parts: used.remaining() };
            return Ok(Some(BudgetLeft { name: budget.name.clone(), key: None, remaining, span }));
        }
    }
    Ok(None)
}

/// Of the budgets that it would pass, the one with the least money left; without one of money, the first. Where it would pass none, the first
/// of those shared by a fleet of which this agent may not use so much.
fn tightest<E>(
    policy: &Policy,
    spend: Spend<'_>,
    subject: &FoldedSubject<'_>,
    look: impl Fn(usize, &str, Take<'_>) -> Result<(), E>,
) -> Result<Option<Refusal>, E> {
    let (mut tightest, mut beyond): (Option<BudgetLeft>, Option<BudgetLeft>) = (None, None);
    for (position, budget) in policy.budgets.iter().enumerate().filter(|(_, budget)| budget.action == Action::Block) {
        let Some(key) = budget.key_of(subject) else { continue };
        let (mut passed, mut short) = (None, None);
        look(position, key, &mut |Looked { spent, reserved, span, shared }| {
            let remaining = budget.limit.passed_by(spent, reserved, spend.estimate, spend.usage);
            passed = remaining.map(|remaining| (remaining, span));
            let shared = shared.filter(|shared| spend.estimate > shared.left);
            short = shared.map(|shared| (Measure { unit: Unit::Usd, parts: shared.left.pico() }, shared.span));
        })?;
        if budget.scope == BudgetScope::Fleet
            && beyond.is_none()
            && let Some((remaining, span)) = short
        {
            beyond = Some(BudgetLeft { name: budget.name.clone(), key: None, remaining, span });
        }
        let Some((remaining, span)) = passed else { continue };
        let is_tighter = match &tightest {
            None => true,
            Some(so_far) => match (remaining.usd(), so_far.remaining.usd()) {
                (Some(left), Some(so_far)) => left < so_far,
                (left, so_far) => left.is_some() && so_far.is_none(),
            },
        };
        if is_tighter {
            let key = budget.each.map(|_| key.into());
            tightest = Some(BudgetLeft { name: budget.name.clone(), key, remaining, span });
        }
    }
    let beyond = beyond.map(|left| Refusal::BeyondAllowance { left, rest: Rest::Unasked });
    Ok(tightest.map(Refusal::BudgetExhausted).or(beyond))
}

impl Admission {
    /// Why, for a person.
    pub fn reason(&self) -> Cow<'static, str> {
        match self {
            Self::Critical => "Critical operation".into(),
            Self::Unenforced => super::REASON_DISABLED.into(),
            Self::Fits => "Within budget".into(),
            Self::Refused(refusal) => refusal.reason().into(),
        }
    }
}

impl Refusal {
    /// Why, for a person.
    pub fn reason(&self) -> String {
        match self {
            Self::GateActive { reason, .. } => format!("Scaling gate is active: {reason}"),
            Self::BudgetExhausted(BudgetLeft { name, key, remaining, span }) => {
                let of = key.as_ref().map(|key| format!(" ({key})")).unwrap_or_default();
                let until = span.ends_at().map(|end| format!(" until {end}")).unwrap_or_default();
                format!("Budget {name}{of} has {remaining} left{until}")
            }
            Self::BeyondAllowance { left: BudgetLeft { name, remaining, .. }, rest } => {
                let rest = match rest {
                    Rest::Unasked => "other agents of the fleet may have the rest".to_owned(),
                    Rest::Elsewhere { usd, silent_agents: 0 } => format!("other agents of the fleet have {usd} USD"),
                    Rest::Elsewhere { usd, silent_agents: 1 } => {
                        format!("an agent of the fleet that does not answer has {usd} USD")
                    }
                    Rest::Elsewhere { usd, silent_agents } => {
                        format!("{silent_agents} agents of the fleet that do not answer have {usd} USD")
                    }
                    Rest::Unreachable => "the fleet's database does not answer".to_owned(),
                };
                format!("Budget {name} has {remaining} left for this agent, and {rest}")
            }
        }
    }

    /// The budget in question, if one is.
    pub const fn budget(&self) -> Option<&BudgetLeft> {
        match self {
            Self::GateActive { budget, .. } => budget.as_ref(),
            Self::BudgetExhausted(left) | Self::BeyondAllowance { left, .. } => Some(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use jiff::Timestamp;

    use super::*;
    use crate::budget::{Bars, Budget, CriticalOperations, Limit, judge};
    use crate::domain::{BudgetZone, Cover, Facet, GateOverride, Name, Quantity};

    fn usd(text: &str) -> Usd {
        Usd::parse(text).unwrap()
    }

    fn end() -> Timestamp {
        "2026-11-23T00:00:00Z".parse().unwrap()
    }

    /// Of all but `monthly` so much is spent and reserved.
    fn ask(policy: &Policy, manual: Option<bool>, spent: &str, reserved: &str, estimate: &str) -> Admission {
        asked(policy, manual, (spent, reserved), estimate, None, &[])
    }

    fn asked(
        policy: &Policy,
        manual: Option<bool>,
        (spent, reserved): (&str, &str),
        estimate: &str,
        lead: Option<&str>,
        usage: &[UsageCount],
    ) -> Admission {
        let drawn = |position: usize| {
            let budget = &policy.budgets[position];
            let amounts = |text: &str| match budget.name.as_str() {
                "monthly" => budget.limit.measure(Usd::ZERO, &[]),
                _ => budget.limit.measure(usd(text), &[]),
            };
            Drawn { spent: amounts(spent), reserved: amounts(reserved) }
        };
        let manual = manual.map(|active| GateOverride {
            active,
            reason: "by hand".into(),
            actor: String::new(),
            since: end(),
            expires_at: None,
            token: None,
        });
        let account = |position: usize| drawn(position).account(&policy.budgets[position].limit);
        let is_at_gate = |position: usize| Bars::of(&policy.budgets[position]).is_at_gate(&drawn(position).spent);
        let gate = judge(policy, manual.as_ref(), is_at_gate, account);
        let (service, operation) = (Name::new("openai").unwrap(), Name::new("chat").unwrap());
        let subject = Subject { service: &service, operation: &operation, worker: None, batch: None, lead, model: None };
        let spend = Spend { subject, estimate: usd(estimate), usage };
        let span = Span { start: Timestamp::MIN, end: end() };
        let look = |position: usize, _: &str, take: Take<'_>| {
            let Drawn { spent, reserved } = drawn(position);
            take(Looked { spent: &spent, reserved: &reserved, span, shared: None });
            Ok::<_, Infallible>(())
        };
        admit(policy, &gate, spend, look).unwrap()
    }

    fn policy() -> Policy {
        Policy::example(BudgetZone::UTC, 10)
    }

    fn left(admission: Admission) -> (String, Option<Box<str>>, String) {
        let Admission::Refused(Refusal::BudgetExhausted(left)) = admission else { panic!("{admission:?}") };
        (left.name, left.key, left.remaining.to_string())
    }

    #[test]
    fn what_fits_to_the_last_pico_dollar_is_admitted_and_nothing_beyond() {
        assert_eq!(ask(&policy(), None, "4", "5.5", "0.5"), Admission::Fits);
        assert_eq!(left(ask(&policy(), None, "4", "5.5", "0.500000000001")), ("daily".into(), None, "0.5 USD".into()));
        assert!(matches!(ask(&policy(), None, "4", "7", "0"), Admission::Refused(Refusal::BudgetExhausted(_))));
    }

    #[test]
    fn credits_leave_no_more_than_the_limit() {
        assert_eq!(ask(&policy(), None, "-500", "0", "10"), Admission::Fits);
        assert_eq!(left(ask(&policy(), None, "-500", "3", "7.000000000001")), ("daily".into(), None, "7 USD".into()));
    }

    #[test]
    fn a_budget_covers_its_service_in_any_letter_case() {
        let mut policy = policy();
        policy.budgets[0].cover = Cover::of_service(&Name::new("OpenAI").unwrap());
        assert!(matches!(ask(&policy, None, "10", "0", "1"), Admission::Refused(Refusal::BudgetExhausted(_))));
        policy.budgets[0].cover = Cover::of_service(&Name::new("OpenAI2").unwrap());
        assert_eq!(ask(&policy, None, "10", "0", "1"), Admission::Fits);
    }

    #[test]
    fn the_limit_of_each_lead_holds_for_those_that_name_one() {
        let mut policy = policy();
        policy.budgets[0].each = Some(Facet::Lead);
        let nine = ("9", "0");
        let refused = asked(&policy, None, nine, "1.5", Some("ACME"), &[]);
        assert_eq!(refused.reason(), "Budget daily (acme) has 1 USD left until 2026-11-23T00:00:00Z");
        assert_eq!(left(refused), ("daily".into(), Some("acme".into()), "1 USD".into()));
        assert_eq!(asked(&policy, None, nine, "1.5", None, &[]), Admission::Fits);
        assert_eq!(asked(&policy, None, nine, "1", Some("acme"), &[]), Admission::Fits, "it does not close the gate");
        policy.budgets[0].action = Action::Watch;
        assert_eq!(asked(&policy, None, nine, "1.5", Some("ACME"), &[]), Admission::Fits);
    }

    #[test]
    fn usage_is_measured_by_the_limits_of_its_kinds() {
        let tokens = |count| vec![UsageCount { kind: Name::new("input_tokens").unwrap(), count: Quantity::of(count) }];
        let mut policy = policy();
        policy.budgets[0].limit = Limit::Usage(tokens(1_000));
        assert_eq!(asked(&policy, None, ("5", "5"), "999", None, &tokens(1_000)), Admission::Fits);
        let refused = asked(&policy, None, ("5", "5"), "0", None, &tokens(1_001));
        assert_eq!(left(refused), ("daily".into(), None, "1000 input_tokens".into()));
        // Of two that are passed, the one of money is named.
        policy.budgets.push(Budget { name: "money".into(), ..Policy::example(BudgetZone::UTC, 10).budgets[0].clone() });
        assert_eq!(left(asked(&policy, None, ("5", "0"), "6", None, &tokens(1_001))).0, "money");
    }

    #[test]
    fn the_gate_comes_before_the_budgets_and_names_what_closed_it() {
        let Admission::Refused(Refusal::GateActive { budget: Some(left), .. }) = ask(&policy(), None, "9", "0", "0") else {
            panic!("nine tenths are spent")
        };
        assert_eq!(left.name, "daily");
        assert!(matches!(
            ask(&policy(), Some(true), "0", "0", "0"),
            Admission::Refused(Refusal::GateActive { budget: None, .. })
        ));
        assert_eq!(ask(&policy(), Some(false), "9", "0", "1"), Admission::Fits);
        assert!(matches!(ask(&policy(), Some(false), "9", "0", "1.1"), Admission::Refused(Refusal::BudgetExhausted(_))));
    }

    #[test]
    fn critical_work_and_a_disabled_gate_admit_everything() {
        let critical = Policy { critical: CriticalOperations::new(["openai:ch*"]), ..policy() };
        assert_eq!(ask(&critical, Some(true), "99", "0", "1"), Admission::Critical);
        let watching = Policy { gate_enabled: false, ..policy() };
        assert_eq!(ask(&watching, Some(true), "99", "0", "1"), Admission::Unenforced);
    }

    /// What a reservation of an estimate is told of budgets that a fleet shares, of which this agent may still use so much.
    fn among_a_fleet(policy: &Policy, left: &[&str], estimate: &str) -> Admission {
        let (service, operation) = (Name::new("openai").unwrap(), Name::new("chat").unwrap());
        let (worker, batch, lead, model) = (None, None, None, None);
        let subject = Subject { service: &service, operation: &operation, worker, batch, lead, model };
        let gate = GateVerdict { active: false, reason: "".into(), mode: GateMode::Auto };
        let look = |position: usize, _: &str, take: Take<'_>| {
            let shared = Shared { elsewhere: InUse::default(), left: usd(left[position]), span: Span::EVER };
            take(Looked { spent: &[0], reserved: &[0], span: Span::EVER, shared: Some(shared) });
            Ok::<_, Infallible>(())
        };
        admit(policy, &gate, Spend { subject, estimate: usd(estimate), usage: &[] }, look).unwrap()
    }

    #[test]
    fn an_agent_of_a_fleet_spends_what_it_may_use_to_the_last_pico_dollar() {
        let mut policy = policy();
        let of_agents = among_a_fleet(&policy, &["0", "0"], "1");
        assert_eq!(of_agents, Admission::Fits, "what each agent keeps by itself needs no allowance");
        policy.budgets.iter_mut().for_each(|budget| budget.scope = BudgetScope::Fleet);
        assert_eq!(among_a_fleet(&policy, &["2", "3"], "2"), Admission::Fits);
        for (estimate, name) in [("2.000000000001", "daily"), ("3.5", "daily")] {
            let refused = among_a_fleet(&policy, &["2", "3"], estimate);
            let Admission::Refused(Refusal::BeyondAllowance { left, rest: Rest::Unasked }) = refused else {
                panic!("{refused:?}")
            };
            assert_eq!((left.name.as_str(), left.remaining.usd()), (name, Some(usd("2"))), "{estimate}");
        }
        let passed = among_a_fleet(&policy, &["2", "3"], "11");
        assert_eq!(left(passed).0, "daily", "a limit that would be passed is the graver reason");
    }

    #[test]
    fn of_the_budgets_that_would_be_passed_the_one_with_the_least_money_left_is_named() {
        let of = |name: &str, limit| Budget { name: name.into(), limit, ..policy().budgets[0].clone() };
        let money = |name: &str, dollars| of(name, Limit::Usd(Usd::from_dollars(dollars)));
        let tokens = |name: &str| of(name, Limit::Usage(UsageCount::list(&[("tokens", 1)])));
        let wanted = UsageCount::list(&[("tokens", 2)]);
        for (budgets, named) in [
            (vec![money("a", 5), money("b", 3), money("c", 4)], "b"),
            (vec![money("a", 3), money("b", 3)], "a"),
            (vec![money("a", 5), tokens("b")], "a"),
            (vec![tokens("a"), tokens("b")], "a"),
            (vec![tokens("a"), money("b", 5), money("c", 4)], "c"),
        ] {
            let names: Vec<_> = budgets.iter().map(|budget| budget.name.clone()).collect();
            let policy = Policy { budgets, ..policy() };
            let refused = asked(&policy, Some(false), ("0", "0"), "6", None, &wanted);
            assert_eq!(left(refused).0, named, "{names:?}");
        }
    }

    #[test]
    fn a_refusal_says_who_has_the_rest() {
        let left = BudgetLeft {
            name: "daily".into(),
            key: None,
            remaining: Measure { unit: Unit::Usd, parts: usd("2").pico() },
            span: Span::EVER,
        };
        let elsewhere = |silent_agents| Rest::Elsewhere { usd: usd("7"), silent_agents };
        for (rest, said) in [
            (Rest::Unasked, "other agents of the fleet may have the rest"),
            (elsewhere(0), "other agents of the fleet have 7 USD"),
            (elsewhere(1), "an agent of the fleet that does not answer has 7 USD"),
            (elsewhere(2), "2 agents of the fleet that do not answer have 7 USD"),
            (Rest::Unreachable, "the fleet's database does not answer"),
        ] {
            let refusal = Refusal::BeyondAllowance { left: left.clone(), rest };
            assert_eq!(refusal.reason(), format!("Budget daily has 2 USD left for this agent, and {said}"));
            assert_eq!(refusal.budget(), Some(&left));
        }
        let gate = Refusal::GateActive { reason: "by hand".into(), budget: None };
        assert_eq!((gate.reason().as_str(), gate.budget()), ("Scaling gate is active: by hand", None));
        assert_eq!(Refusal::BudgetExhausted(left.clone()).budget(), Some(&left));
        let reasons = [Admission::Critical, Admission::Unenforced, Admission::Fits, Admission::Refused(gate)];
        let reasons = reasons.map(|admission| admission.reason().into_owned());
        assert_eq!(
            reasons,
            ["Critical operation", "Scaling gate is disabled", "Within budget", "Scaling gate is active: by hand"]
        );
    }
}
