//! The ledger file itself: made private, and held by one process.
//!
//! *Invariants.* The lock is `flock` on the file, which does not meet SQLite's own `fcntl` locks. The descriptor stays open for
//! the whole life of the process: closing any descriptor of the file would drop SQLite's locks on it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::OpenError;

/// Proof that this process is the only agent on the file.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Makes the folder and the file (mode 0600) where missing, and takes the lock.
    pub fn acquire(path: &Path) -> Result<Self, OpenError> {
        let file = create(path).map_err(|source| OpenError::File { path: path.into(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.into() }),
            Err(TryLockError::Error(source)) => Err(OpenError::File { path: path.into(), source }),
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.exists() {
        fs::create_dir_all(folder)?;
    }
    let is_new = !path.exists();
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if is_new {
        // The name of the file must survive a power cut as well as what is in it.
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}
