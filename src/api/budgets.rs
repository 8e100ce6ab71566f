//! `GET /budgets`: where every budget stands; of those with `each` their keys, or the one that is asked for.

use std::convert::Infallible;
use std::sync::Arc;

use warp::reply::Response;

use super::State;
use super::answer;
use super::call::Call;
use super::missing::LookUp;
use super::problem::Problem;
use super::query_string::QueryString;
use crate::budget::BudgetStanding;
use crate::domain::{Now, check_text, fold_text};
use crate::ingest::TEXT_BYTES_MAX;
use crate::views::Published;
use crate::wire::{BudgetItem, OverrideItem};

pub(super) async fn list(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let query = QueryString::of(&call)?;
    let Some(key) = query.get("key") else {
        return answer::json(&items(&state.board.read(), state.clock.instant()));
    };
    if key.is_empty() {
        return Err(Problem::malformed("key must not be empty"));
    }
    check_text(key, TEXT_BYTES_MAX).map_err(|error| Problem::malformed(format!("key {error}")))?;
    let key = fold_text(key);
    let items = state.with_tallies(|published, look_up| items_of_key(published, &key, state.clock.instant(), look_up));
    answer::json(&items.await?)
}

/// The item of every budget, in the order of the settings.
pub(super) fn items(published: &Published, now: Now) -> Vec<BudgetItem> {
    published.all_standings(now).into_iter().map(|standing| item(published, standing, now)).collect()
}

/// The same, of budgets with `each` that of one key.
fn items_of_key(published: &Published, key: &str, now: Now, look_up: LookUp<'_>) -> Result<Vec<BudgetItem>, Infallible> {
    let mut items = Vec::new();
    for (position, budget) in published.configured.budgets.iter().enumerate() {
        let key = if budget.each.is_some() { key } else { "" };
        let standing = published.key_standing(position, key, now, look_up)?;
        items.extend(standing.map(|standing| item(published, BudgetStanding::Whole(standing), now)));
    }
    Ok(items)
}

fn item(published: &Published, standing: BudgetStanding, now: Now) -> BudgetItem {
    let item = BudgetItem::from(standing);
    let configured = published.configured.budgets.iter().find(|budget| budget.name == item.name);
    let overridden = configured.and_then(|budget| {
        let line = published.views.overrides.sets(budget, now.time)?;
        Some(OverrideItem::new(line, &budget.limit))
    });
    BudgetItem { overridden, ..item }
}
