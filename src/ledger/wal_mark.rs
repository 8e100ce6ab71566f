//! Up to where the write-ahead log was synced, kept in a small file beside it.
//!
//! SQLite ends the log at the first frame whose checksum is wrong, since that is what the end of a log looks like after a crash. So a bit
//! that flips in a log which was not moved into the file yet would take every commit behind it along, and nobody would say so. The mark
//! names the last frame that was synced: where that one stands in the log, all before it must be sound.
//!
//! *Invariants.* The mark is written after a commit was synced, so the log is never behind it. It is never synced itself: a power cut leaves an older
//! one, which says less. An empty log, one that was begun anew, one that was put back from a copy, and a mark that cannot be read say nothing.
//!
//! The format of the log: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::{File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use siphasher::sip::SipHasher13;

use super::OpenError;
use super::connection::{beside, log_of};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Checksums over words of this machine's order; SQLite writes the other magic number on a machine of the other one.
const MAGIC_LITTLE_ENDIAN: u32 = 0x377f_0682;
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;
/// The largest page of a database.
const PAGE_BYTES_MAX: usize = 65_536;
/// That of ours, as SQLite makes it.
const PAGE_BYTES: usize = 4_096;
const MARK_BYTES: usize = 4 + FRAME_HEADER_BYTES + 8;
/// Bytes of a frame's header that tell it although a bit of it flipped. Another frame at its place has at least four other bytes: its checksum.
const SAME_BYTES_MIN: usize = FRAME_HEADER_BYTES - 3;

type LogHeader = [u8; HEADER_BYTES];
/// The page's number, the database's pages after a commit, two salts, two checksums over everything up to here.
type FrameHeader = [u8; FRAME_HEADER_BYTES];

/// Where the mark of a ledger is kept.
fn mark_path(ledger: &Path) -> PathBuf {
    beside(ledger, "-mark")
}

/// The mark of a ledger that is open.
pub(super) struct WalMark {
    ledger: PathBuf,
    /// Once there is a commit to speak of.
    files: Option<Files>,
}

struct Files {
    log: File,
    page_bytes: usize,
    mark: File,
}

impl WalMark {
    /// The one of the ledger at this path.
    pub fn new(ledger: &Path) -> Self {
        Self { ledger: ledger.into(), files: None }
    }

    /// Notes that the log has so many frames, and is synced. Where that cannot be written, the mark that is there says less, as after a
    /// power cut.
    pub fn note(&mut self, frames: i32) {
        if let Err(error) = self.try_note(frames.unsigned_abs()) {
            tracing::debug!(%error, "the mark of the write-ahead log was not written");
            self.files = None;
        }
    }

    fn try_note(&mut self, frames: u32) -> io::Result<()> {
        let files = match &self.files {
            Some(files) => files,
            None => self.files.insert(Files::open(&self.ledger)?),
        };
        let mut last = FrameHeader::default();
        files.log.read_exact_at(&mut last, place_of_last(frames, files.page_bytes))?;
        files.mark.write_all_at(&Mark { frames, last }.to_bytes(), 0)
    }
}

impl Files {
    fn open(ledger: &Path) -> io::Result<Self> {
        let log = File::open(log_of(ledger))?;
        let mut header = [0; HEADER_BYTES];
        log.read_exact_at(&mut header, 0)?;
        // As SQLite does with the log: whoever may read the ledger may read all of it.
        let mode = log.metadata()?.mode() & 0o777;
        let mark = OpenOptions::new().write(true).create(true).truncate(false).mode(mode).open(mark_path(ledger))?;
        Ok(Self { log, page_bytes: page_bytes(&header), mark })
    }
}

/// What a mark says.
#[derive(Debug, PartialEq, Eq)]
struct Mark {
    /// Frames of the log.
    frames: u32,
    /// The header of the last of them.
    last: FrameHeader,
}

impl Mark {
    fn to_bytes(&self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        let (said, checksum) = bytes.split_at_mut(MARK_BYTES - 8);
        said[..4].copy_from_slice(&self.frames.to_be_bytes());
        said[4..].copy_from_slice(&self.last);
        checksum.copy_from_slice(&checksum_of(said));
        bytes
    }

    /// `None` for what was not written whole.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (said, checksum) = bytes.split_at_checked(MARK_BYTES - 8)?;
        let (frames, last) = said.split_at_checked(4)?;
        let mark = Self { frames: u32::from_be_bytes(frames.try_into().ok()?), last: last.try_into().ok()? };
        (checksum == checksum_of(said)).then_some(mark)
    }

    fn salts(&self) -> &[u8] {
        &self.last[8..16]
    }
}

fn checksum_of(said: &[u8]) -> [u8; 8] {
    let mut hasher = SipHasher13::new();
    hasher.write(said);
    hasher.finish().to_le_bytes()
}

/// Refuses a ledger whose log does not hold what was synced to it. Nobody has opened it yet, or an agent writes it meanwhile.
///
/// # Errors
/// The log ends too early, or a file is there and cannot be read.
pub(super) fn refuse_cut_short(ledger: &Path) -> Result<(), OpenError> {
    match problem(ledger) {
        Ok(None) => Ok(()),
        Ok(Some(detail)) => Err(OpenError::Damaged { path: ledger.into(), detail }),
        Err(source) => Err(OpenError::File { path: ledger.into(), source }),
    }
}

/// What is wrong with the log; `None` if nothing is.
fn problem(ledger: &Path) -> io::Result<Option<String>> {
    let Some(mark) = read_if_there(&mark_path(ledger))?.and_then(|bytes| Mark::from_bytes(&bytes)) else { return Ok(None) };
    let wal = log_of(ledger);
    let Some((header, frames)) = count_frames(&wal, &mark)? else { return Ok(None) };
    // Whoever writes may have begun the log anew meanwhile.
    let is_same_log = || {
        let mut again = LogHeader::default();
        File::open(&wal).and_then(|log| log.read_exact_at(&mut again, 0)).is_ok() && again == header
    };
    Ok((frames < mark.frames && is_same_log()).then(|| {
        let (written, mark) = (mark.frames, mark_path(ledger));
        let mark = mark.display();
        format!(
            "its write-ahead log was synced up to page {written} and can be read up to page {frames}, so the newest events are lost \
             (without the file {mark} the program starts all the same, without them)"
        )
    }))
}

fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(file) => {
            let mut bytes = Vec::with_capacity(MARK_BYTES);
            file.take(MARK_BYTES as u64 + 1).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The header of the log, and how many of the marked frames can be read; `None` for another log than the marked one.
fn count_frames(wal: &Path, mark: &Mark) -> io::Result<Option<(LogHeader, u32)>> {
    let file = match File::open(wal) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut log = BufReader::with_capacity(PAGE_BYTES_MAX, &file);
    let mut header = LogHeader::default();
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    let read_word = match word(&header, 0, u32::from_be_bytes) {
        MAGIC_LITTLE_ENDIAN => Some(u32::from_le_bytes as fn([u8; 4]) -> u32),
        MAGIC_BIG_ENDIAN => Some(u32::from_be_bytes as fn([u8; 4]) -> u32),
        _ => None,
    };
    let sums = read_word.map(|read_word| (read_word, add((0, 0), &header[..24], read_word)));
    let Some((read_word, mut sums)) = sums.filter(|(_, sums)| *sums == sums_of(&header, 24)) else {
        // Without its header the log is lost as a whole. A bit of it flipped, so its size of pages may be another, too.
        let is_marked = [page_bytes(&header), PAGE_BYTES].into_iter().any(|page_bytes| has_last(&file, mark, page_bytes));
        return Ok(is_marked.then_some((header, 0)));
    };
    let page_bytes = page_bytes(&header);
    if header[16..24] != *mark.salts() || !has_last(&file, mark, page_bytes) {
        return Ok(None);
    }
    let (mut frame, mut page) = (FrameHeader::default(), vec![0; page_bytes]);
    for frames in 0..mark.frames {
        let is_there = fill(&mut log, &mut frame)? && fill(&mut log, &mut page)?;
        sums = add(add(sums, &frame[..8], read_word), &page, read_word);
        if !is_there || frame[8..16] != *mark.salts() || sums != sums_of(&frame, 16) {
            return Ok(Some((header, frames)));
        }
    }
    Ok(Some((header, mark.frames)))
}

/// Whether the frame that the mark names stands at its place.
fn has_last(log: &File, mark: &Mark, page_bytes: usize) -> bool {
    let mut last = FrameHeader::default();
    let is_there = log.read_exact_at(&mut last, place_of_last(mark.frames, page_bytes)).is_ok();
    is_there && last.iter().zip(&mark.last).filter(|(found, marked)| found == marked).count() >= SAME_BYTES_MIN
}

fn place_of_last(frames: u32, page_bytes: usize) -> u64 {
    HEADER_BYTES as u64 + u64::from(frames.saturating_sub(1)) * (FRAME_HEADER_BYTES + page_bytes) as u64
}

fn page_bytes(header: &LogHeader) -> usize {
    (word(header, 8, u32::from_be_bytes) as usize).min(PAGE_BYTES_MAX)
}

/// Whether there was enough to fill it.
fn fill(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The two checksums that stand at a place.
fn sums_of(bytes: &[u8], at: usize) -> (u32, u32) {
    (word(bytes, at, u32::from_be_bytes), word(bytes, at + 4, u32::from_be_bytes))
}

fn word(bytes: &[u8], at: usize, read_word: fn([u8; 4]) -> u32) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, read_word)
}

/// The log's checksum goes on over these bytes.
fn add(sums: (u32, u32), bytes: &[u8], read_word: fn([u8; 4]) -> u32) -> (u32, u32) {
    bytes.as_chunks::<8>().0.iter().fold(sums, |(first, second), words| {
        let first = first.wrapping_add(word(words, 0, read_word)).wrapping_add(second);
        (first, second.wrapping_add(word(words, 4, read_word)).wrapping_add(first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_that_is_torn_or_damaged_says_nothing() {
        let mark = Mark { frames: 1_027, last: *b"one page 4096 bytes long" };
        let bytes = mark.to_bytes();
        assert_eq!(Mark::from_bytes(&bytes), Some(mark));
        for bit in 0..MARK_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Mark::from_bytes(&flipped), None, "bit {bit}");
        }
        for length in 0..MARK_BYTES {
            assert_eq!(Mark::from_bytes(&bytes[..length]), None);
        }
    }
}
