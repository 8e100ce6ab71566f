//! A ledger whose bytes have changed: `verify` or the start says so, or nothing has changed that anybody could see.
//!
//! The ledgers are those of `fuzz/ledger`, one that was closed and one that was killed: files, so that an input means the same each time.
#![allow(clippy::panic, reason = "what does not hold stops whoever looks")]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use jiff::civil::date;

use crate::cli::verify::read_definition;
use crate::domain::{BudgetZone, CostQuestion, Dimension};
use crate::ledger::{Ledger, Reader, verify_counting};

const PAGE_BYTES: usize = 4_096;
const LOG_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// Bytes of a change, and how many there are of these at most.
const CHANGE_BYTES: usize = 5;
const CHANGES_MAX: usize = 8;

/// The files of a ledger by what is behind its name, and what is to be seen of it.
struct Whole {
    files: Vec<(&'static str, Vec<u8>)>,
    shown: Shown,
    opened: String,
}

static CLOSED: LazyLock<Whole> = LazyLock::new(|| Whole::of(&[("", include_bytes!("../../fuzz/ledger/closed.db.gz"))]));
static KILLED: LazyLock<Whole> = LazyLock::new(|| {
    Whole::of(&[
        ("", include_bytes!("../../fuzz/ledger/killed.db.gz")),
        ("-wal", include_bytes!("../../fuzz/ledger/killed.db-wal.gz")),
        ("-mark", include_bytes!("../../fuzz/ledger/killed.db-mark.gz")),
    ])
});

/// What `verify` counts, and cost by two groupings.
#[derive(Debug, PartialEq)]
struct Shown {
    zone: String,
    counted: String,
    groups: Vec<String>,
}

/// Changes of five bytes each: what is done to which file, three for the place, and a value. The first byte chooses the ledger.
pub fn ledger(data: &[u8]) {
    let Some((choice, changes)) = data.split_first() else { return };
    let whole = if choice % 2 == 0 { &*CLOSED } else { &*KILLED };
    let mut files = whole.files.clone();
    let changes = changes.as_chunks::<CHANGE_BYTES>().0.iter().take(CHANGES_MAX);
    changes.for_each(|change| apply(&mut files, *change));
    if is_beyond_the_mark(&whole.files, &files) {
        return;
    }
    let Ok(folder) = tempfile::tempdir() else { return };
    let path = folder.path().join("ledger.db");
    if write(&files, &path).is_err() {
        return;
    }
    let Ok(shown) = look(&path) else { return };
    assert_eq!(shown, whole.shown, "sound, with other numbers");
    let Ok(opened) = open(&path, &whole.shown.zone) else { return };
    assert_eq!(opened, whole.opened, "other numbers at the start");
    assert_eq!(look(&path).as_ref(), Ok(&whole.shown), "after a start");
}

fn apply(files: &mut [(&'static str, Vec<u8>)], [what, high, middle, low, value]: [u8; CHANGE_BYTES]) {
    // The mark is not for damage: one that cannot be read says nothing.
    let places = if files.len() > 1 { 2 } else { 1 };
    let number = usize::from(what) % places;
    let Some((_, bytes)) = files.get_mut(number) else { return };
    let place = u32::from_be_bytes([0, high, middle, low]) as usize;
    let (begin, page) = if number == 0 { (0, PAGE_BYTES) } else { (LOG_HEADER_BYTES, FRAME_HEADER_BYTES + PAGE_BYTES) };
    let pages = (bytes.len() - begin) / page;
    let of_page = |number: usize| begin + number % pages * page..begin + (number % pages + 1) * page;
    let length = bytes.len();
    match what / 2 % 4 {
        0 => bytes[place % length] ^= 1 << (value % 8),
        1 => bytes[place % length] = value,
        // A page that was written to the place of another one, and one that never was.
        2 => bytes.copy_within(of_page(place), of_page(usize::from(value)).start),
        _ => bytes[of_page(place)].fill(0),
    }
}

/// Whether the log has changed where no mark can tell: in more than a bit of the header of its last frame.
fn is_beyond_the_mark(before: &[(&'static str, Vec<u8>)], after: &[(&'static str, Vec<u8>)]) -> bool {
    let [_, (_, log), (_, mark)] = before else { return false };
    let frames = mark.first_chunk().map_or(1, |frames| u32::from_be_bytes(*frames)) as usize;
    let last = LOG_HEADER_BYTES + (frames - 1) * (FRAME_HEADER_BYTES + PAGE_BYTES);
    let header = last..last + FRAME_HEADER_BYTES;
    let bits = log[header.clone()].iter().zip(&after[1].1[header]).map(|(one, other)| (one ^ other).count_ones());
    bits.sum::<u32>() > 1
}

fn write(files: &[(&'static str, Vec<u8>)], path: &Path) -> std::io::Result<()> {
    files.iter().try_for_each(|(suffix, bytes)| fs::write(format!("{}{suffix}", path.display()), bytes))
}

/// What a sound ledger shows; why it is none, or cannot be read.
fn look(path: &Path) -> Result<Shown, String> {
    let report = verify_counting(path, &read_definition).map_err(|error| error.to_string())?;
    if let Some(problem) = report.problems.first() {
        return Err(problem.clone());
    }
    let zone = BudgetZone::named(&report.time_zone).map_err(|error| error.to_string())?;
    let reader = Reader::new(path.to_owned(), zone);
    let (first, last) = (date(2020, 1, 1), date(2040, 1, 1));
    let group = |dimension| {
        let question = CostQuestion { by: vec![dimension], filters: Vec::new(), first, last, by_day: true };
        reader.breakdown(&question, &|| false).map(|groups| format!("{groups:?}")).map_err(|error| error.to_string())
    };
    let groups = [Dimension::Service, Dimension::Worker].map(group).into_iter().collect::<Result<_, _>>()?;
    Ok(Shown { counted: format!("{report:?}"), zone: report.time_zone, groups })
}

/// What a start reads of it; why it does not start.
fn open(path: &Path, zone: &str) -> Result<String, String> {
    let zone = BudgetZone::named(zone).map_err(|error| error.to_string())?;
    let opened = Ledger::open(path, &zone, Timestamp::MAX);
    let mut ledger = opened.map_err(|error| error.to_string())?;
    let summary = ledger.summary().map_err(|error| error.to_string())?;
    let held = ledger.open_reservations().map_err(|error| error.to_string())?;
    Ok(format!("{summary:?} {:?} {held:?} {}", ledger.take_tail(), ledger.events()))
}

impl Whole {
    /// Of packed files.
    fn of(packed: &[(&'static str, &[u8])]) -> Self {
        let unpacked = |(suffix, packed): &(&'static str, &[u8])| {
            let mut bytes = Vec::new();
            let read = GzDecoder::new(*packed).read_to_end(&mut bytes);
            assert!(read.is_ok(), "{suffix} is packed");
            (*suffix, bytes)
        };
        let files: Vec<_> = packed.iter().map(unpacked).collect();
        let folder = tempfile::tempdir();
        let seen = folder.map_err(|error| error.to_string()).and_then(|folder| {
            let path = folder.path().join("ledger.db");
            write(&files, &path).map_err(|error| error.to_string())?;
            let shown = look(&path)?;
            let opened = open(&path, &shown.zone)?;
            Ok((shown, opened))
        });
        match seen {
            Ok((shown, opened)) => Self { files, shown, opened },
            Err(error) => panic!("without a change: {error}"),
        }
    }
}
