//! Protocol buffers in a body that comes bit by bit: messages within messages are walked through, and what is looked at as a whole is
//! brought together first.
//!
//! *Invariants.* A message ends where its length says or is an error. What is passed over is not kept.
//!
//! *Limits.* [`ITEM_BYTES_MAX`] of what is brought together; memory for one such item, and [`READ_BYTES`] beyond it.

use std::io::BufRead;

use super::super::{CallError, ITEM_BYTES_MAX};
use super::wire::{WireError, tag, varint};

/// Bytes that are taken from the body at a time.
const READ_BYTES: usize = 64 << 10;
/// The longest number of variable length.
const VARINT_BYTES_MAX: usize = 10;
/// Memory that is kept from one item to the next.
const WINDOW_BYTES_KEPT: usize = 1 << 20;

/// A body that is being read.
pub(super) struct Stream<'b> {
    body: &'b mut dyn BufRead,
    /// What was taken from the body; the part from `at` on is not read yet.
    window: Vec<u8>,
    at: usize,
    /// Bytes of the body before `at`.
    position: u64,
}

/// Where a message ends, in bytes from the body's beginning. Of the body itself nobody says.
pub(super) type End = Option<u64>;

/// A field's number, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// So many bytes that are to be taken, walked through, or passed over.
    Bytes(u32, u64),
    /// A number, which is behind us already.
    Number,
}

impl<'b> Stream<'b> {
    pub fn new(body: &'b mut dyn BufRead) -> Self {
        Self { body, window: Vec::new(), at: 0, position: 0 }
    }

    /// The next field of the message that ends there; `None` at its end.
    pub fn next(&mut self, end: End) -> Result<Option<Next>, CallError> {
        if end == Some(self.position) || end.is_none() && self.fill(1)? == 0 {
            return Ok(None);
        }
        let (number, wire_type) = tag(self.varint(end)?)?;
        let bytes = match wire_type {
            0 => {
                self.varint(end)?;
                return Ok(Some(Next::Number));
            }
            1 => 8,
            5 => 4,
            2 => {
                let bytes = self.varint(end)?;
                self.check(bytes, end)?;
                return Ok(Some(Next::Bytes(number, bytes)));
            }
            other => return Err(WireError::WireType(other).into()),
        };
        self.check(bytes, end)?;
        self.pass(bytes)?;
        Ok(Some(Next::Number))
    }

    /// Where a message of so many bytes ends that begins here.
    pub fn end_of(&self, bytes: u64) -> End {
        // Checked when its length was read.
        Some(self.position.saturating_add(bytes))
    }

    /// The next bytes as one piece, behind us from now on.
    pub fn take(&mut self, bytes: u64) -> Result<&[u8], CallError> {
        let length = usize::try_from(bytes).ok().filter(|length| *length <= ITEM_BYTES_MAX);
        let Some(length) = length else {
            return Err(CallError::TooLarge(format!("One item has {bytes} bytes; {ITEM_BYTES_MAX} are taken at most.")));
        };
        if self.fill(length)? < length {
            return Err(WireError::CutShort.into());
        }
        let from = self.at;
        self.at += length;
        self.position += bytes;
        Ok(&self.window[from..self.at])
    }

    /// Passes over bytes.
    pub fn pass(&mut self, bytes: u64) -> Result<(), CallError> {
        let mut left = bytes;
        while left > 0 {
            let there = self.fill(1)?;
            if there == 0 {
                return Err(WireError::CutShort.into());
            }
            let step = there.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.at += step;
            self.position += step as u64;
            left -= step as u64;
        }
        Ok(())
    }

    fn check(&self, bytes: u64, end: End) -> Result<(), CallError> {
        match (self.position.checked_add(bytes), end) {
            (None, _) => Err(WireError::TooLong.into()),
            (Some(until), Some(end)) if until > end => Err(WireError::TooLong.into()),
            _ => Ok(()),
        }
    }

    fn varint(&mut self, end: End) -> Result<u64, CallError> {
        self.fill(VARINT_BYTES_MAX)?;
        let there = &self.window[self.at..];
        let within = end.map_or(there.len(), |end| usize::try_from(end - self.position).unwrap_or(usize::MAX));
        let there = &there[..within.min(there.len())];
        let (value, rest) = varint(there)?.ok_or(WireError::CutShort)?;
        let read = there.len() - rest.len();
        self.at += read;
        self.position += read as u64;
        Ok(value)
    }

    /// Has at least so many bytes there, if the body has them. Returns how many are.
    fn fill(&mut self, wanted: usize) -> Result<usize, CallError> {
        if self.window.len() - self.at >= wanted {
            return Ok(self.window.len() - self.at);
        }
        self.window.drain(..self.at);
        self.at = 0;
        if self.window.capacity() > WINDOW_BYTES_KEPT && wanted < READ_BYTES {
            self.window.shrink_to(WINDOW_BYTES_KEPT);
        }
        while self.window.len() < wanted {
            let chunk = self.body.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let step = chunk.len().min(READ_BYTES.max(wanted - self.window.len()));
            self.window.extend_from_slice(&chunk[..step]);
            self.body.consume(step);
        }
        Ok(self.window.len())
    }
}
