//! When the ledger gets what is counted of the budgets: seldom, a few rows at a time, because it can be counted again.
//!
//! *Invariants.* A pass writes every tally that was changed up to the entry at which it began, and then that the ledger has them up to
//! there. What was changed meanwhile is written as it is then: a tally says itself which entry changed it last. That a span is no longer
//! counted is written before an entry of it is passed over.
//!
//! *Limits.* [`PASS_ENTRIES`] entries or [`PASS_PAUSE`] between two passes, [`ROWS_PER_COMMIT`] rows of a pass in a commit.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::budget::{Amounts, Budget};
use crate::domain::{Folded, Now, Span, Steady};
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
#[derive(Debug)]
pub(super) struct Saving {
    /// Keys that memory shall have at most.
    keys_max: usize,
    /// The tallies that are still to be written; taken from the end.
    queue: Vec<Stretch>,
    /// The entry at which the pass began, while one is under way.
    upto: Option<i64>,
    /// When the newest pass began.
    began: Steady,
}

/// Tallies of one meter and one span.
#[derive(Debug)]
struct Stretch {
    meter: i64,
    span_start: Timestamp,
    /// Taken from the end.
    keys: Vec<Folded>,
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
    /// No pass so far.
    pub fn new(keys_max: usize) -> Self {
        Self { keys_max, queue: Vec::new(), upto: None, began: Steady::default() }
    }

    /// Forgets the pass that is under way: the ledger has none of it, or nobody knows.
    pub fn forget(&mut self) {
        (self.queue, self.upto) = (Vec::new(), None);
    }

    /// What a commit writes that leads to `next`, whose newest entry stands at `newest`. What it means is taken over by [`Saving::saved`].
    pub fn changes(&mut self, next: &Published, ledger: &Ledger, newest: i64, haste: Haste, now: Now) -> BudgetChanges {
        let mut changes = BudgetChanges::default();
        if self.upto.is_none() && self.is_due(next, newest, haste, now) {
            self.begin(next, ledger, newest, now, &mut changes);
        } else if next.policy.budgets.iter().zip(next.tallies.meters()).any(|(budget, meter)| is_outdated(budget, meter)) {
            changes.meters = meters(next, |budget, meter| (meter.saved_to, known_limits(budget, meter)));
        }
        let Some(upto) = self.upto else { return changes };
        // As many again as there may be new ones, so that a flood of keys is not faster than what makes room for them.
        let keyed = next.policy.budgets.iter().filter(|budget| budget.each.is_some()).count();
        let new = usize::try_from(newest - ledger.events()).unwrap_or(0) * keyed;
        let rows = if haste == Haste::All { usize::MAX } else { ROWS_PER_COMMIT + 2 * new };
        while changes.tallies.len() < rows {
            let Some(stretch) = self.queue.last_mut() else { break };
            match stretch.keys.pop() {
                Some(key) => changes.tallies.extend(row(next, stretch, key.as_str())),
                None => drop(self.queue.pop()),
            }
        }
        if self.queue.is_empty() {
            changes.meters = meters(next, |budget, _| (upto, budget.limit.amounts()));
        }
        changes
    }

    /// Takes over that a commit is on the disk. Answers whether a pass is done: only then is there more that memory need not have.
    pub fn saved(&mut self, next: &mut Published, changes: &BudgetChanges) -> bool {
        if !changes.meters.is_empty() {
            for (budget, meter) in next.policy.budgets.iter().zip(next.tallies.meters_mut()) {
                meter.saved_from = Some(meter.counted_from);
                meter.saved_limits = known_limits(budget, meter);
            }
        }
        let done = self.upto.take_if(|_| self.queue.is_empty());
        if let Some(upto) = done {
            for (budget, meter) in next.policy.budgets.iter().zip(next.tallies.meters_mut()) {
                meter.saved_to = upto;
                meter.saved_limits = budget.limit.amounts();
            }
        }
        done.is_some()
    }

    fn is_due(&self, next: &Published, newest: i64, haste: Haste, now: Now) -> bool {
        let keys = next.tallies.keys_len();
        let meters = next.tallies.meters();
        // One that the ledger does not know yet would be counted anew by the next start.
        let oldest = meters.iter().map(|meter| meter.saved_to).min().unwrap_or(newest);
        let limits_are_new = || next.policy.budgets.iter().zip(meters).any(|(budget, meter)| is_new_limit(budget, meter));
        if newest == 0 || (oldest >= newest && !limits_are_new()) {
            return false;
        }
        match haste {
            Haste::All => true,
            Haste::WithSums if keys == 0 => true,
            Haste::WithSums | Haste::AsDue => {
                newest - oldest >= PASS_ENTRIES || now.steady.since(self.began) >= PASS_PAUSE || keys > self.keys_max
            }
        }
    }

    fn begin(&mut self, next: &Published, ledger: &Ledger, newest: i64, now: Now, changes: &mut BudgetChanges) {
        self.began = now.steady;
        self.upto = Some(newest);
        for (budget, meter) in next.policy.budgets.iter().zip(next.tallies.meters()) {
            let all = meter.saved_to == 0 || is_new_limit(budget, meter);
            for span in meter.spans() {
                let mut keys = Vec::new();
                meter.each_tally(span, |key, tally| {
                    if all || tally.counted_to > meter.saved_to {
                        keys.push(key.clone());
                    }
                });
                // In the order of the table the rows of a commit lie on a few pages; in that of the maps each has one of its own, which the log gets in full.
                keys.sort_unstable_by(|one, next| next.cmp(one));
                if !keys.is_empty() {
                    self.queue.push(Stretch { meter: meter.id, span_start: span.start, keys });
                }
            }
        }
        self.queue.sort_unstable_by_key(|stretch| Reverse((stretch.meter, stretch.span_start)));
        // Rows belong to a meter that the ledger knows.
        changes.meters = meters(next, |budget, meter| (meter.saved_to, known_limits(budget, meter)));
        let in_use: HashSet<i64> = next.tallies.meters().iter().map(|meter| meter.id).collect();
        changes.forgotten_meters = ledger.meters().iter().map(|meter| meter.id).filter(|id| !in_use.contains(id)).collect();
    }
}

/// The meters as the ledger is to have them.
fn meters(next: &Published, saved: impl Fn(&Budget, &Meter) -> (i64, Amounts)) -> Vec<StoredMeter> {
    let budgets = next.policy.budgets.iter().zip(next.tallies.meters());
    budgets
        .map(|(budget, meter)| {
            let (counted_to, limits) = saved(budget, meter);
            stored_meter(meter, counted_to, &limits)
        })
        .collect()
}

/// A meter that the ledger has up to an entry, under these limits, or under several.
pub(super) fn stored_meter(meter: &Meter, counted_to: i64, limits: &Amounts) -> StoredMeter {
    StoredMeter {
        id: meter.id,
        budget: (*meter.budget).into(),
        definition: (*meter.definition).into(),
        limits: if meter.has_old_limits { Vec::new() } else { limits.to_vec() },
        counted_from: meter.counted_from,
        counted_to,
    }
}

/// The row of a tally.
pub(super) fn row_of(meter: i64, span: Span, key: &str, tally: Tally) -> StoredTally {
    let Tally { spent, reached, counted_to } = tally;
    StoredTally { meter, span_start: span.start, key: key.into(), spent, reached, counted_to }
}

/// Whether the ledger has when another limit was used up, or does not have it at all.
fn is_new_limit(budget: &Budget, meter: &Meter) -> bool {
    !budget.limit.has_amounts(&meter.saved_limits)
}

/// The limits under which the ledger has when they were used up; none once another one is in force, so that a start which finds the
/// first one in force again does not take for known what happened in between.
fn known_limits(budget: &Budget, meter: &Meter) -> Amounts {
    if is_new_limit(budget, meter) { Amounts::new() } else { meter.saved_limits.clone() }
}

/// Whether the ledger says of a meter what must not be found by the next start.
fn is_outdated(budget: &Budget, meter: &Meter) -> bool {
    let counts_less = meter.saved_from.is_some_and(|from| from != meter.counted_from);
    counts_less || (is_new_limit(budget, meter) && !meter.saved_limits.is_empty())
}

/// The row of a tally as it stands; `None` where it is over.
fn row(next: &Published, stretch: &Stretch, key: &str) -> Option<StoredTally> {
    let meter = next.tallies.meters().iter().find(|meter| meter.id == stretch.meter)?;
    let span = meter.spans().find(|span| span.start == stretch.span_start)?;
    let tally = meter.find(0, span, key).ok().flatten()?;
    Some(row_of(meter.id, span, key, tally))
}
