//! What goes into tallies, and what comes of it.

use jiff::Timestamp;

use crate::budget::Amounts;
use crate::domain::{CostEvent, Entry, Span};

/// A tally that only the ledger has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Missing {
    /// The budget's place in the policy.
    pub position: usize,
    /// The number of its meter in the ledger.
    pub meter: i64,
    /// The first instant of the span.
    pub span_start: Timestamp,
    /// The key, folded.
    pub key: Box<str>,
}

/// A key of a budget that came to a threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The budget's place in the policy.
    pub position: usize,
    /// In which span.
    pub span: Span,
    /// The key, folded.
    pub key: Box<str>,
}

/// An entry that is to be counted, with its place in the ledger.
pub type Placed<'e> = (i64, &'e CostEvent, &'e Entry);

/// Adds amounts, unit by unit.
pub(super) fn add(to: &mut Amounts, more: &Amounts, sign: i128) {
    if to.len() < more.len() {
        to.resize(more.len(), 0);
    }
    for (to, more) in to.iter_mut().zip(more) {
        // Sums of money and of quantities that any number of events may come to fit many times over.
        *to = to.saturating_add(more.saturating_mul(sign));
    }
}
