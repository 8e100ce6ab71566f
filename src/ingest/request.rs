//! A body that is one object to its fields: what all requests without events have in common.
//!
//! *Invariants.* As for events: what cannot be read is told before any broken rule, an unknown field is refused by its name, and
//! every broken rule is told.

use std::borrow::Cow;

use super::RequestError;
use super::check::Check;
use super::json::{self, JsonError, JsonProblem, Reader, Value};
use super::problem::{PROBLEMS_LISTED_MAX, Problems};

/// What kind of object a body is to be.
pub(super) struct Kind {
    /// As it is called in a sentence: "a reservation".
    pub(super) what: &'static str,
    /// The fields it may have.
    pub(super) fields: &'static [&'static str],
}

/// The members of the object, by name.
#[derive(Debug, Default)]
pub(super) struct Members<'a> {
    known: Vec<(&'static str, Value<'a>)>,
    /// Names that are no field; no more than can be listed.
    unknown: Vec<Cow<'a, str>>,
}

impl<'a> Members<'a> {
    /// The value of a field, if it is there.
    pub(super) fn get(&self, field: &str) -> Option<Value<'a>> {
        self.known.iter().find(|(name, _)| *name == field).map(|(_, value)| *value)
    }

    /// Takes a member. The reader refuses a key that stands twice.
    #[expect(clippy::ptr_arg, reason = "a borrowed key is kept without copying its text")]
    fn take(&mut self, fields: &'static [&'static str], key: &Cow<'a, str>, value: Value<'a>) {
        match fields.iter().find(|field| **field == *key) {
            Some(field) => self.known.push((field, value)),
            None if self.unknown.len() < PROBLEMS_LISTED_MAX => self.unknown.push(key.clone()),
            None => {}
        }
    }
}

/// Reads a body that was decompressed. `read` checks the fields; what it makes counts only when it noted no problem.
pub(super) fn read_object<T>(
    body: &[u8],
    kind: &Kind,
    read: impl FnOnce(&Members<'_>, &mut Check<'_, '_>) -> Option<T>,
) -> Result<T, RequestError> {
    if body.is_empty() {
        return Err(RequestError::Malformed("the body is empty".to_owned()));
    }
    let text = json::read_utf8(body).map_err(RequestError::Malformed)?;
    let mut problems = Problems::default();
    let members = members(text, kind, &mut problems);
    let members = members.map_err(|error| RequestError::Malformed(error.describe(text)))?;
    let made = members.and_then(|members| {
        let mut check = Check { index: 0, id: None, problems: &mut problems };
        check.unknown(&members.unknown, kind.what, kind.fields);
        read(&members, &mut check)
    });
    match made {
        Some(made) if problems.is_empty() => Ok(made),
        _ => Err(problems.into_request_error()),
    }
}

/// The members of the one object that the text is; `None` when it is an array.
fn members<'a>(text: &'a str, kind: &Kind, problems: &mut Problems) -> Result<Option<Members<'a>>, JsonError> {
    let mut json = Reader::new(text)?;
    let first = json.peek();
    if first == Some(b'{') {
        let mut members = Members::default();
        json.object(|key, value| members.take(kind.fields, key, value))?;
        json.end()?;
        return Ok(Some(members));
    }
    // Whatever is wrong with its text comes first.
    json.value()?;
    json.end()?;
    if first == Some(b'[') {
        problems.add(0, None, None, || format!("{} must be an object, not an array", kind.what));
        return Ok(None);
    }
    Err(JsonError { at: 0, problem: JsonProblem::Expected("an object at the top") })
}
