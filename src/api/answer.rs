//! Answers, and the headers that all of them carry.

use bytes::Bytes;
use serde::Serialize;
use warp::http::HeaderValue;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use warp::reply::Response;

use super::problem::Problem;

/// 200 with a value as JSON. Every number in it is from this moment, so nobody may keep it.
///
/// # Errors
/// As for [`json_text`].
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<Response, Problem> {
    json_text(value).map(json_of)
}

/// 200 with a text of JSON.
pub(super) fn json_of(text: Bytes) -> Response {
    uncached("application/json", text)
}

/// A value as JSON.
///
/// # Errors
/// `internal`: our own types always serialize.
pub(super) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Problem> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "cannot serialize an answer");
        Problem::Internal
    })
}

/// 200 with a body of this type that caches must not keep.
pub(super) fn uncached(content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
