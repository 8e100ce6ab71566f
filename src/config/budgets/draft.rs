//! A budget as somebody wrote it.

use jiff::civil::Weekday;

use crate::budget::{Action, Budget, BudgetScope, Limit};
use crate::domain::{Cover, Cycle, Facet, Name, Pattern, PeriodKind, Threshold, UsageCount, Usd};

/// A budget, and whether there shall be one.
#[derive(Clone, Debug)]
pub(in crate::config) struct BudgetDraft {
    /// All of it but the limit. A name that is empty could not be used, which was noted.
    pub budget: Budget,
    /// `None`, where there is no usage either: there shall be no budget.
    pub limit: Option<Usd>,
    /// The limit of a budget of usage, ordered by kind.
    pub limit_usage: Vec<UsageCount>,
    /// The service it is for, where a table says it outside of `match`.
    pub service: Option<Name>,
    /// The first day of its weeks, where a table says so.
    pub week_starts: Option<Weekday>,
    /// The first day of its months, quarters or years, where a table says so.
    pub start_day: Option<i8>,
    /// Whether a table says where its state becomes critical.
    pub says_gate_at: bool,
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
            scope: BudgetScope::Agent,
        };
        Self {
            budget,
            limit: None,
            limit_usage: Vec::new(),
            service: None,
            week_starts: None,
            start_day: None,
            says_gate_at: false,
        }
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

    /// Puts what a table says in two places into one.
    pub fn settle(&mut self) {
        if let Some(service) = &self.service
            && self.budget.cover.patterns(Facet::Service).is_empty()
        {
            let cover = std::mem::take(&mut self.budget.cover);
            self.budget.cover = cover.with(Facet::Service, [Pattern::new(service.as_str())]);
        }
        let cycle = &mut self.budget.cycle;
        cycle.week_starts = self.week_starts.unwrap_or(cycle.week_starts);
        cycle.start_day = self.start_day.unwrap_or(cycle.start_day);
    }

    /// The budget, if there shall be one.
    pub fn finish(self) -> Option<Budget> {
        let limit = match self.limit {
            _ if !self.limit_usage.is_empty() => Limit::Usage(self.limit_usage),
            limit => Limit::Usd(limit?),
        };
        Some(Budget { limit, ..self.budget })
    }
}
