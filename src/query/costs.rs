//! Questions about cost, answered by whoever knows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::plan::{Plan, Source};
use super::reads::{ReadError, Reads};
use super::rollups::RollupGroups;
use crate::domain::{CostQuestion, GroupsByDay, Spread};
use crate::ledger::{Knowledge, LedgerError, Reader};
use crate::views::Published;

/// Reads for one answer from days that are kept: of days, of what came since, and once more of each where something came in between.
const KEPT_TRIES_MAX: usize = 4;
/// Kept sums that are added up where the question arrived, which takes less than a millisecond.
const INLINE_SUMS_MAX: usize = 5_000;
/// Entries that are read at once, since that takes some 20 ms; to read more gives way to whoever records.
const QUICK_ENTRIES_MAX: u64 = 16_384;

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
        Source::Kept => match ask_kept(reads, published.views.entries, &question).await? {
            Some(groups) => Ok(groups),
            None => scan(reads, question).await,
        },
        Source::Events => scan(reads, question).await,
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

/// Reads the events.
async fn scan(reads: &Reads, question: CostQuestion) -> Result<GroupsByDay, ReadError> {
    reads.scan(move |reader, should_stop| reader.breakdown(&question, should_stop)).await
}

/// The groups of at least so many entries, from days that are kept; `None` when only the events tell.
async fn ask_kept(reads: &Reads, entries: u64, question: &CostQuestion) -> Result<Option<GroupsByDay>, ReadError> {
    let asked: Arc<BTreeSet<_>> = Arc::new(question.days().collect());
    for _ in 0..KEPT_TRIES_MAX {
        let (kept, asked) = (Arc::clone(reads.kept()), Arc::clone(&asked));
        let (days, knowledge) = kept.look(question, entries);
        let agree = match knowledge {
            Knowledge::Whole(sums) if sums <= INLINE_SUMS_MAX => return Ok(days.answer(question).unwrap_or_default()),
            Knowledge::Whole(_) => {
                let question = question.clone();
                return reads.look_up(move |_, _| days.answer(&question)).await;
            }
            // A ledger so small is read in no time, and at low priority a busy machine would let it wait.
            Knowledge::Lacks(lacking) if entries <= QUICK_ENTRIES_MAX => {
                reads.catch_up(true, move |reader, _| kept.fill(reader, &lacking, &asked)).await
            }
            Knowledge::Lacks(lacking) => reads.scan(move |reader, _| kept.fill(reader, &lacking, &asked)).await,
            Knowledge::Behind(behind) => {
                reads.catch_up(behind <= QUICK_ENTRIES_MAX, move |reader, _| kept.catch_up(reader, &asked)).await
            }
            Knowledge::TooMuch => return Ok(None),
        };
        // What is wrong with the events, reading them tells.
        if !agree.unwrap_or(false) {
            return Ok(None);
        }
    }
    Ok(None)
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
