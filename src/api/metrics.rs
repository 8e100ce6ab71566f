//! `GET /metrics`: the Prometheus text. Query strings are ignored.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use warp::http::HeaderValue;
use warp::http::header::{CONTENT_ENCODING, VARY};
use warp::reply::Response;

use super::State;
use super::accept::accepts_gzip;
use super::answer;
use super::call::Call;
use super::problem::Problem;

/// Exactly what Prometheus calls its text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Texts up to this size are compressed where the request arrived (about a millisecond), larger ones beside the async threads.
const INLINE_BYTES_MAX: usize = 64 * 1024;

pub(super) async fn show(state: Arc<State>, call: Arc<Call>) -> Result<Response, Problem> {
    let text = state.scraper.scrape().await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "cannot collect metrics");
        Problem::Internal
    })?;
    let accepts_gzip = accepts_gzip(&call.headers);
    let mut response = if accepts_gzip {
        let mut response = answer::uncached(CONTENT_TYPE, compress(text).await?);
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        answer::uncached(CONTENT_TYPE, text)
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    Ok(response)
}

async fn compress(text: Bytes) -> Result<Vec<u8>, Problem> {
    let is_large = text.len() > INLINE_BYTES_MAX;
    let compress = move || {
        let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 8), Compression::fast());
        encoder.write_all(&text).and_then(|()| encoder.finish())
    };
    let outcome = if is_large {
        tokio::task::spawn_blocking(compress).await.map_err(|_panicked| Problem::Internal)?
    } else {
        compress()
    };
    // Writing to memory does not fail.
    outcome.map_err(|_| Problem::Internal)
}
