//! A budget as somebody wrote it.

use crate::budget::Budget;
use crate::domain::{Name, PeriodKind, Threshold, Usd};

/// A budget, and whether there shall be one.
#[derive(Clone, Debug)]
pub(in crate::config) struct BudgetDraft {
    /// All of it but the limit. A name that is empty could not be used, which was noted.
    pub budget: Budget,
    /// `None`: there shall be none.
    pub limit: Option<Usd>,
}

impl Default for BudgetDraft {
    /// What holds where a table says nothing.
    fn default() -> Self {
        // Known to be readable, and a test says so.
        let share = |text| Threshold::parse(text).unwrap_or(Threshold::FULL);
        let budget = Budget {
            name: String::new(),
            service: None,
            period: PeriodKind::Daily,
            limit: Usd::ZERO,
            warn_at: share("0.8"),
            gate_at: share("0.9"),
        };
        Self { budget, limit: None }
    }
}

impl BudgetDraft {
    /// The budget of all services, named like its period.
    pub fn of_all_services(period: PeriodKind, dollars: i64) -> Self {
        let mut draft = Self { limit: Some(Usd::from_dollars(dollars)), ..Self::default() };
        draft.budget.name = period.as_str().to_owned();
        draft.budget.period = period;
        draft
    }

    /// The budget of one service, such as `openai-daily`.
    pub fn of_service(service: Name, period: PeriodKind, limit: Option<Usd>) -> Self {
        let mut draft = Self { limit, ..Self::default() };
        draft.budget.name = format!("{service}-{}", period.as_str());
        draft.budget.service = Some(service);
        draft.budget.period = period;
        draft
    }

    /// The budget, if there shall be one.
    pub fn finish(self) -> Option<Budget> {
        self.limit.map(|limit| Budget { limit, ..self.budget })
    }
}
