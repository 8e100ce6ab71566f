//! One value of a JSON text.

use std::borrow::Cow;

use crate::ingest::{Field, RawJson, RawNumber, RawText, Shape};

/// A value, valid in all its depth. Numbers keep their digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number to the letter.
    Number(&'a str),
    /// A string, its escapes undone.
    String(Cow<'a, str>),
    /// An array. Nobody here wants its elements.
    Array,
    /// An object.
    Object {
        /// To the letter.
        text: &'a str,
        /// Whether every number in it is within the range of a double.
        numbers_are_finite: bool,
    },
}

impl<'a> Value<'a> {
    /// What kind of value it is.
    pub const fn shape(&self) -> Shape {
        match self {
            Self::Null => Shape::Null,
            Self::Bool => Shape::Bool,
            Self::Number(_) => Shape::Number,
            Self::String(_) => Shape::String,
            Self::Array => Shape::Array,
            Self::Object { .. } => Shape::Object,
        }
    }

    /// As a field that is to be a string.
    pub fn text(self) -> RawText<'a> {
        match self {
            Self::String(text) => Field::Given(text),
            other => Field::Misshapen(other.shape()),
        }
    }

    /// As a field that is to be a number.
    pub fn number(self) -> RawNumber<'a> {
        match self {
            Self::Number(digits) => Field::Given(Cow::Borrowed(digits)),
            other => Field::Misshapen(other.shape()),
        }
    }

    /// As a field that is to be a number, or a string that holds one.
    pub fn digits(self) -> RawNumber<'a> {
        match self {
            Self::Number(digits) => Field::Given(Cow::Borrowed(digits)),
            other => other.text(),
        }
    }

    /// As a field that is to be an object.
    pub fn object(self) -> Field<RawJson<'a>> {
        match self {
            Self::Object { text, numbers_are_finite } => Field::Given(RawJson { text: text.into(), numbers_are_finite }),
            other => Field::Misshapen(other.shape()),
        }
    }
}
