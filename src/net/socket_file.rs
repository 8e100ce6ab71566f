//! A Unix socket's place in the file system: who may connect is who may open the file.
//!
//! *Invariants.* Nobody but its owner and group could ever connect, whatever the umask. A file that is not a socket is left alone, and so
//! is a socket that somebody answers at. What was made is removed again, unless somebody else has put something in its place.
//!
//! *Limits.* Two agents that start at the same instant can both find a stale socket; the later one has the place then.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use futures_util::FutureExt;
use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// Owner and group read and write, which is what connecting needs.
const MODE: u32 = 0o660;

/// The file of a socket that listens. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Tells the file from one that has its name later.
    device_and_inode: (u64, u64),
}

/// Makes a socket that listens at a path. Needs a Tokio runtime around it.
pub(super) fn listen(path: &Path, backlog: u32) -> io::Result<(UnixListener, SocketFile)> {
    clear(path)?;
    let socket = UnixSocket::new_stream()?;
    let mode = Permissions::from_mode(MODE);
    // The file has no right that the socket lacks when it gets its name. Where a system does not do that, nobody can connect all the
    // same before it listens.
    let _ = File::from(socket.as_fd().try_clone_to_owned()?).set_permissions(mode.clone());
    socket.bind(path)?;
    let file = SocketFile { path: path.into(), device_and_inode: device_and_inode(path)? };
    // What the umask took away.
    fs::set_permissions(path, mode)?;
    Ok((socket.listen(backlog)?, file))
}

/// Removes what an agent has left there that did not end in order.
fn clear(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is something else than a socket"));
    }
    // Polled once, because that is when the system is asked; whoever listens and is slow to accept is there all the same.
    match UnixStream::connect(path).now_or_never() {
        Some(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Some(Err(error)) if error.kind() == ErrorKind::NotFound => Ok(()),
        Some(Err(error)) if error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Err(io::Error::new(ErrorKind::AddrInUse, "another process answers there")),
    }
}

fn device_and_inode(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if device_and_inode(&self.path).is_ok_and(|found| found == self.device_and_inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the socket; the next start will");
        }
    }
}
