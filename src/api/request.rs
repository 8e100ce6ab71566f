//! Reading the body of a write: which format it claims to be, and, where it is one JSON object, its fields.

use std::sync::Arc;

use warp::http::HeaderMap;
use warp::http::header::CONTENT_TYPE;

use super::State;
use super::body::HeldBody;
use super::call::{BodyStream, Call};
use super::endpoint::Accepts;
use super::problem::Problem;
use crate::ingest::{Format, RequestError};

/// Bodies up to this size are read where they arrive, which takes less than a millisecond; larger ones beside the async threads,
/// so that they delay nobody else's answer.
pub(super) const INLINE_BYTES_MAX: usize = 32 * 1024;

/// The format that the one `Content-Type` names, among those of the endpoint.
///
/// # Errors
/// `unsupported-media-type`: it names none of them, or there is not exactly one.
pub(super) fn format_of(call: &Call) -> Result<Format, Problem> {
    let formats = call.endpoint.accepts.formats();
    let unsupported = || {
        let types: Vec<&str> = formats.iter().map(|format| format.media_type()).collect();
        Problem::UnsupportedMediaType(format!("Content-Type must be {}, in UTF-8.", types.join(" or ")).into())
    };
    let named = named_format(&call.headers).filter(|format| formats.contains(format));
    named.ok_or_else(unsupported)
}

fn named_format(headers: &HeaderMap) -> Option<Format> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(value), None) => value.to_str().ok().and_then(Format::from_content_type),
        _ => None,
    }
}

/// Reads a body of JSON, by the rules of `read`. Where the endpoint lets it be left out, so may be its `Content-Type`.
///
/// # Errors
/// `unsupported-media-type`, before anything is read if there must be a body; those of
/// [`BodyReader::read`](super::body::BodyReader::read) and of `read`.
pub(super) async fn read_json<T, R>(state: &Arc<State>, call: &Call, body: BodyStream, read: R) -> Result<T, Problem>
where
    T: Send + 'static,
    R: FnOnce(&State, &[u8]) -> Result<T, RequestError> + Send + 'static,
{
    let may_be_absent = matches!(call.endpoint.accepts, Accepts::OptionalJson);
    if !may_be_absent {
        format_of(call)?;
    }
    let HeldBody { bytes, share } = state.bodies.read(&call.headers, body).await?;
    if may_be_absent && !bytes.is_empty() {
        format_of(call)?;
    }
    if bytes.len() <= INLINE_BYTES_MAX {
        return Ok(read(state, &bytes)?);
    }
    let state = Arc::clone(state);
    let reading = tokio::task::spawn_blocking(move || {
        let outcome = read(&state, &bytes);
        drop(share);
        outcome
    });
    Ok(reading.await.map_err(|_panicked| Problem::Internal)??)
}
