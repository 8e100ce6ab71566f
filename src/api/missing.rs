//! What a question about budgets needs that only the ledger knows: tallies of keys beyond those that fit into memory.
//!
//! *Invariants.* What is not in memory is read, never taken for nothing spent.
//!
//! *Limits.* [`READS_MAX`] reads of the ledger for a question, each of at most one tally for each budget.

use std::cell::RefCell;
use std::convert::Infallible;

use super::State;
use super::problem::Problem;
use crate::ledger::StoredTally;
use crate::views::tallies::{Missing, Tally};
use crate::views::{Found, Published};

/// How often the ledger is read for a question. More than once only where the settings change meanwhile.
const READS_MAX: usize = 3;

/// Says what the ledger has of a tally.
pub(super) type LookUp<'l> = &'l dyn Fn(&Missing) -> Result<Option<Tally>, Infallible>;

impl State {
    /// The answer to a question about the newest published state, once what it lacks is read.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(super) async fn with_tallies<T>(
        &self,
        answer: impl Fn(&Published, LookUp<'_>) -> Result<T, Infallible>,
    ) -> Result<T, Problem> {
        for attempts_left in (0..READS_MAX).rev() {
            let published = self.board.read();
            let missing = match attempt(&published, &Found::new(), &answer) {
                // Another state is published in no time. Of this one it is only certain that no less is set aside than there is.
                Ok(_) if attempts_left > 0 && published.is_overtaken(|| self.clock.instant()) => continue,
                Ok(answered) => return Ok(answered),
                Err(missing) => missing,
            };
            let found = self.read_tallies(missing).await?;
            // If the settings have changed, what was read may have been forgotten before, and would look like nothing spent.
            if self.counts_still(&found)
                && let Ok(answered) = attempt(&published, &found, &answer)
            {
                return Ok(answered);
            }
        }
        Err(Problem::LedgerUnavailable)
    }

    async fn read_tallies(&self, missing: Vec<Missing>) -> Result<Found, Problem> {
        let read = self.reads.look_up(move |reader, _| {
            let find = |missing: Missing| {
                let stored = reader.find_tally(missing.meter, missing.span_start, &missing.key)?;
                Ok((missing, stored.map(tally)))
            };
            missing.into_iter().map(find).collect()
        });
        Ok(read.await?)
    }

    /// Whether the newest state counts by the meters that these are tallies of.
    fn counts_still(&self, found: &Found) -> bool {
        let newest = self.board.read();
        let mut asked = found.keys();
        asked.all(|missing| newest.tallies.meters().iter().any(|meter| meter.id == missing.meter))
    }
}

/// The answer by what was found, or all that it lacks.
fn attempt<T>(
    published: &Published,
    found: &Found,
    answer: impl Fn(&Published, LookUp<'_>) -> Result<T, Infallible>,
) -> Result<T, Vec<Missing>> {
    let missing = RefCell::new(Vec::new());
    let look_up = |tally: &Missing| match found.get(tally) {
        Some(found) => Ok(found.clone()),
        None => {
            // Goes on as if there were nothing, to see what else is missing.
            missing.borrow_mut().push(tally.clone());
            Ok(None)
        }
    };
    let Ok(answered) = answer(published, &look_up);
    let missing = missing.into_inner();
    if missing.is_empty() { Ok(answered) } else { Err(missing) }
}

fn tally(StoredTally { spent, reached, counted_to, .. }: StoredTally) -> Tally {
    Tally::read_back(spent, reached, counted_to)
}
