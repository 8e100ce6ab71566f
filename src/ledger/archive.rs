//! Everything that a ledger holds, entry by entry, for whoever writes it down elsewhere.
//!
//! *Invariants.* What is handed out is of one committed state: that of the beginning. Entries never change, so they are read some at
//! a time, each time in a short look of its own: nobody who records waits, and the write-ahead log need not grow, however slowly
//! they are written down. Every row was compared with its checksum, and none is missing but what retention removes.
//!
//! *Limits.* [`RANGE_ENTRIES`] entries in a look; [`QUEUED_CHUNKS_MAX`] chunks of text for each thread besides the one that it makes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Scope};

use jiff::Timestamp;
use rusqlite::Connection;

use super::events::{StoredEvent, each_event, event_at};
use super::head::Head;
use super::listing::told_at;
use super::schema::open_for_reading;
use super::segment::{SEGMENT_EVENTS, Segment};
use super::{LedgerError, OpenError, Reader, meta};
use crate::domain::{BudgetZone, CostEvent, Entry, Selection, Usd};

/// Entries that are read in one look: some milliseconds, and at most 5 MB of text.
const RANGE_ENTRIES: i64 = 1_024;
/// Chunks that wait to be written, for each thread that makes them.
const QUEUED_CHUNKS_MAX: usize = 2;

/// A ledger's file, open to be read beside the agent that may write it.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    zone: BudgetZone,
}

/// What a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// An entry: an event as it was first told, or what a higher revision made of it.
    Entries,
    /// An event, as it stands.
    Events,
}

/// What is to be written down of a ledger's state at one moment.
#[derive(Debug)]
pub struct Export {
    path: PathBuf,
    selection: Selection,
    lines: Lines,
    /// First and last entry of each look, in order.
    ranges: Vec<(i64, i64)>,
    /// The newest entry of the state.
    newest: i64,
    /// The last entry that retention had removed.
    pruned: i64,
}

/// One entry, or one event.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The event as it stands after the entry.
    pub event: CostEvent,
    /// What the entry adds to the ledger's total; of an event all of its amount.
    pub difference: Usd,
    /// Whether an entry before it told the event first.
    pub is_adjustment: bool,
    /// When it was recorded first, if need be by the ledger that it was imported from.
    pub recorded_at: Timestamp,
}

/// Opens a file that was opened before.
fn open(path: &Path) -> Result<Connection, LedgerError> {
    match open_for_reading(path) {
        Ok((connection, _)) => Ok(connection),
        Err(OpenError::Ledger { source, .. }) => Err(source),
        Err(error) => Err(LedgerError::Damaged(error.to_string())),
    }
}

/// Writes a line behind others.
pub type Encode<'e> = dyn Fn(&Exported, &mut Vec<u8>) + Sync + 'e;

/// A chunk of lines, or why there is none.
type Chunk = Result<Vec<u8>, LedgerError>;

impl Archive {
    /// Opens the ledger at `path`.
    ///
    /// # Errors
    /// The file cannot be opened or read, or is no ledger of this program's format.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let wrap = |source| OpenError::Ledger { path: path.into(), source };
        let (connection, _) = open_for_reading(path)?;
        let name = meta::time_zone(&connection).map_err(wrap)?;
        let zone = BudgetZone::named(&name).map_err(|error| wrap(LedgerError::Damaged(error.to_string())))?;
        Ok(Self { path: path.into(), zone })
    }

    /// The zone whose days it counts.
    pub const fn zone(&self) -> &BudgetZone {
        &self.zone
    }

    /// What is to be written down of its present state.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn export(&self, selection: Selection, lines: Lines) -> Result<Export, LedgerError> {
        let connection = open(&self.path)?;
        let transaction = connection.unchecked_transaction()?;
        Export::begin(&transaction, self.path.clone(), &self.zone, selection, lines)
    }
}

impl Reader {
    /// What is to be written down of the present state.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn export(&self, selection: Selection, lines: Lines) -> Result<Export, LedgerError> {
        self.read(|transaction| Export::begin(transaction, self.path().to_owned(), self.zone(), selection, lines))
    }
}

impl Export {
    fn begin(
        connection: &Connection,
        path: PathBuf,
        zone: &BudgetZone,
        selection: Selection,
        lines: Lines,
    ) -> Result<Self, LedgerError> {
        let head = Head::read(connection)?;
        let newest: Option<i64> = connection.query_row("SELECT max(seq) FROM event", (), |row| row.get(0))?;
        let newest = newest.unwrap_or(0);
        let segments = Segment::read_all(connection)?;
        let closed = segments.len() as i64 * SEGMENT_EVENTS;
        let open = (closed < newest).then_some((closed + 1, newest));
        let touched = segments
            .iter()
            .filter(|segment| segment.number >= head.pruned_segments && segment.may_hold(&selection.span, zone))
            .map(|segment| Segment::bounds(segment.number));
        let mut ranges = Vec::new();
        for (first, last) in touched.chain(open) {
            let starts = (first..=last).step_by(RANGE_ENTRIES as usize);
            ranges.extend(starts.map(|start| (start, last.min(start + RANGE_ENTRIES - 1))));
        }
        Ok(Self { path, selection, lines, ranges, newest, pruned: head.pruned_segments * SEGMENT_EVENTS })
    }

    /// How many entries are looked at.
    pub fn entries(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| (last - first + 1).cast_unsigned()).sum()
    }

    /// Hands the lines over in the order of the ledger, some at a time, with how many entries were looked at for them, until `take`
    /// wants no more. They are made by so many threads, or with one by the caller's.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn run(
        &self,
        threads: usize,
        encode: &Encode<'_>,
        take: &mut dyn FnMut(Vec<u8>, u64) -> bool,
    ) -> Result<(), LedgerError> {
        thread::scope(|scope| {
            let lanes = if threads > 1 { self.lanes(scope, threads, encode) } else { Vec::new() };
            let own = if lanes.is_empty() { Some(open(&self.path)?) } else { None };
            for (number, range) in self.ranges.iter().enumerate() {
                let chunk = match (&own, lanes.get(number % lanes.len().max(1))) {
                    (Some(connection), _) => self.chunk(connection, *range, encode)?,
                    (None, Some(lane)) => lane.recv().unwrap_or(Err(LedgerError::Stopped))?,
                    (None, None) => return Err(LedgerError::Stopped),
                };
                if !take(chunk, (range.1 - range.0 + 1).cast_unsigned()) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// One thread for every so-manieth range. None, if the system has no more threads.
    fn lanes<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        threads: usize,
        encode: &'env Encode<'env>,
    ) -> Vec<Receiver<Chunk>> {
        let mut lanes = Vec::with_capacity(threads);
        for lane in 0..threads {
            let (give, take) = sync_channel(QUEUED_CHUNKS_MAX);
            let work = move || self.work(lane, threads, encode, &give);
            if thread::Builder::new().name("export".into()).spawn_scoped(scope, work).is_err() {
                return Vec::new();
            }
            lanes.push(take);
        }
        lanes
    }

    fn work(&self, lane: usize, threads: usize, encode: &Encode<'_>, give: &SyncSender<Chunk>) {
        let connection = open(&self.path);
        for range in self.ranges.iter().skip(lane).step_by(threads) {
            let chunk = match &connection {
                Ok(connection) => self.chunk(connection, *range, encode),
                Err(error) => Err(LedgerError::Damaged(error.to_string())),
            };
            // Nobody listens once the caller wants no more.
            if give.send(chunk).is_err() {
                return;
            }
        }
    }

    /// The lines of a range, read in one look.
    fn chunk(&self, connection: &Connection, (first, last): (i64, i64), encode: &Encode<'_>) -> Chunk {
        let transaction = connection.unchecked_transaction()?;
        let newest_by_first = match self.lines {
            Lines::Entries => BTreeMap::new(),
            Lines::Events => self.newest_adjustments(&transaction, first, last)?,
        };
        let mut lines = Vec::new();
        let mut next = first;
        each_event(&transaction, first, last, |stored, _| {
            if stored.seq != next {
                return Err(LedgerError::Damaged(format!("event {next} is missing")));
            }
            next += 1;
            // Of an event the newest telling decides: what the first left out may be filled later.
            let found = self.exported(&transaction, stored, &newest_by_first)?;
            if let Some(exported) = found.filter(|exported| self.selection.takes(&exported.event)) {
                encode(&exported, &mut lines);
            }
            Ok(())
        })?;
        // Retention removes whole segments, and says so in the same transaction.
        if next <= last && (next > first || Segment::number_of(last) >= Head::read(&transaction)?.pruned_segments) {
            return Err(LedgerError::Damaged(format!("event {next} is missing")));
        }
        transaction.finish()?;
        Ok(lines)
    }

    /// The newest adjustment of each event whose first entry stands in a range.
    fn newest_adjustments(&self, connection: &Connection, first: i64, last: i64) -> Result<BTreeMap<i64, i64>, LedgerError> {
        // An event's newest entry tells it: moves stand before the adjustment that they belong to. The partial index serves only who
        // repeats its condition.
        let mut statement = connection.prepare_cached(
            "SELECT adjusts, max(seq) FROM event WHERE adjusts IS NOT NULL AND adjusts BETWEEN ? AND ? AND seq <= ? GROUP BY adjusts",
        )?;
        let rows = statement.query_map([first, last, self.newest], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What is written of a row, if anything is.
    fn exported(
        &self,
        connection: &Connection,
        stored: StoredEvent,
        newest_by_first: &BTreeMap<i64, i64>,
    ) -> Result<Option<Exported>, LedgerError> {
        let recorded_at = told_at(&stored);
        match self.lines {
            Lines::Entries => Ok(stored.entry.tells_event().then(|| Exported::entry(stored, recorded_at))),
            Lines::Events => {
                let newest = match stored.entry {
                    Entry::First => newest_by_first.get(&stored.seq).copied(),
                    // Of an event whose first entry is gone, the newest one that is left stands for it.
                    Entry::Adjustment(ref adjustment) if adjustment.first <= self.pruned => {
                        let newest = self.newest_adjustments(connection, adjustment.first, adjustment.first)?;
                        if newest.get(&adjustment.first) != Some(&stored.seq) {
                            return Ok(None);
                        }
                        None
                    }
                    _ => return Ok(None),
                };
                let newest = match newest {
                    Some(seq) => event_at(connection, seq)?.unwrap_or(stored),
                    None => stored,
                };
                Ok(Some(Exported::event(newest, recorded_at)))
            }
        }
    }
}

impl Exported {
    fn entry(stored: StoredEvent, recorded_at: Timestamp) -> Self {
        let difference = stored.event.amount;
        let is_adjustment = stored.entry != Entry::First;
        Self { event: stored.entry.stand(stored.event), difference, is_adjustment, recorded_at }
    }

    fn event(newest: StoredEvent, recorded_at: Timestamp) -> Self {
        let event = newest.entry.stand(newest.event);
        Self { difference: event.amount, event, is_adjustment: false, recorded_at }
    }
}
