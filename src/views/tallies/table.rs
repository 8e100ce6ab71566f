//! The tallies of one budget by key, and what open holds set aside for each: changed in place, and shared by all states.
//!
//! *Invariants.* Only what is committed is in it. All that a commit says of one key is put in at once, so whoever looks sees what was
//! spent and what is set aside of the same moment. Only the writer changes it.
//!
//! *Limits.* A lock is held for one look-up, one change, or one walk over one of [`SHARDS`] parts.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::{DefaultHashBuilder, HashTable};
use jiff::Timestamp;
use smallvec::SmallVec;

use super::changes::{Change, Changes};
use super::counted::Tally;
use crate::budget::{Amounts, Bars};
use crate::domain::Folded;

/// Parts that a table is locked in. One of them grows, or is walked over, while the others are looked at.
const SHARDS: usize = 32;

static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);

/// What is known of the keys of one budget.
#[derive(Debug, Default)]
pub(super) struct Table {
    shards: [RwLock<Shard>; SHARDS],
    /// How many commits have changed it.
    generation: AtomicU64,
}

/// Some of the keys.
#[derive(Debug, Default)]
pub(super) struct Shard {
    /// Those with cost, by the beginning of the span. Nearly always there is one.
    spans: SmallVec<[OfSpan; 1]>,
    /// What is set aside for keys; nobody has nothing here.
    reserved: HashTable<(Folded, Amounts)>,
}

#[derive(Debug)]
struct OfSpan {
    start: Timestamp,
    tallies: HashTable<(Folded, Tally)>,
    /// Whether the ledger has tallies that are not here.
    is_partial: bool,
}

/// The hash of a key, by which it is found everywhere.
pub(super) fn hash_of(key: &str) -> u64 {
    HASHER.hash_one(key)
}

impl Table {
    /// The part that has a key, to look at.
    pub fn shard(&self, hash: u64) -> RwLockReadGuard<'_, Shard> {
        read(&self.shards[place(hash)])
    }

    /// Hands over the parts one by one, each locked meanwhile.
    pub fn each_shard(&self, mut visit: impl FnMut(&Shard)) {
        self.shards.iter().for_each(|shard| visit(&read(shard)));
    }

    /// How many commits have changed it.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Puts in what a commit has changed.
    pub fn apply(&self, generation: u64, changes: Changes, bars: &Bars) {
        // First, so that whoever sees a change knows that its own state may be older.
        self.generation.store(generation, Ordering::SeqCst);
        if changes.has_new_limit {
            for shard in &self.shards {
                let mut shard = write(shard);
                let tallies = shard.spans.iter_mut().flat_map(|of_span| of_span.tallies.iter_mut());
                tallies.for_each(|(_, tally)| tally.note_new_limit(bars));
            }
        }
        for (key, Change { tallies, reserved }) in changes.by_key {
            let hash = hash_of(key.as_str());
            let mut shard = write(&self.shards[place(hash)]);
            for (start, tally) in tallies {
                shard.put(hash, start, &key, tally);
            }
            if let Some(reserved) = reserved {
                shard.set_reserved(hash, key, reserved);
            }
        }
    }

    /// Puts in a tally while nobody looks yet. Answers with the one before.
    pub fn load(&self, start: Timestamp, key: &str, tally: Tally) -> Option<Tally> {
        let hash = hash_of(key);
        write(&self.shards[place(hash)]).put(hash, start, &Folded::from_folded(key), tally)
    }

    /// Changes every tally while nobody looks yet.
    pub fn change_each(&self, mut change: impl FnMut(&mut Tally)) {
        for shard in &self.shards {
            let mut shard = write(shard);
            let tallies = shard.spans.iter_mut().flat_map(|of_span| of_span.tallies.iter_mut());
            tallies.for_each(|(_, tally)| change(tally));
        }
    }

    /// Takes tallies of a span out of memory, and says how many. The ledger has them.
    pub fn leave_to_ledger(&self, start: Timestamp, mut may_go: impl FnMut(&Tally) -> bool) -> usize {
        let mut gone = 0;
        for shard in &self.shards {
            let mut shard = write(shard);
            let Some(of_span) = shard.spans.iter_mut().find(|of_span| of_span.start == start) else { continue };
            let before = of_span.tallies.len();
            of_span.tallies.retain(|(_, tally)| !may_go(tally));
            let left = of_span.tallies.len();
            if left < before {
                of_span.is_partial = true;
                gone += before - left;
                if left < of_span.tallies.capacity() / 2 {
                    of_span.tallies.shrink_to(left + left / 4, |(key, _)| hash_of(key.as_str()));
                }
            }
        }
        gone
    }

    /// Lets go of all spans but those that begin then.
    pub fn keep_spans(&self, starts: &[Timestamp]) {
        for shard in &self.shards {
            write(shard).spans.retain(|of_span| starts.contains(&of_span.start));
        }
    }
}

impl Shard {
    /// The tally of a key in a span.
    pub fn tally(&self, hash: u64, start: Timestamp, key: &str) -> Option<&(Folded, Tally)> {
        self.of_span(start)?.tallies.find(hash, |(known, _)| known.as_str() == key)
    }

    /// Whether the ledger has tallies of a span that are not here.
    pub fn is_partial(&self, start: Timestamp) -> bool {
        self.of_span(start).is_some_and(|of_span| of_span.is_partial)
    }

    /// The tallies of a span.
    pub fn tallies(&self, start: Timestamp) -> impl Iterator<Item = (&Folded, &Tally)> {
        self.of_span(start).into_iter().flat_map(|of_span| of_span.tallies.iter().map(|(key, tally)| (key, tally)))
    }

    /// What is set aside for a key.
    pub fn reserved(&self, hash: u64, key: &str) -> Option<&Amounts> {
        self.reserved.find(hash, |(known, _)| known.as_str() == key).map(|(_, amounts)| amounts)
    }

    /// What is set aside, by key.
    pub fn all_reserved(&self) -> impl Iterator<Item = (&Folded, &Amounts)> {
        self.reserved.iter().map(|(key, amounts)| (key, amounts))
    }

    /// Whether something is set aside for anybody.
    pub fn has_reserved(&self) -> bool {
        !self.reserved.is_empty()
    }

    fn of_span(&self, start: Timestamp) -> Option<&OfSpan> {
        self.spans.iter().find(|of_span| of_span.start == start)
    }

    fn put(&mut self, hash: u64, start: Timestamp, key: &Folded, tally: Tally) -> Option<Tally> {
        let at = self.spans.iter().position(|of_span| of_span.start == start).unwrap_or_else(|| {
            self.spans.push(OfSpan { start, tallies: HashTable::new(), is_partial: false });
            self.spans.len() - 1
        });
        let tallies = &mut self.spans[at].tallies;
        match tallies.find_mut(hash, |(known, _)| known == key) {
            Some((_, known)) => Some(std::mem::replace(known, tally)),
            None => {
                tallies.insert_unique(hash, (key.clone(), tally), |(key, _)| hash_of(key.as_str()));
                None
            }
        }
    }

    fn set_reserved(&mut self, hash: u64, key: Folded, amounts: Amounts) {
        let found = self.reserved.find_entry(hash, |(known, _)| *known == key);
        let is_nothing = amounts.iter().all(|amount| *amount == 0);
        match found {
            Ok(entry) if is_nothing => drop(entry.remove()),
            Ok(mut entry) => entry.get_mut().1 = amounts,
            Err(_) if is_nothing => {}
            Err(_) => {
                self.reserved.insert_unique(hash, (key, amounts), |(key, _)| hash_of(key.as_str()));
            }
        }
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
