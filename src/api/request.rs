//! Reading the body of a write: which format it claims to be, and, where it is one JSON object, its fields.

use std::sync::Arc;

use super::State;
use super::body::HeldBody;
use super::call::{BodyStream, Call};
use super::endpoint::Accepts;
use super::problem::Problem;
use crate::formats::{Format, RequestError, is_json};

/// Bodies up to this size are read where they arrive, which takes less than a millisecond; larger ones beside the async threads,
/// so that they delay nobody else's answer.
pub(super) const INLINE_BYTES_MAX: usize = 32 * 1024;

/// The format that the one `Content-Type` names, among those of the endpoint.
///
/// # Errors
/// `unsupported-media-type`: it names none of them, or there is not exactly one.
pub(super) fn format_of(call: &Call) -> Result<&'static Format, Problem> {
    Format::named(call.endpoint.accepts.formats(), &call.headers).ok_or_else(|| unsupported(call))
}

fn check_json(call: &Call) -> Result<(), Problem> {
    if is_json(&call.headers) { Ok(()) } else { Err(unsupported(call)) }
}

/// Says what the `Content-Type` should have been.
pub(super) fn unsupported(call: &Call) -> Problem {
    let types = call.endpoint.accepts.media_types().join(" or ");
    Problem::UnsupportedMediaType(format!("Content-Type must be {types}, in UTF-8.").into())
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
        check_json(call)?;
    }
    let HeldBody { bytes, share } = state.bodies.read(&call.headers, body).await?;
    if may_be_absent && !bytes.is_empty() {
        check_json(call)?;
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
