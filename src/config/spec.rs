//! What a setting is: a name, what may be written there, and where the value goes. One kind for the environment, the file, its
//! tables and the flags, so that `--help`, `check-config` and messages cannot drift apart.
//!
//! *Invariants.* A default is stated once, in the value that `D::default()` gives; its text is made from it by the setting's kind.
//!
//! *Deliberately not here.* Which settings there are: [`settings`](super::settings) for the program, `fields` for each table.

use std::borrow::Cow;
use std::fmt;

use toml::Spanned;
use toml::de::DeValue;

use super::kind::{Kind, Parsed, Shape};
use super::page::Reading;

/// One setting of the program, or one key of a table in its file, whose values are gathered in a `D`.
pub struct Spec<D> {
    /// Its key in the file, such as `daily_budget`. The environment's name is the same in upper case.
    pub key: &'static str,
    /// Its effect, in a line.
    pub doc: &'static str,
    /// A word for the value, such as `USD`.
    pub value_name: &'static str,
    /// What may be written.
    pub allowed: Cow<'static, str>,
    /// What holds when nobody sets it, as it would be written; empty: not set.
    pub default: String,
    /// Whether `SIGHUP` puts a new value in force.
    pub is_reloaded: bool,
    /// Whether a table without it is wrong.
    pub(super) is_required: bool,
    pub(super) shape: Shape,
    pub(super) put: Put<D>,
    /// The keys of the table that its value is.
    pub(super) inner: Vec<&'static str>,
    flag: String,
}

impl<D> fmt::Debug for Spec<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Spec").field(&self.key).finish()
    }
}

type PutText<D> = Box<dyn Fn(&mut D, &str) -> Parsed<()> + Send + Sync>;
type PutValue<D> = Box<dyn Fn(&mut D, &Spanned<DeValue<'_>>, &mut Reading<'_>) + Send + Sync>;

/// How a value gets to its place. An error completes a sentence that begins with the value.
pub(super) enum Put<D> {
    /// From a text, which every layer can have.
    Text(PutText<D>),
    /// From a value that only the file can have; what is wrong with it is noted on the way.
    Value(PutValue<D>),
}

impl<D: Default + 'static> Spec<D> {
    /// A setting whose text `kind` reads into `place`.
    pub(super) fn new<T: 'static>(key: &'static str, doc: &'static str, kind: Kind<T>, place: fn(&mut D) -> &mut T) -> Self {
        let default = kind.shown(place(&mut D::default())).unwrap_or_default();
        let Kind { shape, value_name, allowed, parse, .. } = kind;
        let put = move |draft: &mut D, text: &str| parse(text).map(|value| *place(draft) = value);
        Self { default, ..Self::of(key, doc, value_name, allowed, shape, Put::Text(Box::new(put))) }
    }

    /// A table, or an array of them, that `put` reads.
    pub(super) fn of_file(
        key: &'static str,
        doc: &'static str,
        put: impl Fn(&mut D, &Spanned<DeValue<'_>>, &mut Reading<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self::of(key, doc, "TABLE", "tables of the file".into(), Shape::Table, Put::Value(Box::new(put)))
    }

    fn of(
        key: &'static str,
        doc: &'static str,
        value_name: &'static str,
        allowed: Cow<'static, str>,
        shape: Shape,
        put: Put<D>,
    ) -> Self {
        let flag = key.replace('_', "-");
        let (default, is_reloaded, is_required) = (String::new(), false, false);
        Self { key, doc, value_name, allowed, default, is_reloaded, is_required, shape, put, inner: Vec::new(), flag }
    }

    /// The same, and `SIGHUP` puts it in force.
    pub(super) fn reloaded(self) -> Self {
        Self { is_reloaded: true, ..self }
    }

    /// The same, and a table without it is wrong.
    pub(super) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// The same, whose value is a table with these keys.
    pub(super) fn holding(self, inner: Vec<&'static str>) -> Self {
        Self { inner, ..self }
    }

    /// The same, and what may be written said in other words, where another setting bounds it.
    pub(super) fn allowing(self, allowed: &'static str) -> Self {
        Self { allowed: allowed.into(), ..self }
    }
}

impl<D> Spec<D> {
    /// The name of the environment variable.
    pub fn environment_name(&self) -> String {
        self.key.to_ascii_uppercase()
    }

    /// The name of the flag, without the dashes in front.
    pub fn flag(&self) -> &str {
        &self.flag
    }

    /// Whether its value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.shape == Shape::Secret
    }

    /// Whether it is one of the standard names of OpenTelemetry, of which there are many.
    pub fn is_otel(&self) -> bool {
        self.key.starts_with("otel_")
    }

    /// Puts a text into its place; a wrong one leaves what is there. An error is the whole of what is to be said.
    pub(super) fn put_text(&self, draft: &mut D, text: &str) -> Result<(), String> {
        let wrong = match &self.put {
            Put::Text(put) => match put(draft, text) {
                Ok(()) => return Ok(()),
                Err(wrong) => wrong,
            },
            Put::Value(_) => "is not one text".to_owned(),
        };
        let value = if self.is_secret() || text.is_empty() { String::new() } else { format!("{} ", quoted(text)) };
        Err(format!("{value}{wrong}; allowed: {}", self.allowed))
    }
}

/// A value as it is repeated in a message: quoted, not endless, and of a URL no part that could be a secret.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let text = match text.split_once("://") {
        Some((scheme, rest)) if rest.contains(['@', '?', '#']) => format!("{scheme}://…"),
        _ => text.to_owned(),
    };
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
