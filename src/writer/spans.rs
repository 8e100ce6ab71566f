//! What a commit costs, as spans; nobody wants them unless traces are pushed.

use tracing::Span;
use tracing::field::Empty;

use crate::ledger::Commit;

/// One group: everything that is decided and written together. A tick without batches is not worth a trace.
pub(super) fn group(batches: usize, events: impl FnOnce() -> usize) -> Span {
    if batches == 0 {
        return Span::none();
    }
    tracing::info_span!(parent: None, "group commit", batches, events = events())
}

/// The transaction, its sync included.
pub(super) fn commit(commit: &Commit) -> Span {
    let (events, sums) = (commit.events.len(), commit.rollup.as_ref().map_or(0, |rollup| rollup.pairs.len()));
    tracing::info_span!("ledger commit", events, sums, "otel.status_code" = Empty)
}

/// The transaction is not on the disk for sure.
pub(super) fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}
