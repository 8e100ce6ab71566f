//! Who knows the answer to a question about cost.

use crate::domain::{CostQuestion, Dimension};
use crate::ledger::KeptDays;
use crate::views::{DayCosts, Views};

/// Sums that are added up where the question arrived, which takes less than a millisecond; more of them beside the async threads.
const INLINE_PAIRS_MAX: usize = 5_000;

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The published state alone: the answer holds as long as no event is added to it.
    Memory,
    /// The published state, and the ledger's rollups of the days that have left it.
    Rollups,
    /// The ledger's events, of which some sums are kept.
    Kept,
    /// The ledger's events.
    Events,
}

/// How a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where the answer comes from.
    pub source: Source,
    /// Whether it is there in less than a millisecond.
    pub is_quick: bool,
}

impl Plan {
    /// How a question is answered from this state.
    pub fn of(question: &CostQuestion, views: &Views) -> Self {
        let source = if !is_in_rollups(question) {
            if KeptDays::can_answer(question) { Source::Kept } else { Source::Events }
        } else if views.resident_from() <= question.first {
            Source::Memory
        } else {
            Source::Rollups
        };
        let pairs = || question.days().filter_map(|day| views.day(day)).map(DayCosts::pairs_len).sum::<usize>();
        Self { source, is_quick: source == Source::Memory && pairs() <= INLINE_PAIRS_MAX }
    }
}

/// Rollups tell services and their operations apart, and nothing else.
fn is_in_rollups(question: &CostQuestion) -> bool {
    let filters = question.filters.iter().map(|filter| &filter.dimension);
    question.by.iter().chain(filters).all(Dimension::is_in_rollups)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::Filter;
    use crate::views::SeriesLimits;

    #[test]
    fn only_what_memory_lacks_is_read_from_the_file() {
        let views = Views::new(SeriesLimits::default(), date(2026, 11, 1));
        let worker = Filter { dimension: Dimension::Worker, value: "w".into() };
        for (by, filters, first, source) in [
            (vec![Dimension::Service], vec![], date(2026, 11, 1), Source::Memory),
            (vec![Dimension::Operation, Dimension::Service], vec![], date(2026, 11, 9), Source::Memory),
            (vec![Dimension::Service], vec![], date(2026, 10, 31), Source::Rollups),
            (vec![Dimension::Service, Dimension::Lead], vec![], date(2026, 11, 1), Source::Events),
            (vec![Dimension::Service], vec![worker.clone()], date(2026, 11, 1), Source::Events),
            (vec![Dimension::Model], vec![], date(2026, 11, 1), Source::Kept),
            (vec![Dimension::Worker], vec![], date(2026, 7, 30), Source::Kept),
            (vec![Dimension::Worker], vec![], date(2026, 7, 29), Source::Events),
            (vec![Dimension::Worker], vec![worker], date(2026, 11, 1), Source::Events),
            (vec![Dimension::Model, Dimension::Worker], vec![], date(2026, 11, 1), Source::Events),
            (vec![Dimension::Batch], vec![], date(2026, 11, 1), Source::Events),
        ] {
            let question = CostQuestion { by, filters, first, last: date(2026, 11, 30), by_day: false };
            assert_eq!(Plan::of(&question, &views), Plan { source, is_quick: source == Source::Memory }, "{question:?}");
        }
    }
}
