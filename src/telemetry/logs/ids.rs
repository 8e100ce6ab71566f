//! The trace that a log line belongs to, at the line's end.

use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// A format of lines, with the ids of the span that a line was written in. Without tracing there is none, and nothing is added.
#[derive(Debug)]
pub(super) struct WithIds<F> {
    pub inner: F,
    /// Adds the ids to a line without its line break.
    pub ids: fn(&mut String, &SpanContext),
}

/// `… trace_id=… span_id=…`
pub(super) fn ids_in_text(line: &mut String, span: &SpanContext) {
    line.push_str(&format!(" trace_id={} span_id={}", span.trace_id(), span.span_id()));
}

/// Two more members of the line's object.
pub(super) fn ids_in_json(line: &mut String, span: &SpanContext) {
    if line.ends_with('}') {
        line.pop();
        line.push_str(&format!(r#","trace_id":"{}","span_id":"{}"}}"#, span.trace_id(), span.span_id()));
    }
}

impl<S, N, F> FormatEvent<S, N> for WithIds<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let span = Context::map_current(|current| current.span().span_context().clone());
        if !span.is_valid() {
            return self.inner.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        let end = line.trim_end().len();
        line.truncate(end);
        (self.ids)(&mut line, &span);
        writeln!(writer, "{line}")
    }
}
