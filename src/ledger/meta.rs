//! Facts about the file that are set once, or rarely.

use std::hash::{BuildHasher, RandomState};

use jiff::Timestamp;
use rusqlite::Connection;

use super::LedgerError;
use super::checksum::Checksum;
use super::row::{damaged, read_row, row, write_row};

/// The secret key of the hash over ids.
pub(super) type HashKey = (u64, u64);

const CREATED_AT: &str = "created_at";
const HASH_KEY: &str = "id_hash_key";
const TIME_ZONE: &str = "time_zone";

/// A row of `meta`.
struct Fact {
    key: String,
    value: String,
}

row! {
    "INSERT OR REPLACE" "meta",
    write Fact, read Fact,
    (Fact { key, value }),
    key {
        "key" => key;
    }
    columns {
        "value" => value;
    }
}

/// Writes the facts of a new file.
pub(super) fn initialise(connection: &Connection, zone: &str, now: Timestamp) -> Result<(), LedgerError> {
    // Its keys come from the operating system, once a thread; nobody outside can know what it makes of them.
    let random = || RandomState::new().hash_one(0);
    write(connection, CREATED_AT, &now.to_string())?;
    write(connection, HASH_KEY, &format!("{:016x}{:016x}", random(), random()))?;
    write(connection, TIME_ZONE, zone)
}

/// The key of the hash over ids.
pub(super) fn hash_key(connection: &Connection) -> Result<HashKey, LedgerError> {
    let text = read(connection, HASH_KEY)?;
    let half = |range| text.get(range).and_then(|half| u64::from_str_radix(half, 16).ok());
    half(0..16).zip(half(16..32)).ok_or_else(|| damaged("meta", HASH_KEY))
}

/// What tells this ledger from all others, and gives away nothing of the key it is made from.
pub(super) fn ledger_id(connection: &Connection) -> Result<u64, LedgerError> {
    let (created_at, key) = (read(connection, CREATED_AT)?, read(connection, HASH_KEY)?);
    let mut checksum = Checksum::new();
    checksum.begin("ledger_id");
    checksum.text(&created_at);
    checksum.text(&key);
    Ok(checksum.finish().cast_unsigned())
}

/// The zone that the ledger's days were counted in.
pub(super) fn time_zone(connection: &Connection) -> Result<String, LedgerError> {
    read(connection, TIME_ZONE)
}

/// Notes that the days are counted in another zone from now on.
pub(super) fn set_time_zone(connection: &Connection, zone: &str) -> Result<(), LedgerError> {
    write(connection, TIME_ZONE, zone)
}

/// Whether the facts are there at all.
pub(super) fn is_initialised(connection: &Connection) -> Result<bool, LedgerError> {
    Ok(connection.prepare("SELECT 1 FROM meta WHERE key = ?")?.exists([CREATED_AT])?)
}

fn write(connection: &Connection, key: &str, value: &str) -> Result<(), LedgerError> {
    write_row(connection, &Fact { key: key.to_owned(), value: value.to_owned() })
}

fn read(connection: &Connection, key: &str) -> Result<String, LedgerError> {
    let found: Option<(Fact, _)> = read_row(connection, "WHERE key = ?", [key])?;
    Ok(found.ok_or_else(|| damaged("meta", key))?.0.value)
}
