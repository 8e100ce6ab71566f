//! Answers that are not problems, and the headers that all of them carry.

use bytes::Bytes;
use serde::Serialize;
use warp::http::HeaderValue;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use warp::reply::Response;

use super::problem::Problem;

/// 200 with a value as JSON. Every number in it is from this moment, so nobody may keep it.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => uncached("application/json", text),
        Err(error) => {
            // Our own types always serialize; a problem does too, so this does not come back here.
            tracing::error!(%error, "cannot write an answer as JSON");
            Problem::Internal.into_response()
        }
    }
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
