//! The JSON values of a body, one by one, while it comes: the elements of an array, or values one after another, one a line.
//!
//! A value is found by its brackets and quotes alone and handed out as text: whoever gets it reads it with serde, which sees to the grammar.
//! A value that lies in the reader's buffer is not copied.
//!
//! *Invariants.* All of a body is read, or an error says why not: one whose end is missing is never taken for a shorter one. A value
//! that cannot be read, or must not be taken, does not keep the others from being taken; but of a body in which nothing can be read
//! it is said that it is malformed.
//!
//! *Limits.* [`ITEM_BYTES_MAX`] of a value and [`DEPTH_MAX`] containers in each other; memory for one value.

use std::io::{self, BufRead};

use memchr::{memchr, memchr2};

use super::calls::{CallError, CallSink, ITEM_BYTES_MAX};
use super::json::lean::LeanError;

/// Containers of a value that may lie in each other: as many as serde reads.
pub(super) const DEPTH_MAX: usize = 127;
/// What the buffer for values that are not whole in the reader's may keep between them.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// How values that are no elements of an array follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Between {
    /// By their own end, as in one pretty-printed object.
    Anything,
    /// One a line: a line that is no value is a bad one by itself.
    Lines,
}

/// Why an item is not taken.
#[derive(Debug)]
pub(super) enum ItemError {
    /// It is no JSON, in words that begin in small letters.
    Unreadable(String),
    /// It is, but cannot be recorded; in words that complete "is not recorded: …".
    Rejected(String),
    /// Reading is to stop.
    Stop(CallError),
}

/// Takes the text of an item.
pub(super) type Take<'t> = dyn FnMut(&str, &mut dyn CallSink) -> Result<(), ItemError> + 't;

/// A body that is being read.
struct Items<'b> {
    body: &'b mut dyn BufRead,
    /// What was read of a value that is not whole in the reader's own buffer.
    buffer: Vec<u8>,
    taker: Taker<'b>,
}

/// Whoever takes the values, and what became of them.
struct Taker<'b> {
    sink: &'b mut dyn CallSink,
    take: &'b mut Take<'b>,
    /// Values that could be read.
    readable: usize,
    /// Why the first that could not be could not.
    unreadable: Option<String>,
}

/// Finds a value's end: by its brackets and quotes, or at the line's.
enum End {
    Value(Scan),
    Line,
}

/// How far a value was looked at.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    is_too_deep: bool,
}

impl From<LeanError<String>> for ItemError {
    fn from(error: LeanError<String>) -> Self {
        match error {
            LeanError::Json(error) => Self::Unreadable(error.to_string()),
            LeanError::Member(why) => Self::Rejected(why),
        }
    }
}

impl From<CallError> for ItemError {
    fn from(error: CallError) -> Self {
        Self::Stop(error)
    }
}

/// Hands out the values of a body, in their order.
///
/// # Errors
/// The body's, the sink's, and that it is not JSON in a way that leaves open where its values end.
pub(super) fn each_item<'b>(
    body: &'b mut dyn BufRead,
    between: Between,
    sink: &'b mut dyn CallSink,
    take: &'b mut Take<'b>,
) -> Result<(), CallError> {
    let taker = Taker { sink, take, readable: 0, unreadable: None };
    let mut items = Items { body, buffer: Vec::new(), taker };
    match items.next_byte()? {
        None => return Err(malformed("The body is empty")),
        Some(b'[') => items.array()?,
        Some(_) => {
            while items.next_byte()?.is_some() {
                match between {
                    Between::Anything => items.item(End::Value(Scan::default()), true)?,
                    Between::Lines => items.item(End::Line, true)?,
                }
            }
        }
    }
    match items.taker.unreadable {
        Some(why) if items.taker.readable == 0 => Err(CallError::Malformed(format!("The body is not valid JSON: {why}"))),
        _ => Ok(()),
    }
}

fn malformed(detail: &str) -> CallError {
    CallError::Malformed(detail.to_owned())
}

fn early() -> CallError {
    malformed("The body is not valid JSON: it ends early")
}

/// White space between values (RFC 8259, section 2).
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// What can be read now; nothing at the end.
fn fill(body: &mut dyn BufRead) -> io::Result<&[u8]> {
    while let Err(error) = body.fill_buf() {
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    body.fill_buf()
}

// === impl Items ===

impl Items<'_> {
    /// The next byte that is no white space, without taking it.
    fn next_byte(&mut self) -> Result<Option<u8>, CallError> {
        loop {
            let ready = fill(self.body)?;
            if ready.is_empty() {
                return Ok(None);
            }
            let at = ready.iter().position(|byte| !is_blank(*byte));
            let next = at.and_then(|at| ready.get(at).copied());
            let used = at.unwrap_or(ready.len());
            self.body.consume(used);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// An array and nothing behind it.
    fn array(&mut self) -> Result<(), CallError> {
        self.body.consume(1);
        if self.next_byte()?.ok_or_else(early)? == b']' {
            return self.array_end();
        }
        loop {
            self.next_byte()?.ok_or_else(early)?;
            self.item(End::Value(Scan::default()), false)?;
            match self.next_byte()?.ok_or_else(early)? {
                b',' => self.body.consume(1),
                b']' => return self.array_end(),
                _ => return Err(malformed("The body is not valid JSON: expected , or ] behind an element of the array")),
            }
        }
    }

    fn array_end(&mut self) -> Result<(), CallError> {
        self.body.consume(1);
        match self.next_byte()? {
            None => Ok(()),
            Some(_) => Err(malformed("The body is not valid JSON: something follows the array")),
        }
    }

    /// One value, which begins with the next byte. At the top, the end of the body ends it as well.
    fn item(&mut self, mut end: End, is_top: bool) -> Result<(), CallError> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES_MAX);
        let mut bytes = 0_usize;
        loop {
            let ready = fill(self.body)?;
            if ready.is_empty() {
                if !is_top || !end.may_be_here() {
                    return Err(early());
                }
                return self.taker.item(&self.buffer, bytes, end.is_too_deep());
            }
            let found = end.find(ready);
            let (part, used) = found.unwrap_or((ready.len(), ready.len()));
            let is_whole_here = bytes == 0 && found.is_some();
            bytes = bytes.saturating_add(part);
            let part = ready.get(..part).unwrap_or_default();
            if is_whole_here {
                if used == 0 {
                    return Err(malformed("The body is not valid JSON: expected a value"));
                }
                self.taker.item(part, bytes, end.is_too_deep())?;
                self.body.consume(used);
                return Ok(());
            }
            if bytes <= ITEM_BYTES_MAX && !end.is_too_deep() {
                self.buffer.extend_from_slice(part);
            }
            self.body.consume(used);
            if found.is_some() {
                return self.taker.item(&self.buffer, bytes, end.is_too_deep());
            }
        }
    }
}

// === impl Taker ===

impl Taker<'_> {
    /// Has a value taken, or says why it is not. Of a value that must not be taken, the text may be incomplete.
    fn item(&mut self, text: &[u8], bytes: usize, is_too_deep: bool) -> Result<(), CallError> {
        let taken = if bytes > ITEM_BYTES_MAX {
            Err(ItemError::Rejected(format!("it has more than {ITEM_BYTES_MAX} bytes")))
        } else if is_too_deep {
            Err(ItemError::Rejected(format!("it nests more than {DEPTH_MAX} deep")))
        } else {
            match std::str::from_utf8(text) {
                Ok(text) => (self.take)(text.trim_ascii(), self.sink),
                Err(error) => {
                    Err(ItemError::Unreadable(format!("invalid UTF-8 at byte {} of a value", error.valid_up_to())))
                }
            }
        };
        match taken {
            Ok(()) => self.readable += 1,
            Err(ItemError::Rejected(why)) => {
                self.readable += 1;
                self.sink.reject(&|| why.clone());
            }
            Err(ItemError::Unreadable(why)) => {
                self.sink.reject(&|| format!("it is not valid JSON: {why}"));
                self.unreadable.get_or_insert(why);
            }
            Err(ItemError::Stop(error)) => return Err(error),
        }
        Ok(())
    }
}

// === impl End ===

impl End {
    /// How many of these bytes belong to the value, and how many to it and its end, if that is among them.
    fn find(&mut self, ready: &[u8]) -> Option<(usize, usize)> {
        match self {
            Self::Value(scan) => scan.advance(ready).map(|at| (at, at)),
            Self::Line => memchr(b'\n', ready).map(|at| (at, at + 1)),
        }
    }

    /// Whether the value is whole if nothing follows what was looked at.
    const fn may_be_here(&self) -> bool {
        match self {
            Self::Value(scan) => scan.depth == 0 && !scan.in_string,
            Self::Line => true,
        }
    }

    const fn is_too_deep(&self) -> bool {
        match self {
            Self::Value(scan) => scan.is_too_deep,
            Self::Line => false,
        }
    }
}

// === impl Scan ===

impl Scan {
    /// Looks at more of the value; where it ends, if that is here.
    fn advance(&mut self, ready: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = ready.get(at..)?;
            at += if self.in_string { self.string_part(rest)? } else { self.outside(rest)? };
            if self.depth == 0 && !self.in_string {
                return Some(at);
            }
        }
    }

    /// Goes on behind the quote that ends the string.
    fn string_part(&mut self, mut rest: &[u8]) -> Option<usize> {
        let whole = rest.len();
        loop {
            if self.is_escaped && !rest.is_empty() {
                self.is_escaped = false;
                rest = rest.get(1..)?;
            }
            let at = memchr2(b'"', b'\\', rest)?;
            self.is_escaped = rest.get(at) == Some(&b'\\');
            rest = rest.get(at + 1..)?;
            if !self.is_escaped {
                self.in_string = false;
                return Some(whole - rest.len());
            }
        }
    }

    /// Goes on to the beginning of a string, behind the last bracket, or to the end of a number or a word that stands by itself.
    fn outside(&mut self, rest: &[u8]) -> Option<usize> {
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b'"' => {
                    self.in_string = true;
                    return Some(at + 1);
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    self.is_too_deep |= self.depth > DEPTH_MAX;
                }
                b'}' | b']' if self.depth == 0 => return Some(at),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(at + 1);
                    }
                }
                b',' if self.depth == 0 => return Some(at),
                byte if self.depth == 0 && is_blank(*byte) => return Some(at),
                _ => {}
            }
        }
        None
    }
}
