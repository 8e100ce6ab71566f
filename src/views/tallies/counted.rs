//! One span of one budget.
//!
//! *Invariants.* The counts are those of all keys of the span, also of such as are not in memory.

use std::sync::Arc;

use super::table::Column;
use super::tally::Tally;
use crate::budget::KeyCounts;
use crate::domain::Span;

/// What readers see of a span beside the tallies of its keys.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub span: Span,
    /// The tally of a budget without `each`, once there is one.
    pub whole: Option<Tally>,
    /// Where the table has the tallies of keys.
    pub column: Option<Arc<Column>>,
    pub counts: KeyCounts,
    /// Keys in memory.
    pub keys_len: usize,
    /// Whether the ledger has tallies of this span that are not in memory.
    pub is_partial: bool,
}

impl Counted {
    pub fn begin(span: Span, column: Option<Arc<Column>>) -> Self {
        Self { span, whole: None, column, counts: KeyCounts::default(), keys_len: 0, is_partial: false }
    }

    /// The number of its column, of a budget with `each`.
    pub fn column(&self) -> Option<u32> {
        self.column.as_ref().map(|column| column.id)
    }
}
