//! One span of one budget: its tallies by key.
//!
//! *Invariants.* The counts are those of all keys of the span, also of such as are not in memory.

use imbl::HashMap;

use crate::budget::{Account, Amounts, Budget, BudgetState, KeyCounts};
use crate::domain::{CostEvent, Entry, Folded, Reached, Span, Threshold};

/// What was spent of a budget by one key in one span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// In each of the budget's units.
    pub spent: Amounts,
    /// When the limit was used up.
    pub reached: Reached,
    /// The last entry of the ledger that changed it.
    pub counted_to: i64,
}

/// The tallies of a span.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub span: Span,
    pub tallies: Kept,
    pub counts: KeyCounts,
    /// Whether the ledger has tallies of this span that are not in memory.
    pub is_partial: bool,
}

/// A budget without `each` has one tally, which takes no map.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    One(Option<Tally>),
    ByKey(HashMap<Folded, Tally>),
}

impl Tally {
    /// One that memory had let go, as the ledger has it. Whether the limit was another one when it was reached is not known any more.
    pub fn read_back(spent: Amounts, reached: Reached, counted_to: i64) -> Self {
        let reached = if reached == Reached::Never { reached } else { Reached::SomeTime };
        Self { spent, reached, counted_to }
    }

    /// How serious it is, as keys are counted.
    pub fn state(&self, budget: &Budget) -> BudgetState {
        Account::new(&budget.limit, Some(&self.spent), None).key_state(budget)
    }

    /// How many of the budget's thresholds it has come to, the limit included.
    pub fn level(&self, budget: &Budget) -> usize {
        let account = Account::new(&budget.limit, Some(&self.spent), None);
        let thresholds = budget.warn_at.iter().copied().chain([budget.gate_at, Threshold::FULL]);
        thresholds.filter(|share| account.at_or_above(*share).is_some()).count()
    }

    /// Takes note of the event with which the limit was used up, if it is now and was not. `is_live` says whether the limit in force
    /// then is the one that is known.
    pub(super) fn note(&mut self, budget: &Budget, entry: &Entry, event: &CostEvent, is_live: bool) {
        // Half of a pair of moves must not look like cost; what tells the event comes behind it.
        if self.reached == Reached::Never && entry.tells_event() && self.is_exhausted(budget) {
            self.reached = if is_live { Reached::At(event.time) } else { Reached::SomeTime };
        }
    }

    /// Forgets when the limit was used up: another one is in force from now on.
    pub(super) fn note_new_limit(&mut self, budget: &Budget) {
        self.reached = if self.is_exhausted(budget) { Reached::SomeTime } else { Reached::Never };
    }

    pub(super) fn is_exhausted(&self, budget: &Budget) -> bool {
        self.spent.iter().zip(budget.limit.amounts()).any(|(spent, limit)| *spent >= limit)
    }
}

impl Counted {
    pub fn begin(span: Span, has_keys: bool) -> Self {
        let tallies = if has_keys { Kept::ByKey(HashMap::new()) } else { Kept::One(None) };
        Self { span, tallies, counts: KeyCounts::default(), is_partial: false }
    }

    pub fn get(&self, key: &str) -> Option<&Tally> {
        match &self.tallies {
            Kept::One(tally) => tally.as_ref(),
            Kept::ByKey(tallies) => tallies.get(key),
        }
    }

    /// Puts a tally in, and counts it as one more or as another than before.
    pub fn put(&mut self, key: &str, tally: Tally, budget: &Budget) {
        match &mut self.tallies {
            Kept::One(one) => *one = Some(tally),
            Kept::ByKey(tallies) => {
                let state = tally.state(budget);
                let before = tallies.insert(Folded::from_folded(key), tally);
                self.counts.change(before.map(|before| before.state(budget)), Some(state));
            }
        }
    }

    /// The tally of a key. Whoever changes how it stands changes the counts, too.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Tally> {
        match &mut self.tallies {
            Kept::One(tally) => tally.as_mut(),
            Kept::ByKey(tallies) => tallies.get_mut(key),
        }
    }

    pub fn iter(&self) -> Box<dyn Iterator<Item = (&str, &Tally)> + '_> {
        match &self.tallies {
            Kept::One(tally) => Box::new(tally.iter().map(|tally| ("", tally))),
            Kept::ByKey(tallies) => Box::new(tallies.iter().map(|(key, tally)| (key.as_str(), tally))),
        }
    }

    /// Changes every tally in memory.
    pub fn change_each(&mut self, change: impl Fn(&mut Tally)) {
        match &mut self.tallies {
            Kept::One(tally) => tally.iter_mut().for_each(change),
            Kept::ByKey(tallies) => {
                let changed = tallies.iter().map(|(key, tally)| {
                    let mut tally = tally.clone();
                    change(&mut tally);
                    (key.clone(), tally)
                });
                *tallies = changed.collect();
            }
        }
    }

    /// Takes a tally out of memory. The ledger has it, and it stays counted.
    pub fn leave_to_ledger(&mut self, key: &str) {
        if let Kept::ByKey(tallies) = &mut self.tallies
            && tallies.remove(key).is_some()
        {
            self.is_partial = true;
        }
    }

    pub fn keys_len(&self) -> usize {
        match &self.tallies {
            Kept::One(_) => 0,
            Kept::ByKey(tallies) => tallies.len(),
        }
    }
}
