//! Bodies that are one JSON object: reservations and what follows them, orders to the gate, and limits.
//!
//! *Invariants.* As for events: what cannot be read is told before any broken rule, an unknown field is refused by its name, and
//! every broken rule is told.

use std::borrow::Cow;

use jiff::Timestamp;

use super::fields::{self, Fill};
use crate::domain::{Settlement, UsageCount};
use crate::formats::RequestError;
use crate::formats::json::{self, Reader, Stop, Top, Value, Visit};
use crate::ingest::{
    Field, GateRequest, LimitRequest, Limits, RawText, ReservationWish, Shape, validate_extension, validate_gate_order,
    validate_limit_order, validate_release, validate_reservation, validate_settlement, validate_usage,
};
use crate::wire::ProblemEntry;

/// Reads the body of `POST /reservations`, which came under a `key`, if it has one. `new_id` is asked for the id of a valid one that has
/// neither key nor id.
///
/// # Errors
/// See [`RequestError`].
pub fn read_reservation(
    body: &[u8],
    key: RawText<'static>,
    limits: &Limits,
    new_id: impl FnOnce() -> Box<str>,
) -> Result<ReservationWish, RequestError> {
    let mut raw = read_object(body, "a reservation", fields::reservation)?;
    raw.idempotency_key = key;
    Ok(validate_reservation(&raw, limits, new_id)?)
}

/// Reads the body that settles a reservation, which came at `received_at`. `provider` says whose a model is, if it is known.
///
/// # Errors
/// See [`RequestError`].
pub fn read_settlement(
    body: &[u8],
    received_at: Timestamp,
    limits: &Limits,
    provider: &dyn Fn(&str) -> String,
) -> Result<Settlement, RequestError> {
    Ok(validate_settlement(&read_object(body, "a settlement", fields::settlement)?, received_at, limits, provider)?)
}

/// Reads what was used, or is going to be: an object of names with numbers, as in an event.
///
/// # Errors
/// See [`RequestError`].
pub fn read_usage(text: &[u8]) -> Result<Vec<UsageCount>, RequestError> {
    Ok(validate_usage(&Field::Given(read_object(text, "usage", fields::count)?))?)
}

/// Reads the body of a release: why, if it says so. It need not have one.
///
/// # Errors
/// See [`RequestError`].
pub fn read_release(body: &[u8]) -> Result<Option<Box<str>>, RequestError> {
    if body.is_empty() {
        return Ok(None);
    }
    Ok(validate_release(&read_object(body, "a release", fields::release)?)?)
}

/// Reads the body of an extension: for how many seconds from now.
///
/// # Errors
/// See [`RequestError`].
pub fn read_extension(body: &[u8]) -> Result<u32, RequestError> {
    Ok(validate_extension(&read_object(body, "an extension", fields::extension)?)?)
}

/// Reads the body of `PUT /scaling-gate`.
///
/// # Errors
/// See [`RequestError`].
pub fn read_gate(body: &[u8]) -> Result<GateRequest, RequestError> {
    Ok(validate_gate_order(&read_object(body, "the gate's state", fields::gate_order)?)?)
}

/// Reads the body of `PUT /budgets/{name}`.
///
/// # Errors
/// See [`RequestError`].
pub fn read_limit(body: &[u8]) -> Result<LimitRequest, RequestError> {
    Ok(validate_limit_order(&read_object(body, "a limit", fields::limit_order)?)?)
}

/// The one object that a body is, filled from its members; `what` it is called in a sentence.
fn read_object<'a, T: Default>(body: &'a [u8], what: &str, fill: Fill<'a, T>) -> Result<T, RequestError> {
    let text = json::utf8(body).map_err(RequestError::Malformed)?;
    let mut object = Object { filled: T::default(), fill, other: None };
    let read = Reader::new(text).and_then(|mut reader| reader.read(text, Top::Object, &mut object));
    match (read, object.other) {
        (Ok(()), None) => Ok(object.filled),
        (Ok(()), Some(Shape::Array)) => {
            let detail = format!("{what} must be an object, not an array");
            Err(RequestError::Invalid(vec![ProblemEntry { detail, ..ProblemEntry::default() }]))
        }
        (Ok(()), Some(shape)) => {
            Err(RequestError::Malformed(format!("The body must be a JSON object, not {}", shape.with_article())))
        }
        (Err(Stop::Malformed(error)), _) => Err(RequestError::Malformed(error.describe(text))),
        (Err(Stop::Asked), _) => Err(RequestError::Malformed("The body was not read".to_owned())),
    }
}

/// The object, as far as it was read.
struct Object<'a, T> {
    filled: T,
    fill: Fill<'a, T>,
    other: Option<Shape>,
}

impl<'a, T> Visit<'a> for Object<'a, T> {
    fn member(&mut self, key: &Cow<'a, str>, value: Value<'a>) {
        (self.fill)(&mut self.filled, key, value);
    }

    fn other(&mut self, shape: Shape) {
        self.other = Some(shape);
    }
}

#[cfg(test)]
mod tests;
