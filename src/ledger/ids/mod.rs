//! Where an id was recorded before: the index over ids.
//!
//! Clients send random ids, and a B-tree over random keys dirties one page an id. So ids are indexed by segment: the open
//! segment's in memory; a closed one's in sorted buckets, written in order. Every 16 segments make a block; when it is full, its
//! ids are sorted anew over all its buckets. [`Filters`] over the blocks say "certainly not here" for all but about one new id
//! in a thousand and block, so a new id touches no disk and a known one a single bucket of a full block.
//!
//! *Invariants.* The index only proposes places; whoever asks compares the event that stands there. It is written in the
//! transaction that closes a segment and rebuilt from the events otherwise, so it cannot disagree with the ledger. The hash is
//! keyed with a secret of the file: nobody outside can choose ids that collide.
//!
//! *Limits.* 2 bytes of memory an id, for as long as ids are remembered; half a MB for the open segment.

mod bucket;
mod filter;

use std::collections::BTreeSet;
use std::hash::Hasher;

use hashbrown::HashTable;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Connection;
use siphasher::sip::SipHasher13;

use super::events::{StoredEvent, event_at, event_since};
use super::head::Head;
use super::row::{read_row, row, write_row};
use super::segment::{SEGMENT_EVENTS, Segment};
use super::{LedgerError, meta};
use crate::domain::EventKey;
use bucket::{BLOCK_BUCKETS, Part};
use filter::Filters;

pub(super) use bucket::Entry;

/// Segments of a block.
pub(super) const BLOCK_SEGMENTS: i64 = 16;
/// Events of a block.
const BLOCK_EVENTS: i64 = BLOCK_SEGMENTS * SEGMENT_EVENTS;

/// The secret key of the hash.
pub(super) type HashKey = (u64, u64);

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
}

/// Up to 16 closed segments.
struct Block {
    number: i64,
    segments: i64,
    newest_recorded_at: Timestamp,
}

impl IdIndex {
    /// An index over nothing.
    pub fn new(key: HashKey) -> Self {
        Self { key, open: OpenSegment::default(), blocks: Vec::new(), filters: Filters::default() }
    }

    /// The hash of an id.
    pub fn hash(&self, key: &EventKey) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write(&(key.source.len() as u64).to_le_bytes());
        hasher.write(key.source.as_bytes());
        hasher.write(key.id.as_bytes());
        hasher.finish()
    }

    /// Every place where an event with this hash may stand.
    pub fn places(&self, connection: &Connection, hash: u64) -> Result<Vec<i64>, LedgerError> {
        let open = self.open.places.iter_hash(hash).filter(|(other, _)| *other == hash);
        let mut places: Vec<i64> = open.map(|(_, seq)| *seq).collect();
        for number in self.filters.candidates(hash) {
            let Some(block) = self.block(number) else { continue };
            for part in Part::of_block(number, block.segments).rev() {
                places.extend(part.places(connection, hash)?.into_iter().map(|place| seq_of(number, place)));
            }
        }
        Ok(places)
    }

    /// Adds an event of the open segment.
    pub fn add(&mut self, hash: u64, seq: i64, day: Date) {
        self.open.places.insert_unique(hash, (hash, seq), |(hash, _)| *hash);
        // Nearly always the day of the event before.
        if self.open.days.last() != Some(&day) {
            self.open.days.insert(day);
        }
    }

    /// Closes the open segment, all of whose events have been added: writes its ids and its row.
    pub fn close_segment(
        &mut self,
        connection: &Connection,
        number: i64,
        newest_recorded_at: Timestamp,
        event_chain: i64,
    ) -> Result<(), LedgerError> {
        let open = std::mem::take(&mut self.open);
        let block = number / BLOCK_SEGMENTS;
        let mut entries: Vec<Entry> = open.places.into_iter().map(|(hash, seq)| (hash, place_of(block, seq))).collect();
        entries.iter().for_each(|(hash, _)| self.filters.add(block, *hash));
        Segment { number, newest_recorded_at, days: open.days, event_chain }.write(connection)?;
        let segments = number % BLOCK_SEGMENTS + 1;
        if segments == BLOCK_SEGMENTS {
            entries.extend(read_entries(connection, block, segments - 1)?);
            entries.sort_unstable();
            Part::Block(block).write(connection, &entries)?;
            write_row(connection, &FilterRow { block, bits: self.filters.bits(block) })?;
        } else {
            entries.sort_unstable();
            Part::Segment(number).write(connection, &entries)?;
        }
        self.note_block(Block { number: block, segments, newest_recorded_at });
        Ok(())
    }

    /// Takes the closed segments from the file, but for the first `forgotten` blocks.
    pub fn load(&mut self, connection: &Connection, segments: &[Segment], forgotten: i64) -> Result<(), LedgerError> {
        if let Some(newest) =
            segments.last().map(|segment| segment.number / BLOCK_SEGMENTS).filter(|block| *block >= forgotten)
        {
            self.filters = Filters::with_room_for(forgotten..=newest);
        }
        for closed in segments.chunks(BLOCK_SEGMENTS as usize) {
            let Some(newest) = closed.last() else { continue };
            let number = newest.number / BLOCK_SEGMENTS;
            if number >= forgotten {
                let block = Block { number, segments: closed.len() as i64, newest_recorded_at: newest.newest_recorded_at };
                self.load_filter(connection, &block)?;
                self.note_block(block);
            }
        }
        Ok(())
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

    /// A full block's filter is kept in the file; an open block's is made from its ids.
    fn load_filter(&mut self, connection: &Connection, block: &Block) -> Result<(), LedgerError> {
        if block.segments == BLOCK_SEGMENTS && self.filters.take_bits(block.number, &read_filter(connection, block.number)?)
        {
            return Ok(());
        }
        for (hash, _) in read_entries(connection, block.number, block.segments)? {
            self.filters.add(block.number, hash);
        }
        Ok(())
    }
}

/// The event under a key, looked for on the disk alone: one bucket of each block, and every event of the open segment. For those
/// who have no index in memory, and time.
pub(super) fn find_on_disk(connection: &Connection, key: &EventKey) -> Result<Option<StoredEvent>, LedgerError> {
    let head = Head::read(connection)?;
    let hash = IdIndex::new(meta::hash_key(connection)?).hash(key);
    let closed: i64 = connection.query_row("SELECT count(*) FROM segment", (), |row| row.get(0))?;
    if let Some(found) = event_since(connection, closed * SEGMENT_EVENTS, key)? {
        return Ok(Some(found));
    }
    for block in (head.forgotten_blocks..).take_while(|block| block * BLOCK_SEGMENTS < closed) {
        let segments = (closed - block * BLOCK_SEGMENTS).min(BLOCK_SEGMENTS);
        for part in Part::of_block(block, segments) {
            for place in part.places(connection, hash)? {
                let found = event_at(connection, seq_of(block, place))?;
                if found.as_ref().is_some_and(|stored| stored.event.key == *key) {
                    return Ok(found);
                }
            }
        }
    }
    Ok(None)
}

/// The entries of a block of which so many segments are closed.
pub(super) fn read_entries(connection: &Connection, block: i64, segments: i64) -> Result<Vec<Entry>, LedgerError> {
    let mut entries = Vec::with_capacity((segments * SEGMENT_EVENTS) as usize);
    for part in Part::of_block(block, segments) {
        entries.extend(part.read(connection)?);
    }
    Ok(entries)
}

/// An event's place within its block.
pub(super) fn place_of(block: i64, seq: i64) -> u32 {
    u32::try_from(seq - 1 - block * BLOCK_EVENTS).unwrap_or(u32::MAX)
}

fn seq_of(block: i64, place: u32) -> i64 {
    block * BLOCK_EVENTS + 1 + i64::from(place)
}

/// A row of `id_block_filter`.
struct FilterRow {
    block: i64,
    bits: Vec<u8>,
}

row! {
    "INSERT OR REPLACE" "id_block_filter",
    write FilterRow, read FilterRow,
    (FilterRow { block, bits }),
    key {
        "block" => block;
    }
    columns {
        "bits" => bits;
    }
}

/// A stored filter; empty when there is none.
fn read_filter(connection: &Connection, block: i64) -> Result<Vec<u8>, LedgerError> {
    let found: Option<(FilterRow, _)> = read_row(connection, "WHERE block = ?", [block])?;
    Ok(found.map_or(Vec::new(), |(row, _)| row.bits))
}
