//! The keys of a budget with `each`: the table that all states share, under the changes of this one.
//!
//! *Invariants.* A state that is published has no changes left. One that is put together and dropped has not touched the table.

use std::sync::Arc;

use jiff::Timestamp;

use super::changes::Changes;
use super::counted::Tally;
use super::entries::add;
use super::table::{Table, hash_of};
use crate::budget::{Amounts, Bars};
use crate::domain::Folded;

#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    table: Arc<Table>,
    /// That of the table when this state was published.
    generation: u64,
    changes: Changes,
}

impl Keys {
    /// What is known of a key: its tally in the span that begins then, what is set aside, and whether only the ledger knows its tally.
    pub fn look<T>(
        &self,
        start: Timestamp,
        key: &str,
        bars: &Bars,
        take: impl FnOnce(Option<&Tally>, Option<&Amounts>, bool) -> T,
    ) -> T {
        let hash = hash_of(key);
        let change = if self.changes.by_key.is_empty() { None } else { self.changes.get(key) };
        let shard = self.table.shard(hash);
        let changed = change.and_then(|change| change.tally(start));
        let renewed;
        let tally = match changed {
            Some(tally) => Some(tally),
            None => match shard.tally(hash, start, key) {
                Some((_, tally)) if self.changes.has_new_limit => {
                    renewed = under_new_limit(tally, bars);
                    Some(&renewed)
                }
                found => found.map(|(_, tally)| tally),
            },
        };
        let is_missing = tally.is_none() && shard.is_partial(start);
        let reserved = match change.and_then(|change| change.reserved.as_ref()) {
            Some(reserved) => Some(reserved),
            None if shard.has_reserved() => shard.reserved(hash, key),
            None => None,
        };
        take(tally, reserved, is_missing)
    }

    /// Changes the tally of a key; `None` where it has none. Where only the ledger knows, its tally was put in before.
    pub fn change<T>(
        &mut self,
        start: Timestamp,
        key: &str,
        bars: &Bars,
        change: impl FnOnce(&mut Tally) -> T,
    ) -> Option<T> {
        if let Some(tally) = self.changes.tally_mut(start, key) {
            return Some(change(tally));
        }
        let hash = hash_of(key);
        let (key, mut tally) = self.table.shard(hash).tally(hash, start, key)?.clone();
        if self.changes.has_new_limit {
            tally.note_new_limit(bars);
        }
        let changed = change(&mut tally);
        self.changes.add_tally(start, key, tally);
        Some(changed)
    }

    /// Puts in a tally of a key that has none in memory.
    pub fn add(&mut self, start: Timestamp, key: Folded, tally: Tally) {
        self.changes.add_tally(start, key, tally);
    }

    /// Sets something aside for a key, or no longer.
    pub fn reserve(&mut self, key: &str, amounts: &Amounts, sign: i128) {
        let changed = self.changes.get(key).and_then(|change| change.reserved.clone());
        let mut reserved = changed.unwrap_or_else(|| {
            let hash = hash_of(key);
            self.table.shard(hash).reserved(hash, key).cloned().unwrap_or_default()
        });
        add(&mut reserved, amounts, sign);
        self.changes.change_mut(key).reserved = Some(reserved);
    }

    /// Sets nothing aside for anybody.
    pub fn forget_reserved(&mut self) {
        self.changes.by_key.values_mut().for_each(|change| change.reserved = change.reserved.take().map(|_| Amounts::new()));
        let Self { table, changes, .. } = self;
        table.each_shard(|shard| {
            for (key, _) in shard.all_reserved() {
                changes.by_key.entry(key.clone()).or_default().reserved = Some(Amounts::new());
            }
        });
    }

    /// Takes over that another limit is in force from now on.
    pub fn note_new_limit(&mut self, bars: &Bars) {
        self.changes.has_new_limit = true;
        let tallies = self.changes.by_key.values_mut().flat_map(|change| &mut change.tallies);
        tallies.for_each(|(_, tally)| tally.note_new_limit(bars));
    }

    /// Hands over each key with a tally in memory or something set aside: its tally in the span that begins then, and what is set aside.
    /// Those of which only the ledger knows what was spent are not among them.
    pub fn each(&self, start: Timestamp, bars: &Bars, mut visit: impl FnMut(&Folded, Option<&Tally>, Option<&Amounts>)) {
        let changes = &self.changes;
        self.table.each_shard(|shard| {
            let reserved_of = |key: &Folded| {
                let changed = changes.get(key.as_str()).and_then(|change| change.reserved.as_ref());
                let known = || if shard.has_reserved() { shard.reserved(hash_of(key.as_str()), key.as_str()) } else { None };
                changed.or_else(known).filter(|amounts| !is_nothing(amounts))
            };
            for (key, tally) in shard.tallies(start) {
                let changed = if changes.by_key.is_empty() { None } else { changes.tally(start, key.as_str()) };
                match changed {
                    Some(tally) => visit(key, Some(tally), reserved_of(key)),
                    None if changes.has_new_limit => visit(key, Some(&under_new_limit(tally, bars)), reserved_of(key)),
                    None => visit(key, Some(tally), reserved_of(key)),
                }
            }
            let may_be_spent = shard.is_partial(start);
            for (key, _) in shard.all_reserved() {
                let has_tally = shard.tally(hash_of(key.as_str()), start, key.as_str()).is_some();
                let is_new = changes.get(key.as_str()).is_some();
                if !has_tally && !is_new && !may_be_spent {
                    visit(key, None, reserved_of(key));
                }
            }
        });
        for (key, change) in &changes.by_key {
            let hash = hash_of(key.as_str());
            let shard = self.table.shard(hash);
            if shard.tally(hash, start, key.as_str()).is_some() {
                continue;
            }
            let reserved = change.reserved.as_ref().or_else(|| shard.reserved(hash, key.as_str()));
            let reserved = reserved.filter(|amounts| !is_nothing(amounts));
            match change.tally(start) {
                Some(tally) => visit(key, Some(tally), reserved),
                None if reserved.is_some() && !shard.is_partial(start) => visit(key, None, reserved),
                None => {}
            }
        }
    }

    /// Says of each key that has nothing but something set aside.
    pub fn each_held_only(&self, start: Timestamp, bars: &Bars, mut found: impl FnMut()) {
        if !self.has_reserved() {
            return;
        }
        self.each(start, bars, |_, tally, _| {
            if tally.is_none() {
                found();
            }
        });
    }

    fn has_reserved(&self) -> bool {
        let mut has_reserved = self.changes.by_key.values().any(|change| change.reserved.is_some());
        self.table.each_shard(|shard| has_reserved |= shard.has_reserved());
        has_reserved
    }

    /// Whether the table has more than was committed when this state was published.
    pub fn is_overtaken(&self) -> bool {
        self.table.generation() != self.generation
    }

    /// Whether there is something that the table does not have.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Puts the changes into the table: they are committed.
    pub fn apply(&mut self, bars: &Bars) {
        if self.changes.is_empty() {
            return;
        }
        self.generation += 1;
        self.table.apply(self.generation, std::mem::take(&mut self.changes), bars);
    }

    /// The table, whose tallies are all committed.
    pub fn table(&self) -> &Table {
        &self.table
    }
}

fn under_new_limit(tally: &Tally, bars: &Bars) -> Tally {
    let mut tally = tally.clone();
    tally.note_new_limit(bars);
    tally
}

fn is_nothing(amounts: &Amounts) -> bool {
    amounts.iter().all(|amount| *amount == 0)
}
