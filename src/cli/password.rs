//! A name and a password to log in with, from a file.
//!
//! *Invariants.* The password is never printed, and never part of a command line.
//!
//! *Limits.* [`FILE_BYTES_MAX`].

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::Failure;
use super::output::note;

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024;

/// A name and a password.
pub struct Login {
    pub user: String,
    pub password: Zeroizing<String>,
}

impl Login {
    /// The first line of a file, `user:password`.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let mut text = Zeroizing::new(String::new());
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
            .map_err(|error| Failure::Usage(format!("--user-file {shown} cannot be read: {error}")))?;
        let line = text.lines().next().unwrap_or_default();
        match line.split_once(':') {
            Some((user, password)) if !user.is_empty() => {
                if is_readable_by_all(path) {
                    note(&format!("--user-file {shown} is readable by every user on this machine"));
                }
                Ok(Self { user: user.to_owned(), password: Zeroizing::new(password.to_owned()) })
            }
            _ => Err(Failure::Usage(format!("--user-file {shown}: its first line must be user:password"))),
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Login(…)")
    }
}

#[cfg(unix)]
fn is_readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
}

/// Permissions of other systems say nothing that could be checked here.
#[cfg(not(unix))]
fn is_readable_by_all(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_a_name_and_a_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("user");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Login::read(&path).map(|login| (login.user.clone(), login.password.to_string()))
        };
        for (text, user, password) in
            [("alice:s3cret", "alice", "s3cret"), ("alice:a:b \r\nbob:c\n", "alice", "a:b "), ("alice:\n", "alice", "")]
        {
            assert_eq!(read(text).unwrap(), (user.to_owned(), password.to_owned()));
        }
        for text in ["", "alice", ":s3cret", "\nalice:s3cret"] {
            let Err(Failure::Usage(said)) = read(text) else { panic!("{text:?}") };
            assert!(!said.contains("s3cret"));
        }
        assert!(matches!(Login::read(&folder.path().join("none")), Err(Failure::Usage(_))));
    }
}
