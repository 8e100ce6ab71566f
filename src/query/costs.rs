//! Questions about cost, answered by whoever knows.

use std::sync::Arc;

use super::plan::{Plan, Source};
use super::reads::{ReadError, Reads};
use super::rollups::RollupGroups;
use crate::domain::{CostQuestion, GroupsByDay, Spread};
use crate::ledger::{LedgerError, Reader};
use crate::views::Published;

/// The groups, by their day, or by the first day when there is one for all. Days without cost may be absent.
///
/// # Errors
/// The ledger cannot be read.
pub async fn ask(
    reads: &Reads,
    published: Arc<Published>,
    question: CostQuestion,
    plan: Plan,
) -> Result<GroupsByDay, ReadError> {
    match plan.source {
        Source::Events => reads.scan(move |reader, should_stop| reader.breakdown(&question, should_stop)).await,
        Source::Memory if plan.is_quick => {
            let mut groups = RollupGroups::new(&question);
            question.days().for_each(|day| groups.add_day(day, published.views.day(day)));
            Ok(groups.into_days())
        }
        Source::Memory | Source::Rollups => {
            reads.look_up(move |reader, should_stop| add_up(reader, &published, &question, should_stop)).await
        }
    }
}

/// How the cost of some days spreads over the values of the one dimension that is asked for; `None` when they are more than
/// [`SPREAD_KEYS_MAX`](crate::ledger::SPREAD_KEYS_MAX).
///
/// # Errors
/// The ledger cannot be read.
pub async fn spread(reads: &Reads, question: CostQuestion) -> Result<Option<Spread>, ReadError> {
    reads.scan(move |reader, should_stop| reader.spread(&question, should_stop)).await
}

/// Adds up rollups that are many, or not all in memory.
fn add_up(
    reader: &Reader,
    published: &Published,
    question: &CostQuestion,
    should_stop: &dyn Fn() -> bool,
) -> Result<GroupsByDay, LedgerError> {
    let mut groups = RollupGroups::new(question);
    for day in question.days() {
        if published.views.is_resident(day) {
            groups.add_day(day, published.views.day(day));
            continue;
        }
        if should_stop() {
            return Err(LedgerError::Stopped);
        }
        // Day by day, so that no more than one day's rows are in memory.
        for row in reader.days(day, day)?.into_values().flatten() {
            groups.add(day, &row.pair, row.sums.net());
        }
    }
    Ok(groups.into_days())
}
