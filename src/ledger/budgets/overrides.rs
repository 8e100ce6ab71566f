//! Limits that were set in place of those of the settings: the history, of which the newest line of each budget holds.
//!
//! *Invariants.* Lines are only added. A chain over them, in the head row, proves that none is missing or was changed.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::Connection;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserializer, Serializer};

use super::super::LedgerError;
use super::super::checksum::chain;
use super::super::head::Head;
use super::super::row::{Cell, Cells, Codec, RowWriter, Shape, Sink, each_row, read_rows, row};
use crate::domain::LimitOverride;

/// A line of the history.
#[derive(Clone, Debug)]
struct OverrideLine {
    /// 1 for the first, then without gaps.
    seq: i64,
    line: LimitOverride,
}

row! {
    "INSERT" "budget_override",
    write OverrideLine, read OverrideLine,
    (OverrideLine { seq, line: LimitOverride { budget, limit, reason, actor, timestamp, expires_at, token } }),
    key {
        "seq" => seq;
    }
    columns {
        "budget" => budget;
        "limits" => limit: Units;
        "reason" => reason;
        "actor" => actor;
        "timestamp_ns" => timestamp;
        "expires_at_ns" => expires_at;
    }
    later {
        "token" => token;
    }
}

/// Limits by their units, in their order: a JSON object of decimal digits, as its numbers do not reach as far.
struct Units;

type Limit = Vec<(Box<str>, i128)>;

impl Codec<Option<Limit>> for Units {
    const SHAPES: &'static [Shape] = &[Shape::OptionalText];

    fn put(value: &Option<Limit>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let json = |limit: &Limit| -> Result<String, serde_json::Error> {
            let mut json = Vec::new();
            let members = limit.iter().map(|(unit, parts)| (unit, parts.to_string()));
            serde_json::Serializer::new(&mut json).collect_map(members)?;
            String::from_utf8(json).map_err(serde::ser::Error::custom)
        };
        let json = value.as_ref().map(json).transpose().map_err(|error| LedgerError::Damaged(error.to_string()))?;
        sink.add(Cell::OptionalText(json.as_deref()))
    }

    fn take(cells: &mut Cells<'_>) -> Option<Option<Limit>> {
        let Some(json) = cells.optional_text()? else { return Some(None) };
        let mut json = serde_json::Deserializer::from_str(json);
        let limit = json.deserialize_map(LimitVisitor).ok()?;
        json.end().ok().map(|()| Some(limit))
    }
}

struct LimitVisitor;

impl<'de> Visitor<'de> for LimitVisitor {
    type Value = Limit;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("limits by their units")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Limit, A::Error> {
        let mut limit = Limit::new();
        while let Some((unit, parts)) = members.next_entry::<Box<str>, String>()? {
            limit.push((unit, parts.parse().map_err(A::Error::custom)?));
        }
        Ok(limit)
    }
}

/// Writes new lines, and keeps what the head row says of them.
pub(in crate::ledger) fn write(
    connection: &Connection,
    lines: &[LimitOverride],
    head: &mut Head,
) -> Result<(), LedgerError> {
    let mut writer = RowWriter::insert(connection)?;
    for line in lines {
        head.overrides += 1;
        let checksum = writer.write(&OverrideLine { seq: head.overrides, line: line.clone() })?;
        head.overrides_chain = chain(head.overrides_chain, checksum);
    }
    Ok(())
}

/// The newest line of each budget, ordered by its name; proves that the history is complete.
pub(in crate::ledger) fn newest(connection: &Connection, head: &Head) -> Result<Vec<LimitOverride>, LedgerError> {
    let (mut newest, mut lines, mut found) = (BTreeMap::new(), 0, 0);
    each_row(connection, "ORDER BY seq", (), |OverrideLine { line, .. }, checksum| {
        lines += 1;
        found = chain(found, checksum);
        newest.insert(line.budget.clone(), line);
        Ok(())
    })?;
    if (lines, found) != (head.overrides, head.overrides_chain) {
        return Err(LedgerError::Damaged("the history of budget_override is not the one the head row knows".into()));
    }
    Ok(newest.into_values().collect())
}

/// The newest lines, newest first.
pub(in crate::ledger) fn history(connection: &Connection, limit: u32) -> Result<Vec<LimitOverride>, LedgerError> {
    let lines: Vec<OverrideLine> = read_rows(connection, "ORDER BY seq DESC LIMIT ?", [limit])?;
    let expected = (1..=Head::read(connection)?.overrides).rev();
    if lines.iter().map(|line| line.seq).ne(expected.take(limit as usize)) {
        return Err(LedgerError::Damaged("lines of budget_override are missing".into()));
    }
    Ok(lines.into_iter().map(|OverrideLine { line, .. }| line).collect())
}
