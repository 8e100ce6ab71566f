//! A text of objects, read strictly, forwards, once.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::JsonError;
use super::keys::{Key, Keys, Walk, deeper};
use super::value::Value;
use crate::ingest::Shape;

/// What becomes of a text's objects. Whether a text is JSON to its end is known only when reading it returns `Ok`.
pub trait Visit<'a> {
    /// An object, or something in its place, begins; `false` stops reading.
    fn begin(&mut self) -> bool {
        true
    }
    /// A member of the object that began last. Whether its key stands twice is known at the object's end.
    #[expect(clippy::ptr_arg, reason = "a borrowed key is kept without copying its text")]
    fn member(&mut self, key: &Cow<'a, str>, value: Value<'a>);
    /// The object that began last is whole.
    fn end(&mut self) {}
    /// What began was no object.
    fn other(&mut self, _shape: Shape) {}
}

/// What may stand at the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    /// One object.
    Object,
    /// One object, or an array of objects.
    ObjectOrArray,
}

/// Why reading ended early.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// The text is not strict JSON.
    Malformed(JsonError),
    /// [`Visit::begin`] said so.
    Asked,
}

/// Reads the parts of a text.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
    keys: Keys<'a>,
    /// Why reading ended early, if serde was not the one who found out.
    stop: Option<Stop>,
}

// === impl Reader ===

impl<'a> Reader<'a> {
    /// For a text, and parts of it.
    ///
    /// # Errors
    /// A byte order mark, which RFC 8259 forbids.
    pub fn new(text: &'a str) -> Result<Self, Stop> {
        if text.starts_with('\u{feff}') {
            return Err(Stop::Malformed(JsonError { at: 0, problem: "a byte order mark is not allowed".to_owned() }));
        }
        Ok(Self { text, keys: Keys::default(), stop: None })
    }

    /// Reads a part of the text, or all of it, that is one JSON value and nothing else.
    ///
    /// # Errors
    /// The first thing that is not strict JSON.
    pub fn read(&mut self, part: &'a str, top: Top, visit: &mut impl Visit<'a>) -> Result<(), Stop> {
        let mut json = serde_json::Deserializer::from_str(part);
        let read = Item { reader: self, visit, top, depth: 0 }.deserialize(&mut json).and_then(|()| json.end());
        read.map_err(|error| {
            let malformed = || Stop::Malformed(JsonError::from_serde(&error, part, offset(self.text, part)));
            self.stop.take().unwrap_or_else(malformed)
        })
    }

    /// A value that lies in `depth` containers. serde has seen to its grammar only.
    fn value<E: Error>(&mut self, raw: &'a RawValue, depth: usize) -> Result<Value<'a>, E> {
        let text = raw.get();
        let first = text.as_bytes().first();
        Ok(match first {
            Some(b'"') => {
                let inner = text.get(1..text.len() - 1).unwrap_or_default();
                Value::String(if inner.contains('\\') {
                    self.nested(text, serde_json::from_str(text))?
                } else {
                    inner.into()
                })
            }
            Some(b'{' | b'[') => {
                let walked = Walk { keys: &mut self.keys, depth }.deserialize(&mut serde_json::Deserializer::from_str(text));
                let numbers_are_finite = !walked.as_ref().is_err_and(is_out_of_range);
                if numbers_are_finite {
                    self.nested(text, walked)?;
                }
                if first == Some(&b'{') { Value::Object { text, numbers_are_finite } } else { Value::Array }
            }
            Some(b't' | b'f') => Value::Bool,
            Some(b'n') => Value::Null,
            _ => Value::Number(text),
        })
    }

    /// What was read of a value by itself; its error gets its place in the whole text.
    fn nested<T, E: Error>(&mut self, part: &str, read: serde_json::Result<T>) -> Result<T, E> {
        read.map_err(|error| {
            let at = offset(self.text, part);
            self.stop = Some(Stop::Malformed(JsonError::from_serde(&error, part, at)));
            E::custom("nested")
        })
    }
}

/// Visits the members of an object that was read before.
pub fn members<'a>(object: &'a str, visit: impl FnMut(&Cow<'a, str>, Value<'a>)) -> Result<(), Stop> {
    struct Each<F>(F);
    impl<'a, F: FnMut(&Cow<'a, str>, Value<'a>)> Visit<'a> for Each<F> {
        fn member(&mut self, key: &Cow<'a, str>, value: Value<'a>) {
            (self.0)(key, value);
        }
    }
    Reader::new(object)?.read(object, Top::Object, &mut Each(visit))
}

/// Where a part of a text begins in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr().saturating_sub(text.as_ptr().addr())
}

/// Whether nothing is wrong but a number that no double holds. serde stops there, but whoever asks for such a value refuses it for
/// this number.
fn is_out_of_range(error: &serde_json::Error) -> bool {
    error.to_string().starts_with("number out of range")
}

/// What stands at the top, or is an element of the array there.
struct Item<'r, 'a, V> {
    reader: &'r mut Reader<'a>,
    visit: &'r mut V,
    top: Top,
    depth: usize,
}

// === impl Item ===

impl<'de, V: Visit<'de>> Item<'_, 'de, V> {
    fn begin<E: Error>(&mut self) -> Result<(), E> {
        if self.visit.begin() {
            return Ok(());
        }
        self.reader.stop = Some(Stop::Asked);
        Err(E::custom("stopped"))
    }

    fn other<E: Error>(mut self, shape: Shape) -> Result<(), E> {
        if self.top == Top::ObjectOrArray && self.depth == 0 {
            let shape = shape.with_article();
            return Err(E::custom(format_args!("expected an object or an array of objects, not {shape}")));
        }
        self.begin()?;
        self.visit.other(shape);
        Ok(())
    }
}

impl<'de, V: Visit<'de>> DeserializeSeed<'de> for Item<'_, 'de, V> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, V: Visit<'de>> Visitor<'de> for Item<'_, 'de, V> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.other(Shape::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        self.other(Shape::Bool)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        self.other(Shape::Number)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        self.other(Shape::Number)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.other(Shape::Number)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        self.other(Shape::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        if self.top == Top::ObjectOrArray && self.depth == 0 {
            let Self { reader, visit, top, depth } = self;
            while elements
                .next_element_seed(Item { reader: &mut *reader, visit: &mut *visit, top, depth: depth + 1 })?
                .is_some()
            {}
            return Ok(());
        }
        self.begin()?;
        let depth = deeper(self.depth)?;
        while elements.next_element_seed(Walk { keys: &mut self.reader.keys, depth })?.is_some() {}
        self.visit.other(Shape::Array);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        self.begin()?;
        let depth = deeper(self.depth)?;
        let first = self.reader.keys.len();
        while let Some(key) = members.next_key_seed(Key)? {
            let value = self.reader.value(members.next_value()?, depth)?;
            self.visit.member(&key, value);
            self.reader.keys.push(key);
        }
        self.reader.keys.end_object(first)?;
        self.visit.end();
        Ok(())
    }
}
