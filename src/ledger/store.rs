//! The one connection that writes: open, commit.
//!
//! *Invariants.* A commit is one transaction, synced before [`Ledger::commit`] returns. Whatever fails in it leaves the file as
//! it was before or, after an I/O error, possibly with the whole commit: the caller must then open the ledger anew and look.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::checkpoint::Checkpointer;
use super::events::{StoredEvent, each_event, event_at};
use super::head::{End, Head};
use super::ids::IdIndex;
use super::lock::FileLock;
use super::reservations::{self, ReservationChange, UnpaidIds};
use super::row::{RowWriter, read_rows};
use super::rows::{self, DayRow, PairRow, SeriesRow, UsageRow};
use super::schema::{self, FileKind};
use super::segment::{SEGMENT_EVENTS, Segment};
use super::sums::{check_digests, read_day_pairs, write_sums};
use super::{LedgerError, OpenError, OutboxChanges, gate, meta, outbox, wal};
use crate::domain::{BudgetZone, CostEvent, EventKey, GateChange, GateOverride, Pair, Sums, UsageKey};

/// How long a statement waits for somebody else's lock. Short: an open transaction in an operator's shell must turn into a
/// quick "send it again", not into a stalled queue.
pub(super) const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(250);
/// Memory for SQLite's page cache, in KiB.
pub(super) const CACHE_KIB: i64 = 4_096;
/// First SQLite version without the WAL-reset bug.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// A sum that a commit changes, and what it was before.
#[derive(Clone, Debug)]
pub struct Change<K, V> {
    /// Which sum.
    pub key: K,
    /// Its value before; `None` when it is new.
    pub before: Option<V>,
    /// Its value now.
    pub after: V,
}

/// An event with what this ledger files it under, worked out once.
#[derive(Clone, Debug)]
pub struct KeyedEvent {
    /// The event.
    pub event: CostEvent,
    /// The hash of its key. The same for equal keys; different keys may share one.
    pub key_hash: u64,
    /// The day it counts in.
    pub day: Date,
    /// The `seq` of the reservation that it settles.
    pub reservation: Option<i64>,
}

/// Everything that one transaction writes.
#[derive(Debug, Default)]
pub struct Commit {
    /// New events, in the order in which they are recorded.
    pub events: Vec<KeyedEvent>,
    /// Reservations that were granted, or that changed.
    pub reservations: Vec<ReservationChange>,
    /// What all events since the newest rollup, these included, have changed. It may wait while
    /// [`Ledger::may_defer_rollup`]: the events say the same.
    pub rollup: Option<Rollup>,
    /// What changes in the outbox of the webhooks.
    pub outbox: OutboxChanges,
}

/// What events have changed in the sums, since the sums were last written.
#[derive(Debug, Default)]
pub struct Rollup {
    /// The sums by day, service and operation.
    pub pairs: Vec<Change<(Date, Pair), Sums>>,
    /// The metric series.
    pub series: Vec<Change<Pair, Sums>>,
    /// The usage series.
    pub usage: Vec<Change<UsageKey, u128>>,
    /// New lines of the gate's history.
    pub gate: Vec<GateChange>,
    /// What an operator says of the gate from now on, if that has changed.
    pub gate_override: Option<Option<GateOverride>>,
}

/// The ledger, open for writing by this process alone.
pub struct Ledger {
    pub(super) connection: Connection,
    path: PathBuf,
    pub(super) zone: BudgetZone,
    /// What the head row says.
    pub(super) head: Head,
    /// The newest event, which may be ahead of the rollups.
    end: End,
    /// Events that the rollups lacked when the file was read.
    tail: Vec<StoredEvent>,
    pub(super) days: BTreeMap<Date, DayRow>,
    pub(super) ids: IdIndex,
    pub(super) unpaid_ids: UnpaidIds,
    /// How far retention has looked for reservations to forget.
    pub(super) reservations_looked_at: i64,
    pub(super) checkpointer: Checkpointer,
    /// Dropped last: the file must be closed before another process may have it.
    _lock: FileLock,
}

/// Sums that a start-up needs besides those that it streams.
#[derive(Debug, Default)]
pub struct Summary {
    /// Metric series since the ledger began.
    pub series: Vec<(Pair, Sums)>,
    /// Usage series since the ledger began.
    pub usage: Vec<(UsageKey, u128)>,
    /// The newest line of the gate's history.
    pub gate: Option<GateChange>,
    /// What an operator says of the gate.
    pub gate_override: Option<GateOverride>,
    /// How often the gate became active.
    pub gate_activations: u64,
    /// Events that these sums count.
    pub events: u64,
    /// When the newest of them was recorded.
    pub last_recorded_at: Option<Timestamp>,
}

impl Commit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.reservations.is_empty() && self.rollup.is_none() && self.outbox.is_empty()
    }
}

impl Ledger {
    /// Opens the ledger, making it where there is none, and checks what it says about itself. Reads no closed events.
    ///
    /// # Errors
    /// See [`OpenError`]. A file that is foreign, newer, in use or damaged is left untouched.
    pub fn open(path: &Path, zone: &BudgetZone, now: Timestamp) -> Result<Self, OpenError> {
        if rusqlite::version_number() < SQLITE_VERSION_MIN {
            return Err(OpenError::SqliteTooOld(rusqlite::version()));
        }
        let lock = FileLock::acquire(path)?;
        let wrap = |source| OpenError::Ledger { path: path.into(), source };
        let mut connection = connect(path).map_err(wrap)?;
        let from = match schema::inspect(&connection).map_err(wrap)? {
            FileKind::Foreign => return Err(OpenError::Foreign { path: path.into() }),
            FileKind::Ledger(found) if found > schema::FORMAT => {
                return Err(OpenError::Newer { path: path.into(), found, known: schema::FORMAT });
            }
            FileKind::Ledger(found) => found,
            FileKind::Empty => 0,
        };
        prepare(&mut connection, from, zone, now).map_err(wrap)?;
        let counted_in = meta::time_zone(&connection).map_err(wrap)?;
        let mut ledger = Self {
            ids: IdIndex::new(meta::hash_key(&connection).map_err(wrap)?),
            connection,
            path: path.into(),
            zone: BudgetZone::named(&counted_in).map_err(|error| wrap(LedgerError::Damaged(error.to_string())))?,
            head: Head::default(),
            end: End::default(),
            tail: Vec::new(),
            days: BTreeMap::new(),
            unpaid_ids: UnpaidIds::default(),
            reservations_looked_at: 0,
            checkpointer: Checkpointer::new(path),
            _lock: lock,
        };
        ledger.load().map_err(wrap)?;
        ledger.make_room();
        if counted_in != zone.name() {
            tracing::warn!(from = counted_in, to = zone.name(), "the time zone changed: counting every event's day anew");
            ledger.recount(zone).map_err(wrap)?;
        }
        Ok(ledger)
    }

    /// Reads again what the file says, on the same connection: what start-up does after opening it.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub fn reload(&mut self) -> Result<(), LedgerError> {
        self.ids = IdIndex::new(meta::hash_key(&self.connection)?);
        self.load()
    }

    /// What start-up needs at once: series, usage, the gate, counters.
    ///
    /// # Errors
    /// A row is damaged or cannot be read.
    pub fn summary(&self) -> Result<Summary, LedgerError> {
        Ok(Summary {
            series: read_rows(&self.connection, "", ())?
                .into_iter()
                .map(|SeriesRow { label, sums }| (label, sums))
                .collect(),
            usage: read_rows(&self.connection, "", ())?.into_iter().map(|UsageRow { key, count }| (key, count)).collect(),
            gate: gate::read_history(&self.connection, 1)?.pop().map(|line| line.change),
            gate_override: gate::read_override(&self.connection, &self.head)?,
            gate_activations: self.head.gate_activations.cast_unsigned(),
            events: self.head.rolled_up.events.cast_unsigned(),
            last_recorded_at: self.head.rolled_up.last_recorded_at,
        })
    }

    /// The events that the sums did not count when the file was read, in their order: what a process recorded after its newest
    /// rollup, before it was killed. Once; whoever takes them adds them up and commits a rollup.
    pub fn take_tail(&mut self) -> Vec<StoredEvent> {
        std::mem::take(&mut self.tail)
    }

    /// Whether a commit of so many events may leave the rollup to a later one. It may not where a segment ends: the events since
    /// the newest rollup are read at start-up, so they must stay few.
    pub fn may_defer_rollup(&self, new_events: usize) -> bool {
        (self.end.events + new_events as i64) / SEGMENT_EVENTS == self.head.rolled_up.events / SEGMENT_EVENTS
    }

    /// The days with cost since `first`, newest first.
    pub fn days_since(&self, first: Date) -> Vec<Date> {
        self.days.range(first..).rev().map(|(day, _)| *day).collect()
    }

    /// The sums of one day.
    ///
    /// # Errors
    /// A row is damaged, or the day's rows are not all there.
    pub fn pairs_of(&self, day: Date) -> Result<Vec<PairRow>, LedgerError> {
        self.days.get(&day).map_or(Ok(Vec::new()), |row| read_day_pairs(&self.connection, day, row))
    }

    /// An event with the hash under which this ledger looks for its id, and its day in this ledger's zone.
    pub fn keyed(&self, event: CostEvent) -> KeyedEvent {
        KeyedEvent { key_hash: self.ids.hash(&event.key), day: self.zone.day_of(event.time), event, reservation: None }
    }

    /// The event recorded under the same key, if it is remembered.
    ///
    /// # Errors
    /// The index or the event is damaged or cannot be read.
    pub fn find(&self, wanted: &KeyedEvent) -> Result<Option<StoredEvent>, LedgerError> {
        self.find_hashed(&wanted.event.key, wanted.key_hash)
    }

    /// The event recorded under a key, if it is remembered.
    ///
    /// # Errors
    /// As for [`Ledger::find`].
    pub fn find_event(&self, key: &EventKey) -> Result<Option<StoredEvent>, LedgerError> {
        self.find_hashed(key, self.ids.hash(key))
    }

    pub(super) fn find_hashed(&self, key: &EventKey, hash: u64) -> Result<Option<StoredEvent>, LedgerError> {
        for seq in self.ids.places(&self.connection, hash)? {
            let found = event_at(&self.connection, seq)?;
            if found.as_ref().is_some_and(|stored| stored.event.key == *key) {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The hash under which this ledger looks for an id.
    pub fn key_hash(&self, key: &EventKey) -> u64 {
        self.ids.hash(key)
    }

    /// The `seq` of the newest event.
    pub fn events(&self) -> i64 {
        self.end.events
    }

    /// Writes everything in one transaction and syncs it.
    ///
    /// # Errors
    /// After `Busy` nothing has changed. After any other error this value no longer matches the file: [`Ledger::reload`] it, or
    /// after `SyncFailed` end the process.
    pub fn commit(&mut self, commit: &Commit, recorded_at: Timestamp) -> Result<(), LedgerError> {
        // The connection is taken apart from the rest because a transaction borrows it.
        let Self { connection, head, end, days, ids, unpaid_ids, .. } = self;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut insert = RowWriter::insert(&transaction)?;
        for keyed in &commit.events {
            let seq = end.events + 1;
            let KeyedEvent { event, reservation, .. } = keyed;
            let checksum = insert.write(&StoredEvent { seq, recorded_at, event, reservation: *reservation })?;
            end.add(checksum, recorded_at);
            ids.add(keyed.key_hash, seq, keyed.day);
            if seq % SEGMENT_EVENTS == 0 {
                ids.close_segment(&transaction, Segment::number_of(seq), recorded_at, end.event_chain)?;
            }
        }
        drop(insert);
        reservations::write_changes(&transaction, &commit.reservations, head, unpaid_ids, |key| ids.hash(key))?;
        if let Some(rollup) = &commit.rollup {
            write_sums(&transaction, rollup, head, days)?;
            gate::write(&transaction, rollup, head)?;
            head.rollups += 1;
            head.rolled_up = end.clone();
        }
        if commit.rollup.is_some() || !commit.reservations.is_empty() {
            head.write(&transaction)?;
        }
        outbox::write(&transaction, &commit.outbox)?;
        transaction.commit()?;
        self.note_log();
        Ok(())
    }

    /// Bytes of the file and its WAL.
    pub fn size_bytes(&self) -> u64 {
        let mut wal = self.path.clone().into_os_string();
        wal.push("-wal");
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        length(&self.path) + length(Path::new(&wal))
    }

    fn load(&mut self) -> Result<(), LedgerError> {
        let connection = &self.connection;
        self.head = Head::read(connection)?;
        self.days = rows::read_days(connection, Date::MIN, Date::MAX)?.into_iter().collect();
        check_digests(connection, &self.head, &self.days)?;
        let segments = Segment::read_all(connection)?;
        let closed = segments.len() as i64;
        let rolled_up = &self.head.rolled_up;
        if closed != rolled_up.events / SEGMENT_EVENTS {
            return Err(LedgerError::Damaged("segments and events do not match".into()));
        }
        self.ids.load(connection, &segments, self.head.forgotten_blocks)?;
        let mut end = segments.last().map_or_else(End::default, |newest| End {
            events: closed * SEGMENT_EVENTS,
            event_chain: newest.event_chain,
            last_recorded_at: Some(newest.newest_recorded_at),
        });
        self.tail.clear();
        let mut is_sound = end.events < rolled_up.events || end.event_chain == rolled_up.event_chain;
        each_event(connection, end.events + 1, i64::MAX, |stored, checksum| {
            end.add(checksum, stored.recorded_at);
            is_sound &= stored.seq == end.events && stored.seq / SEGMENT_EVENTS == closed;
            is_sound &= end.events != rolled_up.events || end.event_chain == rolled_up.event_chain;
            self.ids.add(self.ids.hash(&stored.event.key), stored.seq, self.zone.day_of(stored.event.time));
            if stored.seq > rolled_up.events {
                self.tail.push(stored);
            }
            Ok(())
        })?;
        if !is_sound || end.events < rolled_up.events {
            return Err(LedgerError::Damaged("the chain over the newest events is broken".into()));
        }
        self.end = end;
        self.load_unpaid_ids()
    }
}

fn connect(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn prepare(connection: &mut Connection, from: i64, zone: &BudgetZone, now: Timestamp) -> Result<(), LedgerError> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if mode != "wal" {
        return Err(LedgerError::Damaged(format!("the file system does not allow a write-ahead log (journal mode {mode})")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    wal::set_up(connection)?;
    schema::migrate(connection, from)?;
    if !meta::is_initialised(connection)? {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        meta::initialise(&transaction, zone.name(), now)?;
        transaction.commit()?;
    }
    Ok(())
}
