//! Sums by key, for as many keys as fit a bound of memory: the table that a grouping of events fills.
//!
//! *Invariants.* A sum is exact whatever is added. A key is a text of bytes whose order is the order of what it stands for.
//!
//! *Limits.* [`CELLS_BYTES_MAX`]. Beyond it the table keeps only a share of the keys, chosen by their hash, and whoever fills it
//! asks for the other shares in further passes.

use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;

use hashbrown::{HashMap, HashTable};

use crate::domain::Usd;

/// Memory for one table: a million keys of 36 bytes, as long as a UUID, fit in it.
pub(super) const CELLS_BYTES_MAX: usize = 80 * 1024 * 1024;
/// Bytes of one cell beside its key: the sum, the end of the key, and the table's slot, which is free in up to half of them.
const CELL_BYTES: usize = 8 + 4 + 2 * size_of::<(Slot, u8)>();

/// Bytes of most keys: a UUID, and a name.
const KEY_BYTES: usize = 64;

/// Which hashes' keys a table keeps.
pub(super) type Share = RangeInclusive<u32>;

/// Sums by key.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    hasher: RandomState,
    share: Share,
    bytes_max: usize,
    slots: HashTable<Slot>,
    /// The keys, one behind the other.
    keys: Vec<u8>,
    /// Where each key ends.
    ends: Vec<u32>,
    /// 64 bits hold nearly every sum; `carried` has what went beyond.
    sums: Vec<i64>,
    carried: HashMap<u32, i128>,
}

/// A cell's number, with half of its hash: so that the table grows without looking at keys.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    cell: u32,
}

impl Slot {
    /// All bits of the half, spread over the 64 that the table wants.
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Cells {
    /// An empty table for all keys.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            hasher: RandomState::new(),
            share: 0..=u32::MAX,
            bytes_max,
            slots: HashTable::new(),
            keys: Vec::new(),
            ends: Vec::new(),
            sums: Vec::new(),
            carried: HashMap::new(),
        }
    }

    /// Makes room for as many keys as so many rows may have, within the bound. Memory is taken when it is filled; growing bit by
    /// bit instead would leave holes as large as the table.
    pub fn reserve(&mut self, rows: usize) {
        let cells = rows.min(self.bytes_max / CELL_BYTES);
        self.sums.reserve_exact(cells);
        self.ends.reserve_exact(cells);
        self.slots.reserve(cells, |slot| Slot::spread(slot.hash));
        self.keys.reserve_exact(cells.saturating_mul(KEY_BYTES).min(self.bytes_max / 2));
    }

    /// Adds to the sum of a key, if it is of the share that is kept.
    pub fn add(&mut self, key: &[u8], amount: i64) {
        let (choice, hash) = halves(self.hasher.hash_one(key));
        if !self.share.contains(&choice) {
            return;
        }
        if let Some(cell) = self.find(hash, key) {
            self.add_to(cell, amount);
            return;
        }
        if self.bytes() + key.len() + CELL_BYTES > self.bytes_max {
            self.shrink();
            // It may no longer be of the share.
            return self.add(key, amount);
        }
        self.insert(hash, key, amount);
    }

    /// Adds a sum, of which 64 bits may not hold every one, to that of a key.
    pub fn add_sum(&mut self, key: &[u8], sum: Usd) {
        if let Ok(amount) = i64::try_from(sum.pico()) {
            return self.add(key, amount);
        }
        self.add(key, 0);
        if let Some(cell) = self.find(halves(self.hasher.hash_one(key)).1, key) {
            *self.carried.entry(cell).or_insert(0) += sum.pico();
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// Every key with its sum, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Usd)> {
        (0..).zip(&self.sums).map(|(cell, sum)| {
            let carried = if self.carried.is_empty() { 0 } else { self.carried.get(&cell).copied().unwrap_or(0) };
            (self.key(cell), Usd::from_pico(i128::from(*sum) + carried))
        })
    }

    /// Forgets the cells, to be filled with the next share; `false` when the share that was kept was the last one.
    pub fn next_share(&mut self) -> bool {
        let (first, last) = (*self.share.start(), *self.share.end());
        let Some(next) = last.checked_add(1) else { return false };
        // Hashes spread evenly: a share as wide as this one has as many keys.
        self.share = next..=next.saturating_add(last - first);
        self.slots.clear();
        self.keys.clear();
        self.ends.clear();
        self.sums.clear();
        self.carried.clear();
        true
    }

    /// Keeps the lower three quarters of the share.
    fn shrink(&mut self) {
        let (first, last) = (*self.share.start(), *self.share.end());
        let before = std::mem::replace(self, Self { hasher: self.hasher.clone(), ..Self::new(self.bytes_max) });
        self.share = first..=first + (last - first) / 4 * 3;
        for (cell, sum) in (0..).zip(&before.sums) {
            let key = before.key(cell);
            let (choice, hash) = halves(self.hasher.hash_one(key));
            if self.share.contains(&choice) {
                let kept = self.insert(hash, key, *sum);
                if let Some(carried) = before.carried.get(&cell) {
                    self.carried.insert(kept, *carried);
                }
            }
        }
        // A share of one hash cannot be divided: the few keys that have it are kept above the bound.
        if first == last {
            self.bytes_max = usize::MAX;
        }
    }

    fn find(&self, hash: u32, key: &[u8]) -> Option<u32> {
        let found = self.slots.find(Slot::spread(hash), |slot| slot.hash == hash && self.key(slot.cell) == key);
        found.map(|slot| slot.cell)
    }

    fn insert(&mut self, hash: u32, key: &[u8], amount: i64) -> u32 {
        // The bound of bytes is far below 2³².
        let cell = self.sums.len() as u32;
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len() as u32);
        self.sums.push(amount);
        self.slots.insert_unique(Slot::spread(hash), Slot { hash, cell }, |slot| Slot::spread(slot.hash));
        cell
    }

    fn add_to(&mut self, cell: u32, amount: i64) {
        let Some(sum) = self.sums.get_mut(cell as usize) else { return };
        match sum.checked_add(amount) {
            Some(more) => *sum = more,
            None => {
                *self.carried.entry(cell).or_insert(0) += i128::from(*sum);
                *sum = amount;
            }
        }
    }

    fn key(&self, cell: u32) -> &[u8] {
        let cell = cell as usize;
        let from = if cell == 0 { 0 } else { self.ends[cell - 1] as usize };
        &self.keys[from..self.ends[cell] as usize]
    }

    /// Memory that keys and sums need.
    pub fn bytes(&self) -> usize {
        self.keys.len() + self.sums.len() * CELL_BYTES
    }
}

/// One half of a hash chooses the share, the other finds the slot: a narrow share must not make slots alike.
fn halves(hash: u64) -> (u32, u32) {
    ((hash >> 32) as u32, hash as u32)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn in_shares(cells: &mut Cells, rows: &[(String, i64)]) -> (BTreeMap<String, Usd>, usize) {
        let (mut found, mut passes) = (BTreeMap::new(), 0);
        loop {
            rows.iter().for_each(|(key, amount)| cells.add(key.as_bytes(), *amount));
            assert!(cells.bytes() <= 10_000);
            for (key, sum) in cells.iter() {
                let before = found.insert(String::from_utf8(key.to_vec()).unwrap(), sum);
                assert_eq!(before, None, "a key is in one share only");
            }
            passes += 1;
            if !cells.next_share() {
                return (found, passes);
            }
        }
    }

    #[test]
    fn keys_beyond_the_memory_are_added_up_in_further_passes() {
        for (keys, passes) in [(1, 1..=1), (100, 1..=1), (1_000, 5..=15)] {
            let rows: Vec<_> = (0..3_000).map(|row| (format!("key-{}", row % keys), row - 1_000)).collect();
            let mut expected: BTreeMap<String, Usd> = BTreeMap::new();
            for (key, amount) in &rows {
                *expected.entry(key.clone()).or_default() += Usd::from_pico(i128::from(*amount));
            }
            let (found, needed) = in_shares(&mut Cells::new(10_000), &rows);
            assert_eq!(found, expected);
            assert!(passes.contains(&needed), "{needed} passes for {keys} keys");
        }
    }

    #[test]
    fn sums_beyond_64_bits_are_exact() {
        let rows: Vec<_> =
            [i64::MAX, 5, i64::MAX, i64::MIN, i64::MIN, i64::MIN, -7].map(|amount| ("a".into(), amount)).into();
        let (found, _) = in_shares(&mut Cells::new(10_000), &rows);
        let expected = rows.iter().map(|(_, amount)| i128::from(*amount)).sum();
        assert_eq!(found["a"], Usd::from_pico(expected));
    }

    #[test]
    fn sums_that_64_bits_do_not_hold_are_added_exactly_too() {
        let (most, mut cells) = (i128::from(i64::MAX), Cells::new(10_000));
        for (key, pico) in [("a", 7), ("a", most * 4), ("b", -most * 2), ("a", most * 5), ("b", 1), ("c", most)] {
            cells.add_sum(key.as_bytes(), Usd::from_pico(pico));
        }
        let found: Vec<_> = cells.iter().map(|(key, sum)| (key, sum.pico())).collect();
        assert_eq!(found, [(b"a".as_slice(), most * 9 + 7), (b"b", 1 - most * 2), (b"c", most)]);
        assert_eq!(cells.len(), 3);
    }

    /// So many that some share the half of their hash that finds the slot: three hundred thousand pairs of four thousand million.
    #[test]
    fn keys_whose_hashes_are_alike_stay_apart() {
        let mut cells = Cells::new(usize::MAX);
        for key in 0..300_000_u32 {
            cells.add(&key.to_le_bytes(), 1);
        }
        assert_eq!(cells.len(), 300_000);
    }

    #[test]
    fn as_many_keys_are_kept_as_the_memory_holds() {
        let mut cells = Cells::new(3 * (4 + CELL_BYTES));
        ["key1", "key2", "key3", "key1"].into_iter().for_each(|key| cells.add(key.as_bytes(), 1));
        assert_eq!((cells.len(), cells.bytes(), cells.clone().next_share()), (3, 3 * (4 + CELL_BYTES), false));
        cells.add(b"key4", 1);
        assert!(cells.len() <= 3 && cells.next_share(), "some are left to the next pass");
    }
}
