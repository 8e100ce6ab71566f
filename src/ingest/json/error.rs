//! What can be wrong with a text that claims to be JSON.

use std::fmt;

/// Where and why a text is not strict JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Byte offset in the text that was read.
    pub at: usize,
    /// What is wrong there.
    pub problem: JsonProblem,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    /// Nothing but blanks.
    #[error("there is no JSON in it")]
    Empty,
    /// A byte order mark, which RFC 8259 forbids.
    #[error("a byte order mark is not allowed")]
    ByteOrderMark,
    /// The text ends within a value.
    #[error("the text ends too early")]
    Truncated,
    /// Something else stands where this is due.
    #[error("expected {0}")]
    Expected(&'static str),
    /// Something follows the value.
    #[error("something follows the end of the JSON")]
    Trailing,
    /// A key stands twice in one object.
    #[error("the key {0:?} stands twice in one object")]
    DuplicateKey(Box<str>),
    /// Too many containers in each other.
    #[error("objects and arrays are nested more than {max} deep", max = super::DEPTH_MAX)]
    TooDeep,
    /// Half a character, which no UTF-8 can hold.
    #[error("a \\u escape is half of a surrogate pair")]
    LoneSurrogate,
    /// A backslash followed by what JSON does not know.
    #[error("a string has an escape that JSON does not know")]
    Escape,
    /// A control character that is not escaped.
    #[error("a string has a control character that is not escaped")]
    ControlCharacter,
    /// Digits that are no JSON number.
    #[error("a number is not written as JSON demands")]
    Number,
}

impl JsonError {
    /// A sentence for the client. `text` is what was read; lines and columns count from 1, columns in characters.
    pub fn describe(&self, text: &str) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{} (line {line}, column {column})", self.problem)
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (byte {})", self.problem, self.at)
    }
}

impl std::error::Error for JsonError {}
