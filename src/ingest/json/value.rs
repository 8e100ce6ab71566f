//! A checked piece of JSON text.

use std::borrow::Cow;

use super::Reader;

/// A JSON value: a slice of the text it was read from, checked in all its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    pub(super) raw: &'a str,
    pub(super) shape: Shape,
    pub(super) escaped: bool,
    pub(super) finite: bool,
}

/// What kind of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, of any size and precision.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Shape {
    /// As it is called in a sentence: "a number".
    pub const fn with_article(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

impl<'a> Value<'a> {
    /// The text to the letter: digits as they were sent, strings with their quotes.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// What kind of value it is.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether every number in it is within the range of a double. `1e400` is JSON, but most readers choke on it.
    pub fn numbers_are_finite(&self) -> bool {
        self.finite
    }

    /// A string's meaning, its escapes undone; `None` for any other shape.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        if self.shape != Shape::String {
            return None;
        }
        let inner = self.raw.get(1..self.raw.len() - 1)?;
        Some(if self.escaped { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) })
    }

    /// Visits the members of an object, in their order; `false` for any other shape.
    pub fn members(&self, visit: impl FnMut(&Cow<'a, str>, Value<'a>)) -> bool {
        // The value was checked when it was made, so reading it again meets nothing new.
        self.shape == Shape::Object && Reader::over(self.raw).object(visit).is_ok()
    }
}

/// Undoes the escapes of a string's checked inside.
pub(super) fn unescape(inner: &str) -> String {
    let mut plain = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or_default();
        let mut end = at + 2;
        plain.push(match escape {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = hex4(rest.as_bytes(), end);
                end += 4;
                if (0xD800..0xDC00).contains(&unit) {
                    let low = hex4(rest.as_bytes(), end + 2);
                    end += 6;
                    char::from_u32(0x10000 + ((unit - 0xD800) << 10) + (low & 0x3FF)).unwrap_or(char::REPLACEMENT_CHARACTER)
                } else {
                    char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER)
                }
            }
            itself => char::from(itself),
        });
        rest = rest.get(end..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// The four hexadecimal digits at an offset; 0 where there are none, which a checked text never has.
fn hex4(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(super::reader::hex_unit).unwrap_or_default()
}
