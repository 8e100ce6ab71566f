//! What the ledger promises whoever writes to it: one page, to be read alone. How it is kept is said in the parts.
//!
//! **One writer.** A [`Ledger`] holds its file alone among all processes (`flock`); others may read it at any time, and hold up
//! no commit. It has no threads but one that moves the log and one that sorts ids, and no clock: times come in.
//!
//! **A commit is all or nothing, and durable.** What [`Ledger::commit`] was given is one transaction, on the disk when it returns.
//! Events are recorded in the order of their list, and their `seq` counts on without gaps. Sums may follow later
//! ([`Ledger::may_defer_rollup`]); whoever opens the file gets the events that they lack ([`Ledger::take_tail`]).
//!
//! **A failure changes nothing in memory.** What may be called after which error:
//!
//! | error | the file | next |
//! | --- | --- | --- |
//! | `Busy`, `Full` | as before | anything: the same commit may simply be tried again |
//! | `Sqlite` (an I/O error) | as before, or with the whole commit | [`Ledger::probe`] until it succeeds, then [`Ledger::reload`] |
//! | `Damaged` | as before | likewise; what is damaged stays so |
//! | `Moved` | as before, but not where it was | likewise, once it is back |
//! | `SyncFailed` | only a new process can know | nothing: end the process |
//!
//! **Housekeeping** (`housekeeping`) may be done whenever there is time.
//!
//! **What is remembered.** Ids and reservations are found until [`Ledger::forget_ids`] and [`Ledger::forget_reservations`] let go of
//! them; events until [`Ledger::prune`]; sums for ever.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, TransactionBehavior};

use super::commit::{Commit, Summary};
use super::events::{KeyedEvent, StoredEvent};
use super::ids::Sorter;
use super::lock::FileLock;
use super::reservations::{self, StoredReservation, key_of};
use super::rows::PairRow;
use super::schema::{self, FileKind};
use super::segment::SEGMENT_EVENTS;
use super::state::State;
use super::sums::read_day_pairs;
use super::transaction::WriteTransaction;
use super::wal::{self, Log};
use super::{
    CallSpan, LedgerError, OpenError, Unpriced, UnpricedChange, calls, connection, events, identify, meta, wal_mark,
};
use crate::domain::{BudgetZone, CostEvent, Entry, EventKey, Kind, ReservationState, TraceId};

/// First SQLite version without the WAL-reset bug.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// The ledger, open for writing by this process alone.
pub struct Ledger {
    pub(super) connection: Connection,
    path: PathBuf,
    pub(super) state: State,
    pub(super) log: Log,
    pub(super) sorter: Sorter,
    /// Dropped last: the file must be closed before another process may have it.
    lock: FileLock,
}

/// Opening, and what a start needs.
impl Ledger {
    /// Opens the ledger, making it where there is none, and checks what it says about itself. Reads no closed events, unless `zone`
    /// is another one than before: then every event's day is counted anew; or unless an earlier build wrote it: then charges are
    /// added up by model, once.
    ///
    /// # Errors
    /// See [`OpenError`]. A file that is foreign, newer, in use or damaged is left untouched.
    pub fn open(path: &Path, zone: &BudgetZone, now: Timestamp) -> Result<Self, OpenError> {
        if rusqlite::version_number() < SQLITE_VERSION_MIN {
            return Err(OpenError::SqliteTooOld(rusqlite::version()));
        }
        identify::refuse_others(path)?;
        let lock = FileLock::acquire(path)?;
        wal_mark::refuse_cut_short(path)?;
        let wrap = |source| OpenError::of(path, source);
        let mut connection = connection::open_for_writing(path).map_err(wrap)?;
        let from = match schema::inspect(&connection).map_err(wrap)? {
            FileKind::Foreign => return Err(OpenError::NotALedger { path: path.into(), found: schema::OTHER_DATABASE }),
            FileKind::Ledger(found) if found > schema::FORMAT => {
                return Err(OpenError::Newer { path: path.into(), found, known: schema::FORMAT });
            }
            FileKind::Ledger(found) => found,
            FileKind::Empty => 0,
        };
        prepare(&mut connection, from, zone, now).map_err(wrap)?;
        let mut state = State::read(&connection).map_err(wrap)?;
        state.fill_models(&mut connection).map_err(wrap)?;
        Log::make_room(&mut connection);
        if state.zone.name() != zone.name() {
            let from = state.zone.name();
            tracing::warn!(from, to = zone.name(), "the time zone changed: counting every event's day anew");
            state.recount(&mut connection, zone).map_err(wrap)?;
        }
        Ok(Self { connection, path: path.into(), state, log: Log::new(path), sorter: Sorter::new(path), lock })
    }

    /// Reads again what the file says, on the same connection: what start-up does after opening it. After an error of this only
    /// this may be called.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn reload(&mut self) -> Result<(), LedgerError> {
        // By far the largest part: two of them at once would double the memory.
        self.state.ids.clear();
        self.state = State::read(&self.connection)?;
        Ok(())
    }

    /// What start-up needs at once: series, usage, the gate, counters. They count what the newest rollup counts.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn summary(&self) -> Result<Summary, LedgerError> {
        self.state.summary(&self.connection)
    }

    /// The events that the sums did not count when the file was read, in their order: what a process recorded after its newest
    /// rollup, before it was killed. Once; whoever takes them adds them up and commits a rollup.
    pub fn take_tail(&mut self) -> Vec<StoredEvent> {
        std::mem::take(&mut self.state.tail)
    }

    /// The days with cost since `first`, newest first.
    pub fn days_since(&self, first: Date) -> Vec<Date> {
        self.state.days.range(first..).rev().map(|(day, _)| *day).collect()
    }

    /// The sums of one day.
    ///
    /// # Errors
    /// A row is damaged, or the day's rows are not all there.
    pub fn pairs_of(&self, day: Date) -> Result<Vec<PairRow>, LedgerError> {
        self.state.days.get(&day).map_or(Ok(Vec::new()), |row| read_day_pairs(&self.connection, day, row))
    }

    /// Bytes of the file and its log.
    pub fn size_bytes(&self) -> u64 {
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        length(&self.path) + length(&connection::log_of(&self.path))
    }
}

/// Writing.
impl Ledger {
    /// Writes everything in one transaction and syncs it.
    ///
    /// # Errors
    /// Nothing has changed in memory; the page above says what that means for the file, and what may follow.
    pub fn commit(&mut self, commit: &Commit, recorded_at: Timestamp) -> Result<(), LedgerError> {
        self.check_place()?;
        let transaction = WriteTransaction::begin(&mut self.connection)?;
        let staged = self.state.write(&transaction, commit, recorded_at)?;
        transaction.commit()?;
        self.state.apply(commit, staged);
        self.log.note_commit();
        Ok(())
    }

    /// Whether a commit of so many events may leave the rollup to a later one. It may not where a segment ends: the events since
    /// the newest rollup are read at start-up, so they must stay few.
    pub fn may_defer_rollup(&self, new_events: usize) -> bool {
        let segment = |events: i64| events / SEGMENT_EVENTS;
        segment(self.events() + new_events as i64) == segment(self.state.head.rolled_up.events)
    }

    /// Proves that commits work again, on the file alone: relies on nothing in memory.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn probe(&mut self) -> Result<(), LedgerError> {
        self.check_place()?;
        wal::probe(&mut self.connection)
    }

    /// Fails if another file or none stands where this one was opened.
    ///
    /// # Errors
    /// [`LedgerError::Moved`].
    pub fn check_place(&self) -> Result<(), LedgerError> {
        if self.lock.is_in_place() { Ok(()) } else { Err(LedgerError::Moved) }
    }
}

/// Events, by their ids.
impl Ledger {
    /// The day that a time lies in.
    pub fn day_of(&self, time: Timestamp) -> Date {
        self.state.zone.day_of(time)
    }

    /// The `seq` of the newest entry.
    pub fn events(&self) -> i64 {
        self.state.end.events
    }

    /// The places of the newest charged calls of a trace, newest first, as long as their ids are remembered.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn calls_of(&self, trace: TraceId) -> Result<Vec<CallSpan>, LedgerError> {
        calls::of_trace(&self.connection, trace)
    }

    /// The newest entry that tells the event whose first entry has this `seq`, if it is kept.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn newest_telling(&self, first: i64) -> Result<Option<StoredEvent>, LedgerError> {
        events::newest_telling(&self.connection, first)
    }

    /// What has changed of the events that wait for a price since this was last asked, or since the file was read.
    pub fn take_unpriced_changes(&mut self) -> Vec<UnpricedChange> {
        std::mem::take(&mut self.state.unpriced_changes)
    }

    /// Hands over every event that waits for a price.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn each_unpriced(&self, mut take: impl FnMut(Unpriced)) -> Result<(), LedgerError> {
        calls::each_unpriced(&self.connection, |unpriced| {
            take(unpriced);
            Ok(())
        })
    }

    /// The hash under which this ledger looks for an id.
    pub fn key_hash(&self, key: &EventKey) -> u64 {
        self.state.ids.hash(key)
    }

    /// An event with the hash under which this ledger looks for its id, and its day in this ledger's zone.
    pub fn keyed(&self, event: CostEvent) -> KeyedEvent {
        let (key_hash, day) = (self.key_hash(&event.key), self.day_of(event.time));
        KeyedEvent { key_hash, day, event, reservation: None, entry: Entry::First }
    }

    /// The newest entry that tells the event under the same key, if it is remembered.
    ///
    /// # Errors
    /// The index or the event is damaged or cannot be read.
    pub fn find(&self, wanted: &KeyedEvent) -> Result<Option<StoredEvent>, LedgerError> {
        let (key, hash) = (&wanted.event.key, wanted.key_hash);
        match wanted.event.kind {
            Kind::Charge => self.state.find(&self.connection, key, hash),
            Kind::Credit => self.state.find_credit(&self.connection, key, hash),
        }
    }

    /// The newest entry that tells the event under a key, if it is remembered.
    ///
    /// # Errors
    /// As for [`Ledger::find`].
    pub fn find_event(&self, key: &EventKey) -> Result<Option<StoredEvent>, LedgerError> {
        self.state.find(&self.connection, key, self.key_hash(key))
    }
}

/// Reservations.
impl Ledger {
    /// How many reservations were ever granted: the `seq` of the newest.
    pub fn reservations(&self) -> i64 {
        self.state.head.reservations
    }

    /// How many have expired and were neither settled nor released.
    pub fn expired_reservations(&self) -> u64 {
        self.state.head.expired.cast_unsigned()
    }

    /// Every reservation that is held, oldest first, proven complete; and how many have expired.
    ///
    /// # Errors
    /// A row is damaged, missing, or cannot be read.
    pub fn open_reservations(&self) -> Result<(Vec<StoredReservation>, u64), LedgerError> {
        Ok((reservations::read_open(&self.connection, &self.state.head)?, self.expired_reservations()))
    }

    /// The reservation under an id that has expired or ended, if it is remembered.
    ///
    /// # Errors
    /// A row or the index of ids is damaged or cannot be read.
    pub fn find_reservation(&self, id: &str) -> Result<Option<StoredReservation>, LedgerError> {
        let key = key_of(id);
        let id_hash = self.key_hash(&key);
        if self.state.unpaid_ids.may_contain(id_hash)
            && let Some(found) = reservations::unpaid(&self.connection, id)?
        {
            return Ok(Some(found));
        }
        match self.state.find(&self.connection, &key, id_hash)? {
            Some(event) => reservations::settled_by(&self.connection, &event),
            None => Ok(None),
        }
    }

    /// The expired reservation under an id, whose hash is given.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn find_expired(&self, id: &str, id_hash: u64) -> Result<Option<StoredReservation>, LedgerError> {
        if self.state.head.expired == 0 || !self.state.unpaid_ids.may_contain(id_hash) {
            return Ok(None);
        }
        let found = reservations::unpaid(&self.connection, id)?;
        Ok(found.filter(|found| found.reservation.state == ReservationState::Expired))
    }
}

/// Makes what is written durable, and the file one of the newest format.
fn prepare(connection: &mut Connection, from: i64, zone: &BudgetZone, now: Timestamp) -> Result<(), LedgerError> {
    connection::set_up(connection)?;
    wal::set_up(connection)?;
    schema::migrate(connection, from)?;
    if !meta::is_initialised(connection)? {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        meta::initialise(&transaction, zone.name(), now)?;
        transaction.commit()?;
    }
    Ok(())
}
