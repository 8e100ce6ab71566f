//! One row of what is imported, what rows do not say themselves, and the lines of a text.

use std::io::{self, BufRead, Read};
use std::path::PathBuf;

use jiff::tz::TimeZone;

/// Longest row that is read. An event has at most 4 KiB of attributes; a row of spend logs may have whole prompts in it.
pub const ROW_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A row that became an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place, from 1: the line of a text, the row of a table.
    pub number: u64,
    /// Bytes of the source up to its end, as far as known.
    pub bytes: u64,
    /// The event as JSON on one line.
    pub json: String,
}

/// A row that cannot become an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Its place, from 1.
    pub number: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// What rows do not say themselves.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The service of rows that name none; of spend logs and of the original's file that of all rows.
    pub service: Option<Box<str>>,
    /// Who made the ids, where the format has no source of its own.
    pub source: Option<Box<str>>,
    /// The zone of times without an offset.
    pub time_zone: TimeZone,
}

/// Why reading cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be opened.
    #[error("cannot open {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It cannot be read.
    #[error("cannot read the source")]
    Read(#[source] io::Error),
    /// It has another format, or is broken from here on.
    #[error("{0}")]
    Malformed(String),
    /// The one who takes the rows wants no more; he knows why.
    #[error("stopped")]
    Stopped,
}

impl Default for Mapping {
    fn default() -> Self {
        Self { service: None, source: None, time_zone: TimeZone::UTC }
    }
}

/// The lines of a text that are not blank.
pub(super) struct Lines<'i> {
    input: &'i mut dyn BufRead,
    number: u64,
    bytes: u64,
    buffer: Vec<u8>,
}

/// One line.
pub(super) struct Line<'l> {
    pub number: u64,
    bytes: u64,
    content: &'l [u8],
    is_whole: bool,
}

impl<'i> Lines<'i> {
    pub fn of(input: &'i mut dyn BufRead) -> Self {
        Self { input, number: 0, bytes: 0, buffer: Vec::new() }
    }

    /// The next line; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Line<'_>>, SourceError> {
        loop {
            self.buffer.clear();
            let count = read_line(self.input, &mut self.buffer).map_err(SourceError::Read)?;
            if count == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += count;
            if self.buffer.iter().any(|byte| !byte.is_ascii_whitespace()) {
                break;
            }
        }
        let is_whole = self.buffer.len() <= ROW_BYTES_MAX;
        Ok(Some(Line { number: self.number, bytes: self.bytes, content: &self.buffer, is_whole }))
    }
}

/// Reads up to the end of a line, keeps no more of it than a row may have, and says how long it was.
fn read_line(input: &mut dyn BufRead, buffer: &mut Vec<u8>) -> io::Result<u64> {
    let mut count = input.take(ROW_BYTES_MAX as u64 + 1).read_until(b'\n', buffer)? as u64;
    while buffer.len() > ROW_BYTES_MAX && !buffer.ends_with(b"\n") {
        let available = input.fill_buf()?;
        if available.is_empty() {
            break;
        }
        let end = available.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(available.len(), |end| end + 1);
        input.consume(used);
        count += used as u64;
        if end.is_some() {
            break;
        }
    }
    Ok(count)
}

impl Line<'_> {
    /// Bytes of the source up to its end.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its text, without blanks around it.
    pub fn text(&self) -> Result<&str, BadRow> {
        let bad = |reason: String| BadRow { number: self.number, reason };
        if !self.is_whole {
            return Err(bad(format!("is longer than {ROW_BYTES_MAX} bytes")));
        }
        let text = std::str::from_utf8(self.content).map_err(|_| bad("is not UTF-8".to_owned()))?;
        // A byte order mark at the very beginning says nothing that is not known.
        let text = if self.number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        Ok(text.trim_ascii())
    }
}

/// An id for a row that has none: the same each time for the same row at the same place, so that an import can be repeated.
pub(super) fn id_of_line(number: u64, line: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, line.as_bytes());
    let head: String = digest.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("row-{number}-{head}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_with_blank_ones_and_bounded() {
        let long = "x".repeat(ROW_BYTES_MAX + 5);
        let text = format!("\u{feff}a\r\n\n  \n{long}\nb");
        let mut input = text.as_bytes();
        let mut lines = Lines::of(&mut input);
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.number, line.text().unwrap()), (1, "a"));
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.number, line.text().unwrap_err().reason.contains("longer than")), (4, true));
        let line = lines.next().unwrap().unwrap();
        assert_eq!((line.number, line.bytes(), line.text().unwrap()), (5, text.len() as u64, "b"));
        assert!(lines.next().unwrap().is_none());
    }

    #[test]
    fn what_is_no_text_is_told() {
        let mut input = b"\xff\n".as_slice();
        let mut lines = Lines::of(&mut input);
        assert_eq!(lines.next().unwrap().unwrap().text().unwrap_err().reason, "is not UTF-8");
    }
}
