//! The write-ahead log: how it grows, is moved into the file, and is used again from its beginning.
//!
//! *Invariants.* Checkpoints run here and in `checkpoint` and nowhere else, so that a failed sync in one is seen.
//!
//! *Limits.* [`RESTART_PAGES`], and what comes in while a checkpoint runs; at [`LOG_PAGES_MAX`] the writer waits for the checkpoint.
//! Beyond it grows only while somebody else reads.

use std::cell::Cell;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::{Connection, TransactionBehavior};

use super::LedgerError;
use super::checkpoint::{self, Checkpointer};
use super::connection::CACHE_KIB;
use super::wal_mark::WalMark;
use crate::error_chain::ErrorChain;

/// Pages of the log that are worth a checkpoint: 4 MiB, about what SQLite does by itself.
const CHECKPOINT_PAGES: i32 = 1_024;
/// Pages from which on the log shall be used from its beginning again: at the end of a checkpoint the writer moves by itself what came
/// in meanwhile, which is little.
const RESTART_PAGES: i32 = 2 * CHECKPOINT_PAGES;
/// Pages that are not moved at which the writer waits for the checkpoint that runs: 64 MiB.
const LOG_PAGES_MAX: i32 = 16 * CHECKPOINT_PAGES;
/// Room made in the WAL at the start: as much as is written between two checkpoints. A sync of bytes that lie where others lay
/// takes half the time of one that makes the file longer.
const ROOM_BYTES: u32 = 4 * 1024 * 1024;
/// The WAL file is cut back to this after a checkpoint that emptied it.
const WAL_BYTES_MAX: i64 = 64 * 1024 * 1024;
/// Room that the WAL must have for recording to go on after a failure: many commits of a few events, or one of a thousand.
const PROBE_BYTES: u32 = 512 * 1024;
/// Memory for pages while room is made: none of them is needed again.
const ROOM_CACHE_KIB: i64 = 64;

/// What the writer has to do for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogCare {
    /// It is short enough.
    Nothing,
    /// Roll up, then [`begin_checkpoint`](super::Ledger::begin_checkpoint).
    Checkpoint,
    /// Roll up, then [`restart_log`](super::Ledger::restart_log).
    Restart,
}

thread_local! {
    /// Pages in the WAL after this thread's newest commit, as SQLite's hook reports them.
    static WAL_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// Takes the checkpoints over from SQLite.
pub(super) fn set_up(connection: &mut Connection) -> Result<(), LedgerError> {
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // After the pragma, which would take the place of the hook.
    connection.wal_hook(Some(note_wal_pages))?;
    Ok(())
}

fn note_wal_pages(_: &mut Wal, pages: std::ffi::c_int) -> rusqlite::Result<()> {
    WAL_PAGES.set(pages);
    Ok(())
}

/// The log of the connection that writes.
pub(super) struct Log {
    checkpointer: Checkpointer,
    mark: WalMark,
}

impl Log {
    /// The one of the ledger at this path.
    pub fn new(path: &Path) -> Self {
        Self { checkpointer: Checkpointer::new(path), mark: WalMark::new(path) }
    }

    /// Makes the WAL as long as it will be, so that commits need not. On a disk without that room they make it longer
    /// themselves, as long as there is any.
    pub fn make_room(connection: &mut Connection) {
        if let Err(error) = write_and_take_back(connection, ROOM_BYTES) {
            tracing::debug!(error = %ErrorChain(&error), "no room was made in the write-ahead log");
            // What was made is given back: the disk is nearly full, and the file itself may need it.
            let _ = checkpoint::run(connection, "TRUNCATE");
        }
    }

    /// Notes how long the log has become with a commit that is synced.
    pub fn note_commit(&mut self) {
        self.checkpointer.note_log(WAL_PAGES.get());
        self.mark.note(WAL_PAGES.get());
    }

    /// See [`Ledger::log_care`](super::Ledger::log_care).
    pub fn care(&mut self) -> Result<LogCare, LedgerError> {
        let has_ended = self.checkpointer.ended().transpose()?.is_some();
        let pages = self.checkpointer.log_pages();
        let pages_to_move = self.checkpointer.pages_to_move();
        Ok(if (has_ended && pages >= RESTART_PAGES) || pages_to_move >= LOG_PAGES_MAX {
            LogCare::Restart
        } else if !self.checkpointer.is_running() && pages_to_move >= CHECKPOINT_PAGES {
            LogCare::Checkpoint
        } else {
            LogCare::Nothing
        })
    }

    /// See [`Ledger::begin_checkpoint`](super::Ledger::begin_checkpoint).
    pub fn begin_checkpoint(&mut self) -> Result<(), LedgerError> {
        self.checkpointer.begin()
    }

    /// See [`Ledger::restart_log`](super::Ledger::restart_log).
    pub fn restart(&mut self, connection: &Connection) -> Result<(), LedgerError> {
        self.checkpointer.wait()?;
        checkpoint::run(connection, "PASSIVE")?;
        self.checkpointer.note_moved();
        Ok(())
    }

    /// See [`Ledger::checkpoint_all`](super::Ledger::checkpoint_all).
    pub fn empty(&mut self, connection: &Connection) -> Result<(), LedgerError> {
        self.checkpointer.wait()?;
        checkpoint::run(connection, "TRUNCATE")
    }
}

/// Proves that commits work again: writes `PROBE_BYTES` to the log and takes them back, then commits and syncs a transaction that
/// changes nothing.
///
/// The latter alone would fit into the log file as it is and succeed on a full disk, where the next event fails: the agent would
/// say that it records, fail, and say so again, as long as the disk is full.
pub(super) fn probe(connection: &mut Connection) -> Result<(), LedgerError> {
    write_and_take_back(connection, PROBE_BYTES)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("UPDATE meta SET value = value", ())?;
    transaction.commit()?;
    Ok(())
}

fn write_and_take_back(connection: &mut Connection, bytes: u32) -> Result<(), LedgerError> {
    connection.pragma_update(None, "cache_size", -ROOM_CACHE_KIB)?;
    let written = (|| {
        let room = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        room.execute("INSERT INTO id_block_filter (block, bits, checksum) VALUES (-1, zeroblob(?), 0)", [bytes])?;
        room.cache_flush()?;
        room.rollback()
    })();
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    Ok(written?)
}
