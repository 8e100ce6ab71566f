//! `GET /budgets`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Word;
use crate::budget::{BudgetState, Standing};
use crate::domain::{Name, PeriodKind, Usd};

/// One budget in its current period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetItem {
    /// The budget's name.
    pub name: String,
    /// The service it covers; null covers all cost.
    pub service: Option<Name>,
    /// Daily or monthly.
    pub period: Word<PeriodKind>,
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
    pub state: Word<BudgetState>,
    /// First instant of the period.
    pub period_start: Timestamp,
    /// First instant of the next one.
    pub period_end: Timestamp,
    /// What the period will cost at its pace so far; null until an hour and a twentieth of it have passed.
    pub forecast_usd: Option<Usd>,
    /// Of an exhausted budget the time of the event with which it first was, null if that is not known; else when it will be at the
    /// pace so far, null if not within the period or without a forecast.
    pub exhausted_at: Option<Timestamp>,
}

impl From<Standing> for BudgetItem {
    fn from(standing: Standing) -> Self {
        let Standing { name, service, period, limit_usd, spent_usd, reserved_usd, remaining_usd, .. } = standing;
        Self {
            name,
            service,
            period: period.into(),
            limit_usd,
            spent_usd,
            reserved_usd,
            remaining_usd,
            utilization_percent: standing.utilization_percent,
            state: standing.state.into(),
            period_start: standing.period_start,
            period_end: standing.period_end,
            forecast_usd: standing.forecast_usd,
            exhausted_at: standing.exhausted_at,
        }
    }
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
}
