//! Whether the disk has room to go on recording.
//!
//! A transaction that changes nothing fits into the WAL file as it is, so on a full disk it succeeds where the next event fails:
//! the agent would say that it records, fail, and say so again, for as long as the disk is full. So before that, some room is
//! taken and given back.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::ffi;

use super::LedgerError;

/// Room that there must be before recording goes on after a failure: many commits of a few events, or one of some thousand.
const ROOM_BYTES: usize = 1024 * 1024;
/// Written at once.
const PIECE: &[u8] = &[0; 64 * 1024];

/// Takes [`ROOM_BYTES`] beside the ledger and gives them back.
///
/// # Errors
/// [`LedgerError::Full`] without the room, [`LedgerError::Sqlite`] when the folder cannot be written to for another reason.
pub(super) fn check(ledger: &Path) -> Result<(), LedgerError> {
    let mut scratch = ledger.as_os_str().to_owned();
    scratch.push("-room");
    let scratch = Path::new(&scratch);
    let taken = take(scratch);
    let returned = fs::remove_file(scratch);
    taken.and(returned).map_err(|error| {
        let full =
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge);
        let code = if full { ffi::SQLITE_FULL } else { ffi::SQLITE_IOERR_WRITE };
        LedgerError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some(error.to_string())))
    })
}

fn take(scratch: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(scratch)?;
    for _ in 0..ROOM_BYTES / PIECE.len() {
        file.write_all(PIECE)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_and_a_folder_that_is_gone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        check(&folder.path().join("ledger.db")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(check(&folder.path().join("gone/ledger.db")).is_err());
    }
}
