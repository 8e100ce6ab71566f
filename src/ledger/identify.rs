//! What a path names, before SQLite opens it: a ledger, something else, or a ledger whose beginning is destroyed.
//!
//! SQLite says of all of them that they are no database. Whoever mistyped a path and whoever lost a page need other words.
//!
//! *Invariants.* Nothing is changed, and nothing but a plain file is opened: opening a pipe would wait, and a device may act.
//!
//! *Limits.* [`LOOKED_AT_BYTES`].
//!
//! *Deliberately not here.* Whose tables an SQLite database has: [`schema`](super::schema).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::OpenError;
use super::connection::log_of;

/// How an SQLite database begins (file format, section 1.3).
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Bytes of its header.
const HEADER_BYTES: usize = 100;
/// Where our mark stands in it, and the mark.
const MARK: (usize, &[u8]) = (68, b"LFMx");
/// A table that only a ledger has: its text stands near the beginning of the file.
const OUR_TABLE: &[u8] = b"CREATE TABLE id_bucket";
/// How much of a file that does not begin as a database is searched for signs of a ledger.
const LOOKED_AT_BYTES: u64 = 256 * 1024;

/// Fails on what is no ledger. A path that names nothing, a file that is empty, and one that must not be read are let be: opening
/// them says what there is to say.
///
/// # Errors
/// [`OpenError::NotALedger`] or [`OpenError::Damaged`].
pub(super) fn refuse_others(path: &Path) -> Result<(), OpenError> {
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return refuse_lone_log(path, "it is missing"),
        Err(_) => return Ok(()),
    };
    let other = |found| Err(OpenError::NotALedger { path: path.into(), found });
    let damaged = |detail: String| Err(OpenError::Damaged { path: path.into(), detail });
    if found.is_dir() {
        return other("a folder");
    }
    if !found.is_file() {
        return other("a device, a pipe or a socket");
    }
    if found.len() == 0 {
        return refuse_lone_log(path, "it is empty");
    }
    let Ok(beginning) = beginning_of(path) else { return Ok(()) };
    let is_database = beginning.starts_with(MAGIC);
    if is_database && beginning.len() >= HEADER_BYTES {
        return Ok(());
    }
    if is_database {
        return damaged(format!("it ends after {} bytes", beginning.len()));
    }
    if looks_like_ours(&beginning) {
        return damaged("its first bytes are overwritten".into());
    }
    other("no SQLite database")
}

/// Whether a path names a database, or the log or another file beside one: nothing that anybody wants replaced.
pub fn is_of_database(path: &Path) -> bool {
    let is_file = |path: &Path| fs::metadata(path).is_ok_and(|found| found.is_file());
    let is_database = |path: &Path| is_file(path) && beginning_of(path).is_ok_and(|beginning| beginning.starts_with(MAGIC));
    let name = path.as_os_str().to_string_lossy();
    let beside = ["-wal", "-shm", "-mark"].into_iter().filter_map(|suffix| name.strip_suffix(suffix));
    is_database(path) || beside.map(Path::new).any(is_database)
}

/// Fails where a file has no content but its write-ahead log has: SQLite would begin both anew.
fn refuse_lone_log(path: &Path, how: &str) -> Result<(), OpenError> {
    let log = log_of(path);
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let detail = format!("{how}, but {} has what was recorded last: put the file back beside it", log.display());
        return Err(OpenError::Damaged { path: path.into(), detail });
    }
    Ok(())
}

/// The beginning of a file, or all of it.
fn beginning_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LOOKED_AT_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether bytes that do not begin as a database once did.
fn looks_like_ours(bytes: &[u8]) -> bool {
    let (at, mark) = MARK;
    let has_mark = bytes.get(at..at + mark.len()) == Some(mark);
    // A text may speak of our table, as this source does; a database has zeros between its parts.
    let has_table = bytes.contains(&0) && bytes.windows(OUR_TABLE.len()).any(|window| window == OUR_TABLE);
    has_mark || has_table
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn said(path: &Path) -> String {
        refuse_others(path).map_or_else(|error| error.to_string(), |()| "let be".into())
    }

    /// The bytes of a ledger without events.
    fn ledger(folder: &Path) -> Vec<u8> {
        let path = folder.join("new.db");
        let mut connection = rusqlite::Connection::open(&path).unwrap();
        schema::migrate(&mut connection, 0).unwrap();
        drop(connection);
        fs::read(path).unwrap()
    }

    #[test]
    fn what_is_no_ledger_is_told_from_one_that_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let whole = ledger(folder.path());
        let path = folder.path().join("ledger.db");
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole.clone();
            change(&mut bytes);
            bytes
        };
        let source = include_bytes!("schema/0001_core.sql").to_vec();
        for (what, bytes, expected) in [
            ("a ledger", whole.clone(), "let be"),
            ("no bytes", vec![], "let be"),
            ("a text", b"root:x:0:0:root:/root:/bin/bash\n".to_vec(), "no SQLite database"),
            ("one byte", b"S".to_vec(), "no SQLite database"),
            ("our own source", source, "no SQLite database"),
            ("zeros", vec![0; 8192], "no SQLite database"),
            ("a header cut short", with(&|bytes| bytes.truncate(60)), "is damaged: it ends after 60 bytes"),
            ("a flipped bit", with(&|bytes| bytes[3] ^= 1), "is damaged: its first bytes are overwritten"),
            (
                "a flipped bit in a header",
                with(&|bytes| {
                    bytes[3] ^= 1;
                    bytes.truncate(100)
                }),
                "is damaged: its first bytes are overwritten",
            ),
            ("a header of zeros", with(&|bytes| bytes[..100].fill(0)), "is damaged: its first bytes are overwritten"),
        ] {
            fs::write(&path, bytes).unwrap();
            assert!(said(&path).contains(expected), "{what}: {}", said(&path));
        }
        fs::write(&path, b"").unwrap();
        fs::write(folder.path().join("ledger.db-wal"), b"frames").unwrap();
        assert!(said(&path).contains("is damaged: it is empty, but "), "{}", said(&path));
        fs::remove_file(&path).unwrap();
        assert!(said(&path).contains("is damaged: it is missing, but "), "{}", said(&path));
        fs::write(folder.path().join("ledger.db-wal"), b"").unwrap();
        assert_eq!(said(&path), "let be");
        assert!(said(folder.path()).contains("is not a ledger: it is a folder"), "{}", said(folder.path()));
        assert!(said(Path::new("/dev/null")).contains("it is a device"), "{}", said(Path::new("/dev/null")));
        assert_eq!(said(&folder.path().join("nothing")), "let be");
    }

    #[test]
    fn a_database_and_what_stands_beside_it_are_known() {
        let folder = tempfile::tempdir().unwrap();
        ledger(folder.path());
        fs::write(folder.path().join("other"), b"{}").unwrap();
        for (name, is_known) in [
            ("new.db", true),
            ("new.db-wal", true),
            ("new.db-shm", true),
            ("new.db-mark", true),
            ("new.db-other", false),
            ("other", false),
            ("other-wal", false),
            ("nothing", false),
        ] {
            assert_eq!(is_of_database(&folder.path().join(name)), is_known, "{name}");
        }
        assert!(!is_of_database(folder.path()) && !is_of_database(Path::new("")));
    }
}
