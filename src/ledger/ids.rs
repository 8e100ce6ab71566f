//! Where an id was recorded before: the index over ids.
//!
//! Clients send random ids, and a B-tree over random keys dirties one page an id. So ids are indexed by segment: the open
//! segment's in memory; a closed one's in 64 sorted buckets, written in order, 2.5 KB each. A Bloom filter over each block of
//! 16 segments says "certainly not here" for all but about one new id in a thousand, so a new id touches no disk and an old one
//! at most 16 buckets.
//!
//! *Invariants.* The index only proposes places; whoever asks compares the event that stands there. It is written in the
//! transaction that closes a segment and rebuilt from the events otherwise, so it cannot disagree with the ledger. The hash is
//! keyed with a secret of the file: nobody outside can choose ids that collide.
//!
//! *Limits.* 2 bytes of memory an id, for as long as ids are remembered; 1 MB for the open segment.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hasher;

use fastbloom::BloomFilter;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, params};
use siphasher::sip::SipHasher13;

use super::LedgerError;
use super::checksum::Checksum;
use super::rows::check;
use super::segment::{SEGMENT_EVENTS, Segment};
use crate::domain::EventKey;

/// Buckets in a segment: 256 ids each.
const BUCKETS: i64 = 64;
/// Segments under one filter.
pub(super) const BLOCK_SEGMENTS: i64 = 16;
/// 16 bits an id; with 6 probes one new id in 1,000 is looked for in vain.
const FILTER_BITS: usize = (BLOCK_SEGMENTS * SEGMENT_EVENTS) as usize * 16;
const FILTER_PROBES: u32 = 6;
/// Bytes of a bucket's entry: the hash, and the place within the segment.
const ENTRY_BYTES: usize = 10;

/// The secret key of the hash.
pub(super) type HashKey = (u64, u64);

/// The index.
pub(super) struct IdIndex {
    key: HashKey,
    open: OpenSegment,
    blocks: Vec<Block>,
}

/// The ids and days of the segment that is being filled.
#[derive(Default)]
struct OpenSegment {
    places: HashMap<u64, i64>,
    /// Places whose hash is in `places` already: two ids with one 64-bit hash.
    collisions: Vec<(u64, i64)>,
    days: BTreeSet<Date>,
}

/// The closed segments under one filter.
struct Block {
    number: i64,
    segments: i64,
    newest_recorded_at: Timestamp,
    filter: BloomFilter,
}

impl IdIndex {
    /// An index over nothing.
    pub fn new(key: HashKey) -> Self {
        Self { key, open: OpenSegment::default(), blocks: Vec::new() }
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
        let mut places: Vec<i64> = self.open.places.get(&hash).copied().into_iter().collect();
        places.extend(self.open.collisions.iter().filter(|(other, _)| *other == hash).map(|(_, place)| place));
        for block in self.blocks.iter().rev().filter(|block| block.filter.contains_hash(hash)) {
            let first = block.number * BLOCK_SEGMENTS;
            for segment in (first..first + block.segments).rev() {
                let (first_seq, _) = Segment::bounds(segment);
                let bucket = read_bucket(connection, bucket_number(segment, hash))?;
                places.extend(
                    bucket.iter().filter(|(other, _)| *other == hash).map(|(_, place)| first_seq + i64::from(*place)),
                );
            }
        }
        Ok(places)
    }

    /// Adds an event of the open segment.
    pub fn add(&mut self, hash: u64, seq: i64, day: Date) {
        if let Some(other) = self.open.places.insert(hash, seq) {
            self.open.collisions.push((hash, other));
        }
        self.open.days.insert(day);
    }

    /// Closes the open segment, all of whose events have been added: writes its buckets and its row.
    pub fn close_segment(
        &mut self,
        connection: &Connection,
        number: i64,
        newest_recorded_at: Timestamp,
        event_chain: i64,
    ) -> Result<(), LedgerError> {
        let open = std::mem::take(&mut self.open);
        let (first_seq, _) = Segment::bounds(number);
        let mut entries: Vec<(u64, u16)> = open
            .places
            .into_iter()
            .chain(open.collisions)
            .map(|(hash, seq)| (hash, u16::try_from(seq - first_seq).unwrap_or(u16::MAX)))
            .collect();
        entries.sort_unstable();
        let hashes = entries.iter().map(|(hash, _)| *hash);
        self.block_of(number, newest_recorded_at).add_segment(hashes);
        let mut rest = entries.as_slice();
        for bucket in number * BUCKETS..(number + 1) * BUCKETS {
            let (mine, others) = rest.split_at(rest.partition_point(|(hash, _)| bucket_number(number, *hash) <= bucket));
            write_bucket(connection, bucket, mine)?;
            rest = others;
        }
        Segment { number, newest_recorded_at, days: open.days, event_chain }.write(connection)?;
        if (number + 1) % BLOCK_SEGMENTS == 0 {
            self.block_of(number, newest_recorded_at).write_filter(connection)?;
        }
        Ok(())
    }

    /// Takes the closed segments from the file, but for the first `forgotten` blocks.
    pub fn load(&mut self, connection: &Connection, segments: &[Segment], forgotten: i64) -> Result<(), LedgerError> {
        for block in segments.chunks(BLOCK_SEGMENTS as usize) {
            let Some(newest) = block.last() else { continue };
            let number = newest.number / BLOCK_SEGMENTS;
            if number >= forgotten {
                self.blocks.push(Block::load(connection, number, block.len() as i64, newest.newest_recorded_at)?);
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
        let first = block * BLOCK_SEGMENTS * BUCKETS;
        let last = first + BLOCK_SEGMENTS * BUCKETS - 1;
        connection.execute("DELETE FROM id_bucket WHERE bucket BETWEEN ? AND ?", [first, last])?;
        connection.execute("DELETE FROM id_filter WHERE block = ?", [block])?;
        Ok(())
    }

    /// Removes a block's ids from memory, once they are gone from the file.
    pub fn forget(&mut self, block: i64) {
        self.blocks.retain(|other| other.number != block);
    }

    fn block_of(&mut self, segment: i64, newest_recorded_at: Timestamp) -> &mut Block {
        let number = segment / BLOCK_SEGMENTS;
        let at = self.blocks.iter().position(|block| block.number == number).unwrap_or_else(|| {
            self.blocks.push(Block { number, segments: 0, newest_recorded_at, filter: empty_filter() });
            self.blocks.len() - 1
        });
        let block = &mut self.blocks[at];
        block.newest_recorded_at = newest_recorded_at;
        block
    }
}

impl Block {
    fn add_segment(&mut self, hashes: impl Iterator<Item = u64>) {
        for hash in hashes {
            self.filter.insert_hash(hash);
        }
        self.segments += 1;
    }

    fn load(
        connection: &Connection,
        number: i64,
        segments: i64,
        newest_recorded_at: Timestamp,
    ) -> Result<Self, LedgerError> {
        let mut block = Self { number, segments: 0, newest_recorded_at, filter: empty_filter() };
        let first = number * BLOCK_SEGMENTS;
        if let Some(filter) = read_filter(connection, number)? {
            // A stored filter is only good for the library that made it. A sample of ids it must contain tells.
            let sample = read_bucket(connection, (first + segments - 1) * BUCKETS)?;
            if sample.iter().all(|(hash, _)| filter.contains_hash(*hash)) {
                return Ok(Self { segments, filter, ..block });
            }
        }
        for segment in first..first + segments {
            let mut hashes = Vec::with_capacity(SEGMENT_EVENTS as usize);
            for bucket in segment * BUCKETS..(segment + 1) * BUCKETS {
                hashes.extend(read_bucket(connection, bucket)?.into_iter().map(|(hash, _)| hash));
            }
            block.add_segment(hashes.into_iter());
        }
        Ok(block)
    }

    fn write_filter(&self, connection: &Connection) -> Result<(), LedgerError> {
        let bits: Vec<u8> = self.filter.as_slice().iter().flat_map(|word| word.to_le_bytes()).collect();
        let checksum = blob_checksum("id_filter", self.number, &bits);
        connection.execute(
            "INSERT OR REPLACE INTO id_filter (block, bits, checksum) VALUES (?, ?, ?)",
            params![self.number, bits, checksum],
        )?;
        Ok(())
    }
}

/// The bucket of a segment that a hash belongs to: by its top bits, so that buckets in order are hashes in order.
fn bucket_number(segment: i64, hash: u64) -> i64 {
    segment * BUCKETS + (hash >> 58).cast_signed()
}

fn empty_filter() -> BloomFilter {
    BloomFilter::with_num_bits(FILTER_BITS).seed(&0).hashes(FILTER_PROBES)
}

fn write_bucket(connection: &Connection, bucket: i64, entries: &[(u64, u16)]) -> Result<(), LedgerError> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for (hash, place) in entries {
        bytes.extend(hash.to_le_bytes());
        bytes.extend(place.to_le_bytes());
    }
    let checksum = blob_checksum("id_bucket", bucket, &bytes);
    let sql = "INSERT OR REPLACE INTO id_bucket (bucket, entries, checksum) VALUES (?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![bucket, bytes, checksum])?;
    Ok(())
}

/// A bucket's entries: hash, and place within the segment from 0.
pub(super) fn read_bucket(connection: &Connection, bucket: i64) -> Result<Vec<(u64, u16)>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT entries, checksum FROM id_bucket WHERE bucket = ?")?;
    let (bytes, stored) = statement
        .query_row([bucket], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))
        .optional()?
        .ok_or_else(|| LedgerError::Damaged(format!("bucket {bucket} of the index of ids is missing")))?;
    check("id_bucket", stored, blob_checksum("id_bucket", bucket, &bytes))?;
    let entries = bytes.chunks_exact(ENTRY_BYTES).filter_map(|entry| {
        let (hash, place) = entry.split_first_chunk::<8>()?;
        Some((u64::from_le_bytes(*hash), u16::from_le_bytes(*place.first_chunk()?)))
    });
    Ok(entries.collect())
}

/// The buckets of a segment.
pub(super) fn buckets_of(segment: i64) -> std::ops::Range<i64> {
    segment * BUCKETS..(segment + 1) * BUCKETS
}

fn read_filter(connection: &Connection, block: i64) -> Result<Option<BloomFilter>, LedgerError> {
    let row = connection
        .query_row("SELECT bits, checksum FROM id_filter WHERE block = ?", [block], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))
        })
        .optional()?;
    let Some((bytes, stored)) = row else { return Ok(None) };
    check("id_filter", stored, blob_checksum("id_filter", block, &bytes))?;
    let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    if words.len() * 64 != FILTER_BITS {
        return Ok(None);
    }
    Ok(Some(BloomFilter::from_vec(words).seed(&0).hashes(FILTER_PROBES)))
}

fn blob_checksum(table: &str, key: i64, bytes: &[u8]) -> i64 {
    Checksum::of(table).integer(key).bytes(bytes).finish()
}
