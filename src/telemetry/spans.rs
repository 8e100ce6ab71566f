//! Spans, where a trace endpoint is set: what a request, a group commit or an export took.
//!
//! *Invariants.* Without an endpoint no layer wants any span: making one is a look at a flag, without an allocation. An export of
//! spans has no span: it would be exported, and so on for ever.
//!
//! *Deliberately not here.* The writer's own span stands in the writer, which does not know this module.

use std::net::IpAddr;

use hyper::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The span of a request, a child of the one that its `traceparent` names. `method` is a name of HTTP's, or
/// `other`.
pub fn request(method: impl FnOnce() -> &'static str, path: &str, headers: &HeaderMap, peer: IpAddr) -> Span {
    let span = tracing::info_span!(
        "request",
        "otel.kind" = "server",
        "otel.status_code" = Empty,
        "http.request.method" = Empty,
        "http.route" = Empty,
        "http.response.status_code" = Empty,
        "error.type" = Empty,
        "url.path" = path,
        "url.scheme" = "http",
        "client.address" = Empty,
    );
    if span.is_disabled() {
        return span;
    }
    span.record("http.request.method", known(method()).unwrap_or("_OTHER"));
    span.record("client.address", tracing::field::display(peer));
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
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
