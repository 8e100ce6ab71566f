//! When the ledger gets what is counted of the budgets: seldom, a few rows at a time, because it can be counted again.
//!
//! *Invariants.* A pass writes every tally that was changed up to the entry at which it began, and then that the ledger has them up to
//! there. What was changed meanwhile is written as it is then: a tally says itself which entry changed it last.
//!
//! *Limits.* [`PASS_ENTRIES`] entries or [`PASS_PAUSE`] between two passes, [`ROWS_PER_COMMIT`] rows of a pass in a commit.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::budget::Budget;
use crate::domain::{Now, Steady};
use crate::ledger::{BudgetChanges, Ledger, StoredMeter, StoredTally};
use crate::views::Published;
use crate::views::tallies::{Meter, Tally};

/// Entries after which tallies are written: a start counts as many again within some tenths of a second.
const PASS_ENTRIES: i64 = 131_072;
/// Time after which they are, if anything has changed.
const PASS_PAUSE: Duration = Duration::from_secs(60);
/// Rows of a pass that one commit takes: a millisecond or two.
const ROWS_PER_COMMIT: usize = 256;

/// How far the pass that is under way has come.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// The tallies that are still to be written; taken from the end.
    queue: Vec<Queued>,
    /// The entry at which the pass began, while one is under way.
    upto: Option<i64>,
    /// When the newest pass began.
    began: Steady,
}

#[derive(Debug)]
struct Queued {
    meter: i64,
    span_start: Timestamp,
    key: Box<str>,
}

/// How much is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Haste {
    /// What is due.
    AsDue,
    /// What costs little, because the sums are written as well.
    WithSums,
    /// All: it is the end.
    All,
}

impl Saving {
    /// Forgets the pass that is under way: the ledger has none of it, or nobody knows.
    pub fn forget(&mut self) {
        *self = Self { began: self.began, ..Self::default() };
    }

    /// What a commit writes that leads to `next`, whose newest entry stands at `newest`. What it means is taken over by [`Saving::saved`].
    pub fn changes(&mut self, next: &Published, ledger: &Ledger, newest: i64, haste: Haste, now: Now) -> BudgetChanges {
        let mut changes = BudgetChanges::default();
        if self.upto.is_none() && self.is_due(next, newest, haste, now) {
            self.begin(next, ledger, newest, now, &mut changes);
        }
        let Some(upto) = self.upto else { return changes };
        let rows = if haste == Haste::All { usize::MAX } else { ROWS_PER_COMMIT };
        while changes.tallies.len() < rows {
            let Some(queued) = self.queue.pop() else { break };
            changes.tallies.extend(row_of(next, &queued));
        }
        if self.queue.is_empty() {
            changes.meters = meters(next, |budget, _| (upto, budget.limit.amounts().to_vec()));
        }
        changes
    }

    /// Takes over that a commit is on the disk.
    pub fn saved(&mut self, next: &mut Published) {
        if let Some(upto) = self.upto.take_if(|_| self.queue.is_empty()) {
            for (budget, meter) in next.policy.budgets.iter().zip(next.tallies.meters_mut()) {
                meter.saved_to = upto;
                meter.saved_limits = budget.limit.amounts();
            }
        }
    }

    fn is_due(&self, next: &Published, newest: i64, haste: Haste, now: Now) -> bool {
        let meters = next.tallies.meters();
        // One that the ledger does not know yet would be counted anew by the next start.
        let oldest = meters.iter().map(|meter| meter.saved_to).min().unwrap_or(newest);
        let limits_are_new = || next.policy.budgets.iter().zip(meters).any(|(budget, meter)| is_new_limit(budget, meter));
        if newest == 0 || (oldest >= newest && !limits_are_new()) {
            return false;
        }
        match haste {
            Haste::All => true,
            Haste::WithSums if next.tallies.keys_len() == 0 => true,
            Haste::WithSums | Haste::AsDue => newest - oldest >= PASS_ENTRIES || now.steady.since(self.began) >= PASS_PAUSE,
        }
    }

    fn begin(&mut self, next: &Published, ledger: &Ledger, newest: i64, now: Now, changes: &mut BudgetChanges) {
        self.began = now.steady;
        self.upto = Some(newest);
        for (budget, meter) in next.policy.budgets.iter().zip(next.tallies.meters()) {
            let all = meter.saved_to == 0 || is_new_limit(budget, meter);
            let changed = meter.all().filter(|(_, _, tally)| all || tally.counted_to > meter.saved_to);
            self.queue.extend(changed.map(|(span, key, _)| Queued {
                meter: meter.id,
                span_start: span.start,
                key: key.into(),
            }));
        }
        // In the order of the table the rows of a commit lie on a few pages; in that of the maps each has one of its own, which the log gets in full.
        self.queue.sort_unstable_by(|one, next| {
            (next.meter, next.span_start, &next.key).cmp(&(one.meter, one.span_start, &one.key))
        });
        // Rows belong to a meter that the ledger knows.
        changes.meters = meters(next, |_, meter| (meter.saved_to, meter.saved_limits.to_vec()));
        let in_use: HashSet<i64> = next.tallies.meters().iter().map(|meter| meter.id).collect();
        changes.forgotten_meters = ledger.meters().iter().map(|meter| meter.id).filter(|id| !in_use.contains(id)).collect();
    }
}

/// The meters as the ledger is to have them.
fn meters(next: &Published, saved: impl Fn(&Budget, &Meter) -> (i64, Vec<i128>)) -> Vec<StoredMeter> {
    let budgets = next.policy.budgets.iter().zip(next.tallies.meters());
    budgets
        .map(|(budget, meter)| {
            let (counted_to, limits) = saved(budget, meter);
            StoredMeter {
                id: meter.id,
                budget: (*meter.budget).into(),
                definition: (*meter.definition).into(),
                limits,
                counted_from: meter.counted_from,
                counted_to,
            }
        })
        .collect()
}

/// Whether the ledger has when another limit was used up.
fn is_new_limit(budget: &Budget, meter: &Meter) -> bool {
    meter.saved_limits != budget.limit.amounts()
}

/// The row of a tally as it stands; `None` where it is over.
fn row_of(next: &Published, Queued { meter: id, span_start, key }: &Queued) -> Option<StoredTally> {
    let meter = next.tallies.meters().iter().find(|meter| meter.id == *id)?;
    let span = meter.spans().find(|span| span.start == *span_start)?;
    let tally = meter.find(0, span, key).ok().flatten()?;
    let Tally { spent, reached, counted_to } = tally.clone();
    Some(StoredTally { meter: *id, span_start: *span_start, key: key.clone(), spent, reached, counted_to })
}
