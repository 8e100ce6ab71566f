//! `/scaling-gate/authorize`: a check for gateways, which know an answer by its status and pass its headers on. nginx's `auth_request`,
//! forward-auth of Traefik and Caddy, Envoy's HTTP `ext_authz`.
//!
//! *Invariants.* A check and this answer the same question by the same rule. Nothing about the request matters but that question: not its
//! method, its host, who forwarded it, nor its body.
//!
//! *Limits.* [`BODY_BYTES_MAX`] and [`BODY_WAIT`] bound what is read of a body, [`TEXT_CHARS_MAX`] what a header says.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use warp::http::header::{CACHE_CONTROL, CONNECTION, EXPECT, HeaderName};
use warp::http::{HeaderMap, HeaderValue, StatusCode};
use warp::reply::Response;

use super::State;
use super::call::{BodyStream, Call};
use super::problem::Problem;
use super::query_string::QueryString;
use super::question::Words;
use crate::budget::{Admission, Refusal};

/// Why, in printable ASCII, so that every gateway can pass it on.
const REASON: HeaderName = HeaderName::from_static("x-gate-reason");
/// The budget in question.
const BUDGET: HeaderName = HeaderName::from_static("x-budget");
/// What is left of it.
const REMAINING: HeaderName = HeaderName::from_static("x-budget-remaining-usd");

/// Characters of one header. Gateways bound all headers of an answer together, nginx by 4 KiB.
const TEXT_CHARS_MAX: usize = 640;
/// Bytes of a body that are read away, so that the connection can go on. Beyond it, closing is cheaper.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long that may take. A gateway that passes `Content-Length` on without the body would wait for ever.
const BODY_WAIT: Duration = Duration::from_millis(10);

/// What Envoy adds to each question of its `ext_authz`.
const OF_ENVOY: [HeaderName; 2] =
    [HeaderName::from_static("x-envoy-expected-rq-timeout-ms"), HeaderName::from_static("x-envoy-internal")];

/// 204: it may pass. 403: it may not. Anything else says that the agent cannot tell, and the gateway decides.
pub(super) async fn authorize(state: Arc<State>, call: Arc<Call>, body: BodyStream) -> Result<Response, Problem> {
    let mut response = decide(&state, &call).await.unwrap_or_else(Problem::into_response);
    if !skip(&call.headers, body).await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

async fn decide(state: &State, call: &Call) -> Result<Response, Problem> {
    let question = state.question(&Words::of_query_and_headers(QueryString::of(call)?, &call.headers))?;
    match state.weigh(&question).await? {
        Admission::Critical | Admission::Unenforced => Ok(pass(&call.headers)),
        // What was spent since may not have been recorded. The gateway fails open or closed, as its operator chose.
        _ if state.writer.health().problem().is_some() => Err(Problem::CannotTell),
        Admission::Fits => Ok(pass(&call.headers)),
        Admission::Refused(refusal) => {
            state.count_refused(&question);
            Ok(barred(refusal))
        }
    }
}

fn pass(headers: &HeaderMap) -> Response {
    let mut response = Response::default();
    // All others take any success. Envoy takes 200 alone, and makes a 204 its answer to the caller (findings/envoy-turns-away-with-204.sh).
    let is_envoy = OF_ENVOY.iter().any(|name| headers.contains_key(name));
    *response.status_mut() = if is_envoy { StatusCode::OK } else { StatusCode::NO_CONTENT };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn barred(refusal: Refusal) -> Response {
    let mut told = HeaderMap::with_capacity(3);
    let mut tell = |name, text: &str| {
        // Printable ASCII is always a header's value.
        if let Ok(value) = HeaderValue::from_str(&printable(text)) {
            told.insert(name, value);
        }
    };
    tell(REASON, &refusal.reason());
    if let Some(left) = refusal.budget() {
        tell(BUDGET, &left.name);
        if let Some(remaining) = left.remaining.usd() {
            tell(REMAINING, &remaining.to_string());
        }
    }
    let mut response = Problem::Barred(Box::new(refusal)).into_response();
    response.headers_mut().extend(told);
    response
}

/// A text with a question mark for each character that is not printable ASCII, and with an end.
fn printable(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).map(|char| if matches!(char, ' '..='~') { char } else { '?' }).collect()
}

/// Reads a body away that is there or about to come. `false`: it is not over, so nothing else can come over this connection.
async fn skip(headers: &HeaderMap, mut body: BodyStream) -> bool {
    if headers.contains_key(EXPECT) {
        // Its sender waits to hear whether it is wanted. Reading would ask for it.
        return false;
    }
    let to_the_end = async {
        let mut bytes = 0_usize;
        while let Some(piece) = body.next().await {
            let Ok(piece) = piece else { return false };
            bytes = bytes.saturating_add(piece.len());
            if bytes > BODY_BYTES_MAX {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(BODY_WAIT, to_the_end).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_header_says_is_printable_and_has_an_end() {
        assert_eq!(printable("a \"b\" ~ \\"), "a \"b\" ~ \\");
        assert_eq!(printable("é\n🙂\u{7f}"), "????");
        let long = "é".repeat(5_000);
        assert_eq!(printable(&long).len(), TEXT_CHARS_MAX);
    }
}
