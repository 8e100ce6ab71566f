//! Moving the write-ahead log into the file, beside the writer.
//!
//! A checkpoint writes and syncs some megabytes. Nobody who records should wait for that, so a thread with a connection of its
//! own does it while the writer goes on adding to the log.
//!
//! *Invariants.* A checkpoint moves what the log held when it was ordered, and nothing that came later: until the writer has heard
//! how it ended, a read transaction of this process, the *pin*, stands at that place, and SQLite moves nothing that one of its
//! readers does not know yet. The writer orders one right after it has rolled everything up, so the file never gets events that the
//! head row does not count: in the log every page has a checksum, in the file only rows have. One checkpoint runs at a time, and
//! none outlives this value. What one's error means is for the writer to judge: a failed sync ends the process.
//!
//! *Limits.* One thread; two connections, which are made with the first checkpoint.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags};

use super::LedgerError;
use super::connection::{BUSY_TIMEOUT, open_read_only};

/// Memory for the page cache of the connection that runs checkpoints: it reads the log, and never through the cache.
const CACHE_KIB: i64 = 64;

/// Runs checkpoints, one at a time.
pub(super) struct Checkpointer {
    path: PathBuf,
    /// Stands still while a checkpoint runs.
    pin: Option<Connection>,
    /// Runs the next checkpoint.
    idle: Option<Connection>,
    running: Option<Running>,
    /// Pages of the log after the newest commit that was noted.
    log_pages: i32,
    /// How many of them, from the beginning, a checkpoint has moved, as far as other readers let it.
    moved_pages: i32,
}

struct Running {
    log_pages: i32,
    thread: JoinHandle<(Connection, Result<(), LedgerError>)>,
}

impl Checkpointer {
    /// For the ledger at this path.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), pin: None, idle: None, running: None, log_pages: 0, moved_pages: 0 }
    }

    /// Notes how many pages the log has after the newest commit.
    pub fn note_log(&mut self, pages: i32) {
        if pages < self.log_pages {
            // It is used from its beginning again.
            self.moved_pages = 0;
        }
        self.log_pages = pages;
    }

    /// Pages of the log.
    pub fn log_pages(&self) -> i32 {
        self.log_pages
    }

    /// Pages of the log that no checkpoint has moved yet.
    pub fn pages_to_move(&self) -> i32 {
        self.log_pages - self.moved_pages
    }

    /// Notes that a checkpoint has moved the whole log. Whether it is used from its beginning again the next commit shows: not while
    /// somebody else reads it.
    pub fn note_moved(&mut self) {
        self.moved_pages = self.log_pages;
    }

    /// Whether a checkpoint runs, or has ended and nobody has heard how.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Begins to move the log as it stands. Without a thread for it nothing happens, and the log grows.
    ///
    /// # Errors
    /// The file cannot be opened or read.
    pub fn begin(&mut self) -> Result<(), LedgerError> {
        let connection = match self.idle.take() {
            Some(connection) => connection,
            None => open_for_checkpoints(&self.path)?,
        };
        let pin = match &mut self.pin {
            Some(pin) => pin,
            none => none.insert(open_read_only(&self.path)?),
        };
        // Only a read gives the transaction its place.
        if let Err(error) = pin.execute_batch("BEGIN; SELECT count(*) FROM head") {
            // It may be in the middle of the transaction: the next one gets another connection.
            self.pin = None;
            return Err(error.into());
        }
        let thread = std::thread::Builder::new().name("ledger-checkpoint".into()).spawn(move || {
            let result = run(&connection, "PASSIVE");
            (connection, result)
        });
        match thread {
            Ok(thread) => self.running = Some(Running { log_pages: self.log_pages, thread }),
            Err(error) => {
                tracing::debug!(%error, "no thread for a checkpoint");
                self.unpin();
            }
        }
        Ok(())
    }

    /// How the checkpoint that ran has ended; `None` while it runs, and where there is none.
    pub fn ended(&mut self) -> Option<Result<(), LedgerError>> {
        let has_ended = self.running.as_ref().is_some_and(|running| running.thread.is_finished());
        has_ended.then(|| self.wait())
    }

    /// Waits until no checkpoint runs.
    ///
    /// # Errors
    /// The checkpoint's.
    pub fn wait(&mut self) -> Result<(), LedgerError> {
        let Some(Running { log_pages, thread }) = self.running.take() else { return Ok(()) };
        let Ok((connection, result)) = thread.join() else {
            return Err(LedgerError::Damaged("a checkpoint panicked".into()));
        };
        self.idle = Some(connection);
        self.unpin();
        result?;
        self.moved_pages = log_pages;
        Ok(())
    }

    /// Ends the pin's transaction. A connection that cannot is closed, which ends it as well.
    fn unpin(&mut self) {
        self.pin = self.pin.take().filter(|pin| pin.execute_batch("ROLLBACK").is_ok());
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        // Only a process that is ending anyway drops the ledger; what a checkpoint says then no longer matters.
        let _ = self.wait();
    }
}

/// Moves the log into the file; with `PASSIVE`, all but what some reader does not know yet.
pub(super) fn run(connection: &Connection, mode: &str) -> Result<(), LedgerError> {
    Ok(connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), (), |_| Ok(()))?)
}

fn open_for_checkpoints(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}
