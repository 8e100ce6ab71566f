//! Which blocks may hold an id: the Bloom filters of all blocks, eight of them side by side.
//!
//! A Bloom filter answers a question with a few looks into memory, and each is a cache miss. Asking one filter after the other
//! multiplies them by the number of blocks. So the filters of eight blocks share their bytes: bit `c` of byte `p` is bit `p` of
//! block `c`'s filter, and one look answers for eight blocks.
//!
//! *Invariants.* A block that holds an id is always among the candidates. The positions are part of the file format.
//!
//! *Limits.* 16 bits an id, in steps of 4 MiB for eight blocks.

use super::BLOCK_EVENTS;

/// Bits of one block's filter, 16 an id: with [`PROBES`] one new id in 1,000 is looked for in a block in vain.
const FILTER_BITS: usize = BLOCK_EVENTS as usize * 16;
/// Looks per question.
const PROBES: u64 = 6;
/// The top bits of a hash that make a position.
const POSITION_SHIFT: u32 = u64::BITS - FILTER_BITS.ilog2();
/// Blocks side by side: one for each bit of a byte.
const COLUMNS: i64 = 8;
/// For each byte, its bits spread over the lowest bits of eight bytes.
const SPREAD: [u64; 256] = spread_table();

/// Filters over all blocks that are remembered.
#[derive(Debug, Default)]
pub(super) struct Filters {
    /// Eight blocks each, in order; the first one's number is `first_group`.
    groups: Vec<Group>,
    first_group: i64,
}

/// The filters of eight blocks.
#[derive(Debug)]
struct Group {
    /// Eight rows a word: bit `c` of byte `p` of the whole is bit `p` of the filter in column `c`.
    words: Vec<u64>,
    /// A bit for each column that is asked.
    live: u8,
}

impl Filters {
    /// The blocks that may hold this hash, newest first.
    pub fn candidates(&self, hash: u64) -> impl Iterator<Item = i64> {
        let positions = positions(hash);
        self.groups.iter().enumerate().rev().flat_map(move |(index, group)| {
            let first = (self.first_group + index as i64) * COLUMNS;
            let columns = positions.iter().fold(group.live, |columns, position| columns & group.row(*position));
            (0..COLUMNS).rev().filter(move |column| columns >> column & 1 == 1).map(move |column| first + column)
        })
    }

    /// Adds a hash to a block.
    pub fn add(&mut self, block: i64, hash: u64) {
        let column = column(block);
        let group = self.group_mut(block);
        group.live |= 1 << column;
        for position in positions(hash) {
            group.words[position / 8] |= 1 << (position % 8 * 8 + column);
        }
    }

    /// A block's filter as the file keeps it.
    pub fn bits(&self, block: i64) -> Vec<u8> {
        let column = column(block);
        let Some(group) = self.index(block).and_then(|index| self.groups.get(index)) else { return Vec::new() };
        let bit_of = |word: u64, row: usize| u8::from(word >> (row * 8 + column) & 1 == 1) << row;
        group.words.iter().map(|word| (0..8).fold(0, |byte, row| byte | bit_of(*word, row))).collect()
    }

    /// Takes a block's filter from the file. `false`, and nothing taken, when it has another size.
    pub fn take_bits(&mut self, block: i64, bits: &[u8]) -> bool {
        if bits.len() * 8 != FILTER_BITS {
            return false;
        }
        let column = column(block);
        let group = self.group_mut(block);
        group.live |= 1 << column;
        for (word, byte) in group.words.iter_mut().zip(bits) {
            *word |= SPREAD[usize::from(*byte)] << column;
        }
        true
    }

    /// Lets go of a block, and of memory once no block beside it is left. Blocks are forgotten in order.
    pub fn forget(&mut self, block: i64) {
        if let Some(group) = self.index(block).and_then(|index| self.groups.get_mut(index)) {
            group.live &= !(1 << column(block));
        }
        // The newest group stays: its other columns are still to be filled.
        while self.groups.len() > 1 && self.groups[0].live == 0 {
            self.groups.remove(0);
            self.first_group += 1;
        }
    }

    fn index(&self, block: i64) -> Option<usize> {
        usize::try_from(block / COLUMNS - self.first_group).ok()
    }

    fn group_mut(&mut self, block: i64) -> &mut Group {
        if self.groups.is_empty() {
            self.first_group = block / COLUMNS;
        }
        let index = self.index(block).unwrap_or(0);
        while self.groups.len() <= index {
            self.groups.push(Group { words: vec![0; FILTER_BITS / 8], live: 0 });
        }
        &mut self.groups[index]
    }
}

impl Group {
    fn row(&self, position: usize) -> u8 {
        (self.words[position / 8] >> (position % 8 * 8)) as u8
    }
}

fn column(block: i64) -> usize {
    (block % COLUMNS) as usize
}

/// Where a hash has its bits: double hashing (Kirsch and Mitzenmacher, "Less Hashing, Same Performance"). The hash is keyed and
/// uniform, so its halves will do.
fn positions(hash: u64) -> [usize; PROBES as usize] {
    let step = hash.rotate_left(32) | 1;
    std::array::from_fn(|probe| (hash.wrapping_add(step.wrapping_mul(probe as u64)) >> POSITION_SHIFT) as usize)
}

const fn spread_table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            table[byte] |= (byte as u64 >> bit & 1) << (bit * 8);
            bit += 1;
        }
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uniform numbers without a dependency: splitmix64.
    fn hashes(seed: u64) -> impl Iterator<Item = u64> {
        (1_u64..).map(move |step| {
            let mixed = seed.wrapping_add(step.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 31
        })
    }

    fn full(blocks: std::ops::Range<i64>) -> Filters {
        let mut filters = Filters::default();
        for block in blocks {
            hashes(block as u64).take(BLOCK_EVENTS as usize).for_each(|hash| filters.add(block, hash));
        }
        filters
    }

    #[test]
    fn every_id_is_found_in_its_block_and_few_others_anywhere() {
        let filters = full(7..10);
        for block in 7..10 {
            let found = |hash| filters.candidates(hash).any(|candidate| candidate == block);
            assert!(hashes(block as u64).take(50_000).all(found), "a Bloom filter never misses");
        }
        let strangers = 100_000;
        let in_vain: usize = hashes(99).take(strangers).map(|hash| filters.candidates(hash).count()).sum();
        let share = in_vain as f64 / (strangers * 3) as f64;
        assert!(share < 0.0015, "{share} of the new ids would be looked for in vain, far from the promised 0.001");
    }

    #[test]
    fn a_stored_filter_is_the_same_filter() {
        let filters = full(7..9);
        let mut loaded = Filters::default();
        for block in 7..9 {
            assert!(loaded.take_bits(block, &filters.bits(block)));
        }
        assert!(!loaded.take_bits(9, &[1, 2, 3]), "a filter of another size is not taken");
        for hash in hashes(7).take(1_000).chain(hashes(99).take(100_000)) {
            assert!(loaded.candidates(hash).eq(filters.candidates(hash)));
        }
    }

    #[test]
    fn forgotten_blocks_are_no_candidates_and_give_their_memory_back() {
        let mut filters = full(6..9);
        for block in 6..8 {
            filters.forget(block);
        }
        assert_eq!(filters.groups.len(), 1, "the group of blocks 0 to 7 is gone");
        let hash = hashes(8).next().unwrap();
        assert_eq!(filters.candidates(hash).next(), Some(8));
        filters.forget(8);
        assert_eq!(filters.candidates(hash).next(), None);
        filters.add(9, hash);
        assert_eq!(filters.candidates(hash).collect::<Vec<_>>(), [9]);
    }
}
