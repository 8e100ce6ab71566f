//! What is decided of keys and not committed: laid over the table until the commit is on the disk.
//!
//! *Invariants.* Whoever decides looks here first, so a command is decided with all before it. Changes that are dropped have changed nothing.

use hashbrown::HashMap;
use jiff::Timestamp;
use smallvec::SmallVec;

use super::counted::Tally;
use crate::budget::Amounts;
use crate::domain::Folded;

/// What is to be put into a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    pub by_key: HashMap<Folded, Change>,
    /// Another limit is in force: what tallies of the table say of when it was used up is not of this one.
    pub has_new_limit: bool,
}

/// What is to be known of a key.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    /// Its tallies that change, by the beginning of the span.
    pub tallies: SmallVec<[(Timestamp, Tally); 1]>,
    /// What is to be set aside, if that changes.
    pub reserved: Option<Amounts>,
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty() && !self.has_new_limit
    }

    /// What is to be known of a key, if something is.
    pub fn get(&self, key: &str) -> Option<&Change> {
        self.by_key.get(key)
    }

    /// The tally that a key is to have, if it changes.
    pub fn tally(&self, start: Timestamp, key: &str) -> Option<&Tally> {
        self.get(key)?.tally(start)
    }

    /// The same, to change it further.
    pub fn tally_mut(&mut self, start: Timestamp, key: &str) -> Option<&mut Tally> {
        if self.by_key.is_empty() {
            return None;
        }
        let change = self.by_key.get_mut(key)?;
        change.tallies.iter_mut().find(|(known, _)| *known == start).map(|(_, tally)| tally)
    }

    /// What is to be known of a key, to change it.
    pub fn change_mut(&mut self, key: &str) -> &mut Change {
        self.by_key.entry(Folded::from_folded(key)).or_default()
    }

    /// Lets a key have a tally that it did not have among these changes.
    pub fn add_tally(&mut self, start: Timestamp, key: Folded, tally: Tally) {
        self.by_key.entry(key).or_default().tallies.push((start, tally));
    }
}

impl Change {
    /// The tally of a span, if it changes.
    pub fn tally(&self, start: Timestamp) -> Option<&Tally> {
        self.tallies.iter().find(|(known, _)| *known == start).map(|(_, tally)| tally)
    }
}
