//! Which spans lie above which, as far as one body tells.
//!
//! *Limits.* [`LINKS_MAX`] spans of a body; of those beyond, only the span right above is known.

use std::collections::{HashMap, HashSet};

use super::record::Ids;
use crate::domain::{ANCESTORS_MAX, SpanId, SpanPlace, TraceId};

/// Spans of a body whose parents are remembered: at 40 bytes each, 5 MiB.
const LINKS_MAX: usize = 131_072;

/// The spans of a body.
#[derive(Debug, Default)]
pub(super) struct Family(Vec<(TraceId, SpanId, Option<SpanId>)>);

/// The spans of some traces, each with the one above it; with `None` those that have none above.
pub(super) struct Parents(HashMap<(TraceId, SpanId), Option<SpanId>>);

impl Family {
    #[inline]
    pub fn add(&mut self, ids: Ids) {
        if let Ids { trace: Some(trace), span: Some(span), parent } = ids
            && self.0.len() < LINKS_MAX
        {
            self.0.push((trace, span, parent));
        }
    }

    /// The spans of these traces.
    pub fn of(&self, traces: &HashSet<TraceId>) -> Parents {
        let links = self.0.iter().filter(|(trace, ..)| traces.contains(trace));
        Parents(links.map(|(trace, span, parent)| ((*trace, *span), *parent)).collect())
    }
}

impl Parents {
    /// The place of a span, with the spans above it.
    pub fn place(&self, trace: TraceId, span: SpanId, parent: Option<SpanId>) -> SpanPlace {
        let mut ancestors = Vec::new();
        let mut above = parent;
        let mut is_rooted = parent.is_none();
        while let Some(ancestor) = above {
            // The second is a circle, which only a broken sender makes.
            if ancestors.len() == ANCESTORS_MAX || ancestor == span || ancestors.contains(&ancestor) {
                break;
            }
            ancestors.push(ancestor);
            let known = self.0.get(&(trace, ancestor));
            above = known.copied().flatten();
            is_rooted = known == Some(&None);
        }
        SpanPlace { trace, span, ancestors, is_rooted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: u8) -> SpanId {
        SpanId([number; 8])
    }

    fn place(links: &[(u8, Option<u8>)], of: u8) -> SpanPlace {
        let trace = TraceId([9; 16]);
        let mut family = Family::default();
        let mut parent = None;
        for (below, above) in links {
            let above = above.map(span);
            parent = if *below == of { above } else { parent };
            family.add(Ids { trace: Some(trace), span: Some(span(*below)), parent: above });
            family.add(Ids { trace: Some(TraceId([8; 16])), span: Some(span(*below)), parent: None });
        }
        family.of(&HashSet::from([trace])).place(trace, span(of), parent)
    }

    #[test]
    fn the_spans_above_are_found_in_any_order() {
        let links = [(3, Some(2)), (1, None), (2, Some(1))];
        let found = place(&links, 3);
        assert_eq!((found.ancestors, found.is_rooted), (vec![span(2), span(1)], true));
        let found = place(&links, 1);
        assert_eq!((found.ancestors, found.is_rooted), (vec![], true));
        let found = place(&[(3, Some(2)), (2, Some(7))], 3);
        assert_eq!((found.ancestors, found.is_rooted), (vec![span(2), span(7)], false), "nobody told of the seventh");
    }

    #[test]
    fn circles_end_and_long_lines_are_cut() {
        for links in [&[(1, Some(1))][..], &[(1, Some(2)), (2, Some(1))], &[(1, Some(2)), (2, Some(3)), (3, Some(2))]] {
            assert!(!place(links, 1).is_rooted);
        }
        let line: Vec<(u8, Option<u8>)> =
            (1..=200_u8).map(|number| (number, number.checked_sub(1).filter(|above| *above > 0))).collect();
        let found = place(&line, 200);
        assert_eq!((found.ancestors.len(), found.is_rooted), (ANCESTORS_MAX, false));
    }
}
