//! The statement that finds places of events among some entries.

use rusqlite::types::Value;

use crate::domain::{EventField, EventQuestion};

/// The statement, and what it wants to be told besides bounds of entries, bounds of time and the last entry that retention removed.
pub(super) fn places_sql(question: &EventQuestion, newest: i64) -> (String, Vec<Value>) {
    let mut sql = "SELECT coalesce(adjusts, seq), time_ns FROM event WHERE seq BETWEEN ? AND ? AND time_ns >= ? \
         AND time_ns < ? AND (+adjusts IS NULL OR +adjusts <= ?)"
        .to_owned();
    let mut wanted: Vec<Value> = Vec::new();
    if !question.keys.is_empty() {
        sql += &format!(" AND (id, source) IN (VALUES {})", vec!["(?, ?)"; question.keys.len()].join(", "));
        wanted.extend(question.keys.iter().flat_map(|key| [key.id.to_string().into(), key.source.to_string().into()]));
    }
    for filter in &question.selection.filters {
        sql += &format!(" AND coalesce({}, '') = ?", standing_value(filter.field));
        wanted.extend(is_fillable(filter.field).then(|| newest.into()));
        wanted.push(filter.value.to_string().into());
    }
    if let Some(suspected) = question.suspected {
        // As the first telling says it, and each later one.
        sql += if suspected { " AND " } else { " AND NOT " };
        sql += "coalesce(json_extract(origin, '$.is_suspected'), 0)";
    }
    if question.newest_first {
        // They come nearly in the order of time: those that are wanted first, and then little is wanted any more.
        sql += " ORDER BY seq DESC";
    }
    (sql, wanted)
}

/// The value of a field by the newest telling of an entry's event: what the first left out may be filled later.
fn standing_value(field: EventField) -> String {
    let column = column_of(field);
    if !is_fillable(field) {
        return column.to_owned();
    }
    // The partial index serves only who repeats its condition.
    let filled = format!(
        "SELECT later.{column} FROM event AS later WHERE later.adjusts IS NOT NULL AND later.adjusts = \
         coalesce(event.adjusts, event.seq) AND later.{column} IS NOT NULL AND later.seq <= ? LIMIT 1"
    );
    format!("{column}, ({filled})")
}

const fn is_fillable(field: EventField) -> bool {
    matches!(field, EventField::Worker | EventField::Batch | EventField::Lead | EventField::Model)
}

const fn column_of(field: EventField) -> &'static str {
    match field {
        EventField::Service => "service",
        EventField::Operation => "operation",
        EventField::Worker => "worker",
        EventField::Batch => "batch_id",
        EventField::Lead => "lead_id",
        EventField::Model => "model",
        EventField::Source => "source",
    }
}
