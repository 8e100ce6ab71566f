//! The ledger file itself: made private, and held by one process.
//!
//! *Invariants.* The lock is `flock` on the file, which does not meet SQLite's own `fcntl` locks. The descriptor stays open for
//! the whole life of the process: closing any descriptor of the file would drop SQLite's locks on it.
//!
//! A file that is moved or deleted stays open, and SQLite goes on writing to it and to the log under the old name: whoever starts on either of
//! them has not got both. So it is noticed.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::OpenError;
use super::connection::real_path;

/// Proof that this process is the only agent on the file.
#[derive(Debug)]
pub(super) struct FileLock {
    path: PathBuf,
    file: File,
    /// What stood under the path when it was opened. An overlay of old kernels shows the open file as another one.
    found: Option<Identity>,
}

/// Device and number of a file.
type Identity = (u64, u64);

impl FileLock {
    /// Makes the folder and the file (mode 0600) where missing, and takes the lock.
    pub fn acquire(path: &Path) -> Result<Self, OpenError> {
        let file = create(path).map_err(|source| OpenError::File { path: path.into(), source })?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.into(), file, found: fs::metadata(path).ok().as_ref().map(identity) }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked { path: path.into() }),
            Err(TryLockError::Error(source)) => Err(OpenError::File { path: path.into(), source }),
        }
    }

    /// Whether the file still stands under its path, as far as that can be told.
    pub fn is_in_place(&self) -> bool {
        match fs::metadata(&self.path) {
            Ok(found) => {
                let found = Some(identity(&found));
                found == self.found || found == self.file.metadata().ok().as_ref().map(identity)
            }
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }
}

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino())
}

fn create(path: &Path) -> io::Result<File> {
    let path = &real_path(path);
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
