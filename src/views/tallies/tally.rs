//! What was spent of a budget by one key in one span.

use jiff::Timestamp;

use super::entries::{Placed, add};
use crate::budget::{Amounts, Bars};
use crate::domain::{CostEvent, Entry, Reached};

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

impl Tally {
    /// One that memory had let go, as the ledger has it. Whether the limit was another one when it was reached is not known any more.
    pub fn read_back(spent: Amounts, reached: Reached, counted_to: i64) -> Self {
        let reached = if reached == Reached::Never { reached } else { Reached::SomeTime };
        Self { spent, reached, counted_to }
    }

    /// Adds what an entry brings. `is_live` says whether the limit in force then is the one that is known.
    pub(super) fn add(&mut self, bars: &Bars, amounts: &Amounts, (place, event, entry): Placed<'_>, is_live: bool) {
        add(&mut self.spent, amounts, 1);
        self.counted_to = place;
        self.note(bars, entry, event.time, is_live);
    }

    /// Takes note of the event with which the limit was used up, if it is now and was not.
    fn note(&mut self, bars: &Bars, entry: &Entry, time: Timestamp, is_live: bool) {
        // Half of a pair of moves must not look like cost; what tells the event comes behind it.
        if self.reached == Reached::Never && entry.tells_event() && bars.is_exhausted(&self.spent) {
            self.reached = if is_live { Reached::At(time) } else { Reached::SomeTime };
        }
    }

    /// Forgets when the limit was used up: another one is in force from now on.
    pub(super) fn note_new_limit(&mut self, bars: &Bars) {
        self.reached = if bars.is_exhausted(&self.spent) { Reached::SomeTime } else { Reached::Never };
    }
}

/// Whether an entry that adds nothing is passed over: only one that tells of something else is noted in the tally that is there.
pub(super) fn is_passed_over(amounts: &Amounts, (_, _, entry): &(i64, &CostEvent, &Entry), is_known: bool) -> bool {
    let is_nothing = amounts.iter().all(|amount| *amount == 0);
    is_nothing && (!is_known || matches!(entry, Entry::First))
}
