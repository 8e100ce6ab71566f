//! Where a budget stands at an instant.

use jiff::Timestamp;

use super::{Account, Action, Budget, BudgetAccount, BudgetScope, BudgetState, Limit, Measure, Used};
use crate::domain::{Cover, Cycle, Facet, Reached, Span, Threshold, Usd};

/// In a second.
const NANOSECONDS: i128 = 1_000_000_000;
/// What a period has come to in less than this says nothing about the rest of it.
const FORECAST_AFTER_NS: i128 = 3_600 * NANOSECONDS;
/// Nor in less than this part of the period: a twentieth.
const FORECAST_AFTER_PART: i128 = 20;

/// One budget in its current period; of one with `each`, one key of it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The budget's name.
    pub name: String,
    /// What it covers.
    pub cover: Cover,
    /// Of what each value has the limit by itself.
    pub each: Option<Facet>,
    /// The value, folded, where the limit holds for each value of something.
    pub key: Option<Box<str>>,
    /// How often it begins anew.
    pub cycle: Cycle,
    /// What happens to work that would pass the limit.
    pub action: Action,
    /// Who keeps it.
    pub scope: BudgetScope,
    /// The limit.
    pub limit: Limit,
    /// What was spent and is reserved of it.
    pub account: Account,
    /// Spent ÷ limit × 100, where a sum below zero counts as 0: the float nearest to the exact share. Of several units the highest.
    pub utilization_percent: f64,
    /// How serious it is.
    pub state: BudgetState,
    /// The period.
    pub span: Span,
    /// What the period will come to at its pace so far, in the unit that the limit is in, zero or more; `None` while too little of it has
    /// passed to tell, or where it has no end.
    pub forecast: Option<Vec<i128>>,
    /// Of an exhausted budget: the time of the event with which it first was, if that is known. Else when it will be at the pace so
    /// far, if there is a forecast and that is within the period.
    pub exhausted_at: Option<Timestamp>,
    /// The shares that a message is sent at.
    pub warn_at: Vec<Threshold>,
    /// The share that closes the gate.
    pub gate_at: Threshold,
    /// Whether the automatic gate follows it.
    pub is_global: bool,
}

/// Works out where a budget stands at `now`. `reached` says when its limit was used up, if it was.
pub fn assess(
    budget: &Budget,
    key: Option<Box<str>>,
    BudgetAccount { account, span }: BudgetAccount,
    reached: Reached,
    now: Timestamp,
) -> Standing {
    let state = account.state(budget);
    let paces: Option<Vec<Pace>> = account.units().iter().map(|used| Pace::of(used, span, now)).collect();
    let exhausted_at = match state {
        BudgetState::Exhausted => exhausted_since(&account, reached, span),
        // The first of the units that is used up.
        _ => paces.iter().flatten().filter_map(|pace| pace.reaches_limit()).min(),
    };
    Standing {
        name: budget.name.clone(),
        cover: budget.cover.clone(),
        each: budget.each,
        key,
        cycle: budget.cycle,
        action: budget.action,
        scope: budget.scope,
        limit: budget.limit.clone(),
        utilization_percent: account.utilization_percent(),
        account,
        state,
        span,
        forecast: paces.and_then(|paces| paces.into_iter().map(Pace::forecast).collect()),
        exhausted_at,
        warn_at: budget.warn_at.clone(),
        gate_at: budget.gate_at,
        is_global: budget.is_global(),
    }
}

impl Standing {
    /// Something of each unit, with its unit.
    pub fn measures(&self, of: impl Fn(&Used) -> i128) -> impl Iterator<Item = Measure> {
        self.account.units().iter().map(move |used| Measure { unit: used.unit.clone(), parts: of(used) })
    }

    /// What counts of a budget of money: its limit, what was spent, what is reserved and what remains.
    pub fn usd(&self) -> Option<[Usd; 4]> {
        let (Limit::Usd(_), [used]) = (&self.limit, self.account.units()) else { return None };
        Some([used.limit, used.spent, used.reserved, used.remaining()].map(Usd::from_pico))
    }

    /// The forecast of a budget of money.
    pub fn forecast_usd(&self) -> Option<Usd> {
        match (&self.limit, self.forecast.as_deref()) {
            (Limit::Usd(_), Some([forecast])) => Some(Usd::from_pico(*forecast)),
            _ => None,
        }
    }
}

/// How fast a unit of a budget is used, once enough of its period has passed to tell.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Zero or more.
    spent: i128,
    limit: i128,
    start: Timestamp,
    elapsed_ns: i128,
    length_ns: i128,
}

/// A limit of 0 is used up from the start, without any event.
fn exhausted_since(account: &Account, reached: Reached, span: Span) -> Option<Timestamp> {
    match reached {
        _ if account.units().iter().any(|used| used.limit <= 0) => span.starts_at(),
        Reached::At(time) => Some(time),
        Reached::Never | Reached::SomeTime => None,
    }
}

impl Pace {
    fn of(used: &Used, span: Span, now: Timestamp) -> Option<Self> {
        let (start, end) = (span.starts_at()?, span.ends_at()?);
        let elapsed_ns = now.as_nanosecond() - start.as_nanosecond();
        let length_ns = end.as_nanosecond() - start.as_nanosecond();
        let tells = elapsed_ns >= FORECAST_AFTER_NS && elapsed_ns * FORECAST_AFTER_PART >= length_ns;
        tells.then_some(Self { spent: used.counted(), limit: used.limit, start, elapsed_ns, length_ns })
    }

    /// Spent × length ÷ elapsed, rounded to the unit's smallest part.
    fn forecast(self) -> Option<i128> {
        mul_div(self.spent, self.length_ns, self.elapsed_ns)
    }

    /// When its limit, which is not reached yet, will be.
    fn reaches_limit(self) -> Option<Timestamp> {
        let after_ns = mul_div(self.limit, self.elapsed_ns, self.spent)?;
        if after_ns >= self.length_ns {
            return None;
        }
        // A forecast to the second is more than it can know.
        Timestamp::from_second(self.start.as_second() + i64::try_from(after_ns / NANOSECONDS).ok()?).ok()
    }
}

/// `a × b ÷ divisor`, to the nearest integer, without overflow in between; `None` when the divisor is not positive or the
/// result is beyond any amount or time.
fn mul_div(a: i128, b: i128, divisor: i128) -> Option<i128> {
    if divisor <= 0 {
        return None;
    }
    // a × b = (q × divisor + r) × b: the whole part exactly, the rest with as many bits as fit.
    let (quotient, remainder) = (a.div_euclid(divisor), a.rem_euclid(divisor));
    let whole = quotient.checked_mul(b)?;
    let rest = match remainder.checked_mul(b) {
        Some(product) => (product + divisor / 2) / divisor,
        // The divisor is far above 2⁶³ here, so halving both sides of the fraction loses less than one part in 10⁹.
        None => (remainder >> 64).checked_mul(b)? / (divisor >> 64).max(1),
    };
    whole.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PeriodKind;

    fn standing(limit: &str, spent: &str, now: &str) -> Standing {
        reached(limit, spent, Reached::SomeTime, now)
    }

    fn reached(limit: &str, spent: &str, reached: Reached, now: &str) -> Standing {
        let span = Span { start: "2026-11-22T00:00:00Z".parse().unwrap(), end: "2026-11-23T00:00:00Z".parse().unwrap() };
        let budget = Budget::example("daily", PeriodKind::Daily, limit);
        let spent = budget.limit.measure(Usd::parse(spent).unwrap(), &[]);
        let account = Account::new(&budget.limit, Some(&spent), None);
        assess(&budget, None, BudgetAccount { account, span }, reached, now.parse().unwrap())
    }

    #[test]
    fn states_begin_exactly_at_their_thresholds() {
        for (spent, state) in [
            ("39.999999999999", BudgetState::Ok),
            ("40", BudgetState::Warning),
            ("44.999999999999", BudgetState::Warning),
            ("45", BudgetState::Critical),
            ("49.999999999999", BudgetState::Critical),
            ("50", BudgetState::Exhausted),
            ("-3", BudgetState::Ok),
        ] {
            assert_eq!(standing("50", spent, "2026-11-22T12:00:00Z").state, state, "{spent}");
        }
        assert_eq!(standing("0", "0", "2026-11-22T12:00:00Z").state, BudgetState::Exhausted);
    }

    #[test]
    fn the_forecast_is_linear_in_the_elapsed_part() {
        let noon = standing("50", "30", "2026-11-22T12:00:00Z");
        assert_eq!(noon.forecast_usd(), Some(Usd::from_dollars(60)));
        assert_eq!(noon.exhausted_at.unwrap().to_string(), "2026-11-22T20:00:00Z");
        assert_eq!(noon.usd().unwrap()[3], Usd::from_dollars(20));
        let shown: Vec<String> = noon.measures(Used::remaining).map(|measure| measure.to_string()).collect();
        assert_eq!(shown, ["20 USD"]);

        let calm = standing("50", "10", "2026-11-22T12:00:00Z");
        assert_eq!(calm.forecast_usd(), Some(Usd::from_dollars(20)));
        assert_eq!(calm.exhausted_at, None);
        assert_eq!(standing("50", "0", "2026-11-22T12:00:00Z").exhausted_at, None);
    }

    /// Of a month a twentieth is more than an hour; were a period shorter than 20 hours, the hour would be more.
    #[test]
    fn nothing_is_forecast_from_the_first_moments_of_a_period() {
        for (now, tells) in [
            ("2026-11-21T23:59:59Z", false),
            ("2026-11-22T00:00:00Z", false),
            ("2026-11-22T00:00:01Z", false),
            ("2026-11-22T01:11:59.999999999Z", false),
            ("2026-11-22T01:12:00Z", true),
        ] {
            let standing = standing("50", "5", now);
            assert_eq!((standing.forecast.is_some(), standing.exhausted_at.is_some()), (tells, tells), "{now}");
        }
        let now = |text: &str| text.parse().unwrap();
        let quarter = Span { start: now("2026-11-22T00:00:00Z"), end: now("2026-11-22T06:00:00Z") };
        let used = Used { unit: crate::budget::Unit::Usd, limit: 1, spent: 0, reserved: 0 };
        assert!(Pace::of(&used, quarter, now("2026-11-22T00:59:59.999999999Z")).is_none());
        assert!(Pace::of(&used, quarter, now("2026-11-22T01:00:00Z")).is_some());
        assert!(Pace::of(&used, Span::EVER, now("2026-11-22T01:00:00Z")).is_none());
    }

    #[test]
    fn credits_bring_nothing_below_zero_but_the_sum() {
        let credited = standing("50", "-4", "2026-11-22T12:00:00Z");
        assert_eq!(credited.usd().unwrap()[1], Usd::from_dollars(-4));
        assert_eq!(credited.usd().unwrap()[3], Usd::from_dollars(50));
        assert_eq!((credited.utilization_percent, credited.forecast_usd()), (0.0, Some(Usd::ZERO)));
        assert_eq!((credited.state, credited.exhausted_at), (BudgetState::Ok, None));
    }

    #[test]
    fn an_exhausted_budget_says_when_it_was_or_nothing() {
        let (event, noon) = (Reached::At("2026-11-22T11:41:00Z".parse().unwrap()), "2026-11-22T12:00:00Z");
        assert_eq!(reached("10", "15", event, noon).exhausted_at.unwrap().to_string(), "2026-11-22T11:41:00Z");
        assert_eq!(reached("10", "15", Reached::SomeTime, noon).exhausted_at, None);
        assert_eq!(reached("0", "0", Reached::Never, noon).exhausted_at.unwrap().to_string(), "2026-11-22T00:00:00Z");
        // It was, and a credit came: what is asked for is when it will be.
        assert_eq!(reached("10", "9", event, noon).exhausted_at.unwrap().to_string(), "2026-11-22T13:20:00Z");
    }

    #[test]
    fn enormous_sums_do_not_overflow_the_forecast() {
        let far = standing("999999999999999999", "900000000000000000", "2026-11-22T02:00:00Z");
        assert!(far.forecast_usd().unwrap() > far.usd().unwrap()[1]);
        // Two hours for nine tenths of it; a forecast may be a second off.
        let ten_ninths = far.exhausted_at.unwrap().as_second() - far.span.start.as_second();
        assert!((7_999..=8_001).contains(&ten_ninths), "{ten_ninths}");
        let slow = standing("999999999999999999", "0.000000000001", "2026-11-22T12:00:00Z");
        assert_eq!((slow.forecast_usd(), slow.exhausted_at), (Some(Usd::from_pico(2)), None));
    }

    #[test]
    fn a_part_is_rounded_to_the_nearest_and_nothing_overflows() {
        for (a, b, divisor, expected) in [
            (5, 1, 4, Some(1)),
            (7, 1, 4, Some(2)),
            (5, 1, 2, Some(3)),
            (7, 6, 4, Some(11)),
            (0, 7, 3, Some(0)),
            (7, 0, 3, Some(0)),
            (7, 7, 0, None),
            (7, 7, -1, None),
            (i128::MAX, 2, 1, None),
            (i128::MAX, 3, 3, Some(i128::MAX)),
        ] {
            assert_eq!(mul_div(a, b, divisor), expected, "{a} × {b} ÷ {divisor}");
        }
        let third = mul_div(10_i128.pow(30), 10_i128.pow(16), 3 * 10_i128.pow(30) + 7).unwrap();
        assert!((third - 3_333_333_333_333_333).abs() < 10_i128.pow(7), "{third}");
    }
}
