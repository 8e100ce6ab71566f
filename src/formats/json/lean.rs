//! Objects of which most is not looked at: what other programs log of a call, with the whole conversation in it.
//!
//! Each member's value is handed out as the text it has, after no more than a look at its grammar. Unlike
//! [`Reader`](super::Reader) this takes keys that stand twice, at any depth: whoever picks members says what that means for them.
//!
//! *Limits.* Time is linear in the text, for each level that is asked for. No memory but for keys with escapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::JsonError;
use super::keys::Key;

/// Why an object was not read to its end.
#[derive(Debug)]
pub enum LeanError<E> {
    /// It is no object, or no JSON.
    Json(JsonError),
    /// What was made of a member said so.
    Member(E),
}

/// Visits the members of an object, which is all there is in the text.
///
/// # Errors
/// See [`LeanError`]. Members before the place where it is no JSON were visited.
pub fn each_member<'a, E>(
    object: &'a str,
    member: impl FnMut(Cow<'a, str>, &'a str) -> Result<(), E>,
) -> Result<(), LeanError<E>> {
    let mut json = serde_json::Deserializer::from_str(object);
    let mut stopped = None;
    let read = json.deserialize_map(Members { member, stopped: &mut stopped }).and_then(|()| json.end());
    read.map_err(|error| match stopped.take() {
        Some(stopped) => LeanError::Member(stopped),
        None => LeanError::Json(JsonError::from_serde(&error, object, 0)),
    })
}

/// Visits the members of a value of such an object, if that is an object.
pub fn each_member_of<'a>(value: &'a str, mut member: impl FnMut(&str, &'a str)) {
    if value.starts_with('{') {
        // Its grammar was looked at when it was handed out.
        let _ = each_member(value, |key, value| {
            member(&key, value);
            Ok::<(), ()>(())
        });
    }
}

/// A string's text, its escapes undone; `None` of anything else, and of half a surrogate pair.
pub fn string(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(value).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// A number's digits, also where a string holds them; `None` of anything else. What a string holds may be any text.
pub fn digits(value: &str) -> Option<Cow<'_, str>> {
    match value.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Some(Cow::Borrowed(value)),
        _ => string(value),
    }
}

struct Members<'s, F, E> {
    member: F,
    stopped: &'s mut Option<E>,
}

impl<'de, F: FnMut(Cow<'de, str>, &'de str) -> Result<(), S>, S> Visitor<'de> for Members<'_, F, S> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key_seed(Key)? {
            let value: &'de RawValue = members.next_value()?;
            if let Err(why) = (self.member)(key, value.get()) {
                *self.stopped = Some(why);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}
