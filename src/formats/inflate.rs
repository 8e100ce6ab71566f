//! Gzip, undone as it arrives.
//!
//! *Invariants.* What comes out of [`Inflater::finish`] is the whole of one or more complete gzip members (RFC 1952), each with
//! the length and checksum it claims, and nothing after them.
//! *Limits.* Memory never exceeds the output bound plus one member's window (about 64 KiB), however small the bomb. Input is
//! bounded too, and so are members: endless empty members would otherwise be work without output.

use std::io::{self, Write};
use std::mem;

use flate2::write::GzDecoder;

/// Members of one body. Clients that compress each event for itself reach the default bound on events, and no further.
pub const GZIP_MEMBERS_MAX: usize = 10_000;

/// Bytes of input beyond the output's bound: headers and trailers of members, and what deflate adds to random bytes.
const INPUT_OVERHEAD_BYTES_MAX: usize = 256 * 1024;

/// First allocation for the output.
const OUTPUT_BYTES_FIRST: usize = 16 * 1024;

/// Why a compressed body cannot be had in full. The same bytes will never succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    /// It would inflate beyond the bound.
    #[error("the body is too large when decompressed")]
    TooLarge,
    /// Not gzip, cut short, damaged, or followed by something else.
    #[error("the body is not complete and undamaged gzip")]
    Malformed,
}

/// Inflates a gzip body chunk by chunk, up to a bound.
#[derive(Debug)]
pub struct Inflater {
    decoder: GzDecoder<Bounded>,
    input_bytes_left: usize,
    members: usize,
    failed: Option<InflateError>,
}

/// A buffer that refuses to grow beyond its bound.
#[derive(Debug, Default)]
struct Bounded {
    bytes: Vec<u8>,
    /// Bytes that may still come out, those in `bytes` included.
    bytes_max: usize,
    overflowed: bool,
}

// === impl Inflater ===

impl Inflater {
    /// Nothing read yet; at most `bytes_max` bytes will come out.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            decoder: GzDecoder::new(Bounded { bytes: Vec::new(), bytes_max, overflowed: false }),
            input_bytes_left: bytes_max.saturating_add(INPUT_OVERHEAD_BYTES_MAX),
            members: 1,
            failed: None,
        }
    }

    /// Takes the next chunk of the compressed body.
    ///
    /// # Errors
    /// See [`InflateError`]. After one, every further call returns it again.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), InflateError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let outcome = self.inflate(chunk);
        self.failed = outcome.err();
        outcome
    }

    /// Bytes that came out so far: the memory that the body takes.
    pub fn inflated_bytes(&self) -> usize {
        self.decoder.get_ref().bytes.len()
    }

    /// Takes out what came out so far, to make room for the rest. The bound stays one on everything.
    pub fn drain(&mut self) -> Vec<u8> {
        let output = self.decoder.get_mut();
        output.bytes_max -= output.bytes.len();
        mem::take(&mut output.bytes)
    }

    /// Everything that came out, or what of it was not drained.
    ///
    /// # Errors
    /// [`InflateError::Malformed`] when the last member is not complete, and what an earlier `push` returned.
    pub fn finish(mut self) -> Result<Vec<u8>, InflateError> {
        match self.failed {
            Some(error) => Err(error),
            None => self.end_member().map(|output| output.bytes),
        }
    }

    fn inflate(&mut self, mut chunk: &[u8]) -> Result<(), InflateError> {
        self.input_bytes_left = self.input_bytes_left.checked_sub(chunk.len()).ok_or(InflateError::TooLarge)?;
        while !chunk.is_empty() {
            let taken = self.decoder.write(chunk).map_err(|_| self.reason())?;
            if taken == 0 {
                // The member is over and something follows: by RFC 1952 only another member may.
                if self.members == GZIP_MEMBERS_MAX {
                    return Err(InflateError::TooLarge);
                }
                self.members += 1;
                let output = self.end_member()?;
                self.decoder = GzDecoder::new(output);
            }
            chunk = chunk.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Checks the member's trailer and takes the output so far.
    fn end_member(&mut self) -> Result<Bounded, InflateError> {
        self.decoder.try_finish().map_err(|_| self.reason())?;
        Ok(mem::take(self.decoder.get_mut()))
    }

    fn reason(&self) -> InflateError {
        if self.decoder.get_ref().overflowed { InflateError::TooLarge } else { InflateError::Malformed }
    }
}

// === impl Bounded ===

impl Write for Bounded {
    fn write(&mut self, inflated: &[u8]) -> io::Result<usize> {
        let bytes_needed = self.bytes.len() + inflated.len();
        if bytes_needed > self.bytes_max {
            self.overflowed = true;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        if bytes_needed > self.bytes.capacity() {
            // Doubling, as `Vec` does by itself, but never beyond the bound.
            let capacity = (self.bytes.capacity() * 2).max(OUTPUT_BYTES_FIRST).max(bytes_needed).min(self.bytes_max);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(inflated);
        Ok(inflated.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(compressed: &[u8], chunk_bytes: usize, bytes_max: usize) -> Result<Vec<u8>, InflateError> {
        let mut inflater = Inflater::new(bytes_max);
        for chunk in compressed.chunks(chunk_bytes) {
            inflater.push(chunk)?;
        }
        inflater.finish()
    }

    #[test]
    fn a_body_comes_out_whole_however_it_is_cut() {
        let text = b"{\"service\":\"openai\",\"amount_usd\":1}\n".repeat(5_000);
        let compressed = gzip(&text);
        for chunk_bytes in [1, 7, 1_000, compressed.len()] {
            assert_eq!(inflate(&compressed, chunk_bytes, text.len()).as_ref(), Ok(&text), "{chunk_bytes}");
        }
    }

    #[test]
    fn what_is_drained_counts_towards_the_bound() {
        let compressed = [gzip(&[7; 60]), gzip(&[8; 40])].concat();
        for (bytes_max, expected) in [(100, Ok(100)), (99, Err(InflateError::TooLarge))] {
            let mut inflater = Inflater::new(bytes_max);
            let mut drained = 0;
            let mut push = |chunk: &[u8]| {
                inflater.push(chunk)?;
                drained += inflater.drain().len();
                Ok(())
            };
            let pushed = compressed.chunks(3).try_for_each(&mut push);
            let whole = pushed.and_then(|()| inflater.finish()).map(|rest| drained + rest.len());
            assert_eq!(whole, expected, "{bytes_max}");
        }
    }

    #[test]
    fn members_are_joined() {
        let compressed = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        for chunk_bytes in [1, 5, 1_000] {
            assert_eq!(inflate(&compressed, chunk_bytes, 7), Ok(b"one two".to_vec()), "{chunk_bytes}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_bound_and_holds_no_more_memory() {
        let bomb = gzip(&vec![0; 50_000_000]);
        let mut inflater = Inflater::new(1_000_000);
        let outcome = bomb.chunks(64).try_for_each(|chunk| inflater.push(chunk));
        assert_eq!(outcome, Err(InflateError::TooLarge));
        assert!(inflater.decoder.get_ref().bytes.capacity() <= 1_000_000);
        assert_eq!(inflater.push(b"more"), Err(InflateError::TooLarge));
        assert_eq!(inflater.finish(), Err(InflateError::TooLarge));
    }

    #[test]
    fn the_bound_itself_is_allowed_over_all_members() {
        let compressed = [gzip(&[7; 60]), gzip(&[7; 40])].concat();
        assert_eq!(inflate(&compressed, 9, 100), Ok(vec![7; 100]));
        assert_eq!(inflate(&compressed, 9, 99), Err(InflateError::TooLarge));
    }

    #[test]
    fn endless_empty_members_are_refused() {
        let compressed = gzip(b"").repeat(GZIP_MEMBERS_MAX);
        assert_eq!(inflate(&compressed, 64_000, 10), Ok(Vec::new()));
        assert_eq!(inflate(&[compressed, gzip(b"")].concat(), 64_000, 10), Err(InflateError::TooLarge));
    }

    #[test]
    fn damage_is_noticed() {
        let whole = gzip(b"some text that is long enough to be cut");
        let mut bad_checksum = whole.clone();
        bad_checksum[whole.len() - 8] ^= 1;
        let mut bad_length = whole.clone();
        bad_length[whole.len() - 1] ^= 1;
        let mut bad_data = whole.clone();
        bad_data[12] ^= 0xff;
        let followed = |tail: &[u8]| [&whole[..], tail].concat();
        let mut cases = vec![
            (b"".to_vec(), "empty"),
            (b"{\"service\":\"a\"}".to_vec(), "plain"),
            (bad_checksum, "checksum"),
            (bad_length, "length"),
            (bad_data, "data"),
            (followed(b"x"), "one byte after"),
            (followed(b"not another member"), "text after"),
            (followed(&[0; 512]), "padding after"),
            (followed(&whole[..10]), "half a member after"),
        ];
        cases.extend((1..whole.len()).map(|end| (whole[..end].to_vec(), "cut")));
        for (bytes, name) in cases {
            for chunk_bytes in [1, 1_000] {
                assert_eq!(inflate(&bytes, chunk_bytes, 1_000), Err(InflateError::Malformed), "{name} {}", bytes.len());
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_round_trip_and_no_bytes_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..5_000),
            chunk_bytes in 1_usize..600,
            flip in any::<prop::sample::Index>(),
        ) {
            let mut compressed = gzip(&bytes);
            prop_assert_eq!(inflate(&compressed, chunk_bytes, bytes.len()), Ok(bytes.clone()));
            let _ = inflate(&bytes, chunk_bytes, 1_000);
            let at = flip.index(compressed.len());
            compressed[at] ^= 0x10;
            if let Ok(other) = inflate(&compressed, chunk_bytes, bytes.len()) {
                // Only the header's fields that say nothing about the content may change without notice.
                prop_assert_eq!(other, bytes);
            }
        }
    }
}
