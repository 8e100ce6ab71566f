//! Where a budget stands at an instant.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::Budget;
use crate::domain::{Name, PeriodKind, Threshold, Usd, nearest_f64_percent};

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
    /// Cost of the period so far: charges and credits.
    pub spent_usd: Usd,
    /// Set aside by open reservations.
    pub reserved_usd: Usd,
    /// Limit − spent − reserved; negative once the limit is passed.
    pub remaining_usd: Usd,
    /// Spent ÷ limit × 100: the float nearest to the exact share.
    pub utilization_percent: f64,
    /// How serious it is.
    pub state: BudgetState,
    /// First instant of the period.
    pub period_start: Timestamp,
    /// First instant of the next one.
    pub period_end: Timestamp,
    /// What the period will cost at its pace so far.
    pub forecast_usd: Usd,
    /// When the limit is reached at that pace; `None` when not within the period.
    pub exhausted_at: Option<Timestamp>,
    /// The share that closes the gate.
    pub gate_at: Threshold,
}

/// Works out where a budget stands at `now`, in the period from `start` to `end`.
pub fn assess(budget: &Budget, used: Used, (start, end): (Timestamp, Timestamp), now: Timestamp) -> Standing {
    let Used { spent, reserved } = used;
    let elapsed_ns = (now.as_nanosecond() - start.as_nanosecond()).max(0);
    let length_ns = end.as_nanosecond() - start.as_nanosecond();
    Standing {
        name: budget.name.clone(),
        service: budget.service.clone(),
        period: budget.period,
        limit_usd: budget.limit,
        spent_usd: spent,
        reserved_usd: reserved,
        remaining_usd: used.remaining(budget),
        utilization_percent: nearest_f64_percent(spent, budget.limit),
        state: state(budget, spent),
        period_start: start,
        period_end: end,
        forecast_usd: forecast(spent, elapsed_ns, length_ns),
        exhausted_at: exhausted_at(budget.limit, spent, start, elapsed_ns, length_ns),
        gate_at: budget.gate_at,
    }
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

/// Spent × length ÷ elapsed, rounded to a pico-dollar. In a period's first instant there is no pace: what was spent so far.
fn forecast(spent: Usd, elapsed_ns: i128, length_ns: i128) -> Usd {
    mul_div(spent.pico(), length_ns, elapsed_ns).map_or(spent, Usd::from_pico)
}

fn exhausted_at(limit: Usd, spent: Usd, start: Timestamp, elapsed_ns: i128, length_ns: i128) -> Option<Timestamp> {
    if limit <= Usd::ZERO {
        return Some(start);
    }
    if spent <= Usd::ZERO {
        return None;
    }
    let after_ns = mul_div(limit.pico(), elapsed_ns, spent.pico())?;
    if after_ns >= length_ns {
        return None;
    }
    // A forecast to the second is more than it can know.
    Timestamp::from_second(start.as_second() + i64::try_from(after_ns / NANOSECONDS).ok()?).ok()
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
        let bounds = ("2026-11-22T00:00:00Z".parse().unwrap(), "2026-11-23T00:00:00Z".parse().unwrap());
        let used = Used { spent: Usd::parse(spent).unwrap(), reserved: Usd::ZERO };
        assess(&budget(limit), used, bounds, now.parse().unwrap())
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
        assert_eq!(noon.forecast_usd, Usd::from_dollars(60));
        assert_eq!(noon.exhausted_at.unwrap().to_string(), "2026-11-22T20:00:00Z");
        assert_eq!(noon.remaining_usd, Usd::from_dollars(20));

        let calm = standing("50", "10", "2026-11-22T12:00:00Z");
        assert_eq!(calm.forecast_usd, Usd::from_dollars(20));
        assert_eq!(calm.exhausted_at, None);

        let first_instant = standing("50", "10", "2026-11-22T00:00:00Z");
        assert_eq!(first_instant.forecast_usd, Usd::from_dollars(10));
        assert_eq!(standing("50", "0", "2026-11-22T12:00:00Z").exhausted_at, None);
    }

    #[test]
    fn enormous_sums_do_not_overflow_the_forecast() {
        let far = standing("999999999999999999", "900000000000000000", "2026-11-22T00:00:01Z");
        assert!(far.forecast_usd > far.spent_usd);
        let past = standing("0.000000000001", "900000000000000000", "2026-11-22T12:00:00Z");
        assert_eq!(past.exhausted_at.unwrap().to_string(), "2026-11-22T00:00:00Z");
    }
}
