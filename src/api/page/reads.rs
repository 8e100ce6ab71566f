//! What the page reads, by the functions that answer REST.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::super::State;
use super::super::budgets::items;
use super::super::{events, prices, reservation_list};
use crate::domain::{CostEvent, CostQuestion, Dimension, GroupsByDay, Month, Now, Period, Reservation, Usd, dimensions};
use crate::page::{BudgetShown, CHANGES_READ_MAX, EVENTS_SHOWN, HOLDS_COUNTED_MAX, Ranking, Troubles, View};
use crate::query::{self, Plan, ReadError};
use crate::views::Published;
use crate::wire::{BudgetItem, GateLine, GateStatus, UnpricedItem};

/// Sums that are ranked where they arrive, in less than a millisecond; more of them beside the async threads.
const RANKED_INLINE_MAX: usize = 5_000;

/// One page being made.
pub(super) struct Reading {
    pub state: Arc<State>,
    pub published: Arc<Published>,
    pub now: Now,
    pub view: Arc<View>,
    /// Every budget, once somebody has asked.
    budgets: OnceLock<Vec<BudgetShown>>,
}

/// What is read of the ledger in one go for the first sections.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub history: Vec<GateLine>,
    /// Messages that a receiver did not take, and since when the oldest waits.
    pub webhooks_failing: Option<(u64, Timestamp)>,
}

impl Reading {
    /// Of one state, at one time.
    pub fn new(state: Arc<State>, published: Arc<Published>, now: Now, view: Arc<View>) -> Self {
        Self { state, published, now, view, budgets: OnceLock::new() }
    }

    /// The gate as it stands.
    pub fn gate(&self) -> GateStatus {
        GateStatus::from(self.published.gate_standing(self.now))
    }

    /// Every budget as it stands.
    pub fn budgets(&self) -> &[BudgetShown] {
        self.budgets.get_or_init(|| self.read_budgets())
    }

    fn read_budgets(&self) -> Vec<BudgetShown> {
        let (policy, zone) = (&self.published.policy, &self.view.zone);
        let calendar =
            [Period::Day(self.view.today), Period::Month(Month::of(self.view.today))].map(|period| zone.bounds(period));
        let shown = |item: BudgetItem| {
            let budget = policy.budgets.iter().find(|budget| budget.name == item.name);
            let is_calendar = item.period_start.zip(item.period_end).is_some_and(|bounds| calendar.contains(&bounds));
            BudgetShown {
                warn_at: budget.map(|budget| budget.warn_at.clone()).unwrap_or_default(),
                closes_gate_at: budget
                    .filter(|budget| budget.is_global() && policy.gate_enabled)
                    .map(|budget| budget.gate_at),
                is_calendar,
                item,
            }
        };
        items(&self.published, self.now).into_iter().map(shown).collect()
    }

    /// What is known of troubles without the ledger's file.
    pub fn troubles(&self) -> Troubles {
        let views = &self.published.views;
        Troubles {
            ledger: self.state.writer.health().problem(),
            last_recorded_at: views.last_recorded_at,
            unpriced_events: views.unpriced.iter().map(|(_, count)| count).sum(),
            exports_failing: self.state.exports_failing.now(),
            webhooks_failing: None,
            settings_refused: !self.state.reloads.is_good(),
        }
    }

    /// The gate's history and the outbox.
    pub async fn standing(&self) -> Result<Standing, ReadError> {
        self.state
            .reads
            .look_up(|reader, _| {
                let history = reader.gate_history(CHANGES_READ_MAX)?.into_iter().map(GateLine::from).collect();
                Ok(Standing { history, webhooks_failing: reader.failing_deliveries()? })
            })
            .await
    }

    /// What the current day cost.
    pub async fn today(&self) -> Result<Usd, ReadError> {
        let today = self.view.today;
        let question =
            CostQuestion { by: vec![Dimension::Service], filters: vec![], first: today, last: today, by_day: false };
        let groups = self.ask(question).await?;
        Ok(groups.values().flat_map(|groups| groups.values()).copied().sum())
    }

    /// The names that cost most in the month, by one word.
    pub async fn ranking(&self, by: &str, names_max: usize) -> Result<Ranking, ReadError> {
        let (first, last) = self.view.days();
        // The word was read before.
        let by = dimensions(by).unwrap_or_else(|_| vec![Dimension::Service]);
        let groups = self.ask(CostQuestion { by, filters: vec![], first, last, by_day: true }).await?;
        let days = self.view.each_day();
        if groups.values().map(|groups| groups.len()).sum::<usize>() <= RANKED_INLINE_MAX {
            return Ok(Ranking::of(&groups, &days, names_max));
        }
        let ranking = tokio::task::spawn_blocking(move || Ranking::of(&groups, &days, names_max));
        ranking.await.map_err(|_panicked| ReadError::Panicked)
    }

    /// The oldest open holds, and how many there are.
    pub async fn holds(&self) -> Result<(Vec<Reservation>, u64), ReadError> {
        let (published, now) = (Arc::clone(&self.published), self.now.steady);
        let count = published.views.holds.held(now);
        if count == 0 {
            return Ok((Vec::new(), 0));
        }
        let oldest = tokio::task::spawn_blocking(move || reservation_list::held(&published, now, HOLDS_COUNTED_MAX));
        Ok((oldest.await.map_err(|_panicked| ReadError::Panicked)?, count))
    }

    /// What waits for a price; nothing is read where nothing does.
    pub async fn unpriced(&self) -> Result<Vec<UnpricedItem>, ReadError> {
        if self.published.views.unpriced.iter().all(|(_, count)| count == 0) {
            return Ok(Vec::new());
        }
        prices::unpriced_items(&self.state).await
    }

    /// The newest events.
    pub async fn events(&self) -> Result<Vec<CostEvent>, ReadError> {
        let (listed, _) = events::page(&self.state, events::newest(EVENTS_SHOWN as usize)).await?;
        Ok(listed.into_iter().map(|listed| listed.event).collect())
    }

    async fn ask(&self, question: CostQuestion) -> Result<GroupsByDay, ReadError> {
        let plan = Plan::of(&question, &self.published.views);
        query::ask(&self.state.reads, Arc::clone(&self.published), question, plan).await
    }
}
