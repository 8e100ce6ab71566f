//! What budgets know of keys: tallies, and what open holds set aside. Changed in place, and shared by all states.
//!
//! Budgets with the same `each` share one table, so that a key is found once in memory for all of them: looking is what takes time. Each of
//! them has a column for each span, and one for what is set aside.
//!
//! *Invariants.* Only what is committed is in it. All that a commit says of one key under one budget is put in at once, so whoever looks sees what
//! was spent and what is set aside of the same moment. Only the writer changes it; but a column that no state has any more is cleared by
//! whoever had the last.
//!
//! *Limits.* A lock is held for one look-up, one change, or one walk over one of [`SHARDS`] parts.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::changes::Change;
use super::slot::{Reserved, Slot};
use super::tally::Tally;
use crate::domain::Folded;

/// Parts that a table is locked in. One of them grows, or is walked over, while the others are looked at.
const SHARDS: usize = 32;

static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// What is known of the keys of budgets with the same `each`.
#[derive(Debug, Default)]
pub(super) struct Table {
    shards: [RwLock<Shard>; SHARDS],
    /// How many columns there ever were.
    columns: AtomicU32,
}

/// A place in each key, for as long as some state has it.
#[derive(Debug)]
pub(super) struct Column {
    table: Arc<Table>,
    pub id: u32,
}

/// Some of the keys.
#[derive(Debug, Default)]
pub(super) struct Shard {
    keys: HashTable<Known>,
    /// The columns of which the ledger has more than is here.
    partial: Vec<u32>,
}

/// What is known of a key; something is.
#[derive(Debug)]
pub(super) struct Known {
    key: Folded,
    slots: Vec<Slot>,
}

/// The hash of a key, by which it is found everywhere.
pub(super) fn hash_of(key: &str) -> u64 {
    HASHER.hash_one(key)
}

impl Table {
    /// A new column.
    pub fn column(self: &Arc<Self>) -> Arc<Column> {
        // As many as budgets have had spans since the start.
        let id = self.columns.fetch_add(1, Ordering::Relaxed);
        Arc::new(Column { table: Arc::clone(self), id })
    }

    /// The part that has a key, to look at.
    pub fn shard(&self, hash: u64) -> RwLockReadGuard<'_, Shard> {
        read(&self.shards[place(hash)])
    }

    /// Hands over the parts one by one, each locked meanwhile.
    pub fn each_shard(&self, mut visit: impl FnMut(&Shard)) {
        self.shards.iter().for_each(|shard| visit(&read(shard)));
    }

    /// Puts in what a commit has changed of a key of one budget, which is the `generation`th.
    pub fn put(&self, key: &Folded, change: &Change, reserved: u32, generation: i64) {
        let hash = hash_of(key.as_str());
        let mut shard = write(&self.shards[place(hash)]);
        for (column, tally) in &change.tallies {
            shard.put(hash, key, Slot::of_tally(*column, tally));
        }
        match &change.reserved {
            Some(amounts) if amounts.iter().all(|amount| *amount == 0) => shard.remove(hash, key, reserved),
            Some(amounts) => {
                let known = Reserved { amounts: amounts.clone(), generation };
                shard.put(hash, key, Slot::of_reserved(reserved, &known));
            }
            None => {}
        }
    }

    /// Puts in a tally while nobody looks at its column yet. Answers with the one before.
    pub fn load(&self, column: u32, key: &str, tally: &Tally) -> Option<Tally> {
        let hash = hash_of(key);
        let before = write(&self.shards[place(hash)]).put(hash, &Folded::from_folded(key), Slot::of_tally(column, tally));
        before.map(|slot| slot.tally())
    }

    /// Changes every tally of these columns.
    pub fn change_each(&self, columns: &[u32], mut change: impl FnMut(&mut Tally)) {
        for shard in &self.shards {
            let mut shard = write(shard);
            let slots = shard.keys.iter_mut().flat_map(|known| &mut known.slots);
            for slot in slots.filter(|slot| columns.contains(&slot.column)) {
                let mut tally = slot.tally();
                change(&mut tally);
                *slot = Slot::of_tally(slot.column, &tally);
            }
        }
    }

    /// Takes tallies of a column out of memory, and says how many. The ledger has them.
    pub fn leave_to_ledger(&self, column: u32, mut may_go: impl FnMut(&Tally) -> bool) -> usize {
        let mut all_gone = 0;
        for shard in &self.shards {
            let mut shard = write(shard);
            let gone = shard.clear(column, |slot| may_go(&slot.tally()));
            if gone > 0 && !shard.partial.contains(&column) {
                shard.partial.push(column);
            }
            all_gone += gone;
        }
        all_gone
    }
}

impl Drop for Column {
    fn drop(&mut self) {
        for shard in &self.table.shards {
            let mut shard = write(shard);
            shard.clear(self.id, |_| true);
            shard.partial.retain(|column| *column != self.id);
        }
    }
}

impl Shard {
    /// What is known of a key.
    pub fn get(&self, hash: u64, key: &str) -> Option<&Known> {
        self.keys.find(hash, |known| known.key.as_str() == key)
    }

    /// Every key.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.keys.iter()
    }

    /// Whether the ledger has tallies of a column that are not here.
    pub fn is_partial(&self, column: u32) -> bool {
        self.partial.contains(&column)
    }

    /// Puts a slot in. Answers with the one before.
    fn put(&mut self, hash: u64, key: &Folded, slot: Slot) -> Option<Slot> {
        let Some(known) = self.keys.find_mut(hash, |known| known.key == *key) else {
            let known = Known { key: key.clone(), slots: vec![slot] };
            self.keys.insert_unique(hash, known, |known| hash_of(known.key.as_str()));
            return None;
        };
        match known.slots.iter_mut().find(|before| before.column == slot.column) {
            Some(before) => Some(std::mem::replace(before, slot)),
            None => {
                // They are few, and there are very many keys.
                known.slots.reserve_exact(1);
                known.slots.push(slot);
                None
            }
        }
    }

    fn remove(&mut self, hash: u64, key: &Folded, column: u32) {
        if let Ok(mut found) = self.keys.find_entry(hash, |known| known.key == *key) {
            let slots = &mut found.get_mut().slots;
            slots.retain(|slot| slot.column != column);
            if slots.is_empty() {
                found.remove();
            }
        }
    }

    /// Takes slots of a column out, and says how many.
    fn clear(&mut self, column: u32, mut may_go: impl FnMut(&Slot) -> bool) -> usize {
        let mut gone = 0;
        self.keys.retain(|known| {
            if let Some(at) = known.slots.iter().position(|slot| slot.column == column && may_go(slot)) {
                known.slots.remove(at);
                known.slots.shrink_to_fit();
                gone += 1;
            }
            !known.slots.is_empty()
        });
        let left = self.keys.len();
        if gone > 0 && left < self.keys.capacity() / 2 {
            self.keys.shrink_to(left + left / 4, |known| hash_of(known.key.as_str()));
        }
        gone
    }
}

impl Known {
    pub fn key(&self) -> &Folded {
        &self.key
    }

    /// The tally under a column.
    pub fn tally(&self, column: u32) -> Option<Tally> {
        self.slot(column).map(Slot::tally)
    }

    /// What is set aside under a column.
    pub fn reserved(&self, column: u32) -> Option<Reserved> {
        self.slot(column).map(Slot::reserved)
    }

    fn slot(&self, column: u32) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.column == column)
    }
}

/// The part of a key: bits that a table of this size does not look at.
fn place(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

fn read(shard: &RwLock<Shard>) -> RwLockReadGuard<'_, Shard> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &RwLock<Shard>) -> RwLockWriteGuard<'_, Shard> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}
