//! One walk over a text.

use std::borrow::Cow;

use super::value::unescape;
use super::{DEPTH_MAX, JsonError, JsonProblem, Shape, Value};

/// Up to this many keys are compared pair by pair, which is quicker than sorting them.
const KEYS_COMPARED_PAIRWISE_MAX: usize = 16;

/// Characters of a duplicate key that an error repeats.
const KEY_SHOWN_CHARS_MAX: usize = 64;

/// Digits of an integer that surely fit a double, whose largest has 309.
const DIGITS_SURELY_FINITE: usize = 308;

/// A position in a text that is read strictly, forwards, once.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    /// Next byte to read.
    at: usize,
    /// Where reading stops: the end of the text, or of the current line.
    end: usize,
    /// Where the next line begins; behind the end of the text after the last.
    next_line_at: usize,
    depth: usize,
    /// Keys of all objects that are open, the innermost last.
    keys: Vec<Cow<'a, str>>,
    /// Whether every number since this was last set fits a double.
    finite: bool,
}

type Read<T> = Result<T, JsonError>;

impl<'a> Reader<'a> {
    /// At the start of a text that is one value.
    ///
    /// # Errors
    /// [`JsonProblem::ByteOrderMark`].
    pub fn new(text: &'a str) -> Read<Self> {
        let reader = Self::over(text);
        if text.starts_with('\u{feff}') { reader.fail(JsonProblem::ByteOrderMark) } else { Ok(reader) }
    }

    /// Before the first line of a text that is one value a line; see [`Reader::next_line`].
    ///
    /// # Errors
    /// [`JsonProblem::ByteOrderMark`].
    pub fn lines(text: &'a str) -> Read<Self> {
        let mut reader = Self::new(text)?;
        (reader.end, reader.next_line_at) = (0, 0);
        Ok(reader)
    }

    pub(super) fn over(text: &'a str) -> Self {
        Self { text, at: 0, end: text.len(), next_line_at: text.len() + 1, depth: 0, keys: Vec::new(), finite: true }
    }

    /// Moves to the next line that is not blank; `false` after the last.
    pub fn next_line(&mut self) -> bool {
        while let Some(rest) = self.text.as_bytes().get(self.next_line_at..) {
            self.at = self.next_line_at;
            self.end = self.at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            self.next_line_at = self.end + 1;
            if self.peek().is_some() {
                return true;
            }
        }
        false
    }

    /// The byte that begins the next token; `None` at the end.
    pub fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.byte() {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`JsonProblem::Trailing`].
    pub fn end(&mut self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail(JsonProblem::Trailing),
        }
    }

    /// Reads one value of any shape.
    ///
    /// # Errors
    /// The first thing that is not strict JSON.
    pub fn value(&mut self) -> Read<Value<'a>> {
        let finite_before = std::mem::replace(&mut self.finite, true);
        let first = self.peek();
        let start = self.at;
        let mut escaped = false;
        let shape = match first {
            Some(b'"') => {
                escaped = self.string()?;
                Shape::String
            }
            Some(b'{') => {
                self.object(|_, _| {})?;
                Shape::Object
            }
            Some(b'[') => {
                self.array(|reader| reader.value().map(drop))?;
                Shape::Array
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Shape::Number
            }
            Some(b't') => self.word("true", Shape::Bool)?,
            Some(b'f') => self.word("false", Shape::Bool)?,
            Some(b'n') => self.word("null", Shape::Null)?,
            Some(_) => return self.fail(JsonProblem::Expected("a JSON value")),
            None if self.depth == 0 => return self.fail(JsonProblem::Empty),
            None => return self.fail(JsonProblem::Truncated),
        };
        let raw = self.text.get(start..self.at).unwrap_or_default();
        let value = Value { raw, shape, escaped, finite: self.finite };
        self.finite &= finite_before;
        Ok(value)
    }

    /// Reads an object and visits its members in their order. Whether a key stands twice is known only at the end: what was
    /// visited counts only when this returns `Ok`.
    ///
    /// # Errors
    /// The first thing that is not strict JSON.
    pub fn object(&mut self, mut visit: impl FnMut(&Cow<'a, str>, Value<'a>)) -> Read<()> {
        self.open(b'{', "an object")?;
        let first_key = self.keys.len();
        if !self.closes(b'}') {
            loop {
                if self.peek().is_some_and(|byte| byte != b'"') {
                    return self.fail(JsonProblem::Expected("a key in double quotes"));
                }
                let key = self.key()?;
                self.expect(b':', "a colon after the key")?;
                let value = self.value()?;
                visit(&key, value);
                self.keys.push(key);
                if self.closes(b'}') {
                    break;
                }
                self.expect(b',', "a comma or the end of the object")?;
            }
        }
        self.refuse_duplicates(first_key)?;
        self.keys.truncate(first_key);
        self.depth -= 1;
        Ok(())
    }

    /// Reads an array; `element` must read one value each time it is called.
    ///
    /// # Errors
    /// The first thing that is not strict JSON, and what `element` returns.
    pub fn array<E: From<JsonError>>(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.open(b'[', "an array")?;
        if !self.closes(b']') {
            loop {
                element(self)?;
                if self.closes(b']') {
                    break;
                }
                self.expect(b',', "a comma or the end of the array")?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    // --- tokens ---

    fn byte(&self) -> Option<u8> {
        if self.at < self.end { self.text.as_bytes().get(self.at).copied() } else { None }
    }

    fn fail<T>(&self, problem: JsonProblem) -> Read<T> {
        Err(JsonError { at: self.at, problem })
    }

    /// Fails with what was expected, or with the end of the text.
    fn fail_here<T>(&self, problem: JsonProblem) -> Read<T> {
        self.fail(if self.at >= self.end { JsonProblem::Truncated } else { problem })
    }

    fn expect(&mut self, byte: u8, name: &'static str) -> Read<()> {
        if self.peek() != Some(byte) {
            return self.fail_here(JsonProblem::Expected(name));
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, byte: u8, name: &'static str) -> Read<()> {
        self.expect(byte, name)?;
        if self.depth == DEPTH_MAX {
            return self.fail(JsonProblem::TooDeep);
        }
        self.depth += 1;
        Ok(())
    }

    fn closes(&mut self, byte: u8) -> bool {
        let closes = self.peek() == Some(byte);
        self.at += usize::from(closes);
        closes
    }

    fn word(&mut self, word: &'static str, shape: Shape) -> Read<Shape> {
        let rest = self.text.as_bytes().get(self.at..self.end).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return self.fail(JsonProblem::Expected("a JSON value"));
        }
        self.at += word.len();
        Ok(shape)
    }

    fn key(&mut self) -> Read<Cow<'a, str>> {
        let start = self.at + 1;
        let escaped = self.string()?;
        let inner = self.text.get(start..self.at - 1).unwrap_or_default();
        Ok(if escaped { Cow::Owned(unescape(inner)) } else { Cow::Borrowed(inner) })
    }

    /// Reads a string; whether it has escapes.
    fn string(&mut self) -> Read<bool> {
        if self.byte() != Some(b'"') {
            return self.fail_here(JsonProblem::Expected("a string"));
        }
        self.at += 1;
        let mut escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..self.end).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).unwrap_or(rest.len());
            self.at += plain;
            match rest.get(plain) {
                None => return self.fail(JsonProblem::Truncated),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return self.fail(JsonProblem::ControlCharacter),
            }
        }
    }

    fn escape(&mut self) -> Read<()> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => match self.unicode_unit()? {
                0xDC00..=0xDFFF => self.fail(JsonProblem::LoneSurrogate),
                0xD800..=0xDBFF => {
                    let follows = self.text.as_bytes().get(self.at..self.end).unwrap_or_default();
                    if !follows.starts_with(b"\\u") {
                        return self.fail_here(JsonProblem::LoneSurrogate);
                    }
                    self.at += 1;
                    match self.unicode_unit()? {
                        0xDC00..=0xDFFF => Ok(()),
                        _ => self.fail(JsonProblem::LoneSurrogate),
                    }
                }
                _ => Ok(()),
            },
            _ => self.fail_here(JsonProblem::Escape),
        }
    }

    /// Reads `uXXXX`.
    fn unicode_unit(&mut self) -> Read<u32> {
        let rest = self.text.as_bytes().get(self.at + 1..self.end).unwrap_or_default();
        match rest.get(..4).and_then(hex_unit) {
            Some(unit) => {
                self.at += 5;
                Ok(unit)
            }
            None => self.fail(if rest.len() < 4 { JsonProblem::Truncated } else { JsonProblem::Escape }),
        }
    }

    fn number(&mut self) -> Read<()> {
        let start = self.at;
        self.at += usize::from(self.byte() == Some(b'-'));
        let leads_with_zero = self.byte() == Some(b'0');
        let integer_digits = self.digits()?;
        if leads_with_zero && integer_digits > 1 {
            return self.fail(JsonProblem::Number);
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let has_exponent = matches!(self.byte(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        if has_exponent || integer_digits > DIGITS_SURELY_FINITE {
            let text = self.text.get(start..self.at).unwrap_or_default();
            self.finite &= text.parse::<f64>().is_ok_and(f64::is_finite);
        }
        Ok(())
    }

    /// Reads one digit or more; how many.
    fn digits(&mut self) -> Read<usize> {
        let rest = self.text.as_bytes().get(self.at..self.end).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { self.fail_here(JsonProblem::Number) } else { Ok(count) }
    }

    fn refuse_duplicates(&mut self, first_key: usize) -> Read<()> {
        let keys = self.keys.get_mut(first_key..).unwrap_or_default();
        let duplicate = if keys.len() <= KEYS_COMPARED_PAIRWISE_MAX {
            keys.iter().enumerate().find(|(at, key)| keys[..*at].contains(key)).map(|(_, key)| key)
        } else {
            // The order of equal keys does not matter, and sorting in place takes no memory.
            keys.sort_unstable();
            keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| &pair[0])
        };
        let Some(key) = duplicate else {
            return Ok(());
        };
        let shown: String = key.chars().take(KEY_SHOWN_CHARS_MAX).collect();
        self.fail(JsonProblem::DuplicateKey(shown.into()))
    }
}

/// Four hexadecimal digits as a UTF-16 unit.
pub(super) fn hex_unit(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}
