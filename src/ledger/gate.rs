//! The gate's history, and what an operator says of it.
//!
//! *Invariants.* A chain over the lines, in the head row, proves that none is missing or was changed; so does a checksum for the
//! operator's word.

use rusqlite::{Connection, OptionalExtension, params};

use super::checksum::{Checksum, chain};
use super::head::Head;
use super::rows::{check, damaged, each, nanoseconds, timestamp};
use super::{LedgerError, Rollup};
use crate::domain::{GateChange, GateOverride};

/// Writes new lines of the history and the operator's word, and keeps what the head row says of them.
pub(super) fn write(connection: &Connection, rollup: &Rollup, head: &mut Head) -> Result<(), LedgerError> {
    if let Some(manual) = &rollup.gate_override {
        write_override(connection, manual.as_ref())?;
        head.gate_override = manual.as_ref().map_or(0, override_checksum);
    }
    if rollup.gate.is_empty() {
        return Ok(());
    }
    let mut was_active = read_history(connection, 1)?.first().is_some_and(|(_, newest)| newest.active);
    for change in &rollup.gate {
        head.gate_changes += 1;
        head.gate_activations += i64::from(change.active && !was_active);
        head.gate_chain = chain(head.gate_chain, history_checksum(head.gate_changes, change));
        write_history(connection, head.gate_changes, change)?;
        was_active = change.active;
    }
    Ok(())
}

/// What an operator says of the gate, proven to be what was written.
pub(super) fn read_override(connection: &Connection, head: &Head) -> Result<Option<GateOverride>, LedgerError> {
    let sql = "SELECT active, reason, actor, since_ns, expires_at_ns, checksum FROM gate_override";
    let found = connection
        .prepare_cached(sql)?
        .query_row((), |row| {
            let expires_at: Option<i64> = row.get(4)?;
            let manual = GateOverride {
                active: row.get(0)?,
                reason: row.get(1)?,
                actor: row.get(2)?,
                since: timestamp(3, row.get(3)?)?,
                expires_at: expires_at.map(|ns| timestamp(4, ns)).transpose()?,
            };
            Ok((manual, row.get::<_, i64>(5)?))
        })
        .optional()?;
    if let Some((manual, stored)) = &found {
        check("gate_override", *stored, override_checksum(manual))?;
    }
    if head.gate_override != found.as_ref().map_or(0, |(_, stored)| *stored) {
        return Err(LedgerError::Damaged("the row of gate_override belongs to another state".into()));
    }
    Ok(found.map(|(manual, _)| manual))
}

/// What is wrong with the history, for [`super::verify()`].
pub(super) fn problems(connection: &Connection, head: &Head) -> Result<Vec<String>, LedgerError> {
    let mut lines = read_history(connection, i64::MAX)?;
    lines.reverse();
    let found = lines.iter().fold(0, |before, (seq, change)| chain(before, history_checksum(*seq, change)));
    let before = std::iter::once(false).chain(lines.iter().map(|(_, change)| change.active));
    let activations = before.zip(&lines).filter(|(was_active, (_, change))| change.active && !was_active).count() as i64;
    read_override(connection, head)?;
    let is_sound = found == head.gate_chain && activations == head.gate_activations;
    Ok(if is_sound { Vec::new() } else { vec!["the gate's history is not the one the head row knows".into()] })
}

fn write_override(connection: &Connection, manual: Option<&GateOverride>) -> Result<(), LedgerError> {
    let Some(manual) = manual else {
        connection.execute("DELETE FROM gate_override", ())?;
        return Ok(());
    };
    let sql = "INSERT OR REPLACE INTO gate_override (one, active, reason, actor, since_ns, expires_at_ns, checksum) \
               VALUES (1, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        manual.active,
        manual.reason,
        manual.actor,
        nanoseconds(manual.since),
        manual.expires_at.map(nanoseconds),
        override_checksum(manual),
    ])?;
    Ok(())
}

fn override_checksum(manual: &GateOverride) -> i64 {
    Checksum::of("gate_override")
        .integer(i64::from(manual.active))
        .text(&manual.reason)
        .text(&manual.actor)
        .integer(nanoseconds(manual.since))
        .integer(manual.expires_at.map_or(i64::MIN, nanoseconds))
        .finish()
}

pub(super) fn history_checksum(seq: i64, change: &GateChange) -> i64 {
    Checksum::of("gate_change")
        .integer(seq)
        .integer(nanoseconds(change.timestamp))
        .integer(i64::from(change.active))
        .text(&change.reason)
        .text(change.mode.as_str())
        .text(&change.actor)
        .finish()
}

fn write_history(connection: &Connection, seq: i64, change: &GateChange) -> Result<(), LedgerError> {
    let sql =
        "INSERT INTO gate_change (seq, timestamp_ns, active, reason, mode, actor, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        seq,
        nanoseconds(change.timestamp),
        change.active,
        change.reason,
        change.mode.as_str(),
        change.actor,
        history_checksum(seq, change),
    ])?;
    Ok(())
}

/// The newest lines of the gate's history, newest first, each with its `seq`.
pub(super) fn read_history(connection: &Connection, limit: i64) -> Result<Vec<(i64, GateChange)>, LedgerError> {
    let sql = "SELECT seq, timestamp_ns, active, reason, mode, actor, checksum FROM gate_change ORDER BY seq DESC LIMIT ?";
    each(connection.prepare_cached(sql)?, params![limit], |row| {
        let seq = row.get(0)?;
        let mode: String = row.get(4)?;
        let change = GateChange {
            timestamp: timestamp(1, row.get(1)?)?,
            active: row.get(2)?,
            reason: row.get(3)?,
            mode: mode.parse().map_err(|_| damaged("gate_change", "mode"))?,
            actor: row.get(5)?,
        };
        check("gate_change", row.get(6)?, history_checksum(seq, &change))?;
        Ok((seq, change))
    })
}
