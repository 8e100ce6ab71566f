//! Checksums of rows, since SQLite has none of its pages.
//!
//! *Invariants.* A checksum covers every column of its row and the name of its table, so a row moved elsewhere does not pass
//! either. Texts are length-prefixed: no two rows have the same bytes. The function and its key are part of the file format.
//!
//! They guard against accidents (a flipped bit, a page lost by a disk), not against somebody who edits the file on purpose.

use siphasher::sip::SipHasher13;

/// Room for most rows without growing.
const ROW_BYTES: usize = 256;

/// The bytes of one row, of which the checksum is taken at the end: hashing them at once is several times quicker than piece
/// by piece.
#[derive(Default)]
pub(super) struct Checksum(Vec<u8>);

impl Checksum {
    /// Begins a row of a table.
    pub fn of(table: &str) -> Self {
        Self(Vec::with_capacity(ROW_BYTES)).text(table)
    }

    /// Begins the next row, in the memory of this one.
    pub fn again(mut self, table: &str) -> Self {
        self.0.clear();
        self.text(table)
    }

    /// Adds an integer column.
    pub fn integer(mut self, value: i64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds a text column.
    pub fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    /// Adds a text column that may be null.
    pub fn optional_text(self, value: Option<&str>) -> Self {
        match value {
            None => self.integer(0),
            Some(value) => self.integer(1).text(value),
        }
    }

    /// Adds a binary column.
    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value);
        self
    }

    /// The checksum as SQLite holds it.
    pub fn finish(&self) -> i64 {
        SipHasher13::new_with_keys(0, 0).hash(&self.0).cast_signed()
    }
}

/// The chain over the events: each link covers all events before it, so an event cannot vanish, change its place or appear.
pub(super) fn chain(before: i64, checksum: i64) -> i64 {
    Checksum::of("chain").integer(before).integer(checksum).finish()
}

/// A digest of a set of rows that can be kept while single rows change: the wrapping sum of their checksums.
pub(super) fn digest_replace(digest: i64, before: Option<i64>, after: i64) -> i64 {
    digest.wrapping_sub(before.unwrap_or(0)).wrapping_add(after)
}
