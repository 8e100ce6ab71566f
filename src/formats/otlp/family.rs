//! Which spans lie above which, as far as one body tells.
//!
//! *Limits.* [`LINKS_MAX`] spans of a body; of those beyond, only the span right above is known. [`BELOW_MAX`] spans below a call.

use std::collections::{HashMap, HashSet};

use super::record::Ids;
use crate::domain::{ANCESTORS_MAX, SpanId, SpanPlace, TraceId};

/// Spans of a body whose parents are remembered: at 40 bytes each, 5 MiB.
const LINKS_MAX: usize = 131_072;

/// Spans below a call that are told with it. Between two spans of one call there are a few, of a client library or of its retries.
const BELOW_MAX: usize = 16;

/// The spans of a body.
#[derive(Debug, Default)]
pub(super) struct Family(Vec<(TraceId, SpanId, Option<SpanId>)>);

/// The spans of some traces.
pub(super) struct Relatives {
    /// Each with the one above it; with `None` those that have none above.
    above: HashMap<(TraceId, SpanId), Option<SpanId>>,
    /// Those that have some right below them, with the first [`BELOW_MAX`] of these.
    below: HashMap<(TraceId, SpanId), Vec<SpanId>>,
}

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
    pub fn of(&self, traces: &HashSet<TraceId>) -> Relatives {
        let mut relatives = Relatives { above: HashMap::new(), below: HashMap::new() };
        for (trace, span, parent) in self.0.iter().filter(|(trace, ..)| traces.contains(trace)) {
            relatives.above.insert((*trace, *span), *parent);
            if let Some(parent) = parent {
                let siblings = relatives.below.entry((*trace, *parent)).or_default();
                if siblings.len() < BELOW_MAX {
                    siblings.push(*span);
                }
            }
        }
        relatives
    }
}

impl Relatives {
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
            let known = self.above.get(&(trace, ancestor));
            above = known.copied().flatten();
            is_rooted = known == Some(&None);
        }
        SpanPlace { trace, span, ancestors, is_rooted }
    }

    /// The spans below one, each with the one above it, nearest first.
    pub fn links_below(&self, trace: TraceId, span: SpanId) -> Vec<(SpanId, SpanId)> {
        let mut links: Vec<(SpanId, SpanId)> = Vec::new();
        let mut above = span;
        for at in 0.. {
            for below in self.below.get(&(trace, above)).into_iter().flatten() {
                let is_circle = *below == span || links.iter().any(|(known, _)| known == below);
                if !is_circle && links.len() < BELOW_MAX {
                    links.push((*below, above));
                }
            }
            let Some((next, _)) = links.get(at) else { break };
            above = *next;
        }
        links
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(number: u8) -> SpanId {
        SpanId([number; 8])
    }

    const TRACE: TraceId = TraceId([9; 16]);

    fn relatives(links: &[(u8, Option<u8>)]) -> Relatives {
        let mut family = Family::default();
        for (below, above) in links {
            family.add(Ids { trace: Some(TRACE), span: Some(span(*below)), parent: above.map(span) });
            family.add(Ids { trace: Some(TraceId([8; 16])), span: Some(span(*below)), parent: None });
        }
        family.of(&HashSet::from([TRACE]))
    }

    fn place(links: &[(u8, Option<u8>)], of: u8) -> SpanPlace {
        let parent = links.iter().find(|(below, _)| *below == of).and_then(|(_, above)| *above);
        relatives(links).place(TRACE, span(of), parent.map(span))
    }

    fn below(links: &[(u8, Option<u8>)], of: u8) -> Vec<(SpanId, SpanId)> {
        relatives(links).links_below(TRACE, span(of))
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
    fn the_spans_below_are_found_nearest_first() {
        let links = [(5, Some(4)), (4, Some(1)), (2, Some(1)), (3, Some(2)), (1, None), (9, Some(8))];
        assert_eq!(below(&links, 1), [(4, 1), (2, 1), (5, 4), (3, 2)].map(|(below, above)| (span(below), span(above))));
        assert_eq!(below(&links, 3), []);
    }

    #[test]
    fn of_circles_and_of_many_spans_below_a_few_are_told() {
        assert_eq!(below(&[(1, Some(1))], 1), []);
        let circle = [(1, Some(2)), (2, Some(1)), (2, Some(1)), (3, Some(2))];
        assert_eq!(below(&circle, 1), [(span(2), span(1)), (span(3), span(2))]);
        let line: Vec<(u8, Option<u8>)> = (2..=200_u8).map(|number| (number, Some(number - 1))).collect();
        assert_eq!(below(&line, 1).last(), Some(&(span(17), span(16))));
        let beside: Vec<(u8, Option<u8>)> = (2..=200_u8).map(|number| (number, Some(1))).collect();
        assert_eq!(below(&beside, 1).len(), BELOW_MAX);
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
