//! The one connection that writes: open, commit, checkpoint.
//!
//! *Invariants.* A commit is one transaction, synced before [`Ledger::commit`] returns. Whatever fails in it leaves the file as
//! it was before or, after an I/O error, possibly with the whole commit: the caller must then open the ledger anew and look.
//! Checkpoints run here and nowhere else, so that a failed sync in one is seen.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::checksum::chain;
use super::events::{StoredEvent, event_at, write_event};
use super::head::Head;
use super::ids::IdIndex;
use super::lock::FileLock;
use super::rows::{self, DayRow, PairRow};
use super::schema::{self, FileKind};
use super::segment::{SEGMENT_EVENTS, Segment};
use super::sums::{check_digests, read_day_pairs, write_sums};
use super::{LedgerError, OpenError, meta};
use crate::domain::{BudgetZone, CostEvent, GateChange, Pair, Sums, UsageKey};

/// How long a statement waits for somebody else's lock. Short: an open transaction in an operator's shell must turn into a
/// quick "send it again", not into a stalled queue.
pub(super) const BUSY_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(250);
/// Pages in the WAL file from which a checkpoint runs after a commit: 16 MB.
const CHECKPOINT_PAGES: i32 = 4_096;
/// The WAL file is cut back to this after a checkpoint that emptied it.
const WAL_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Room that the WAL must have for recording to go on after a failure: many commits of a few events, or one of a thousand.
const PROBE_BYTES: u32 = 512 * 1024;
const HEX_DIGITS_PER_BYTE: u32 = 2;
/// Memory for SQLite's page cache, in KiB.
const CACHE_KIB: i64 = 4_096;
/// First SQLite version without the WAL-reset bug.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

thread_local! {
    /// Pages in the WAL after this thread's newest commit, as SQLite's hook reports them.
    static WAL_PAGES: Cell<i32> = const { Cell::new(0) };
}

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
}

/// Everything that one transaction writes.
#[derive(Debug, Default)]
pub struct Commit {
    /// New events, in the order in which they are recorded.
    pub events: Vec<KeyedEvent>,
    /// The sums by day, service and operation that these events change.
    pub pairs: Vec<Change<(Date, Pair), Sums>>,
    /// The metric series that they change.
    pub series: Vec<Change<Pair, Sums>>,
    /// The usage series that they change.
    pub usage: Vec<Change<UsageKey, u128>>,
    /// New lines of the gate's history.
    pub gate: Vec<GateChange>,
}

/// The ledger, open for writing by this process alone.
pub struct Ledger {
    pub(super) connection: Connection,
    path: PathBuf,
    pub(super) zone: BudgetZone,
    pub(super) head: Head,
    pub(super) days: BTreeMap<Date, DayRow>,
    ids: IdIndex,
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
    /// How often the gate became active.
    pub gate_activations: u64,
    /// Events ever recorded.
    pub events: u64,
    /// When the newest was.
    pub last_recorded_at: Option<Timestamp>,
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
            days: BTreeMap::new(),
            _lock: lock,
        };
        ledger.load().map_err(wrap)?;
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
            series: rows::read_series(&self.connection)?,
            usage: rows::read_usage(&self.connection)?,
            gate: rows::read_gate(&self.connection, 1)?.pop().map(|(_, change)| change),
            gate_activations: self.head.gate_activations.cast_unsigned(),
            events: self.head.events.cast_unsigned(),
            last_recorded_at: self.head.last_recorded_at,
        })
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
        KeyedEvent { key_hash: self.ids.hash(&event.key), day: self.zone.day_of(event.time), event }
    }

    /// The event recorded under the same key, if it is remembered.
    ///
    /// # Errors
    /// The index or the event is damaged or cannot be read.
    pub fn find(&self, wanted: &KeyedEvent) -> Result<Option<StoredEvent>, LedgerError> {
        for seq in self.ids.places(&self.connection, wanted.key_hash)? {
            let found = event_at(&self.connection, seq)?;
            if found.as_ref().is_some_and(|stored| stored.event.key == wanted.event.key) {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Writes everything in one transaction and syncs it.
    ///
    /// # Errors
    /// After `Busy` nothing has changed. After any other error this value no longer matches the file: [`Ledger::reload`] it, or
    /// after `SyncFailed` end the process.
    pub fn commit(&mut self, commit: &Commit, recorded_at: Timestamp) -> Result<(), LedgerError> {
        // The connection is taken apart from the rest because a transaction borrows it.
        let Self { connection, head, days, ids, .. } = self;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for KeyedEvent { event, key_hash, day } in &commit.events {
            let seq = head.events + 1;
            let checksum = write_event(&transaction, seq, recorded_at, event)?;
            head.events = seq;
            head.event_chain = chain(head.event_chain, checksum);
            head.last_recorded_at = Some(recorded_at);
            ids.add(*key_hash, seq, *day);
            if seq % SEGMENT_EVENTS == 0 {
                ids.close_segment(&transaction, Segment::number_of(seq), recorded_at, head.event_chain)?;
            }
        }
        write_sums(&transaction, commit, head, days)?;
        for change in &commit.gate {
            head.gate_changes += 1;
            head.gate_activations += i64::from(change.active);
            head.gate_chain = chain(head.gate_chain, rows::gate_checksum(head.gate_changes, change));
            rows::write_gate(&transaction, head.gate_changes, change)?;
        }
        head.commits += 1;
        head.write(&transaction)?;
        transaction.commit()?;
        Ok(())
    }

    /// Moves the WAL into the file when it has grown enough to be worth it.
    ///
    /// # Errors
    /// `SyncFailed` means what it means for a commit. `Busy` and `Full` are harmless here: the WAL simply stays longer.
    pub fn checkpoint_if_due(&mut self) -> Result<(), LedgerError> {
        if WAL_PAGES.get() < CHECKPOINT_PAGES {
            return Ok(());
        }
        WAL_PAGES.set(0);
        self.checkpoint("PASSIVE")
    }

    /// Moves the whole WAL into the file and empties it: the last act of a clean stop.
    ///
    /// # Errors
    /// As for [`Ledger::checkpoint_if_due`].
    pub fn checkpoint_all(&mut self) -> Result<(), LedgerError> {
        self.checkpoint("TRUNCATE")
    }

    /// Proves that commits work again: writes `PROBE_BYTES` to the WAL and takes them back, then commits and syncs a transaction
    /// that changes nothing. Relies on nothing in memory.
    ///
    /// The latter alone would fit into the WAL file as it is and succeed on a full disk, where the next event fails: the agent
    /// would say that it records, fail, and say so again, as long as the disk is full.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn probe(&mut self) -> Result<(), LedgerError> {
        let room = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        room.execute(
            "INSERT INTO meta (key, value, checksum) VALUES ('probe', hex(zeroblob(?)), 0)",
            [PROBE_BYTES / HEX_DIGITS_PER_BYTE],
        )?;
        room.cache_flush()?;
        room.rollback()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("UPDATE meta SET value = value", ())?;
        transaction.commit()?;
        Ok(())
    }

    /// Forgets the oldest ids that were recorded before `horizon`, a block at most. Returns whether there was one.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn forget_ids(&mut self, horizon: Timestamp) -> Result<bool, LedgerError> {
        let Some(block) = self.ids.forgettable(horizon) else { return Ok(false) };
        let head = Head { forgotten_blocks: block + 1, ..self.head.clone() };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        head.write(&transaction)?;
        IdIndex::delete_block(&transaction, block)?;
        transaction.commit()?;
        self.head = head;
        self.ids.forget(block);
        Ok(true)
    }

    /// Removes the oldest segment's events if all were recorded longer than `keep` before `now`. Rollups stay. Returns whether
    /// there was one.
    ///
    /// # Errors
    /// As for [`Ledger::commit`].
    pub fn prune(&mut self, keep: SignedDuration, now: Timestamp) -> Result<bool, LedgerError> {
        let number = self.head.pruned_segments;
        let sql = "SELECT newest_recorded_at_ns FROM segment WHERE segment = ?";
        let newest: Vec<i64> = rows::each(self.connection.prepare_cached(sql)?, [number], |row| Ok(row.get(0)?))?;
        let horizon = now.checked_sub(keep).unwrap_or(Timestamp::MIN);
        if newest.first().is_none_or(|newest| i128::from(*newest) >= horizon.as_nanosecond()) {
            return Ok(false);
        }
        let (first, last) = Segment::bounds(number);
        let head = Head { pruned_segments: number + 1, ..self.head.clone() };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM event WHERE seq BETWEEN ? AND ?", [first, last])?;
        head.write(&transaction)?;
        transaction.commit()?;
        self.head = head;
        Ok(true)
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
        if segments.len() as i64 != self.head.events / SEGMENT_EVENTS {
            return Err(LedgerError::Damaged("segments and events do not match".into()));
        }
        self.ids.load(connection, &segments, self.head.forgotten_blocks)?;
        let mut event_chain = segments.last().map_or(0, |segment| segment.event_chain);
        let mut seq = segments.len() as i64 * SEGMENT_EVENTS;
        super::events::each_event(connection, seq + 1, self.head.events, |stored, checksum| {
            seq += 1;
            event_chain = chain(event_chain, checksum);
            self.ids.add(self.ids.hash(&stored.event.key), stored.seq, self.zone.day_of(stored.event.time));
            Ok(())
        })?;
        if seq != self.head.events || event_chain != self.head.event_chain {
            return Err(LedgerError::Damaged("the chain over the newest events is broken".into()));
        }
        Ok(())
    }

    fn checkpoint(&mut self, mode: &str) -> Result<(), LedgerError> {
        self.connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |_| Ok(()))?;
        Ok(())
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
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // After the pragma, which would take the place of the hook.
    connection.wal_hook(Some(note_wal_pages))?;
    schema::migrate(connection, from)?;
    if !meta::is_initialised(connection)? {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        meta::initialise(&transaction, zone.name(), now)?;
        transaction.commit()?;
    }
    Ok(())
}

fn note_wal_pages(_: &mut Wal, pages: std::ffi::c_int) -> rusqlite::Result<()> {
    WAL_PAGES.set(pages);
    Ok(())
}
