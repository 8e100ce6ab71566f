//! Where an id was recorded before: the index over ids.
//!
//! Clients send random ids, and a B-tree over random keys dirties one page an id. So ids are indexed by segment: the open
//! segment's in memory; a closed one's in sorted buckets, written in order. Every 16 segments make a block; soon after it is
//! full, its ids are sorted anew over all its buckets ([`Sorter`]). [`Filters`] over the blocks say "certainly not here" for all but about one new id
//! in a thousand and block, so a new id touches no disk and a known one a single bucket of a full block.
//!
//! *Invariants.* The index only proposes places; whoever asks compares the event that stands there. It is written in the
//! transaction that closes a segment and rebuilt from the events otherwise, so it cannot disagree with the ledger. The hash is
//! keyed with a secret of the file: nobody outside can choose ids that collide.
//!
//! *Limits.* 2 bytes of memory an id, for as long as ids are remembered; half a MB for the open segment.

mod block;
mod bucket;
mod filter;
mod filter_row;
mod sorter;
mod times;

use std::collections::BTreeSet;
use std::hash::Hasher;

use hashbrown::HashTable;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Connection;
use siphasher::sip::SipHasher13;

use super::LedgerError;
use super::events::{KeyedEvent, StoredEvent, event_at, event_since};
use super::head::{End, Head};
use super::meta::{self, HashKey};
use super::segment::{SEGMENT_EVENTS, Segment};
use crate::domain::EventKey;
use block::seq_of;
use bucket::{BLOCK_BUCKETS, Part};
use filter::{FILTER_BYTES, Filters};
use filter_row::{is_sorted, read_filter};
use times::Times;

pub(super) use block::{BLOCK_SEGMENTS, place_of};
pub(super) use bucket::Entry;
pub(super) use sorter::Sorter;

/// Filters that a start reads before it puts them in their places: 16 MiB.
const FILTERS_AT_ONCE: usize = 32;

/// The index.
pub(super) struct IdIndex {
    key: HashKey,
    open: OpenSegment,
    /// Without gaps, oldest first.
    blocks: Vec<Block>,
    filters: Filters,
}

/// The ids and days of the segment that is being filled.
#[derive(Default)]
struct OpenSegment {
    places: HashTable<(u64, i64)>,
    days: BTreeSet<Date>,
    times: Times,
}

/// Up to 16 closed segments.
struct Block {
    number: i64,
    segments: i64,
    /// Whether its ids are sorted over the whole block.
    is_sorted: bool,
    newest_recorded_at: Timestamp,
}

/// A segment that a commit has closed in the file, but not yet in memory.
pub(super) struct ClosedSegment {
    block: Block,
    /// The `seq` of its last event.
    end: i64,
    hashes: Vec<u64>,
}

impl IdIndex {
    /// An index over nothing.
    pub fn new(key: HashKey) -> Self {
        Self { key, open: OpenSegment::default(), blocks: Vec::new(), filters: Filters::default() }
    }

    /// Lets go of everything, to be read anew.
    pub fn clear(&mut self) {
        *self = Self::new(self.key);
    }

    /// The hash of an id.
    pub fn hash(&self, key: &EventKey) -> u64 {
        self.hash_of(&key.source, &key.id)
    }

    /// The hash of an id that a source has given.
    pub fn hash_of(&self, source: &str, id: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write(&(source.len() as u64).to_le_bytes());
        hasher.write(source.as_bytes());
        hasher.write(id.as_bytes());
        hasher.finish()
    }

    /// Every place where an entry of an event with this hash may stand, newest first.
    pub fn places(&self, connection: &Connection, hash: u64) -> Result<Vec<i64>, LedgerError> {
        let open = self.open.places.iter_hash(hash).filter(|(other, _)| *other == hash);
        let mut places: Vec<i64> = open.map(|(_, seq)| *seq).collect();
        for number in self.filters.candidates(hash) {
            let Some(block) = self.block(number) else { continue };
            for part in Part::of_block(number, block.segments, block.is_sorted).rev() {
                places.extend(part.places(connection, hash)?.into_iter().map(|place| seq_of(number, place)));
            }
        }
        places.sort_unstable_by(|left, right| right.cmp(left));
        Ok(places)
    }

    /// Adds an event of the open segment.
    pub fn add(&mut self, hash: u64, seq: i64, time: Timestamp, day: Date) {
        self.open.places.insert_unique(hash, (hash, seq), |(hash, _)| *hash);
        self.open.times.add(time);
        // Nearly always the day of the event before.
        if self.open.days.last() != Some(&day) {
            self.open.days.insert(day);
        }
    }

    /// Writes the ids and rows of the segments that a commit fills, which end at `ends`. Its events come behind `before`.
    pub fn write_closed(
        &self,
        connection: &Connection,
        mut before: i64,
        events: &[KeyedEvent],
        ends: &[End],
    ) -> Result<Vec<ClosedSegment>, LedgerError> {
        let mut closed = Vec::with_capacity(ends.len());
        let (mut rest, mut open) = (events, Some(&self.open));
        for end in ends {
            let (number, count) = (Segment::number_of(end.events), (end.events - before) as usize);
            let (mine, others) = rest.split_at(count.min(rest.len()));
            let block = number / BLOCK_SEGMENTS;
            let (mut days, mut times) = (BTreeSet::new(), Times::default());
            let mut entries: Vec<Entry> = Vec::with_capacity(SEGMENT_EVENTS as usize);
            // What was open before is in the first one.
            if let Some(open) = open.take() {
                entries.extend(open.places.iter().map(|(hash, seq)| (*hash, place_of(block, *seq))));
                days.clone_from(&open.days);
                times = open.times;
            }
            for (keyed, seq) in mine.iter().zip(before + 1..) {
                entries.push((keyed.key_hash, place_of(block, seq)));
                days.insert(keyed.day);
                times.add(keyed.event.time);
            }
            closed.push(write_segment(connection, end, days, times, entries)?);
            (rest, before) = (others, end.events);
        }
        Ok(closed)
    }

    /// Takes over what a commit has written.
    pub fn apply(&mut self, before: i64, events: &[KeyedEvent], closed: Vec<ClosedSegment>) {
        let mut open_since = before;
        for ClosedSegment { block, end, hashes } in closed {
            hashes.into_iter().for_each(|hash| self.filters.add(block.number, hash));
            self.note_block(block);
            self.open = OpenSegment::default();
            open_since = end;
        }
        for (keyed, seq) in events.iter().zip(before + 1..).skip((open_since - before) as usize) {
            self.add(keyed.key_hash, seq, keyed.event.time, keyed.day);
        }
    }

    /// Takes the closed segments from the file, but for the first `forgotten` blocks.
    pub fn load(&mut self, connection: &Connection, segments: &[Segment], forgotten: i64) -> Result<(), LedgerError> {
        if let Some(newest) =
            segments.last().map(|segment| segment.number / BLOCK_SEGMENTS).filter(|block| *block >= forgotten)
        {
            self.filters = Filters::with_room_for(forgotten..=newest);
        }
        let mut filters = Vec::with_capacity(FILTERS_AT_ONCE);
        for closed in segments.chunks(BLOCK_SEGMENTS as usize) {
            let Some(newest) = closed.last() else { continue };
            let number = newest.number / BLOCK_SEGMENTS;
            if number < forgotten {
                continue;
            }
            let filter = read_filter(connection, number)?;
            let is_sorted = filter.is_some();
            let segments = closed.len() as i64;
            match filter.filter(|bits| bits.len() == FILTER_BYTES) {
                Some(bits) => filters.push((number, bits)),
                // Nobody has kept it yet.
                None => {
                    for (hash, _) in read_entries(connection, number, segments)? {
                        self.filters.add(number, hash);
                    }
                }
            }
            if filters.len() == FILTERS_AT_ONCE {
                self.filters.take_bits(&std::mem::take(&mut filters));
            }
            self.note_block(Block { number, segments, is_sorted, newest_recorded_at: newest.newest_recorded_at });
        }
        self.filters.take_bits(&filters);
        Ok(())
    }

    /// The oldest full block that is not sorted.
    pub fn unsorted(&self) -> Option<i64> {
        let unsorted = |block: &&Block| block.segments == BLOCK_SEGMENTS && !block.is_sorted;
        self.blocks.iter().find(unsorted).map(|block| block.number)
    }

    /// Notes that a block is sorted in the file.
    pub fn note_sorted(&mut self, number: i64) {
        if let Some(block) = self.blocks.iter_mut().find(|block| block.number == number) {
            block.is_sorted = true;
        }
    }

    /// The oldest block, if all its ids were recorded before `horizon`: the caller may forget it.
    pub fn forgettable(&self, horizon: Timestamp) -> Option<i64> {
        let oldest = self.blocks.first()?;
        (oldest.segments == BLOCK_SEGMENTS && oldest.newest_recorded_at < horizon).then_some(oldest.number)
    }

    /// Removes a block's ids from the file.
    pub fn delete_block(connection: &Connection, block: i64) -> Result<(), LedgerError> {
        let first = block * BLOCK_BUCKETS;
        connection.execute("DELETE FROM id_bucket WHERE bucket BETWEEN ? AND ?", [first, first + BLOCK_BUCKETS - 1])?;
        connection.execute("DELETE FROM id_block_filter WHERE block = ?", [block])?;
        Ok(())
    }

    /// Removes a block's ids from memory, once they are gone from the file.
    pub fn forget(&mut self, block: i64) {
        self.blocks.retain(|other| other.number != block);
        self.filters.forget(block);
    }

    fn block(&self, number: i64) -> Option<&Block> {
        let oldest = self.blocks.first()?.number;
        self.blocks.get(usize::try_from(number - oldest).ok()?)
    }

    fn note_block(&mut self, block: Block) {
        match self.blocks.last_mut() {
            Some(newest) if newest.number == block.number => *newest = block,
            _ => self.blocks.push(block),
        }
    }
}

/// The newest entry that tells the event under a key, looked for on the disk alone: one bucket of each block, and every entry of the
/// open segment. For those who have no index in memory, and time.
pub(super) fn find_on_disk(connection: &Connection, key: &EventKey) -> Result<Option<StoredEvent>, LedgerError> {
    let head = Head::read(connection)?;
    let hash = IdIndex::new(meta::hash_key(connection)?).hash(key);
    let closed: i64 = connection.query_row("SELECT count(*) FROM segment", (), |row| row.get(0))?;
    if let Some(found) = event_since(connection, closed * SEGMENT_EVENTS, key)? {
        return Ok(Some(found));
    }
    let blocks = (closed + BLOCK_SEGMENTS - 1) / BLOCK_SEGMENTS;
    for block in (head.forgotten_blocks..blocks).rev() {
        let segments = (closed - block * BLOCK_SEGMENTS).min(BLOCK_SEGMENTS);
        let mut places = Vec::new();
        for part in Part::of_block(block, segments, is_sorted(connection, block)?) {
            places.extend(part.places(connection, hash)?.into_iter().map(|place| seq_of(block, place)));
        }
        places.sort_unstable_by(|left, right| right.cmp(left));
        let found = first_that_tells(connection, places, key)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Of entries at these places, the first that tells the event under a key.
pub(super) fn first_that_tells(
    connection: &Connection,
    places: Vec<i64>,
    key: &EventKey,
) -> Result<Option<StoredEvent>, LedgerError> {
    for seq in places {
        let found = event_at(connection, seq)?;
        if found.as_ref().is_some_and(|stored| stored.event.key == *key && stored.entry.tells_event()) {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The entries of a block of which so many segments are closed.
pub(super) fn read_entries(connection: &Connection, block: i64, segments: i64) -> Result<Vec<Entry>, LedgerError> {
    let mut entries = Vec::with_capacity((segments * SEGMENT_EVENTS) as usize);
    for part in Part::of_block(block, segments, is_sorted(connection, block)?) {
        entries.extend(part.read(connection)?);
    }
    Ok(entries)
}

/// Whether the filter that a sorted block has, if it is one, is over these entries.
pub(super) fn has_right_filter(connection: &Connection, block: i64, entries: &[Entry]) -> Result<bool, LedgerError> {
    let stored = read_filter(connection, block)?;
    Ok(stored.is_none_or(|bits| bits == filter::bits_of(entries.iter().map(|(hash, _)| *hash))))
}

/// Writes a segment's row and its ids.
fn write_segment(
    connection: &Connection,
    end: &End,
    days: BTreeSet<Date>,
    times: Times,
    mut entries: Vec<Entry>,
) -> Result<ClosedSegment, LedgerError> {
    let number = Segment::number_of(end.events);
    let (block, segments) = (number / BLOCK_SEGMENTS, number % BLOCK_SEGMENTS + 1);
    let newest_recorded_at = end.last_recorded_at.unwrap_or_default();
    let (oldest_time, newest_time) = times.0.unzip();
    Segment { number, newest_recorded_at, days, event_chain: end.event_chain, oldest_time, newest_time }
        .write(connection)?;
    let hashes = entries.iter().map(|(hash, _)| *hash).collect();
    entries.sort_unstable();
    Part::Segment(number).write(connection, &entries)?;
    let block = Block { number: block, segments, is_sorted: false, newest_recorded_at };
    Ok(ClosedSegment { block, end: end.events, hashes })
}
