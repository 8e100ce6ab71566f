//! YAML as a tree whose places can be named: what a web configuration needs of it.
//!
//! *Invariants.* A scalar keeps its digits: what kind of value it is, is for its key to say. No key stands twice in a mapping.
//!
//! *Limits.* [`DEPTH_MAX`]. Anchors, tags of one's own, and a second document are refused.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};

/// Mappings and lists inside each other. A web configuration has two of them.
const DEPTH_MAX: usize = 16;

/// A value, and where it begins.
#[derive(Debug, PartialEq, Eq)]
pub struct Node {
    pub value: Value,
    pub place: Place,
}

/// A value.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    Text(String),
    List,
    Mapping(Vec<(Key, Node)>),
}

/// A key, and where it stands.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    pub text: String,
    pub place: Place,
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// Why there is no tree. The detail completes a sentence.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub place: Place,
    pub detail: String,
}

/// Reads the one document of a text. An empty text is `null`.
pub fn read(text: &str) -> Result<Node, Unreadable> {
    let mut reader = Reader { parser: Parser::new_from_str(text), depth: 0 };
    let mut document = None;
    loop {
        match reader.next()? {
            (Event::StreamEnd, span) => return Ok(document.unwrap_or(Node { value: Value::Null, place: span.start.into() })),
            (Event::DocumentStart(_), span) if document.is_some() => {
                return Err(unreadable(&span, "begins a second document; there may be one"));
            }
            (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd, _) => {}
            (event, span) => document = Some(reader.node(event, &span)?),
        }
    }
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Unreadable> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(error.into()),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, Unreadable> {
        let value = match event {
            Event::Scalar(text, style, 0, None) => scalar(&text, style),
            Event::SequenceStart(0, None) => self.inside(span, Self::list)?,
            Event::MappingStart(0, None) => self.inside(span, Self::mapping)?,
            Event::Alias(_) => return Err(unreadable(span, "is an alias; write the value out")),
            _ => return Err(unreadable(span, "has an anchor or a tag; write the value without it")),
        };
        Ok(Node { value, place: span.start.into() })
    }

    fn inside(
        &mut self,
        span: &Span,
        read: impl FnOnce(&mut Self) -> Result<Value, Unreadable>,
    ) -> Result<Value, Unreadable> {
        if self.depth == DEPTH_MAX {
            return Err(unreadable(span, "is nested too deeply"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// No key takes a list, so its items are read past.
    fn list(&mut self) -> Result<Value, Unreadable> {
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(Value::List),
                (event, span) => drop(self.node(event, &span)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Value, Unreadable> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match event {
                Event::MappingEnd | Event::StreamEnd => return Ok(Value::Mapping(entries)),
                Event::Scalar(text, _, 0, None) => Key { text: text.into_owned(), place: span.start.into() },
                _ => return Err(unreadable(&span, "is no key: a key is a text")),
            };
            if entries.iter().any(|(earlier, _)| earlier.text == key.text) {
                return Err(unreadable(&span, &format!("has {} a second time", key.text)));
            }
            let (event, span) = self.next()?;
            let node = self.node(event, &span)?;
            entries.push((key, node));
        }
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        Value::Null
    } else {
        Value::Text(text.to_owned())
    }
}

fn unreadable(span: &Span, detail: &str) -> Unreadable {
    Unreadable { place: span.start.into(), detail: detail.to_owned() }
}

impl From<Marker> for Place {
    fn from(marker: Marker) -> Self {
        // The end of an empty text is on no line yet.
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

impl From<ScanError> for Unreadable {
    fn from(error: ScanError) -> Self {
        Self { place: (*error.marker()).into(), detail: format!("is not YAML: {}", error.info()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A running agent reads the file again: whatever stands there, it is told and not died of.
        #[test]
        fn no_text_is_too_odd(pieces in proptest::collection::vec(prop_oneof![
            "[a-c:{}\\[\\],&*!|>'\"%@`#\\-?~ \n\t\\\\]{0,6}",
            Just("tls_server_config:\n  ".to_owned()), Just("\n---\n".to_owned()), Just("...\n".to_owned()), Just("%YAML 1.2\n".to_owned()),
            Just("%TAG ! tag:a,b:\n".to_owned()), Just("? ".to_owned()), Just(": |+2\n    ".to_owned()), Just("\"\\x4".to_owned()), Just("\u{feff}".to_owned()),
            Just("\r\n".to_owned()), Just("<<: *a".to_owned()), Just("!<".to_owned()), Just("\u{0}".to_owned()), Just("é\u{2028}".to_owned()),
        ], 0..12)) {
            let _ = read(&pieces.concat());
        }
    }
}
