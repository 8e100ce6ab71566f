//! Which blocks may hold an id: the Bloom filters of all blocks, side by side.
//!
//! A Bloom filter answers a question with a few looks into memory, and each is a cache miss. Asking one filter after the other
//! multiplies them by the number of blocks. So all filters stand side by side: row `p` holds bit `p` of each, and one look
//! answers for all blocks. The rows that an id asks for lie close together, since finding a page of memory costs as much as reading
//! from it.
//!
//! *Invariants.* A block that holds an id is always among the candidates. The positions are part of the file format.
//!
//! *Limits.* 16 bits an id, in steps of 4 MiB for eight blocks.

use super::block::BLOCK_EVENTS;

/// Rows: bits of one block's filter, 16 an id. With [`PROBES`] one new id in 1,000 is looked for in a block in vain.
const ROWS: usize = BLOCK_EVENTS as usize * 16;
/// Rows that one id's bits lie in.
const STRIPE_ROWS: usize = 2_048;
/// Parts of the whole, each an allocation of its own: rows grow part by part, without a second copy of everything, and each is large
/// enough for the system to take it back.
const PARTS: usize = 8;
const PART_ROWS: usize = ROWS / PARTS;
/// Looks per question.
const PROBES: usize = 6;
/// Blocks in a byte of a row: a group.
const GROUP_BLOCKS: i64 = 8;
/// A block's filter as the file keeps it.
pub(super) const FILTER_BYTES: usize = ROWS / 8;

/// Filters over all blocks that are remembered.
#[derive(Debug, Default)]
pub(super) struct Filters {
    /// Each with its rows one after the other, a byte for each group.
    parts: Vec<Box<[u8]>>,
    /// For each group, a bit for each of its blocks that is asked.
    live: Vec<u8>,
    /// The number of the first group.
    first_group: i64,
}

/// The filters of a group's blocks as the file keeps them; empty for those that are not there.
struct Taken<'f> {
    group: usize,
    filters: [&'f [u8]; GROUP_BLOCKS as usize],
}

/// Where a hash has its bits.
struct Place {
    part: usize,
    rows: [usize; PROBES],
}

impl Filters {
    /// Empty filters with room for these blocks: making it at once is quicker than block by block.
    pub fn with_room_for(blocks: std::ops::RangeInclusive<i64>) -> Self {
        let (first_group, last_group) = (blocks.start() / GROUP_BLOCKS, blocks.end() / GROUP_BLOCKS);
        let groups = usize::try_from(last_group - first_group + 1).unwrap_or(0);
        let part = || vec![0; PART_ROWS * groups].into_boxed_slice();
        Self { parts: (0..PARTS).map(|_| part()).collect(), live: vec![0; groups], first_group }
    }

    /// The blocks that may hold this hash, newest first.
    pub fn candidates(&self, hash: u64) -> impl Iterator<Item = i64> {
        let Place { part, rows } = place(hash);
        let groups = self.live.len();
        let bytes = self.parts.get(part).map_or(&[][..], |part| part);
        self.live.iter().enumerate().rev().flat_map(move |(group, live)| {
            let blocks = rows.iter().fold(*live, |blocks, row| blocks & bytes[row * groups + group]);
            let first = (self.first_group + group as i64) * GROUP_BLOCKS;
            set_bits(blocks).map(move |block| first + block)
        })
    }

    /// Adds a hash to a block.
    pub fn add(&mut self, block: i64, hash: u64) {
        let (group, bit) = self.make_room_for(block);
        let groups = self.live.len();
        let Place { part, rows } = place(hash);
        for row in rows {
            self.parts[part][row * groups + group] |= bit;
        }
    }

    /// Takes filters of blocks from the file, each of [`FILTER_BYTES`]. Rows of all blocks lie side by side, so each call passes over the
    /// memory of them all: the more blocks at once, the quicker.
    pub fn take_bits(&mut self, filters: &[(i64, Vec<u8>)]) {
        for (block, _) in filters {
            self.make_room_for(*block);
        }
        let groups = self.live.len();
        let mut taken: Vec<Taken<'_>> = Vec::new();
        for (block, bits) in filters {
            let Some(group) = self.group(*block) else { continue };
            if taken.last().is_none_or(|taken| taken.group != group) {
                taken.push(Taken { group, filters: [&[]; GROUP_BLOCKS as usize] });
            }
            if let Some(taken) = taken.last_mut() {
                taken.filters[(block % GROUP_BLOCKS) as usize] = bits;
            }
        }
        for (number, part) in self.parts.iter_mut().enumerate() {
            for (at, rows) in part.chunks_exact_mut(u8::BITS as usize * groups).enumerate() {
                for Taken { group, filters } in &taken {
                    let bytes = filters.map(|filter| filter.get(number * PART_ROWS / 8 + at).copied().unwrap_or(0));
                    let blocks_of_rows = transposed(bytes);
                    for (row, blocks) in rows.chunks_exact_mut(groups).zip(blocks_of_rows) {
                        row[*group] |= blocks;
                    }
                }
            }
        }
    }

    /// Lets go of a block, and of memory once no block of its group is left. Blocks are forgotten in order.
    pub fn forget(&mut self, block: i64) {
        if let Some(group) = self.group(block) {
            self.live[group] &= !bit(block);
        }
        // The newest group stays: its other blocks are still to be filled.
        while self.live.len() > 1 && self.live[0] == 0 {
            self.change_rows(|row, changed| changed.extend(&row[1..]));
            self.live.remove(0);
            self.first_group += 1;
        }
    }

    fn group(&self, block: i64) -> Option<usize> {
        let group = usize::try_from(block / GROUP_BLOCKS - self.first_group).ok()?;
        (group < self.live.len()).then_some(group)
    }

    /// The block's group and its bit in there, from now on asked.
    fn make_room_for(&mut self, block: i64) -> (usize, u8) {
        if self.live.is_empty() {
            self.first_group = block / GROUP_BLOCKS;
            self.parts = vec![Box::default(); PARTS];
        }
        let group = loop {
            match self.group(block) {
                Some(group) => break group,
                None => {
                    self.change_rows(|row, changed| {
                        changed.extend(row);
                        changed.push(0);
                    });
                    self.live.push(0);
                }
            }
        };
        self.live[group] |= bit(block);
        (group, bit(block))
    }

    /// Writes every row anew, part by part.
    fn change_rows(&mut self, write: impl Fn(&[u8], &mut Vec<u8>)) {
        let groups = self.live.len();
        for part in &mut self.parts {
            let mut changed = Vec::with_capacity(PART_ROWS * (groups + 1));
            (0..PART_ROWS).for_each(|row| write(&part[row * groups..(row + 1) * groups], &mut changed));
            *part = changed.into_boxed_slice();
        }
    }
}

/// A filter over these hashes as the file keeps it.
pub(super) fn bits_of(hashes: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut bits = vec![0; FILTER_BYTES];
    for Place { part, rows } in hashes.map(place) {
        for row in rows {
            let row = part * PART_ROWS + row;
            bits[row / 8] |= 1 << (row % 8);
        }
    }
    bits
}

/// Bit `k` of byte `i` is bit `i` of byte `k`: the transpose of a matrix of 8 by 8 bits (Warren, Hacker's Delight, 7-3).
fn transposed(bytes: [u8; 8]) -> [u8; 8] {
    let mut bits = u64::from_le_bytes(bytes);
    for (shift, mask) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)] {
        let differing = (bits ^ (bits >> shift)) & mask;
        bits ^= differing ^ (differing << shift);
    }
    bits.to_le_bytes()
}

fn bit(block: i64) -> u8 {
    1 << (block % GROUP_BLOCKS)
}

/// The numbers of the bits that are set, highest first.
fn set_bits(mut byte: u8) -> impl Iterator<Item = i64> {
    std::iter::from_fn(move || {
        let highest = byte.checked_ilog2()?;
        byte &= !(1 << highest);
        Some(i64::from(highest))
    })
}

/// A hash is keyed and uniform: its top bits choose the stripe, others the rows in it. The rows need more bits than are left, so
/// they come from a product with an odd number, whose top bits depend on all bits of the hash (Knuth's multiplicative hashing).
fn place(hash: u64) -> Place {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    const ROW_BITS: u32 = STRIPE_ROWS.ilog2();
    const STRIPES: usize = ROWS / STRIPE_ROWS;
    let mixed = hash.wrapping_mul(GOLDEN_RATIO);
    let stripe = (hash >> (u64::BITS - STRIPES.ilog2())) as usize;
    let (part, stripe) = (stripe / (STRIPES / PARTS), stripe % (STRIPES / PARTS));
    let rows = std::array::from_fn(|probe| {
        // The last one has no room left in the product.
        let bits = if probe + 1 < PROBES { mixed >> (u64::BITS - ROW_BITS * (probe as u32 + 1)) } else { hash };
        stripe * STRIPE_ROWS + bits as usize % STRIPE_ROWS
    });
    Place { part, rows }
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
        let filters = full(14..17);
        for block in 14..17 {
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
        let filters = full(15..17);
        let mut loaded = Filters::with_room_for(15..=16);
        let stored = |block| (block, bits_of(hashes(block as u64).take(BLOCK_EVENTS as usize)));
        loaded.take_bits(&[stored(15), stored(16)]);
        for hash in hashes(15).take(1_000).chain(hashes(99).take(100_000)) {
            assert!(loaded.candidates(hash).eq(filters.candidates(hash)));
        }
    }

    #[test]
    fn bits_are_transposed() {
        for (bytes, expected) in
            [([0xff, 0, 0, 0, 0, 0, 0, 0], [1; 8]), ([0, 0, 0x81, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0, 4])]
        {
            assert_eq!(transposed(bytes), expected);
            assert_eq!(transposed(expected), bytes);
        }
    }

    #[test]
    fn forgotten_blocks_are_no_candidates_and_give_their_memory_back() {
        let mut filters = full(14..17);
        for block in 14..16 {
            filters.forget(block);
        }
        assert_eq!(filters.parts[0].len(), PART_ROWS, "the group of blocks 8 to 15 is gone");
        let hash = hashes(16).next().unwrap();
        assert_eq!(filters.candidates(hash).next(), Some(16));
        filters.forget(16);
        assert_eq!(filters.candidates(hash).next(), None);
        filters.add(17, hash);
        assert_eq!(filters.candidates(hash).collect::<Vec<_>>(), [17]);
    }
}
