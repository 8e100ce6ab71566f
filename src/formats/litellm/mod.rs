//! LiteLLM's generic API callback: a "standard logging payload" for each call, in an array, in lines, or by itself.
//!
//! Its batches are large (7 MB for 512 calls of one word each), sent again after a timeout, and given up after a status of 4xx. So they are
//! read call by call, what is not needed of them is not copied, and a call that cannot be recorded does not refuse the others.
//!
//! *Limits.* Those of `items`.

mod id;
mod operation;
mod payload;
#[cfg(test)]
mod tests;

use std::io::BufRead;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

pub(super) use id::provider_and_id;

use super::calls::counts_answer;
use super::items::{Between, each_item};
use super::media::{LINES_NAMES, is_json, is_lines};
use super::{CallAnswer, CallCounts, CallError, CallFormat, CallSink, JSON};

/// What `POST /ingest/litellm` takes.
pub const FORMATS: &[CallFormat] =
    &[CallFormat { label: ROAD, media_types: MEDIA_TYPES, matches, read, answer, refuse: None }];

/// The road, and the metric label.
const ROAD: &str = "litellm";

const MEDIA_TYPES: &[&str] = &[JSON, LINES_NAMES[0], LINES_NAMES[1], LINES_NAMES[2], LINES_NAMES[3]];

fn matches(headers: &HeaderMap) -> bool {
    !headers.contains_key(CONTENT_TYPE) || is_json(headers) || is_lines(headers)
}

/// LiteLLM says `application/json`, also of lines.
fn read(headers: &HeaderMap, body: &mut dyn BufRead, sink: &mut dyn CallSink) -> Result<(), CallError> {
    let between = if is_lines(headers) { Between::Lines } else { Between::Anything };
    each_item(body, between, sink, &mut payload::take)
}

fn answer(counts: &CallCounts) -> CallAnswer {
    CallAnswer { status: StatusCode::OK, body: Some(counts_answer(counts)) }
}
