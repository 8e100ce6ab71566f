//! Reading the body of a write: which format it claims to be, and, where it is one JSON object, its fields.

use std::sync::Arc;

use warp::http::HeaderMap;
use warp::http::header::CONTENT_TYPE;

use super::State;
use super::body::HeldBody;
use super::call::{BodyStream, Call};
use super::problem::Problem;
use crate::ingest::{Format, RequestError};

/// Bodies up to this size are read where they arrive, which takes less than a millisecond; larger ones beside the async threads,
/// so that they delay nobody else's answer.
pub(super) const INLINE_BYTES_MAX: usize = 32 * 1024;

/// What the one `Content-Type` names; `None` when it names nothing known, or there is not exactly one.
pub(super) fn format_of(headers: &HeaderMap) -> Option<Format> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(value), None) => value.to_str().ok().and_then(Format::from_content_type),
        _ => None,
    }
}

/// Reads a body that must be JSON, by the rules of `read`.
///
/// # Errors
/// `unsupported-media-type` before anything is read; those of [`BodyReader::read`](super::body::BodyReader::read) and of `read`.
pub(super) async fn read_json<T, R>(state: &Arc<State>, call: &Call, body: BodyStream, read: R) -> Result<T, Problem>
where
    T: Send + 'static,
    R: FnOnce(&State, &[u8]) -> Result<T, RequestError> + Send + 'static,
{
    check_json(&call.headers)?;
    let body = state.bodies.read(&call.headers, body).await?;
    read_held(state, body, read).await
}

/// The same for a body that may be left out; then it needs no `Content-Type` either.
///
/// # Errors
/// As for one that may not, but the type is looked at when the body is there.
pub(super) async fn read_optional_json<T, R>(
    state: &Arc<State>,
    call: &Call,
    body: BodyStream,
    read: R,
) -> Result<T, Problem>
where
    T: Send + 'static,
    R: FnOnce(&State, &[u8]) -> Result<T, RequestError> + Send + 'static,
{
    let body = state.bodies.read(&call.headers, body).await?;
    if !body.bytes.is_empty() {
        check_json(&call.headers)?;
    }
    read_held(state, body, read).await
}

fn check_json(headers: &HeaderMap) -> Result<(), Problem> {
    match format_of(headers) {
        Some(Format::Json) => Ok(()),
        Some(Format::NdJson) | None => {
            Err(Problem::UnsupportedMediaType("The Content-Type must be application/json, in UTF-8.".into()))
        }
    }
}

async fn read_held<T, R>(state: &Arc<State>, body: HeldBody, read: R) -> Result<T, Problem>
where
    T: Send + 'static,
    R: FnOnce(&State, &[u8]) -> Result<T, RequestError> + Send + 'static,
{
    if body.bytes.len() <= INLINE_BYTES_MAX {
        return Ok(read(state, &body.bytes)?);
    }
    let state = Arc::clone(state);
    let reading = tokio::task::spawn_blocking(move || read(&state, &body.bytes));
    Ok(reading.await.map_err(|_panicked| Problem::Internal)??)
}
