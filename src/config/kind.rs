//! What may be written for a setting: the one place where a kind of value is read, written and described.

use std::borrow::Cow;

/// What a value in the file may be written as, besides a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Number,
    /// A number, or several in an array.
    Numbers,
    Boolean,
    List,
    /// A date, with quotes or without.
    Date,
    /// A string that is never shown.
    Secret,
    /// A table or an array of tables; nothing else.
    Table,
}

/// A value, or what is wrong with its text: the end of a sentence that begins with the text.
pub(super) type Parsed<T> = Result<T, String>;

type Parse<T> = Box<dyn Fn(&str) -> Parsed<T> + Send + Sync>;
type Show<T> = Box<dyn Fn(&T) -> Option<String>>;

/// A kind of value.
pub(super) struct Kind<T> {
    pub shape: Shape,
    /// A word for it in `--help`.
    pub value_name: &'static str,
    /// What may be written.
    pub allowed: Cow<'static, str>,
    pub parse: Parse<T>,
    /// The text of a value, for defaults; `None`: as if it were not set.
    show: Show<T>,
}

impl<T: 'static> Kind<T> {
    /// A kind whose values are not shown as defaults.
    pub fn new(
        shape: Shape,
        value_name: &'static str,
        allowed: impl Into<Cow<'static, str>>,
        parse: impl Fn(&str) -> Parsed<T> + Send + Sync + 'static,
    ) -> Self {
        Self { shape, value_name, allowed: allowed.into(), parse: Box::new(parse), show: Box::new(|_| None) }
    }

    /// The same, and this is how a value is written.
    pub fn shown_as(self, show: impl Fn(&T) -> String + 'static) -> Self {
        Self { show: Box::new(move |value| Some(show(value))), ..self }
    }

    /// The same, and this is what the file may have instead of a string.
    pub fn shaped(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// The same, for a setting that need not have a value.
    pub fn optional(self) -> Kind<Option<T>> {
        let Self { shape, value_name, allowed, parse, show } = self;
        Kind {
            shape,
            value_name,
            allowed,
            parse: Box::new(move |text| parse(text).map(Some)),
            show: Box::new(move |value| value.as_ref().and_then(&*show)),
        }
    }

    /// The text of a value.
    pub fn shown(&self, value: &T) -> Option<String> {
        (self.show)(value)
    }
}

/// One of a few words, in any case. A value with several words is shown by the first.
pub(super) fn word<T: Copy + PartialEq + Send + Sync + 'static>(
    value_name: &'static str,
    allowed: &'static str,
    wrong: &'static str,
    words: &'static [(&'static str, T)],
) -> Kind<T> {
    let parse = move |text: &str| {
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        found.map(|(_, value)| *value).ok_or_else(|| wrong.to_owned())
    };
    let show = move |value: &T| words.iter().find(|(_, other)| other == value).map_or("", |(word, _)| word).to_owned();
    Kind::new(Shape::Text, value_name, allowed, parse).shown_as(show)
}
