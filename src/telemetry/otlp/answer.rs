//! What a collector's answer says about the request it answers.
//!
//! *Invariants.* Nothing counts as taken that is not an answer of OTLP: a proxy's page with status 200 is none. What a collector
//! says of itself is bounded and printable before it reaches a log.
//!
//! *Why our own.* `opentelemetry-otlp` 0.33 takes every 2xx for a success and tells of rejected points in a log line of its own
//! only (`findings/otlp-web-page-is-success.sh`, `findings/otlp-rejected-points-are-success.sh`).

use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use prost::Message;
use serde::Deserialize;
use tonic::{Code, Status};

use crate::error_chain::ErrorChain;

/// Of what a collector says, in characters.
const SAID_CHARS_MAX: usize = 200;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The collector has all of it.
    Taken,
    /// It has all but this many items, and does not say which.
    Rejected(u64),
    /// It has nothing of it, and says so.
    Refused,
    /// It has nothing of it, since nothing was sent.
    Unreached,
    /// Nobody knows: there was no answer, or none that means anything.
    Unknown,
}

/// What became of a request, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub fate: Fate,
    /// Why it failed; of what was taken, what the collector has to say about it.
    pub said: Option<String>,
    /// The same request may have another outcome at once, after this wait at the least.
    pub again: Option<Duration>,
}

/// The three signals' answers are one message on the wire, and this is it.
type Answer = ExportMetricsServiceResponse;

/// It in JSON, strictly: any object would pass for an answer without news otherwise, such as `{"error":"sign in"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonAnswer {
    #[serde(default, alias = "partialSuccess")]
    partial_success: Option<JsonPartialSuccess>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonPartialSuccess {
    #[serde(
        default,
        alias = "rejectedDataPoints",
        alias = "rejectedSpans",
        alias = "rejectedLogRecords",
        alias = "rejected_data_points",
        alias = "rejected_spans",
        alias = "rejected_log_records"
    )]
    rejected: Option<Int64>,
    #[serde(default, alias = "errorMessage")]
    error_message: Option<String>,
}

/// JSON has it as a text; some write a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Int64 {
    Number(i64),
    Text(String),
}

/// An answer over HTTP, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct HttpAnswer<'a> {
    pub status: u16,
    pub content_type: Option<&'a [u8]>,
    /// In seconds.
    pub retry_after: Option<u64>,
    pub body: &'a [u8],
}

// === impl Outcome ===

impl Outcome {
    pub fn taken() -> Self {
        Self { fate: Fate::Taken, said: None, again: None }
    }

    pub fn refused(why: impl Into<String>) -> Self {
        Self { fate: Fate::Refused, said: Some(why.into()), again: None }
    }

    pub fn unreached(why: impl Into<String>) -> Self {
        Self { fate: Fate::Unreached, said: Some(why.into()), again: Some(Duration::ZERO) }
    }

    pub fn unknown(why: impl Into<String>) -> Self {
        Self { fate: Fate::Unknown, said: Some(why.into()), again: None }
    }

    pub fn again_after(self, wait: Duration) -> Self {
        Self { again: Some(wait), ..self }
    }

    fn of(partial: Option<ExportMetricsPartialSuccess>) -> Self {
        let Some(ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message }) = partial else {
            return Self::taken();
        };
        let message = printable(&error_message);
        match rejected {
            0 if message.is_empty() => Self::taken(),
            0 => Self { said: Some(message), ..Self::taken() },
            _ => {
                // A negative number is none; that something was rejected is all that can be read from it.
                let count = u64::try_from(rejected).unwrap_or(1);
                let why = if message.is_empty() { "it does not say why" } else { &message };
                Self { fate: Fate::Rejected(count), said: Some(why.to_owned()), again: None }
            }
        }
    }

    /// Reads an answer over HTTP.
    pub fn of_http(answer: HttpAnswer<'_>) -> Self {
        let wait = Duration::from_secs(answer.retry_after.unwrap_or(0));
        let said = format!("status {}", answer.status);
        match answer.status {
            200..=299 => Self::of_success(answer),
            429 | 503 => Self::refused(said).again_after(wait),
            502 | 504 => Self::unknown(said).again_after(wait),
            408 | 500..=599 => Self::unknown(said),
            _ => Self::refused(said),
        }
    }

    fn of_success(HttpAnswer { content_type, body, .. }: HttpAnswer<'_>) -> Self {
        let kind = content_type.map(|kind| String::from_utf8_lossy(kind).to_ascii_lowercase());
        let kind = kind.as_deref().map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let none = |what: &str| Self::unknown(format!("{what} answered, not a collector"));
        match kind {
            // Prometheus, Mimir and VictoriaMetrics answer with nothing at all: in protobuf that is an answer without news.
            None | Some("") if body.is_empty() => Self::taken(),
            None | Some("") => none("a body without a type"),
            Some("application/x-protobuf" | "application/protobuf" | "application/octet-stream") => Answer::decode(body)
                .map_or_else(|_| none("no OTLP under OTLP's type"), |answer| Self::of(answer.partial_success)),
            Some("application/json") if body.is_empty() => Self::taken(),
            Some("application/json") => partial_in_json(body).map_or_else(|| none("JSON that is no OTLP"), Self::of),
            Some("text/html") => none("a web page"),
            Some(other) => none(&format!("something of the type {}", printable(other))),
        }
    }

    /// Reads an answer over gRPC.
    pub fn of_grpc(answer: Result<Answer, Status>) -> Self {
        let status = match answer {
            Ok(answer) => return Self::of(answer.partial_success),
            Err(status) => status,
        };
        let cause = std::error::Error::source(&status).map(|cause| ErrorChain(cause).to_string());
        let cause = cause.unwrap_or_else(|| status.message().to_owned());
        let said = format!("gRPC {:?}: {}", status.code(), printable(&cause));
        if not_connected(&status) {
            return Self::unreached(said);
        }
        match status.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Aborted
            | Code::OutOfRange
            | Code::DataLoss => Self::unknown(said).again_after(Duration::ZERO),
            Code::Internal | Code::Unknown | Code::Ok => Self::unknown(said),
            _ => Self::refused(said),
        }
    }
}

fn not_connected(status: &Status) -> bool {
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn partial_in_json(body: &[u8]) -> Option<Option<ExportMetricsPartialSuccess>> {
    // A struct would be read from an array as well (`findings/serde-takes-a-struct-from-an-array.sh`).
    if !body.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let Some(partial) = serde_json::from_slice::<JsonAnswer>(body).ok()?.partial_success else { return Some(None) };
    let rejected = match partial.rejected {
        None => 0,
        Some(Int64::Number(number)) => number,
        Some(Int64::Text(text)) => text.parse().ok()?,
    };
    let error_message = partial.error_message.unwrap_or_default();
    Some(Some(ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message }))
}

/// A text from outside on one line of a log: its beginning, and nothing in it that a terminal would act on.
pub(super) fn printable(text: &str) -> String {
    let plain = |char: char| if char.escape_debug().len() > 1 && !matches!(char, '"' | '\'' | '\\') { ' ' } else { char };
    let mut chars = text.trim().chars();
    let cut: String = chars.by_ref().take(SAID_CHARS_MAX).map(plain).collect();
    let more = if chars.next().is_some() { "…" } else { "" };
    format!("{}{more}", cut.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(status: u16, content_type: Option<&str>, body: &[u8]) -> Outcome {
        let content_type = content_type.map(str::as_bytes);
        Outcome::of_http(HttpAnswer { status, content_type, retry_after: None, body })
    }

    fn answer(rejected: i64, message: &str) -> Vec<u8> {
        let partial = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message: message.into() };
        Answer { partial_success: Some(partial) }.encode_to_vec()
    }

    #[test]
    fn what_is_no_otlp_is_not_taken_whatever_its_status() {
        for (kind, body) in [
            (Some("text/html"), &b"<html>Please sign in.</html>"[..]),
            (Some("Text/HTML; charset=utf-8"), b""),
            (Some("text/plain"), b"OK"),
            (Some("text/plain"), b""),
            (Some("application/x-protobuf"), b"<html>Please sign in.</html>"),
            (Some("application/x-protobuf"), b"{}"),
            (Some("application/x-protobuf"), b"\xff\xff\xff\xff"),
            (Some("application/json"), b"<html>"),
            (Some("application/json"), b"[]"),
            (Some("application/json"), b"null"),
            (Some("application/json"), b"{\"error\":\"sign in\"}"),
            (Some("application/json"), b"{\"partialSuccess\":{\"rejectedSpans\":\"some\"}}"),
            (Some(""), b"OK"),
            (None, b"OK"),
            (None, b"\x0a\x00"),
        ] {
            let outcome = http(200, kind, body);
            assert_eq!(outcome.fate, Fate::Unknown, "{kind:?} {body:?}");
            assert!(outcome.said.unwrap().ends_with(" answered, not a collector"), "{kind:?} {body:?}");
        }
    }

    #[test]
    fn what_real_receivers_answer_is_taken() {
        for (kind, body) in [
            (Some("application/x-protobuf"), &b""[..]),
            (Some("application/x-protobuf"), b"\x0a\x00"),
            (Some("application/octet-stream"), b""),
            (Some("application/json"), b"{}"),
            (Some("application/json; charset=utf-8"), b" {\"partialSuccess\":{}}\n"),
            (Some("application/json"), b"{\"partialSuccess\":null}"),
            (Some("application/json"), b""),
            (None, b""),
        ] {
            for status in [200, 202, 204] {
                assert_eq!(http(status, kind, body), Outcome::taken(), "{kind:?} {body:?}");
            }
        }
    }

    #[test]
    fn what_is_rejected_is_told_and_a_hint_is_no_failure() {
        let said = |fate, said: &str| Outcome { fate, said: Some(said.into()), again: None };
        let protobuf = |body: &[u8]| http(200, Some("application/x-protobuf"), body);
        assert_eq!(protobuf(&answer(3, "too old")), said(Fate::Rejected(3), "too old"));
        assert_eq!(protobuf(&answer(3, "")), said(Fate::Rejected(3), "it does not say why"));
        assert_eq!(protobuf(&answer(-1, "odd")), said(Fate::Rejected(1), "odd"));
        assert_eq!(protobuf(&answer(0, "use gRPC")), said(Fate::Taken, "use gRPC"));
        assert_eq!(protobuf(&answer(0, "")), Outcome::taken());
        for name in ["rejectedDataPoints", "rejectedSpans", "rejectedLogRecords", "rejected_spans"] {
            for count in ["2", "\"2\""] {
                let body = format!("{{\"partialSuccess\":{{\"{name}\":{count},\"errorMessage\":\"too old\"}}}}");
                assert_eq!(
                    http(200, Some("application/json"), body.as_bytes()),
                    said(Fate::Rejected(2), "too old"),
                    "{body}"
                );
            }
        }
        let partial = ExportMetricsPartialSuccess { rejected_data_points: 1, error_message: "no".into() };
        assert_eq!(Outcome::of_grpc(Ok(Answer { partial_success: Some(partial) })), said(Fate::Rejected(1), "no"));
    }

    #[test]
    fn only_what_says_so_was_surely_not_taken() {
        for (status, fate, again) in [
            (307, Fate::Refused, false),
            (400, Fate::Refused, false),
            (401, Fate::Refused, false),
            (408, Fate::Unknown, false),
            (413, Fate::Refused, false),
            (429, Fate::Refused, true),
            (500, Fate::Unknown, false),
            (502, Fate::Unknown, true),
            (503, Fate::Refused, true),
            (504, Fate::Unknown, true),
        ] {
            let outcome = http(status, Some("text/html"), b"<html>");
            assert_eq!((outcome.fate, outcome.again.is_some()), (fate, again), "{status}");
        }
        for (code, fate, again) in [
            (Code::Unavailable, Fate::Unknown, true),
            (Code::DeadlineExceeded, Fate::Unknown, true),
            (Code::Internal, Fate::Unknown, false),
            (Code::InvalidArgument, Fate::Refused, false),
            (Code::Unauthenticated, Fate::Refused, false),
            (Code::Unimplemented, Fate::Refused, false),
            (Code::ResourceExhausted, Fate::Refused, false),
        ] {
            let outcome = Outcome::of_grpc(Err(Status::new(code, "no")));
            assert_eq!((outcome.fate, outcome.again.is_some()), (fate, again), "{code:?}");
        }
    }

    #[test]
    fn texts_from_outside_are_short_and_cannot_act() {
        assert_eq!(printable("say \"it's\" \\ é 漢"), "say \"it's\" \\ é 漢");
        assert_eq!(printable("\n a\nb\u{1b}[31m\u{202e}\u{7f} "), "a b [31m");
        let long = printable(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), SAID_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
    }
}
