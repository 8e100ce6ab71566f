//! The index of ids on disk: sorted entries in buckets, each one row.
//!
//! *Invariants.* A block has 1,024 buckets, whose numbers follow from its own. They belong to its segments in turn, 64 each, until it is
//! full and its entries have been sorted anew over all of them. Either way an id lies in one bucket of each
//! part, named by the top bits of its hash. Places are counted within the block.
//!
//! *Limits.* About 256 entries a bucket: 3 KB, one page of the file.

use rusqlite::Connection;

use super::super::LedgerError;
use super::super::row::{Cell, Cells, Codec, Plain, Shape, Sink, read_row, row, write_row};
use super::super::segment::SEGMENT_EVENTS;
use super::block::BLOCK_SEGMENTS;

/// Buckets of a segment in an open block.
const SEGMENT_BUCKETS: i64 = 64;
/// Buckets of a block.
pub(super) const BLOCK_BUCKETS: i64 = BLOCK_SEGMENTS * SEGMENT_BUCKETS;
/// Bytes of an entry: the hash, and the place within the block.
const ENTRY_BYTES: usize = 12;

/// An id's hash, and its event's place within the block, from 0.
pub(in crate::ledger) type Entry = (u64, u32);

/// Buckets that one sort of entries is spread over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// A closed segment of a block that is not sorted, by its number.
    Segment(i64),
    /// A sorted block, by its number.
    Block(i64),
}

impl Part {
    /// The parts of a block of which so many segments are closed.
    pub fn of_block(block: i64, segments: i64, is_sorted: bool) -> impl DoubleEndedIterator<Item = Self> {
        let first = block * BLOCK_SEGMENTS;
        let whole = is_sorted.then_some(Self::Block(block)).into_iter();
        whole.chain((first..if is_sorted { first } else { first + segments }).map(Self::Segment))
    }

    /// The bucket that a hash belongs to: by its top bits, so that buckets in order are hashes in order.
    fn bucket(self, hash: u64) -> i64 {
        let (first, bits) = match self {
            Self::Segment(number) => (number * SEGMENT_BUCKETS, SEGMENT_BUCKETS.ilog2()),
            Self::Block(number) => (number * BLOCK_BUCKETS, BLOCK_BUCKETS.ilog2()),
        };
        first + (hash >> (u64::BITS - bits)).cast_signed()
    }

    /// Writes its buckets. The entries must be sorted.
    pub fn write(self, connection: &Connection, entries: &[Entry]) -> Result<(), LedgerError> {
        let mut rest = entries;
        for bucket in self.bucket(0)..=self.bucket(u64::MAX) {
            let (mine, others) = rest.split_at(rest.partition_point(|(hash, _)| self.bucket(*hash) <= bucket));
            write_row(connection, &Bucket { number: bucket, entries: mine.to_vec() })?;
            rest = others;
        }
        Ok(())
    }

    /// The places of a hash.
    pub fn places(self, connection: &Connection, hash: u64) -> Result<Vec<u32>, LedgerError> {
        let entries = read_bucket(connection, self.bucket(hash))?;
        let first = entries.partition_point(|(other, _)| *other < hash);
        Ok(entries[first..].iter().take_while(|(other, _)| *other == hash).map(|(_, place)| *place).collect())
    }

    /// All its entries, in order.
    ///
    /// # Errors
    /// A bucket is missing, does not match its checksum, or has an entry that belongs elsewhere.
    pub fn read(self, connection: &Connection) -> Result<Vec<Entry>, LedgerError> {
        let mut all = Vec::with_capacity(SEGMENT_EVENTS as usize);
        for bucket in self.bucket(0)..=self.bucket(u64::MAX) {
            let entries = read_bucket(connection, bucket)?;
            if entries.iter().any(|(hash, _)| self.bucket(*hash) != bucket) || !entries.is_sorted() {
                return Err(LedgerError::Damaged(format!("bucket {bucket} of the index of ids is out of order")));
            }
            all.extend(entries);
        }
        Ok(all)
    }
}

/// A row of `id_bucket`.
struct Bucket {
    number: i64,
    entries: Vec<Entry>,
}

row! {
    "INSERT OR REPLACE" "id_bucket",
    write Bucket, read Bucket,
    (Bucket { number, entries }),
    key {
        "bucket" => number;
    }
    columns {
        "entries" => entries;
    }
}

/// One after the other, hash and place, the lowest byte first.
impl Codec<Vec<Entry>> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Bytes];

    fn put(entries: &Vec<Entry>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
        for (hash, place) in entries {
            bytes.extend(hash.to_le_bytes());
            bytes.extend(place.to_le_bytes());
        }
        sink.add(Cell::Bytes(&bytes))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Vec<Entry>> {
        let entries = cells.bytes()?.as_chunks::<ENTRY_BYTES>().0.iter().map(|entry| {
            let (hash, place) = entry.split_at(size_of::<u64>());
            let mut words = ([0; 8], [0; 4]);
            words.0.copy_from_slice(hash);
            words.1.copy_from_slice(place);
            (u64::from_le_bytes(words.0), u32::from_le_bytes(words.1))
        });
        Some(entries.collect())
    }
}

fn read_bucket(connection: &Connection, bucket: i64) -> Result<Vec<Entry>, LedgerError> {
    let found: Option<(Bucket, _)> = read_row(connection, "WHERE bucket = ?", [bucket])?;
    let missing = || LedgerError::Damaged(format!("bucket {bucket} of the index of ids is missing"));
    Ok(found.ok_or_else(missing)?.0.entries)
}
