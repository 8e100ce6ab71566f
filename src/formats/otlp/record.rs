//! A span or a log record, as far as it matters for calls: what both encodings of OTLP are read into.
//!
//! *Limits.* Only attributes that somebody asks for are kept, each once; [`TEXT_BYTES_KEPT_MAX`] of a text that is kept for later.

use std::borrow::Cow;

use crate::domain::{SpanId, TraceId};

/// Bytes of a text that outlives its record. Longer ones, such as a whole conversation, say nothing that fits into a ledger.
pub(super) const TEXT_BYTES_KEPT_MAX: usize = 4_096;

/// What is told: requests for traces hold spans, those for logs hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Spans,
    Logs,
    Metrics,
}

/// Where something stands in a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    pub trace: Option<TraceId>,
    pub span: Option<SpanId>,
    pub parent: Option<SpanId>,
}

/// A span or a log record. Times are nanoseconds since 1970; zero says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Record<'a> {
    pub ids: Ids,
    /// A span's name, a log's event name.
    pub name: Cow<'a, str>,
    /// A log's body, if that is a text.
    pub body: Cow<'a, str>,
    /// `SpanKind`, as the protocol counts them; zero for logs.
    pub kind: u64,
    pub start_ns: u64,
    pub end_ns: u64,
    pub has_failed: bool,
    pub attributes: Attributes<'a>,
}

/// The value of an attribute that is not made of others.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Double(f64),
    Bool(bool),
}

/// Attributes: the first of each name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Attributes<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// `SpanKind` of a span that asks somebody else.
pub(super) const KIND_CLIENT: u64 = 3;
/// `SpanKind` of a span that answers somebody else's request.
pub(super) const KIND_SERVER: u64 = 2;
/// `StatusCode` of a span that failed.
pub(super) const STATUS_ERROR: u64 = 2;

impl<'a> Attributes<'a> {
    /// Adds an attribute, unless there is one of this name.
    pub fn add(&mut self, name: impl Into<Cow<'a, str>>, value: Value<'a>) {
        let name = name.into();
        if self.get(&name).is_none() {
            self.0.push((name, value));
        }
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The first of these names that has a value which is not an empty text.
    pub fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &Value<'a>)> {
        names.iter().find_map(|name| {
            let value = self.get(name)?;
            (!matches!(value, Value::Text(text) if text.is_empty())).then_some((*name, value))
        })
    }

    /// The text of the first of these names that has one.
    pub fn text(&self, names: &[&str]) -> Cow<'_, str> {
        self.first(names).map(|(_, value)| value.to_text()).unwrap_or_default()
    }

    fn into_owned(self) -> Attributes<'static> {
        let owned = |(name, value): (Cow<'a, str>, Value<'a>)| (Cow::Owned(name.into_owned()), value.into_owned());
        Attributes(self.0.into_iter().map(owned).collect())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| 64 + name.len() + value.text_bytes()).sum()
    }
}

impl<'a> Value<'a> {
    /// As a text: numbers by their digits, `true` and `false`.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(number) => Cow::Owned(number.to_string()),
            Self::Double(number) => Cow::Owned(number.to_string()),
            Self::Bool(bool) => Cow::Borrowed(if *bool { "true" } else { "false" }),
        }
    }

    fn into_owned(self) -> Value<'static> {
        match self {
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Int(number) => Value::Int(number),
            Self::Double(number) => Value::Double(number),
            Self::Bool(bool) => Value::Bool(bool),
        }
    }

    fn text_bytes(&self) -> usize {
        if let Self::Text(text) = self { text.len() } else { 0 }
    }
}

impl Record<'_> {
    /// The same, of its own.
    pub fn into_owned(self) -> Record<'static> {
        Record {
            name: Cow::Owned(self.name.into_owned()),
            body: Cow::Owned(self.body.into_owned()),
            attributes: self.attributes.into_owned(),
            ids: self.ids,
            kind: self.kind,
            start_ns: self.start_ns,
            end_ns: self.end_ns,
            has_failed: self.has_failed,
        }
    }

    /// About the memory that it takes.
    pub fn bytes(&self) -> usize {
        256 + self.name.len() + self.body.len() + self.attributes.bytes()
    }
}

/// A text that is worth keeping; nothing in place of one that is too long.
pub(super) fn kept(text: &str) -> Cow<'static, str> {
    if text.len() > TEXT_BYTES_KEPT_MAX { Cow::Borrowed("") } else { Cow::Owned(text.to_owned()) }
}
