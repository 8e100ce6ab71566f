//! A budget as somebody wrote it.

use crate::budget::{Action, Budget, Limit};
use crate::domain::{Cover, Cycle, Name, PeriodKind, Threshold, Usd};

/// A budget, and whether there shall be one.
#[derive(Clone, Debug)]
pub(in crate::config) struct BudgetDraft {
    /// All of it but the limit. A name that is empty could not be used, which was noted.
    pub budget: Budget,
    /// `None`: there shall be none.
    pub limit: Option<Usd>,
    /// The service it is for, where a table says it outside of `match`.
    pub service: Option<Name>,
}

impl Default for BudgetDraft {
    /// What holds where a table says nothing.
    fn default() -> Self {
        // Known to be readable, and a test says so.
        let share = |text| Threshold::parse(text).unwrap_or(Threshold::FULL);
        let budget = Budget {
            name: String::new(),
            cover: Cover::default(),
            each: None,
            cycle: Cycle::calendar(PeriodKind::Daily),
            limit: Limit::Usd(Usd::ZERO),
            warn_at: vec![share("0.8")],
            gate_at: share("0.9"),
            action: Action::Block,
        };
        Self { budget, limit: None, service: None }
    }
}

impl BudgetDraft {
    /// The budget of all services, named like its period.
    pub fn of_all_services(period: PeriodKind, dollars: i64) -> Self {
        let mut draft = Self { limit: Some(Usd::from_dollars(dollars)), ..Self::default() };
        draft.budget.name = period.as_str().to_owned();
        draft.budget.cycle.kind = period;
        draft
    }

    /// The budget of one service, such as `openai-daily`.
    pub fn of_service(service: Name, period: PeriodKind, limit: Option<Usd>) -> Self {
        let mut draft = Self { limit, ..Self::default() };
        draft.budget.name = format!("{service}-{}", period.as_str());
        draft.budget.cover = Cover::of_service(&service);
        draft.budget.cycle.kind = period;
        draft
    }

    /// The budget, if there shall be one.
    pub fn finish(self) -> Option<Budget> {
        let budget = match &self.service {
            Some(service) => Budget { cover: Cover::of_service(service), ..self.budget },
            None => self.budget,
        };
        self.limit.map(|limit| Budget { limit: Limit::Usd(limit), ..budget })
    }
}
