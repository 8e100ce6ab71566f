//! How the file is opened: once for writing, and for reading beside that.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::LedgerError;

/// How long a statement waits for somebody else's lock. Short: an open transaction in an operator's shell must turn into a
/// quick "send it again", not into a stalled queue.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_millis(250);
/// Memory for the page cache of the connection that writes, in KiB.
pub(super) const CACHE_KIB: i64 = 2_048;
/// The same of one that reads: mostly from one end to the other, where no page is wanted twice.
const READER_CACHE_KIB: i64 = 256;
/// Prepared statements that are kept: more than there are.
const STATEMENTS_MAX: usize = 64;

/// Links that lead from one to the next: more than a system follows.
const LINKS_MAX: usize = 40;

/// The write-ahead log beside a ledger, as SQLite names it.
pub(super) fn log_of(ledger: &Path) -> PathBuf {
    beside(ledger, "-wal")
}

/// A file that belongs to a ledger and stands beside it.
pub(super) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = real_path(ledger).into_os_string();
    name.push(suffix);
    name.into()
}

/// Where a path that may be a link leads to, also while nothing is there: SQLite has a ledger's other files beside that.
pub(super) fn real_path(path: &Path) -> PathBuf {
    let mut real = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&real) else { break };
        real.pop();
        real.push(target);
    }
    real
}

/// Opens it for writing. Changes nothing yet: it may be the file of another program.
pub(super) fn open_for_writing(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// Makes what it writes durable.
pub(super) fn set_up(connection: &Connection) -> Result<(), LedgerError> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))?;
    if mode != "wal" {
        return Err(LedgerError::Damaged(format!("the file system does not allow a write-ahead log (journal mode {mode})")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

/// Opens it to read beside the writer, or alone.
pub(super) fn open_read_only(path: &Path) -> Result<Connection, LedgerError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus::RePrepare;

    use super::*;

    #[test]
    fn what_stands_beside_a_link_stands_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("volume")).unwrap();
        for (link, target) in [("relative.db", "volume/real.db".into()), ("absolute.db", at("relative.db"))] {
            assert_eq!(log_of(&at(link)), at(&format!("{link}-wal")));
            std::os::unix::fs::symlink(target, at(link)).unwrap();
            // Also where the file is missing.
            assert_eq!(log_of(&at(link)), at("volume/real.db-wal"));
        }
        std::os::unix::fs::symlink("loop.db", at("loop.db")).unwrap();
        assert_eq!(log_of(&at("loop.db")), at("loop.db-wal"));
        assert_eq!(log_of(Path::new("no-folder.db")), Path::new("no-folder.db-wal"));
    }

    /// Guards against a build of SQLite without the flags of `.cargo/config.toml`. See `findings/sqlite-prepares-again-for-each-value.sh`.
    #[test]
    fn a_statement_is_prepared_once_whatever_is_bound() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE event (seq INTEGER PRIMARY KEY, adjusts INTEGER, standing INTEGER);
                 CREATE INDEX adjusted ON event (adjusts) WHERE standing = 1;",
            )
            .unwrap();
        let mut statement = connection.prepare("SELECT seq FROM event WHERE adjusts = ?1 AND standing = ?1").unwrap();
        for value in 0..100 {
            assert!(!statement.exists([value]).unwrap());
        }
        assert_eq!(statement.get_status(RePrepare), 0);
    }
}
