//! Answers, and the headers that all of them carry.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use serde::Serialize;
use warp::Reply;
use warp::http::HeaderValue;
use warp::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
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

/// 200 with a text of JSON that is in parts.
pub(super) fn json_of_parts(parts: Vec<Vec<u8>>) -> Response {
    let length: usize = parts.iter().map(Vec::len).sum();
    let parts = parts.into_iter().map(|part| Ok::<_, Infallible>(Bytes::from(part)));
    let mut response = warp::reply::stream(stream::iter(parts)).into_response();
    add_headers(&mut response, "application/json");
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// A value as JSON.
///
/// # Errors
/// `internal`: our own types always serialize.
pub(super) fn json_text<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, Problem> {
    serde_json::to_vec(value).map(Bytes::from).map_err(unserializable)
}

/// What went wrong with an answer that could not be written.
pub(super) fn unserializable(error: serde_json::Error) -> Problem {
    tracing::error!(%error, "cannot serialize an answer");
    Problem::Internal
}

/// 200 with a body of this type that caches must not keep.
pub(super) fn uncached(content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    add_headers(&mut response, content_type);
    response
}

fn add_headers(response: &mut Response, content_type: &'static str) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
