//! `GET /` for a browser: reads what the page shows, and sends it as it becomes ready.
//!
//! *Invariants.* One published state and one time for the whole page. Every number comes from the function that answers REST. The beginning
//! leaves before anything is made or read. A section that cannot be read, takes too long or panics is a sentence in its place, and the others
//! are there. When the visitor hangs up, reading stops.
//!
//! *Limits.* The time of a section. Bytes: those of `page`. Reads of the ledger wait for the same few places as those of REST.

mod reads;
mod sections;
mod sending;

use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use warp::Reply;
use warp::http::HeaderValue;
use warp::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, REFRESH, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use warp::reply::Response;

use super::State;
use super::accept::accepts_gzip;
use super::call::Call;
use super::costs_query::month;
use super::endpoint::{Endpoint, Verb};
use super::problem::Problem;
use super::query_string::QueryString;
use crate::domain::{Dimension, dimensions};
use crate::page::{Agent, Asked, Link, STYLE, View, foot, head};

use reads::Reading;
use sections::sections;
use sending::Rest;

/// The query parameters of the page.
pub(super) const NAMES: &[&str] = &["month", "by", "refresh"];
/// How often a page may load itself anew, in seconds.
const REFRESH_SECONDS: std::ops::RangeInclusive<u32> = 2..=3_600;

/// The page loads nothing and runs nothing: the one style that stands in it is known by its digest.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let digest = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
    let style = BASE64_STANDARD.encode(digest.as_ref());
    HeaderValue::from_str(&format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ))
    .ok()
});

/// What the query asks of the page.
///
/// # Errors
/// `malformed`: another parameter, no month, no word that `/costs` groups by or more than one, no such number of seconds.
pub(super) fn asked(call: &Call) -> Result<Asked, Problem> {
    let query = QueryString::of(call)?;
    let month = month(&query)?;
    let by = query.get("by").map(one_word).transpose()?;
    let refresh_seconds = query.number("refresh", REFRESH_SECONDS)?;
    Ok(Asked { month, by, refresh_seconds })
}

/// A word that cost is grouped by, as it was written.
fn one_word(text: &str) -> Result<String, Problem> {
    let by = dimensions(text).map_err(Problem::malformed)?;
    // The word of operations stands for two dimensions.
    if by.len() > 1 && text != Dimension::Operation.word() {
        return Err(Problem::malformed("by takes one word here"));
    }
    Ok(text.to_owned())
}

/// The page, of which nothing is read yet.
pub(super) fn show(state: &Arc<State>, call: &Arc<Call>, asked: Asked, endpoints: Vec<&'static Endpoint>) -> Response {
    let refresh = asked.refresh_seconds;
    let is_gzip = accepts_gzip(&call.headers);
    let (state, call) = (Arc::clone(state), Arc::clone(call));
    let body = sending::stream(move || rest(&state, &call, asked, &endpoints), is_gzip);
    let mut response = warp::reply::stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(policy) = &*POLICY {
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    }
    if is_gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
    if let Some(seconds) = refresh {
        headers.insert(REFRESH, HeaderValue::from(seconds));
    }
    response
}

/// Everything behind the beginning, as it is now.
fn rest(state: &Arc<State>, call: &Call, asked: Asked, endpoints: &[&'static Endpoint]) -> Rest {
    let (published, now) = (state.board.read(), state.clock.instant());
    let view = Arc::new(View::new(asked, now.time, published.policy.zone.clone()));
    let agent = Agent { host: state.access.own_host(&call.headers), needs_token: state.access.needs_token(call) };
    let (head, foot) = (head(&view).into_string(), foot(&links(endpoints)).into_string());
    let reading = Arc::new(Reading::new(Arc::clone(state), published, now, view));
    Rest { head, sections: sections(&reading, agent), foot }
}

/// What a browser can follow of all that is answered here.
fn links(endpoints: &[&'static Endpoint]) -> Vec<Link> {
    let is_link = |endpoint: &&&Endpoint| endpoint.verb == Verb::Get && !endpoint.path.contains('{') && endpoint.path != "/";
    let link = |endpoint: &&'static Endpoint| Link {
        target: format!("{}{}", endpoint.path, endpoint.link_query),
        summary: endpoint.summary,
    };
    endpoints.iter().filter(is_link).map(link).collect()
}
