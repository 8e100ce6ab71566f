//! On which line each record of a sheet begins.
//!
//! The csv library counts line feeds up to the end of the record before: it is a line behind where lines end with a carriage return and a line
//! feed, as RFC 4180 has them, or where some are blank; and where they end with carriage returns alone, all is one line to it.
//!
//! *Invariants.* Nothing is changed or held back. What is remembered are the beginnings of lines from the record that is read to the end of what
//! the library has read ahead.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

/// An input that remembers where its lines begin.
pub(super) struct LineStarts<'i> {
    input: &'i mut dyn BufRead,
    /// How many bytes were read.
    offset: u64,
    /// The line of the next byte, from 1.
    line: u64,
    /// The byte before it.
    last: u8,
    /// Where lines that are not blank begin, by offset, and which they are.
    starts: VecDeque<(u64, u64)>,
}

impl<'i> LineStarts<'i> {
    /// Nothing was read yet.
    pub fn new(input: &'i mut dyn BufRead) -> Self {
        Self { input, offset: 0, line: 1, last: b'\n', starts: VecDeque::new() }
    }

    /// The line of the first record that begins at this offset or behind it. What lies before is forgotten.
    pub fn line_from(&mut self, offset: u64) -> u64 {
        while self.starts.front().is_some_and(|(start, _)| *start < offset) {
            self.starts.pop_front();
        }
        self.starts.front().map_or(self.line, |(_, line)| *line)
    }

    fn note(&mut self, bytes: &[u8]) {
        let ends_line = |byte: u8| byte == b'\n' || byte == b'\r';
        for byte in bytes {
            let ends_with_the_one_before = *byte == b'\n' && self.last == b'\r';
            if ends_line(*byte) {
                self.line += u64::from(!ends_with_the_one_before);
            } else if ends_line(self.last) {
                self.starts.push_back((self.offset, self.line));
            }
            self.last = *byte;
            self.offset += 1;
        }
    }
}

impl Read for LineStarts<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.note(&into[..read]);
        Ok(read)
    }
}
