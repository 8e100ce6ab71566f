//! The keys of a budget with `each`: its columns of the table that all states share, under the changes of this one.
//!
//! *Invariants.* A state that is published has no changes left. One that is put together and dropped has not touched the table.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::changes::Changes;
use super::entries::add;
use super::slot::Reserved;
use super::table::{Column, Table, hash_of};
use super::tally::Tally;
use crate::budget::{Amounts, Bars};
use crate::domain::Folded;

#[derive(Clone, Debug)]
pub(super) struct Keys {
    table: Arc<Table>,
    /// What is set aside.
    reserved: Arc<Column>,
    /// How many commits have changed its columns.
    newest: Arc<AtomicI64>,
    /// How many had when this state was published.
    generation: i64,
    changes: Changes,
}

/// What is to be known beside a tally and what is set aside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aside {
    /// Whether only the ledger knows the tally.
    pub is_missing: bool,
    /// Whether what is set aside was changed by a later commit than the one of this state: what has lapsed by then is taken off.
    pub is_newer: bool,
}

impl Keys {
    /// In a table of its own, or in that of another budget with the same `each`.
    pub fn new(beside: Option<&Self>) -> Self {
        let table = beside.map(|other| Arc::clone(&other.table)).unwrap_or_default();
        let reserved = table.column();
        Self { table, reserved, newest: Arc::default(), generation: 0, changes: Changes::default() }
    }

    /// A column for a span.
    pub fn column(&self) -> Arc<Column> {
        self.table.column()
    }

    /// Looks at what is known of a key: its tally under a column, what is set aside, and what else there is to say.
    pub fn look<T>(
        &self,
        column: Option<u32>,
        key: &str,
        bars: &Bars,
        take: impl FnOnce(Option<&Tally>, Option<&Amounts>, Aside) -> T,
    ) -> T {
        let (hash, change) = (hash_of(key), self.changes.get(key));
        let (known_tally, known_reserved, is_partial) = {
            let shard = self.table.shard(hash);
            let known = shard.get(hash, key);
            let tally = known.zip(column).and_then(|(known, column)| known.tally(column));
            let reserved = known.and_then(|known| known.reserved(self.reserved.id));
            (tally, reserved, column.is_some_and(|column| shard.is_partial(column)))
        };
        let known_tally = known_tally.map(|tally| self.renewed(tally, bars));
        let tally = change.zip(column).and_then(|(change, column)| change.tally(column)).or(known_tally.as_ref());
        let is_newer = known_reserved.as_ref().is_some_and(|reserved| reserved.generation > self.generation);
        let known_reserved = known_reserved.as_ref().map(|reserved| &reserved.amounts);
        let reserved = change.and_then(|change| change.reserved.as_ref()).or(known_reserved);
        take(tally, reserved, Aside { is_missing: tally.is_none() && is_partial, is_newer })
    }

    /// Changes the tally of a key; `None` where it has none. Where only the ledger knows, its tally was put in before.
    pub fn change<T>(&mut self, column: u32, key: &str, bars: &Bars, change: impl FnOnce(&mut Tally) -> T) -> Option<T> {
        if let Some(tally) = self.changes.tally_mut(column, key) {
            return Some(change(tally));
        }
        let hash = hash_of(key);
        let (key, tally) = {
            let shard = self.table.shard(hash);
            let known = shard.get(hash, key)?;
            (known.key().clone(), known.tally(column)?)
        };
        let mut tally = self.renewed(tally, bars);
        let changed = change(&mut tally);
        self.changes.add_tally(column, key, tally);
        Some(changed)
    }

    /// Puts in a tally of a key that has none in memory.
    pub fn add(&mut self, column: u32, key: Folded, tally: Tally) {
        self.changes.add_tally(column, key, tally);
    }

    /// Puts in a tally while nobody looks at its column yet. Answers with the one before.
    pub fn load(&self, column: u32, key: &str, tally: &Tally) -> Option<Tally> {
        self.table.load(column, key, tally)
    }

    /// Changes every tally of columns that nobody looks at yet.
    pub fn change_each(&self, columns: &[u32], change: impl FnMut(&mut Tally)) {
        self.table.change_each(columns, change);
    }

    /// Takes tallies out of memory, and says how many. The ledger has them.
    pub fn leave_to_ledger(&self, column: u32, may_go: impl FnMut(&Tally) -> bool) -> usize {
        self.table.leave_to_ledger(column, may_go)
    }

    /// Sets something aside for a key, or no longer.
    pub fn reserve(&mut self, key: &str, amounts: &Amounts, sign: i128) {
        let (copy, known) = self.reserved(key);
        let change = self.changes.change_mut(copy.unwrap_or_else(|| Folded::from_folded(key)));
        add(change.reserved.get_or_insert_with(|| known.unwrap_or_default().amounts), amounts, sign);
    }

    /// Takes off what has lapsed, unless a later commit than the one of this state has done so. For those who only read.
    pub fn take_off(&mut self, key: &str, amounts: &Amounts) {
        // One hold of a key after the other: once the first was taken off here, the others are, whatever the writer has done since.
        let is_begun = self.changes.get(key).is_some_and(|change| change.reserved.is_some());
        let is_ours = || self.reserved(key).1.is_some_and(|known| known.generation <= self.generation);
        if is_begun || is_ours() {
            self.reserve(key, amounts, -1);
        }
    }

    /// What the table has set aside for a key, and its copy of the key.
    fn reserved(&self, key: &str) -> (Option<Folded>, Option<Reserved>) {
        let hash = hash_of(key);
        let shard = self.table.shard(hash);
        let known = shard.get(hash, key);
        (known.map(|known| known.key().clone()), known.and_then(|known| known.reserved(self.reserved.id)))
    }

    /// Sets nothing aside for anybody.
    pub fn forget_reserved(&mut self) {
        let Self { table, reserved, changes, .. } = self;
        for change in changes.by_key.values_mut().filter(|change| change.reserved.is_some()) {
            change.reserved = Some(Amounts::new());
        }
        table.each_shard(|shard| {
            for known in shard.iter().filter(|known| known.reserved(reserved.id).is_some()) {
                changes.change_mut(known.key().clone()).reserved = Some(Amounts::new());
            }
        });
    }

    /// Takes over that another limit is in force from now on.
    pub fn note_new_limit(&mut self, bars: &Bars) {
        self.changes.has_new_limit = true;
        let tallies = self.changes.by_key.values_mut().flat_map(|change| &mut change.tallies);
        tallies.for_each(|(_, tally)| tally.note_new_limit(bars));
    }

    /// Hands over each key with a tally in memory or something set aside: its tally under a column, and what is set aside. Those of which
    /// only the ledger knows what was spent are not among them.
    pub fn each(&self, column: Option<u32>, bars: &Bars, mut visit: impl FnMut(&Folded, Option<&Tally>, Option<&Amounts>)) {
        let mut visit = |key: &Folded, tally: Option<&Tally>, reserved: Option<&Amounts>, may_be_spent: bool| {
            let reserved = reserved.filter(|amounts| amounts.iter().any(|amount| *amount != 0));
            if tally.is_some() || (reserved.is_some() && !may_be_spent) {
                visit(key, tally, reserved);
            }
        };
        let is_partial = |is_partial: &dyn Fn(u32) -> bool| column.is_some_and(is_partial);
        self.table.each_shard(|shard| {
            let is_partial = is_partial(&|column| shard.is_partial(column));
            for known in shard.iter() {
                let change = self.changes.get(known.key().as_str());
                let known_tally = column.and_then(|column| known.tally(column)).map(|tally| self.renewed(tally, bars));
                let known_reserved = known.reserved(self.reserved.id).map(|reserved| reserved.amounts);
                let tally = change.zip(column).and_then(|(change, column)| change.tally(column)).or(known_tally.as_ref());
                let reserved = change.and_then(|change| change.reserved.as_ref()).or(known_reserved.as_ref());
                visit(known.key(), tally, reserved, is_partial);
            }
        });
        for (key, change) in &self.changes.by_key {
            let hash = hash_of(key.as_str());
            let (is_known, is_partial) = {
                let shard = self.table.shard(hash);
                (shard.get(hash, key.as_str()).is_some(), is_partial(&|column| shard.is_partial(column)))
            };
            if !is_known {
                visit(key, column.and_then(|column| change.tally(column)), change.reserved.as_ref(), is_partial);
            }
        }
    }

    /// Whether the table has more than was committed when this state was published.
    pub fn is_overtaken(&self) -> bool {
        self.newest.load(Ordering::SeqCst) != self.generation
    }

    /// Whether there is something that the table does not have.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Puts the changes into the table: they are committed. `columns` are those of its spans.
    pub fn apply(&mut self, columns: &[u32], bars: &Bars) {
        if self.changes.is_empty() {
            return;
        }
        let Changes { by_key, has_new_limit } = std::mem::take(&mut self.changes);
        self.generation += 1;
        // First, so that whoever sees a change knows that another state is about to be published.
        self.newest.store(self.generation, Ordering::SeqCst);
        if has_new_limit {
            self.table.change_each(columns, |tally| tally.note_new_limit(bars));
        }
        by_key.iter().for_each(|(key, change)| self.table.put(key, change, self.reserved.id, self.generation));
    }

    fn renewed(&self, mut tally: Tally, bars: &Bars) -> Tally {
        if self.changes.has_new_limit {
            tally.note_new_limit(bars);
        }
        tally
    }
}
