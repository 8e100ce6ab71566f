//! Answers as OTLP asks for them: what of a request was refused, or why all of it was.
//!
//! *What is deliberately not here.* What is no paid call: it was taken, and nothing of it is worth keeping.

use http::StatusCode;
use serde_json::json;

use super::super::{Answer, CallAnswer, CallCounts, JSON};

/// The media type of the encoding as protocol buffers.
pub(super) const PROTOBUF: &str = "application/x-protobuf";

/// Characters of a message that explains.
const MESSAGE_CHARS_MAX: usize = 1_024;

/// `ExportTraceServiceResponse`; the answers for logs and metrics have the same fields.
pub(super) fn protobuf_answer(counts: &CallCounts) -> CallAnswer {
    let mut body = Vec::new();
    if counts.rejected > 0 {
        let mut partial = Vec::new();
        prost::encoding::uint64::encode(1, &(counts.rejected as u64), &mut partial);
        prost::encoding::string::encode(2, &message(counts), &mut partial);
        prost::encoding::bytes::encode(1, &partial, &mut body);
    }
    CallAnswer { status: StatusCode::OK, body: Some(Answer { media_type: PROTOBUF, body }) }
}

/// The same in JSON, with the name that the count of what was refused has for the signal.
fn json_answer(counts: &CallCounts, rejected: &str) -> CallAnswer {
    let body = match counts.rejected {
        0 => json!({}),
        // 64-bit numbers are texts in this mapping.
        count => json!({"partialSuccess": {rejected: count.to_string(), "errorMessage": message(counts)}}),
    };
    CallAnswer { status: StatusCode::OK, body: Some(Answer { media_type: JSON, body: body.to_string().into_bytes() }) }
}

pub(super) fn traces_json_answer(counts: &CallCounts) -> CallAnswer {
    json_answer(counts, "rejectedSpans")
}

pub(super) fn logs_json_answer(counts: &CallCounts) -> CallAnswer {
    json_answer(counts, "rejectedLogRecords")
}

pub(super) fn metrics_json_answer(counts: &CallCounts) -> CallAnswer {
    json_answer(counts, "rejectedDataPoints")
}

/// `google.rpc.Status`.
pub(super) fn protobuf_refusal(status: StatusCode, detail: &str) -> Answer {
    let mut body = Vec::new();
    prost::encoding::int32::encode(1, &code(status), &mut body);
    prost::encoding::string::encode(2, &detail.to_owned(), &mut body);
    Answer { media_type: PROTOBUF, body }
}

/// The same in JSON.
pub(super) fn json_refusal(status: StatusCode, detail: &str) -> Answer {
    Answer { media_type: JSON, body: json!({"code": code(status), "message": detail}).to_string().into_bytes() }
}

/// What gRPC calls it (`google.rpc.Code`).
pub fn code(status: StatusCode) -> i32 {
    match status {
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND => 5,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => 14,
        status if status.is_client_error() => 3,
        _ => 13,
    }
}

/// Why some calls are not recorded.
pub fn message(counts: &CallCounts) -> String {
    let why = counts.why_rejected.as_deref().unwrap_or("they cannot be recorded");
    let mut message = format!("not recorded: {why}");
    if counts.rejected > 1 {
        message = format!("{} are {message} (the first of them)", counts.rejected);
    }
    message.chars().take(MESSAGE_CHARS_MAX).collect()
}
