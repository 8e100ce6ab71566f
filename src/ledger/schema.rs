//! The tables, and how a file comes to have them.
//!
//! *Invariants.* The format is a number in `user_version`; a file of a newer format is refused, an older one is brought up step
//! by step, each step in one transaction. `application_id` marks the file as ours.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::connection::open_read_only;
use super::{LedgerError, OpenError, identify, outbox, wal_mark};

/// "LFMx" in the file's header.
const APPLICATION_ID: i64 = 0x4c46_4d78;

/// What a database is whose tables are not ours.
pub(super) const OTHER_DATABASE: &str = "an SQLite database of another program";
/// What a database is that has no tables.
pub(super) const EMPTY_DATABASE: &str = "an empty file, to which no agent has written yet";

/// One script a format: `MIGRATIONS[n]` brings a file from format n to n + 1.
const MIGRATIONS: [&str; 5] = [
    include_str!("schema/0001_core.sql"),
    include_str!("schema/0002_adjustments.sql"),
    include_str!("schema/0003_calls.sql"),
    include_str!("schema/0004_budgets.sql"),
    include_str!("schema/0005_tokens.sql"),
];

/// One script for each format but the newest: with `AS_NEWEST[n]` a connection that only reads sees a file of format n + 1 as one of
/// the newest.
const AS_NEWEST: [&str; MIGRATIONS.len() - 1] = [
    include_str!("schema/0001_as_newest.sql"),
    include_str!("schema/0002_as_newest.sql"),
    include_str!("schema/0003_as_newest.sql"),
    include_str!("schema/0004_as_newest.sql"),
];

/// From this one on the topics of messages about budgets name the limit.
const FORMAT_OF_LIMITS_IN_TOPICS: i64 = 2;

/// The newest format.
pub(super) const FORMAT: i64 = MIGRATIONS.len() as i64;

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    /// No tables yet.
    Empty,
    /// A ledger of this format.
    Ledger(i64),
    /// Something else.
    Foreign,
}

/// Looks at a file without changing it.
pub(super) fn inspect(connection: &Connection) -> Result<FileKind, LedgerError> {
    let application_id: i64 = connection.query_row("PRAGMA application_id", (), |row| row.get(0))?;
    let format: i64 = connection.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    let ours: i64 =
        connection
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name IN ('id_bucket', 'head')", (), |row| row.get(0))?;
    match (application_id, tables) {
        (APPLICATION_ID, _) if format > 0 => Ok(FileKind::Ledger(format)),
        (_, 0) => Ok(FileKind::Empty),
        _ if ours == 2 => Err(LedgerError::Damaged("its tables are a ledger's, but its header is of something else".into())),
        _ => Ok(FileKind::Foreign),
    }
}

/// Opens a ledger to read it beside whoever writes it, or alone. One of an older format stays as it is, and reads like a new one.
pub(super) fn open_for_reading(path: &Path) -> Result<(Connection, i64), OpenError> {
    let wrap = |source| OpenError::of(path, source);
    std::fs::metadata(path).map_err(|source| OpenError::File { path: path.into(), source })?;
    identify::refuse_others(path)?;
    wal_mark::refuse_cut_short(path)?;
    let connection = open_read_only(path).map_err(wrap)?;
    let format = match inspect(&connection).map_err(wrap)? {
        FileKind::Ledger(found) if found > FORMAT => {
            return Err(OpenError::Newer { path: path.into(), found, known: FORMAT });
        }
        FileKind::Ledger(found) => found,
        FileKind::Empty => return Err(OpenError::NotALedger { path: path.into(), found: EMPTY_DATABASE }),
        FileKind::Foreign => return Err(OpenError::NotALedger { path: path.into(), found: OTHER_DATABASE }),
    };
    if let Some(script) = usize::try_from(format - 1).ok().and_then(|older| AS_NEWEST.get(older)) {
        let bridge = || {
            connection.pragma_update(None, "query_only", false)?;
            connection.execute_batch(script)?;
            connection.pragma_update(None, "query_only", true)
        };
        bridge().map_err(|error| wrap(error.into()))?;
    }
    Ok((connection, format))
}

/// Brings a file of an older format, or none, to the newest one.
pub(super) fn migrate(connection: &mut Connection, from: i64) -> Result<(), LedgerError> {
    migrate_to(connection, from, FORMAT)
}

fn migrate_to(connection: &mut Connection, from: i64, to: i64) -> Result<(), LedgerError> {
    for (format, script) in (1_i64..=to).zip(MIGRATIONS).filter(|(format, _)| *format > from) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(script)?;
        if format == FORMAT_OF_LIMITS_IN_TOPICS {
            outbox::add_limits(&transaction)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", format)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Every object of the schema as SQLite keeps its text, ordered: what a sound file has, to the letter.
pub(super) fn fingerprint(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement =
        connection.prepare("SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1")?;
    let rows = statement.query_map((), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The fingerprint of a new file of a format.
pub(super) fn expected_fingerprint(format: i64) -> Result<Vec<String>, LedgerError> {
    let mut connection = Connection::open_in_memory()?;
    migrate_to(&mut connection, 0, format)?;
    fingerprint(&connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_told_from_nothing_from_others_and_from_one_whose_header_is_lost() {
        let found = |is_ledger: bool, change: &str| {
            let mut connection = Connection::open_in_memory().unwrap();
            if is_ledger {
                migrate(&mut connection, 0).unwrap();
            }
            connection.execute_batch(change).unwrap();
            inspect(&connection)
        };
        assert_eq!(found(false, "").unwrap(), FileKind::Empty);
        assert_eq!(found(true, "").unwrap(), FileKind::Ledger(FORMAT));
        assert_eq!(found(true, "PRAGMA user_version = 99").unwrap(), FileKind::Ledger(99));
        assert_eq!(found(false, "CREATE TABLE head (id INTEGER)").unwrap(), FileKind::Foreign);
        for lost in ["PRAGMA application_id = 0", "PRAGMA application_id = 7", "PRAGMA user_version = 0"] {
            assert!(matches!(found(true, lost), Err(LedgerError::Damaged(_))), "{lost}");
        }
    }
    /// The columns of every table of the newest format, as a connection sees them.
    fn columns(connection: &Connection, newest: &Connection) -> Vec<String> {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let mut tables = newest.prepare(tables).unwrap();
        let tables = tables.query_map((), |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        let of = "SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info(?) ORDER BY name)";
        let columns = |table: &String| connection.query_row(of, [table], |row| row.get::<_, Option<String>>(0)).unwrap();
        tables.map(|table| format!("{table}: {:?}", columns(&table))).collect()
    }

    #[test]
    fn a_file_of_any_format_reads_like_one_of_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let mut newest = Connection::open_in_memory().unwrap();
        migrate(&mut newest, 0).unwrap();
        let expected = columns(&newest, &newest);
        assert!(expected.iter().any(|table| table.starts_with("budget_tally: Some(")), "{expected:?}");
        for format in 1..=FORMAT {
            let path = folder.path().join(format!("{format}.db"));
            migrate_to(&mut Connection::open(&path).unwrap(), 0, format).unwrap();
            let before = std::fs::read(&path).unwrap();
            let (connection, found) = open_for_reading(&path).unwrap();
            assert_eq!((found, columns(&connection, &newest)), (format, expected.clone()));
            drop(connection);
            assert_eq!(std::fs::read(&path).unwrap(), before, "it stays as it is");
        }
    }
}
