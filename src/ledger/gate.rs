//! The gate's history, and what an operator says of it.
//!
//! *Invariants.* A chain over the lines, in the head row, proves that none is missing or was changed; so does a checksum for the
//! operator's word.

use rusqlite::Connection;

use super::LedgerError;
use super::checksum::chain;
use super::commit::Rollup;
use super::head::Head;
use super::row::{Cell, Cells, Codec, Plain, Shape, Sink, checksum_of, each_row, read_row, read_rows, row, write_row};
use crate::domain::{GateChange, GateMode, GateOverride};

/// A line of the history.
#[derive(Clone, Debug)]
pub(super) struct GateLine {
    /// 1 for the first, then without gaps.
    pub seq: i64,
    pub change: GateChange,
}

row! {
    "INSERT" "gate_change",
    write GateLine, read GateLine,
    (GateLine { seq, change: GateChange { timestamp, active, reason, mode, actor, token } }),
    key {
        "seq" => seq;
    }
    columns {
        "timestamp_ns" => timestamp;
        "active" => active;
        "reason" => reason;
        "mode" => mode;
        "actor" => actor;
    }
    later {
        "token" => token;
    }
}

row! {
    "INSERT OR REPLACE" "gate_override" ("one" = "1"),
    write GateOverride, read GateOverride,
    (GateOverride { active, reason, actor, since, expires_at, token }),
    key {}
    columns {
        "active" => active;
        "reason" => reason;
        "actor" => actor;
        "since_ns" => since;
        "expires_at_ns" => expires_at;
    }
    later {
        "token" => token;
    }
}

impl Codec<GateMode> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(value: &GateMode, sink: &mut impl Sink) -> Result<(), LedgerError> {
        sink.add(Cell::Text(value.as_str()))
    }

    fn take(cells: &mut Cells<'_>) -> Option<GateMode> {
        cells.text()?.parse().ok()
    }
}

/// Writes new lines of the history and the operator's word, and keeps what the head row says of them.
pub(super) fn write(connection: &Connection, rollup: &Rollup, head: &mut Head) -> Result<(), LedgerError> {
    if let Some(manual) = &rollup.gate_override {
        write_override(connection, manual.as_ref())?;
        head.gate_override = manual.as_ref().map_or(Ok(0), checksum_of)?;
    }
    if rollup.gate.is_empty() {
        return Ok(());
    }
    let mut was_active = read_history(connection, 1)?.first().is_some_and(|newest| newest.change.active);
    for change in &rollup.gate {
        head.gate_changes += 1;
        head.gate_activations += i64::from(change.active && !was_active);
        let line = GateLine { seq: head.gate_changes, change: change.clone() };
        head.gate_chain = chain(head.gate_chain, checksum_of(&line)?);
        write_row(connection, &line)?;
        was_active = change.active;
    }
    Ok(())
}

/// What an operator says of the gate, proven to be what was written.
pub(super) fn read_override(connection: &Connection, head: &Head) -> Result<Option<GateOverride>, LedgerError> {
    let found = read_row(connection, "", ())?;
    if head.gate_override != found.as_ref().map_or(0, |(_, checksum)| *checksum) {
        return Err(LedgerError::Damaged("the row of gate_override belongs to another state".into()));
    }
    Ok(found.map(|(manual, _)| manual))
}

/// What is wrong with the history, for [`super::verify()`].
pub(super) fn problems(connection: &Connection, head: &Head) -> Result<Vec<String>, LedgerError> {
    let (mut found, mut activations, mut was_active) = (0, 0, false);
    each_row(connection, "ORDER BY seq", (), |GateLine { change, .. }, checksum| {
        found = chain(found, checksum);
        activations += i64::from(change.active && !was_active);
        was_active = change.active;
        Ok(())
    })?;
    read_override(connection, head)?;
    let is_sound = found == head.gate_chain && activations == head.gate_activations;
    Ok(if is_sound { Vec::new() } else { vec!["the gate's history is not the one the head row knows".into()] })
}

fn write_override(connection: &Connection, manual: Option<&GateOverride>) -> Result<(), LedgerError> {
    match manual {
        Some(manual) => write_row(connection, manual),
        None => Ok(connection.execute("DELETE FROM gate_override", ()).map(drop)?),
    }
}

/// The newest lines of the gate's history, newest first, each with its `seq`.
pub(super) fn read_history(connection: &Connection, limit: i64) -> Result<Vec<GateLine>, LedgerError> {
    read_rows(connection, "ORDER BY seq DESC LIMIT ?", [limit])
}
