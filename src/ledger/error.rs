//! What can go wrong with the ledger.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file or its folder cannot be made, opened or synced.
    #[error("cannot open the ledger {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Another process holds it.
    #[error("another process is using the ledger {path}: two agents cannot share one file")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Something that no version of this program has written.
    #[error("{path} is not a ledger: it is {found}; name another file with DB_PATH")]
    NotALedger {
        /// What was named.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A ledger that does not hold what was written to it.
    #[error("the ledger {path} is damaged: {detail}; keep the file, and start on a backup of it (docs/backup.md)")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// A ledger that a newer version of this program has written.
    #[error(
        "the ledger {path} has format {found}, and this version of the program reads formats up to {known}: upgrade the program"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// SQLite before 3.51.3 can corrupt a WAL file when two connections write or checkpoint at once.
    #[error("SQLite {0} is too old to keep money in: 3.51.3 is needed")]
    SqliteTooOld(&'static str),
    /// What is in the file cannot be used.
    #[error("cannot use the ledger {path}")]
    Ledger {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: LedgerError,
    },
}

impl OpenError {
    /// Of the ledger at `path`.
    pub(super) fn of(path: &Path, source: LedgerError) -> Self {
        match source {
            LedgerError::Damaged(detail) => Self::Damaged { path: path.into(), detail },
            source => Self::Ledger { path: path.into(), source },
        }
    }
}

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Somebody else has a transaction open on the file.
    #[error("the ledger file is locked by another program")]
    Busy(#[source] rusqlite::Error),
    /// No room on the disk, or over a quota or a file size limit.
    #[error("no room for the ledger on the disk")]
    Full(#[source] rusqlite::Error),
    /// A sync failed. What the kernel dropped cannot be asked for again: only a new process may look at the file again.
    #[error("the disk failed to sync the ledger")]
    SyncFailed(#[source] rusqlite::Error),
    /// The file does not hold what was written to it.
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    /// Another file stands in the place of the one that is open, or none.
    #[error("the ledger file was moved, deleted or replaced: put it back, or stop the agent")]
    Moved,
    /// Anything else that SQLite reports.
    #[error("the ledger cannot be read or written")]
    Sqlite(#[source] rusqlite::Error),
    /// A read that was asked to stop.
    #[error("the read was given up")]
    Stopped,
}

impl LedgerError {
    /// What a client may be told: no names of tables, no words of SQLite's.
    pub const fn outward(&self) -> &'static str {
        match self {
            Self::Busy(_) => "the ledger file is locked by another program",
            Self::Full(_) => "no room for the ledger on the disk",
            Self::SyncFailed(_) => "the disk failed to sync the ledger; the agent has to be restarted",
            Self::Damaged(_) => "the ledger is damaged; the log says where",
            Self::Moved => "the ledger file was moved, deleted or replaced; put it back",
            Self::Sqlite(_) | Self::Stopped => "the ledger cannot be read or written",
        }
    }
}

impl From<rusqlite::Error> for LedgerError {
    /// Sorts SQLite's errors by what must follow from them.
    fn from(error: rusqlite::Error) -> Self {
        let Some(code) = error.sqlite_error() else {
            return match error {
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::Utf8Error(..)
                | rusqlite::Error::QueryReturnedNoRows => Self::Damaged(error.to_string()),
                _ => Self::Sqlite(error),
            };
        };
        match (code.code, code.extended_code) {
            (_, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Self::SyncFailed(error),
            (ErrorCode::DiskFull, _) => Self::Full(error),
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Busy(error),
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => Self::Damaged(error.to_string()),
            _ => Self::Sqlite(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_sqlite_are_sorted_by_what_must_follow() {
        let of = |code| LedgerError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC] {
            assert!(matches!(of(code), LedgerError::SyncFailed(_)), "{code}");
        }
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY] {
            assert!(matches!(of(code), LedgerError::Sqlite(_)), "{code}");
        }
        assert!(matches!(of(ffi::SQLITE_FULL), LedgerError::Full(_)));
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_BUSY_SNAPSHOT] {
            assert!(matches!(of(code), LedgerError::Busy(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_CORRUPT_INDEX, ffi::SQLITE_NOTADB] {
            assert!(matches!(of(code), LedgerError::Damaged(_)), "{code}");
        }
        // What is there is not what was written.
        for error in [rusqlite::Error::QueryReturnedNoRows, rusqlite::Error::IntegralValueOutOfRange(0, 7)] {
            assert!(matches!(error.into(), LedgerError::Damaged(_)));
        }
        assert!(matches!(rusqlite::Error::InvalidQuery.into(), LedgerError::Sqlite(_)));
    }
}
