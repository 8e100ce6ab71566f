//! `GET /metrics`: the Prometheus text. Query strings are ignored.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use warp::http::HeaderMap;
use warp::http::HeaderValue;
use warp::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY};
use warp::reply::Response;

use super::State;
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

/// Whether the client takes gzip, and likes it no less than the plain text (RFC 9110, section 12.5.3). Read here, because no library
/// in the tree reads this header.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for coding in values.flat_map(|value| value.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let slot = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "identity" => &mut identity,
            "*" => &mut any,
            _ => continue,
        };
        *slot = Some(weight(parts));
    }
    let gzip = gzip.or(any).unwrap_or(0);
    // What is not named is acceptable, but less than anything that is.
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// The weight in thousandths; 1 when not given, 0 when it cannot be read.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u32 {
    let Some(text) = parameters.find_map(|parameter| parameter.strip_prefix("q=").or(parameter.strip_prefix("Q="))) else {
        return 1_000;
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_valid = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}").parse().unwrap_or(0);
    match whole {
        "0" if is_valid => thousandths,
        "1" if is_valid && thousandths == 0 => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_negotiated() {
        for (accepted, expected) in [
            ("gzip", true),
            ("GZIP", true),
            ("x-gzip", true),
            ("deflate, gzip;q=0.5, br", true),
            ("gzip; q=0.001", true),
            ("*", true),
            ("*;q=0.1, identity;q=0", true),
            ("gzip;q=1.0, identity;q=0.5", true),
            ("gzip, identity", true),
            ("", false),
            ("identity", false),
            ("br, zstd", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("*, gzip;q=0", false),
            ("*;q=0", false),
            ("gzip;q=0.5, identity", false),
            ("gzip;q=x", false),
            ("gzip;q=2", false),
            ("gzip;q=0.0001", false),
            ("gzipped", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accepted.parse().unwrap());
            assert_eq!(accepts_gzip(&headers), expected, "{accepted:?}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn headers_that_come_twice_are_one_list() {
        let mut headers = HeaderMap::new();
        headers.append(ACCEPT_ENCODING, "br".parse().unwrap());
        headers.append(ACCEPT_ENCODING, "gzip".parse().unwrap());
        assert!(accepts_gzip(&headers));
    }
}
