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
/// by piece. Serves one row after the other, so that each needs no memory of its own.
#[derive(Default)]
pub(super) struct Checksum(Vec<u8>);

impl Checksum {
    /// Nothing yet; [`Checksum::begin`] comes first.
    pub fn new() -> Self {
        Self(Vec::with_capacity(ROW_BYTES))
    }

    /// Begins a row of a table, and lets go of the one before.
    pub fn begin(&mut self, table: &str) {
        self.0.clear();
        self.text(table);
    }

    /// Adds an integer.
    pub fn integer(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// Adds a text.
    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    /// Adds bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.integer((value.len() as u64).cast_signed());
        self.0.extend_from_slice(value);
    }

    /// The checksum as SQLite holds it.
    pub fn finish(&self) -> i64 {
        SipHasher13::new_with_keys(0, 0).hash(&self.0).cast_signed()
    }
}

/// The chain over the events: each link covers all events before it, so an event cannot vanish, change its place or appear.
pub(super) fn chain(before: i64, checksum: i64) -> i64 {
    const NAME: &[u8; 5] = b"chain";
    // What `Checksum` would put together, without its memory: there is a link for each event.
    let mut bytes = [0; 29];
    bytes[..8].copy_from_slice(&(NAME.len() as u64).to_le_bytes());
    bytes[8..13].copy_from_slice(NAME);
    bytes[13..21].copy_from_slice(&before.to_le_bytes());
    bytes[21..].copy_from_slice(&checksum.to_le_bytes());
    SipHasher13::new_with_keys(0, 0).hash(&bytes).cast_signed()
}

/// A digest of a set of rows that can be kept while single rows change: the wrapping sum of their checksums.
pub(super) fn digest_replace(digest: i64, before: Option<i64>, after: i64) -> i64 {
    digest.wrapping_sub(before.unwrap_or(0)).wrapping_add(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_checksum_of_the_chain_and_what_comes_behind_it() {
        for (before, checksum) in [(0, 0), (1, -1), (i64::MIN, i64::MAX), (-7, 1 << 40)] {
            let mut expected = Checksum::new();
            expected.begin("chain");
            expected.integer(before);
            expected.integer(checksum);
            assert_eq!(chain(before, checksum), expected.finish());
        }
        assert_ne!(chain(1, 2), chain(2, 1));
    }
}
