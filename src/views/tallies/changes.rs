//! What is decided of keys and not committed: laid over the table until the commit is on the disk.
//!
//! *Invariants.* Whoever decides looks here first, so a command is decided with all before it. Changes that are dropped have changed nothing.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::tally::Tally;
use crate::budget::Amounts;
use crate::domain::Folded;

/// Keys of a commit, of those that are not batches.
const CAPACITY: usize = 14;

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
    /// Its tallies that change, by their columns.
    pub tallies: SmallVec<[(u32, Tally); 1]>,
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
        if self.by_key.is_empty() { None } else { self.by_key.get(key) }
    }

    /// The tally that a key is to have, if it changes, to change it further.
    pub fn tally_mut(&mut self, column: u32, key: &str) -> Option<&mut Tally> {
        if self.by_key.is_empty() {
            return None;
        }
        let change = self.by_key.get_mut(key)?;
        change.tallies.iter_mut().find(|(known, _)| *known == column).map(|(_, tally)| tally)
    }

    /// What is to be known of a key, to change it.
    pub fn change_mut(&mut self, key: Folded) -> &mut Change {
        if self.by_key.capacity() == 0 {
            self.by_key.reserve(CAPACITY);
        }
        self.by_key.entry(key).or_default()
    }

    /// Lets a key have a tally that it did not have among these changes.
    pub fn add_tally(&mut self, column: u32, key: Folded, tally: Tally) {
        self.change_mut(key).tallies.push((column, tally));
    }
}

impl Change {
    /// The tally under a column, if it changes.
    pub fn tally(&self, column: u32) -> Option<&Tally> {
        self.tallies.iter().find(|(known, _)| *known == column).map(|(_, tally)| tally)
    }
}
