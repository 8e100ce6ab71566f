//! The days whose cost by model and by worker is kept in memory.
//!
//! *Invariants.* Readers take the newest value without waiting. Who makes the next one does so after the other, away from the async
//! threads, as of the newest published state, whose totals it must agree with. After an error nothing is kept.
//!
//! *Limits.* Those of [`KeptDays`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::civil::Date;

use crate::domain::CostQuestion;
use crate::ledger::{KeptDays, Knowledge, LedgerError, Reader};
use crate::views::{Board, DayCosts};

/// Where the days are kept.
#[derive(Debug)]
pub(super) struct Kept {
    board: Arc<Board>,
    newest: ArcSwap<Value>,
    /// Held while the next value is made.
    next: Mutex<()>,
}

/// What is kept at some time.
#[derive(Clone, Debug, Default)]
struct Value {
    days: Arc<KeptDays>,
    /// How often retention had removed entries.
    prunes: u64,
}

impl Kept {
    /// Keeps nothing yet.
    pub fn new(board: Arc<Board>) -> Self {
        Self { board, newest: ArcSwap::default(), next: Mutex::default() }
    }

    /// The newest days, and what they know of a question that came after `entries` were published.
    pub fn look(&self, question: &CostQuestion, entries: u64) -> (Arc<KeptDays>, Knowledge) {
        let newest = self.newest.load();
        let knowledge = match newest.days.knowledge(question, entries) {
            Knowledge::Whole(_) if newest.prunes != self.board.prunes() => Knowledge::Behind(0),
            knowledge => knowledge,
        };
        (Arc::clone(&newest.days), knowledge)
    }

    /// Reads days that are `lacking`. Says whether they agree with their rollups. Other days may give way, but for those of `asked`.
    ///
    /// It is finished also when its asker has left: the next one has it.
    pub fn fill(&self, reader: &Reader, lacking: &BTreeSet<Date>, asked: &BTreeSet<Date>) -> Result<bool, LedgerError> {
        let newest = Arc::clone(&self.newest.load().days);
        // Somebody else may have asked the same before.
        let lacking: BTreeSet<Date> = lacking.iter().copied().filter(|day| !newest.has(*day)).collect();
        if lacking.is_empty() {
            return Ok(true);
        }
        let entries = self.board.read().views.entries;
        let found = reader.days_to_keep(&lacking, entries, &|| false)?;
        self.make_next(reader, found, asked)
    }

    /// Reads what was recorded since. Says whether all days agree with their rollups.
    pub fn catch_up(&self, reader: &Reader, asked: &BTreeSet<Date>) -> Result<bool, LedgerError> {
        self.make_next(reader, KeptDays::default(), asked)
    }

    fn make_next(&self, reader: &Reader, mut found: KeptDays, asked: &BTreeSet<Date>) -> Result<bool, LedgerError> {
        let _one_at_a_time = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let (prunes, published) = (self.board.prunes(), self.board.read());
        let views = &published.views;
        let known = |day| views.is_resident(day).then(|| views.day(day).map(DayCosts::total).unwrap_or_default());
        let mut days = KeptDays::clone(&self.newest.load().days);
        let noted = self.board.newest().take(views.entries);
        let keep_up = |days: &mut KeptDays| {
            if let Some(entries) = noted.behind(days.entries()) {
                days.add_newer(entries);
            }
            reader.keep_up(days, views.entries, &known, asked)
        };
        let agree = keep_up(&mut days).and_then(|agree| Ok(keep_up(&mut found)? && agree));
        let next = agree.as_ref().map(|_| {
            days.insert(found, asked);
            Value { days: Arc::new(days), prunes }
        });
        self.newest.store(Arc::new(next.unwrap_or_default()));
        agree
    }
}

#[cfg(test)]
mod tests;
