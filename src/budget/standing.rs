//! Where a budget stands at an instant.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::Budget;
use crate::domain::{Name, PeriodKind, Reached, Threshold, Usd, nearest_f64_percent};

/// What counts against a budget in its current period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Recorded cost.
    pub spent: Usd,
    /// Set aside by open reservations.
    pub reserved: Usd,
}

/// In a second.
const NANOSECONDS: i128 = 1_000_000_000;
/// What a period has come to in less than this says nothing about the rest of it.
const FORECAST_AFTER_NS: i128 = 3_600 * NANOSECONDS;
/// Nor in less than this part of the period: a twentieth.
const FORECAST_AFTER_PART: i128 = 20;

/// How serious it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum BudgetState {
    /// Below the alert threshold.
    Ok,
    /// At or above the alert threshold.
    Warning,
    /// At or above the gate threshold.
    Critical,
    /// The whole limit is spent.
    Exhausted,
}

/// One budget in its current period.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The budget's name.
    pub name: String,
    /// The service it covers; `None` covers all cost.
    pub service: Option<Name>,
    /// Daily or monthly.
    pub period: PeriodKind,
    /// The limit.
    pub limit_usd: Usd,
    /// Cost of the period so far: charges and credits; below zero where credits prevail.
    pub spent_usd: Usd,
    /// Set aside by open reservations.
    pub reserved_usd: Usd,
    /// Limit − spent − reserved, where a sum below zero counts as 0; negative once the limit is passed.
    pub remaining_usd: Usd,
    /// Spent ÷ limit × 100, where a sum below zero counts as 0: the float nearest to the exact share.
    pub utilization_percent: f64,
    /// How serious it is.
    pub state: BudgetState,
    /// First instant of the period.
    pub period_start: Timestamp,
    /// First instant of the next one.
    pub period_end: Timestamp,
    /// What the period will cost at its pace so far, zero or more; `None` while too little of it has passed to tell.
    pub forecast_usd: Option<Usd>,
    /// Of an exhausted budget: the time of the event with which it first was, if that is known. Else when it will be at the pace so
    /// far, if there is a forecast and that is within the period.
    pub exhausted_at: Option<Timestamp>,
    /// The share that closes the gate.
    pub gate_at: Threshold,
}

/// Works out where a budget stands at `now`, in the period from `start` to `end`. `reached` says when its limit was used up, if it was.
pub fn assess(
    budget: &Budget,
    used: Used,
    reached: Reached,
    (start, end): (Timestamp, Timestamp),
    now: Timestamp,
) -> Standing {
    let counted = used.counted();
    let state = state(budget, counted);
    let pace = Pace::of(counted, start, end, now);
    let exhausted_at = match state {
        BudgetState::Exhausted => exhausted_since(budget.limit, reached, start),
        _ => pace.and_then(|pace| pace.reaches(budget.limit)),
    };
    Standing {
        name: budget.name.clone(),
        service: budget.service.clone(),
        period: budget.period,
        limit_usd: budget.limit,
        spent_usd: used.spent,
        reserved_usd: used.reserved,
        remaining_usd: used.remaining(budget),
        utilization_percent: nearest_f64_percent(counted, budget.limit),
        state,
        period_start: start,
        period_end: end,
        forecast_usd: pace.and_then(Pace::forecast),
        exhausted_at,
        gate_at: budget.gate_at,
    }
}

/// How fast a budget is used, once enough of its period has passed to tell.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Zero or more.
    spent: Usd,
    start: Timestamp,
    elapsed_ns: i128,
    length_ns: i128,
}

fn state(budget: &Budget, spent: Usd) -> BudgetState {
    // From the most serious down: a threshold may lie above the limit, and the limit itself always counts.
    if Threshold::FULL.reached(spent, budget.limit) {
        BudgetState::Exhausted
    } else if budget.gate_at.reached(spent, budget.limit) {
        BudgetState::Critical
    } else if budget.warn_at.reached(spent, budget.limit) {
        BudgetState::Warning
    } else {
        BudgetState::Ok
    }
}

/// A limit of 0 is used up from the start, without any event.
fn exhausted_since(limit: Usd, reached: Reached, start: Timestamp) -> Option<Timestamp> {
    match reached {
        _ if limit <= Usd::ZERO => Some(start),
        Reached::At(time) => Some(time),
        Reached::Never | Reached::SomeTime => None,
    }
}

impl Pace {
    fn of(spent: Usd, start: Timestamp, end: Timestamp, now: Timestamp) -> Option<Self> {
        let elapsed_ns = now.as_nanosecond() - start.as_nanosecond();
        let length_ns = end.as_nanosecond() - start.as_nanosecond();
        let tells = elapsed_ns >= FORECAST_AFTER_NS && elapsed_ns * FORECAST_AFTER_PART >= length_ns;
        tells.then_some(Self { spent, start, elapsed_ns, length_ns })
    }

    /// Spent × length ÷ elapsed, rounded to a pico-dollar.
    fn forecast(self) -> Option<Usd> {
        mul_div(self.spent.pico(), self.length_ns, self.elapsed_ns).map(Usd::from_pico)
    }

    /// When this limit, which is not reached yet, will be.
    fn reaches(self, limit: Usd) -> Option<Timestamp> {
        let after_ns = mul_div(limit.pico(), self.elapsed_ns, self.spent.pico())?;
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

    fn budget(limit: &str) -> Budget {
        Budget {
            name: "daily".into(),
            service: None,
            period: PeriodKind::Daily,
            limit: Usd::parse(limit).unwrap(),
            warn_at: Threshold::parse("0.8").unwrap(),
            gate_at: Threshold::parse("0.9").unwrap(),
        }
    }

    fn standing(limit: &str, spent: &str, now: &str) -> Standing {
        reached(limit, spent, Reached::SomeTime, now)
    }

    fn reached(limit: &str, spent: &str, reached: Reached, now: &str) -> Standing {
        let bounds = ("2026-11-22T00:00:00Z".parse().unwrap(), "2026-11-23T00:00:00Z".parse().unwrap());
        let used = Used { spent: Usd::parse(spent).unwrap(), reserved: Usd::ZERO };
        assess(&budget(limit), used, reached, bounds, now.parse().unwrap())
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
        assert_eq!(noon.forecast_usd, Some(Usd::from_dollars(60)));
        assert_eq!(noon.exhausted_at.unwrap().to_string(), "2026-11-22T20:00:00Z");
        assert_eq!(noon.remaining_usd, Usd::from_dollars(20));

        let calm = standing("50", "10", "2026-11-22T12:00:00Z");
        assert_eq!(calm.forecast_usd, Some(Usd::from_dollars(20)));
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
            assert_eq!((standing.forecast_usd.is_some(), standing.exhausted_at.is_some()), (tells, tells), "{now}");
        }
        let (start, now) = ("2026-11-22T00:00:00Z".parse().unwrap(), |text: &str| text.parse().unwrap());
        let quarter = "2026-11-22T06:00:00Z".parse().unwrap();
        assert!(Pace::of(Usd::ZERO, start, quarter, now("2026-11-22T00:59:59.999999999Z")).is_none());
        assert!(Pace::of(Usd::ZERO, start, quarter, now("2026-11-22T01:00:00Z")).is_some());
    }

    #[test]
    fn credits_bring_nothing_below_zero_but_the_sum() {
        let credited = standing("50", "-4", "2026-11-22T12:00:00Z");
        assert_eq!(credited.spent_usd, Usd::from_dollars(-4));
        assert_eq!(credited.remaining_usd, Usd::from_dollars(50));
        assert_eq!((credited.utilization_percent, credited.forecast_usd), (0.0, Some(Usd::ZERO)));
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
        assert!(far.forecast_usd.unwrap() > far.spent_usd);
        let slow = standing("999999999999999999", "0.000000000001", "2026-11-22T12:00:00Z");
        assert_eq!((slow.forecast_usd, slow.exhausted_at), (Some(Usd::from_pico(2)), None));
    }
}
