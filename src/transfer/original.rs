//! The SQLite files of this program's Python original, the metrics exporter and cost trackers of "Anthrasite Lead-Factory"
//! (github.com/mirqtio/Anthrasite_LeadFactory).
//!
//! It kept costs in three tables over time; whichever of them a file has are read, these columns where they are there:
//!
//! | table | columns |
//! | --- | --- |
//! | `cost_tracking` | `id`, `service`, `operation`, `cost_dollars` or `cost_cents`, `timestamp` or `created_at`, `business_id` |
//! | `costs` | `id`, `service`, `operation`, `amount`, `timestamp`, `batch_id`, `details` |
//! | `api_costs` | `id`, `api_name`, `endpoint`, `cost`, `timestamp`, `model`, `purpose` |
//!
//! *Invariants.* The file is only read. A row keeps its id as `<table>-<id>`, so the same file can be imported again.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row as SqlRow};
use serde_json::json;

use super::event_line::{EventLine, kind_of, object};
use super::naive_time;
use super::row::{BadRow, Mapping, Row, SourceError};

/// Who makes the ids.
const SOURCE: &str = "lead-factory-python";

type Take<'t> = dyn FnMut(Result<Row, BadRow>) -> Result<(), SourceError> + 't;

/// A table, and the names that its columns have had; the first one that is there counts.
struct Table {
    name: &'static str,
    service: &'static str,
    operation: &'static str,
    amount: &'static [&'static str],
    time: &'static [&'static str],
    batch: &'static str,
    lead: &'static str,
    model: &'static str,
    details: &'static str,
    purpose: &'static str,
}

const NONE: Table = Table {
    name: "",
    service: "service",
    operation: "operation",
    amount: &[],
    time: &["timestamp", "created_at"],
    batch: "",
    lead: "",
    model: "",
    details: "",
    purpose: "",
};
const TABLES: [Table; 3] = [
    Table { name: "cost_tracking", amount: &["cost_dollars", "cost_cents"], lead: "business_id", ..NONE },
    Table { name: "costs", amount: &["amount"], batch: "batch_id", details: "details", ..NONE },
    Table {
        name: "api_costs",
        service: "api_name",
        operation: "endpoint",
        amount: &["cost"],
        model: "model",
        purpose: "purpose",
        ..NONE
    },
];
/// The column of whole cents.
const CENTS: &str = "cost_cents";

/// Reads all rows of the tables that are there.
pub(super) fn read(
    path: &Path,
    mapping: &Mapping,
    size: &mut dyn FnMut(u64),
    take: &mut Take<'_>,
) -> Result<(), SourceError> {
    let malformed = |error: rusqlite::Error| SourceError::Malformed(format!("cannot read {}: {error}", path.display()));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(malformed)?;
    let mut found = Vec::new();
    for table in &TABLES {
        let columns = columns(&connection, table.name).map_err(malformed)?;
        if let Some(sql) = select(table, &columns) {
            found.push((table, sql));
        }
    }
    if found.is_empty() {
        let names = TABLES.map(|table| table.name).join(", ");
        return Err(SourceError::Malformed(format!("{} has none of the tables {names}", path.display())));
    }
    let mut rows = 0_u64;
    for (table, _) in &found {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count: i64 = connection.query_row(&sql, (), |row| row.get(0)).map_err(malformed)?;
        rows += count.cast_unsigned();
    }
    size(rows);
    let mut number = 0;
    for (table, sql) in &found {
        let mut statement = connection.prepare(sql).map_err(malformed)?;
        let mut rows = statement.query(()).map_err(malformed)?;
        while let Some(row) = rows.next().map_err(malformed)? {
            number += 1;
            let json = event(table, row, mapping);
            take(json.map(|json| Row { number, bytes: number, json }).map_err(|reason| BadRow { number, reason }))?;
        }
    }
    Ok(())
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    names.collect()
}

/// What is read of a table, always in the same order; `None` when it is not there, or lacks what a cost must have.
fn select(table: &Table, columns: &[String]) -> Option<String> {
    let has = |name: &str| columns.iter().any(|column| column == name);
    let one = |name: &str| if has(name) { format!("\"{name}\"") } else { "NULL".to_owned() };
    let amount = table.amount.iter().find(|name| has(name))?;
    let time = table.time.iter().find(|name| has(name))?;
    let is_cents = i32::from(*amount == CENTS);
    let optional = [table.operation, table.batch, table.lead, table.model, table.details, table.purpose].map(one);
    Some(format!(
        "SELECT rowid, \"{}\", \"{amount}\", {is_cents}, \"{time}\", {} FROM {} ORDER BY rowid",
        has(table.service).then_some(table.service)?,
        optional.join(", "),
        table.name
    ))
}

fn event(table: &Table, row: &SqlRow<'_>, mapping: &Mapping) -> Result<String, String> {
    let id = text(row, 0)?.ok_or("has no id")?;
    let service = match &mapping.service {
        Some(service) => service.to_string(),
        None => text(row, 1)?.ok_or("names no service")?,
    };
    let mut amount = text(row, 2)?.ok_or("has no cost")?;
    if row.get::<_, i64>(3).is_ok_and(|is_cents| is_cents == 1) {
        amount += "e-2";
    }
    let time = text(row, 4)?.ok_or("has no time")?;
    let time = naive_time::read(&time, &mapping.time_zone).map_err(|error| format!("its time {error}"))?;
    let optional = |place| Ok::<_, String>(text(row, place)?.unwrap_or_default());
    let (operation, batch, lead, model) = (optional(5)?, optional(6)?, optional(7)?, optional(8)?);
    let attributes = match (text(row, 9)?, text(row, 10)?) {
        (Some(details), _) => Some(object("details", &details)?),
        (None, Some(purpose)) => Some(object("purpose", &json!({ "purpose": purpose }).to_string())?),
        (None, None) => None,
    };
    let event = EventLine {
        id: &format!("{}-{id}", table.name),
        source: mapping.source.as_deref().unwrap_or(SOURCE),
        service: &service,
        operation: &operation,
        kind: kind_of(&amount),
        amount_usd: &amount,
        time: &time.to_string(),
        batch_id: &batch,
        lead_id: &lead,
        model: &model,
        attributes,
        ..EventLine::default()
    };
    event.json()
}

/// A value as text, if it is one; SQLite lets any column have any.
fn text(row: &SqlRow<'_>, place: usize) -> Result<Option<String>, String> {
    let text = match row.get_ref(place).map_err(|error| error.to_string())? {
        ValueRef::Null => return Ok(None),
        ValueRef::Integer(value) => value.to_string(),
        // The shortest digits that mean the same float: those that were meant.
        ValueRef::Real(value) if value.is_finite() => value.to_string(),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).map_err(|_| "has a text that is not UTF-8".to_owned())?,
        ValueRef::Real(_) | ValueRef::Blob(_) => return Err("has a value that is neither a number nor a text".to_owned()),
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(sql: &str) -> Result<Vec<Result<String, String>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lead_factory.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let mut found = Vec::new();
        let mut take = |row: Result<Row, BadRow>| {
            found.push(row.map(|row| row.json).map_err(|bad| format!("{}: {}", bad.number, bad.reason)));
            Ok(())
        };
        let mut size = 0;
        read(&path, &Mapping::default(), &mut |rows| size = rows, &mut take).map_err(|error| error.to_string())?;
        assert_eq!(size, found.len() as u64);
        Ok(found)
    }

    #[test]
    fn every_table_that_the_original_had_is_read() {
        let found = rows(
            "CREATE TABLE cost_tracking (id INTEGER PRIMARY KEY, service TEXT NOT NULL, operation TEXT NOT NULL, \
             cost_dollars REAL NOT NULL, business_id INTEGER, timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP); \
             INSERT INTO cost_tracking VALUES (7, 'openai', 'gpt-4', 0.1, 42, '2025-05-20 10:00:00'); \
             CREATE TABLE costs (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, batch_id TEXT, \
             service TEXT NOT NULL, operation TEXT, amount REAL NOT NULL, details TEXT); \
             INSERT INTO costs VALUES (1, '2025-05-20T10:00:00.123456', 'b', 'semrush', NULL, -2, '{\"tokens\": 1500}'); \
             CREATE TABLE api_costs (id INTEGER PRIMARY KEY, api_name TEXT, endpoint TEXT, cost REAL, timestamp TEXT, \
             model TEXT, purpose TEXT); \
             INSERT INTO api_costs VALUES (3, 'Yelp', '/v3/search', 1e-5, '2025-05-20T10:00:00+02:00', 'm', 'leads');",
        );
        assert_eq!(
            found.unwrap(),
            [
                Ok(r#"{"id":"cost_tracking-7","source":"lead-factory-python","service":"openai","operation":"gpt-4","amount_usd":"0.1","time":"2025-05-20T10:00:00Z","lead_id":"42"}"#.to_owned()),
                Ok(r#"{"id":"costs-1","source":"lead-factory-python","service":"semrush","kind":"credit","amount_usd":"-2","time":"2025-05-20T10:00:00.123456Z","batch_id":"b","attributes":{"tokens": 1500}}"#.to_owned()),
                Ok(r#"{"id":"api_costs-3","source":"lead-factory-python","service":"Yelp","operation":"/v3/search","amount_usd":"0.00001","time":"2025-05-20T08:00:00Z","model":"m","attributes":{"purpose":"leads"}}"#.to_owned()),
            ]
        );
    }

    #[test]
    fn cents_are_cents_and_odd_rows_hold_up_no_other() {
        let found = rows(
            "CREATE TABLE cost_tracking (id INTEGER PRIMARY KEY AUTOINCREMENT, service, operation, cost_cents, tier, \
             business_id, created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
             INSERT INTO cost_tracking (service, operation, cost_cents, created_at) VALUES \
             ('a', 'o', 125, '2025-05-20 10:00:00'), (NULL, 'o', 1, '2025-05-20 10:00:00'), ('a', 'o', NULL, '2025-05-20'), \
             ('a', 'o', 1, 'soon'), ('a', x'00', 1, '2025-05-20'), ('a', 'o', 9e999, '2025-05-20');",
        )
        .unwrap();
        assert!(found[0].as_ref().unwrap().contains(r#""amount_usd":"125e-2""#), "{found:?}");
        for (place, part) in
            [(1, "2: names no service"), (2, "3: has no cost"), (3, "4: its time"), (4, "neither"), (5, "neither")]
        {
            assert!(found[place].as_ref().unwrap_err().contains(part), "{found:?}");
        }
    }

    #[test]
    fn another_file_is_told() {
        assert!(rows("CREATE TABLE t (x);").unwrap_err().contains("none of the tables"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "not a database, but long enough to look like one, if only just").unwrap();
        for path in [path, folder.path().join("missing")] {
            let error = read(&path, &Mapping::default(), &mut |_| {}, &mut |_| Ok(())).unwrap_err();
            assert!(error.to_string().contains("cannot read"), "{error}");
        }
    }
}
