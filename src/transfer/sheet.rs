//! Events as CSV (RFC 4180), one line each as it stands; `sheet_rows` reads the same columns.
//!
//! *Invariants.* A text that a spreadsheet would take for a formula gets an apostrophe in front, and so does one that could be taken for
//! such a text afterwards: reading takes exactly that one away.

use std::borrow::Cow;
use std::fmt::Display;

use crate::ledger::Exported;
use crate::wire::{on_one_line, usage_json};

/// The columns, by the names of an event's fields.
pub(super) const COLUMNS: [&str; 18] = [
    "id",
    "source",
    "service",
    "operation",
    "kind",
    "amount_usd",
    "time",
    "worker",
    "batch_id",
    "lead_id",
    "model",
    "usage",
    "duration_seconds",
    "outcome",
    "attributes",
    "revision",
    "recorded_at",
    "origin",
];

/// The line of headings.
pub(super) fn heading() -> Vec<u8> {
    let mut line = LineWriter::begin(Vec::new());
    COLUMNS.iter().for_each(|column| line.text(column));
    line.end()
}

/// Writes the line of an event.
pub(super) fn write(exported: &Exported, to: &mut Vec<u8>) {
    let event = &exported.event;
    let mut line = LineWriter::begin(std::mem::take(to));
    line.inert(&event.key.id);
    line.inert(&event.key.source);
    line.inert(event.service.as_str());
    line.inert(event.operation.as_str());
    line.text(event.kind.as_str());
    line.number(event.amount);
    line.number(event.time);
    for text in [&event.worker, &event.batch_id, &event.lead_id, &event.model] {
        line.inert(text.as_deref().unwrap_or_default());
    }
    line.text(&usage_json(&event.usage).unwrap_or_default());
    line.text(&event.duration_seconds.map(|seconds| seconds.to_string()).unwrap_or_default());
    line.text(event.outcome.as_str());
    line.text(&on_one_line(event.attributes.as_deref().unwrap_or_default()));
    line.number(event.revision);
    line.number(exported.recorded_at);
    // Our own types always serialize.
    let origin = event.origin.as_ref().and_then(|origin| serde_json::to_string(origin).ok());
    line.text(&origin.unwrap_or_default());
    *to = line.end();
}

/// One line of CSV behind others.
pub(super) struct LineWriter {
    to: Vec<u8>,
    is_first: bool,
}

impl LineWriter {
    pub fn begin(to: Vec<u8>) -> Self {
        Self { to, is_first: true }
    }

    /// A field, in quotes where it needs them.
    pub fn text(&mut self, text: &str) {
        self.part();
        if !text.contains(['"', ',', '\r', '\n']) {
            self.to.extend_from_slice(text.as_bytes());
            return;
        }
        self.to.push(b'"');
        for (at, piece) in text.split('"').enumerate() {
            if at > 0 {
                self.to.extend_from_slice(b"\"\"");
            }
            self.to.extend_from_slice(piece.as_bytes());
        }
        self.to.push(b'"');
    }

    /// A field that no spreadsheet takes for a formula.
    pub fn inert(&mut self, text: &str) {
        self.text(&inert(text));
    }

    /// A field that needs no quotes.
    pub fn number(&mut self, value: impl Display) {
        self.part();
        // Writing to memory does not fail.
        let _ = std::io::Write::write_fmt(&mut self.to, format_args!("{value}"));
    }

    pub fn end(mut self) -> Vec<u8> {
        self.to.extend_from_slice(b"\r\n");
        self.to
    }

    fn part(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.to.push(b',');
        }
    }
}

const FORMULA: [char; 4] = ['=', '+', '-', '@'];

fn inert(text: &str) -> Cow<'_, str> {
    let could_be_inert = text.strip_prefix('\'').is_some_and(|rest| rest.starts_with(FORMULA) || rest.starts_with('\''));
    if text.starts_with(FORMULA) || could_be_inert { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text that was made inert.
pub(super) fn as_sent(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) || rest.starts_with('\'') => rest,
        _ => field,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must() {
        let mut line = LineWriter::begin(b"x\r\n".to_vec());
        ["a", "b,\"c\"", "", "d\r\ne"].iter().for_each(|text| line.text(text));
        line.inert("=1+1");
        line.number(-1.5);
        assert_eq!(String::from_utf8(line.end()).unwrap(), "x\r\na,\"b,\"\"c\"\"\",,\"d\r\ne\",'=1+1,-1.5\r\n");
    }

    proptest! {
        #[test]
        fn whatever_was_made_inert_comes_back(text in "['=+@a-]{0,4}") {
            let made = inert(&text);
            prop_assert!(!made.starts_with(FORMULA));
            prop_assert_eq!(as_sent(&made), &text);
        }
    }
}
