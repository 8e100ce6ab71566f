//! Spans, where a trace endpoint is set: what a request, a group commit or an export took.
//!
//! *Invariants.* Without an endpoint no layer wants any span: making one is a look at a flag, without an allocation. An export of
//! spans has no span: it would be exported, and so on for ever.
//!
//! *Limits.* [`PATH_BYTES_MAX`], [`HOST_BYTES_MAX`] and [`TRACE_HEADER_BYTES_MAX`] of what a client sends.
//!
//! *Deliberately not here.* The writer's own spans stand in the writer, which does not know this module.

use std::fmt::Display;

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderName};
use hyper::http::uri::Authority;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Bytes of a path that a span keeps; thousands of spans wait when the collector is slow.
pub const PATH_BYTES_MAX: usize = 256;
/// Longest host name (RFC 1035).
pub const HOST_BYTES_MAX: usize = 253;
/// Longest `traceparent` or `tracestate` that is heard; what the standard asks one to pass on.
pub const TRACE_HEADER_BYTES_MAX: usize = 512;

/// What the headers say about the caller's trace.
struct Caller<'a>(&'a HeaderMap);

/// The span of a request, a child of the one that its `traceparent` names. `method` is a name of HTTP's, or
/// `other`.
pub fn request(method: impl FnOnce() -> &'static str, path: &str, headers: &HeaderMap, peer: impl Display) -> Span {
    let span = tracing::info_span!(
        "request",
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "http.request.method" = Empty,
        "http.route" = Empty,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
        "url.path" = cut(path, PATH_BYTES_MAX),
        "url.scheme" = "http",
        "client.address" = Empty,
        "server.address" = Empty,
        "server.port" = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    span.record("http.request.method", known(method()).unwrap_or("_OTHER"));
    span.record("client.address", tracing::field::display(peer));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse::<Authority>().ok());
    if let Some(host) = host {
        span.record("server.address", cut(host.host(), HOST_BYTES_MAX));
        host.port_u16().map(|port| span.record("server.port", port));
    }
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &Caller(headers));
    // It fails only on spans that were entered before.
    let _ = span.set_parent(parent);
    span
}

/// Completes the span of a request. `route` is a template of ours, so the span's name is one of few.
pub fn answered(
    span: &Span,
    method: impl FnOnce() -> &'static str,
    route: impl FnOnce() -> Option<&'static str>,
    status: Option<u16>,
) {
    if span.is_disabled() {
        return;
    }
    let method = known(method()).unwrap_or("HTTP");
    let context = span.context();
    // The field `otel.name` names a span only until it has begun.
    match route() {
        Some(route) => {
            context.span().update_name(format!("{method} {route}"));
            span.record("http.route", route);
        }
        None => context.span().update_name(method),
    }
    match status {
        Some(status) => {
            span.record("http.response.status_code", status);
            if status >= 500 {
                span.record("otel.status_code", "ERROR");
                span.record("error.type", status.to_string());
            }
        }
        None => {
            span.record("error.type", "cancelled");
        }
    }
}

/// The beginning of a text.
fn cut(text: &str, bytes_max: usize) -> &str {
    let end = text.char_indices().map(|(start, char)| start + char.len_utf8()).take_while(|end| *end <= bytes_max).last();
    &text[..end.unwrap_or(0)]
}

impl Extractor for Caller<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok()).filter(|value| value.len() <= TRACE_HEADER_BYTES_MAX)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

/// The semantic conventions have words of their own for a method that HTTP does not define.
fn known(method: &'static str) -> Option<&'static str> {
    (method != "other").then_some(method)
}

/// The span of one export of a signal; none for traces.
pub(super) fn export(signal: &'static str) -> Span {
    if signal == "traces" {
        return Span::none();
    }
    // The SDK's threads suppress telemetry of their own doing. This span is meant.
    let _not_suppressed = Context::new().attach();
    tracing::info_span!(
        parent: None,
        "export",
        "otel.name" = format!("export {signal}"),
        "otel.kind" = "client",
        "otel.status_code" = Empty,
        "otlp.signal" = signal,
    )
}

/// Completes the span of an export.
pub(super) fn exported(span: &Span, ok: bool) {
    if !ok {
        span.record("otel.status_code", "ERROR");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_clients_are_cut_between_characters() {
        for (text, kept) in [("", ""), ("abc", "abc"), ("abcd", "abcd"), ("abcde", "abcd"), ("abcé", "abc"), ("é🙂", "é")]
        {
            assert_eq!(cut(text, 4), kept);
        }
    }

    #[test]
    fn headers_of_unusual_length_are_not_heard() {
        let mut headers = HeaderMap::new();
        headers.insert("tracestate", "a=1".parse().unwrap());
        assert_eq!(Caller(&headers).get("tracestate"), Some("a=1"));
        headers.insert("tracestate", format!("a={}", "1".repeat(TRACE_HEADER_BYTES_MAX)).parse().unwrap());
        assert_eq!(Caller(&headers).get("tracestate"), None);
    }
}
