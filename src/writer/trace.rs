//! One trace, as far as it matters for counting a call once: where its calls stand, and which of them say again what others say. PURE.
//!
//! *Invariants.* Two calls are only ever compared when one's span is known to lie above the other's, but for wrappers: of these, one may be above a call
//! whose chain of spans is not known up to the root, when nothing speaks against it.
//!
//! *Limits.* [`CHAIN_MAX`] spans are followed upwards.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::domain::{CallFacts, CostEvent, Repeats, SpanId, SpanPlace};

/// Spans that are followed upwards from a call, before what is above is taken as unknown. Ends circles, too, which only a broken sender makes.
const CHAIN_MAX: usize = 64;

/// Whom a call is for: worker, batch, lead.
pub(super) type WhoFor = [Option<Box<str>>; 3];

/// What is known of a trace.
#[derive(Debug, Default)]
pub(super) struct Trace {
    calls: Vec<PlacedCall>,
    by_span: BTreeSet<(SpanId, usize)>,
    /// The span above each, `None` above the root.
    up: HashMap<SpanId, Option<SpanId>>,
    /// Spans that others are known to be below of.
    has_below: HashSet<SpanId>,
}

/// A call at its place. A call that several spans tell has several.
#[derive(Debug)]
pub(super) struct PlacedCall {
    /// The `seq` of its first entry; `None` of one that was left out because it says again what others say.
    pub first: Option<i64>,
    pub span: SpanId,
    pub facts: CallFacts,
    pub who_for: WhoFor,
    /// Whether it is recorded and says something that no other call says.
    pub is_charged: bool,
}

/// What a call at a place means for the other calls of its trace, and they for it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    /// It says again what a charged call says.
    pub is_repeat: bool,
    /// Charged calls that say again what it says, by their first entries.
    pub repeating: BTreeSet<i64>,
    /// Whom it is for, as the calls say that repeat it.
    pub who_for: WhoFor,
    /// Charged calls that it repeats and that do not say whom they are for, though it does.
    pub lacking: BTreeSet<i64>,
}

/// The spans above one, nearest first, as far as they are known.
struct Chain {
    spans: Vec<SpanId>,
    /// Whether they are known up to the root.
    is_complete: bool,
}

impl PlacedCall {
    /// A call that is recorded from its first entry on, or left out.
    pub fn new(first: Option<i64>, span: SpanId, event: &CostEvent) -> Self {
        let is_repeat = event.origin.as_ref().is_some_and(|origin| origin.is_repeat);
        let who_for = [&event.worker, &event.batch_id, &event.lead_id].map(Clone::clone);
        Self { first, span, facts: CallFacts::of(event), who_for, is_charged: first.is_some() && !is_repeat }
    }
}

impl Trace {
    /// Places in it that are remembered: calls and links.
    pub fn len(&self) -> usize {
        self.calls.len() + self.up.len()
    }

    /// Takes a call.
    pub fn add(&mut self, call: PlacedCall) {
        self.by_span.insert((call.span, self.calls.len()));
        self.calls.push(call);
    }

    /// Whether it knows this call, or one that was left out, at this span.
    pub fn has(&self, first: Option<i64>, span: SpanId) -> bool {
        self.at(span).any(|call| call.first == first)
    }

    /// Notes what a place says of the spans above it. What was said first stays.
    pub fn learn(&mut self, place: &SpanPlace) {
        let mut below = place.span;
        for above in &place.ancestors {
            self.up.entry(below).or_insert(Some(*above));
            self.has_below.insert(*above);
            below = *above;
        }
        if place.is_rooted {
            self.up.entry(below).or_insert(None);
        }
    }

    /// Notes what is known of spans below one, nearest first: of those that calls are known to be below of. Others matter to nobody yet.
    pub fn learn_below(&mut self, links: &[(SpanId, SpanId)]) {
        for (below, above) in links.iter().rev() {
            if self.has_below.contains(below) {
                self.up.entry(*below).or_insert(Some(*above));
                self.has_below.insert(*above);
            }
        }
    }

    /// What a call at a span, new or with its first entry known, means for the others and they for it.
    pub fn judge(&self, first: Option<i64>, span: SpanId, facts: &CallFacts) -> Judgement {
        let mut judgement = Judgement::default();
        let chain = self.chain(span);
        let is_other = |call: &&PlacedCall| first.is_none() || call.first != first;
        for call in chain.spans.iter().flat_map(|above| self.at(*above)).filter(is_other) {
            match call.facts.above(facts) {
                Some(Repeats::Upper) => {
                    judgement.repeating.extend(call.first.filter(|_| call.is_charged));
                    for (mine, theirs) in judgement.who_for.iter_mut().zip(&call.who_for) {
                        if mine.is_none() {
                            mine.clone_from(theirs);
                        }
                    }
                }
                Some(Repeats::Lower) => judgement.is_repeat |= call.is_charged,
                None => {}
            }
        }
        if self.has_below.contains(&span) || facts.is_wrapper {
            for call in self.calls.iter().filter(|call| call.is_charged && call.span != span).filter(is_other) {
                self.judge_below(span, &chain, facts, call, &mut judgement);
            }
        }
        // Of two wrappers either may be above the other, and one must stay.
        if !chain.is_complete && !facts.is_wrapper {
            let wrappers =
                self.calls.iter().filter(|call| call.is_charged && call.facts.may_contain(facts)).filter(is_other);
            let above = wrappers.filter(|wrapper| self.may_be_above(wrapper.span, span, &chain));
            judgement.repeating.extend(above.filter_map(|wrapper| wrapper.first));
        }
        judgement
    }

    /// Whether a charged call lies below a span, and what that means.
    fn judge_below(&self, span: SpanId, chain: &Chain, facts: &CallFacts, call: &PlacedCall, judgement: &mut Judgement) {
        let from_call = self.chain(call.span);
        if !from_call.spans.contains(&span) {
            let is_open = !from_call.is_complete && !call.facts.is_wrapper && !chain.spans.contains(&call.span);
            judgement.is_repeat |=
                is_open && self.may_be_above(span, call.span, &from_call) && facts.may_contain(&call.facts);
            return;
        }
        match facts.above(&call.facts) {
            Some(Repeats::Upper) => {
                judgement.is_repeat = true;
                judgement.lacking.extend(call.first.filter(|_| call.who_for.iter().any(Option::is_none)));
            }
            Some(Repeats::Lower) => judgement.repeating.extend(call.first),
            None => {}
        }
    }

    /// Notes that a call says again what others say.
    pub fn set_repeat(&mut self, first: i64) {
        self.calls.iter_mut().filter(|call| call.first == Some(first)).for_each(|call| call.is_charged = false);
    }

    /// Notes whom a call is for.
    pub fn set_who_for(&mut self, first: i64, who_for: &WhoFor) {
        self.calls.iter_mut().filter(|call| call.first == Some(first)).for_each(|call| call.who_for.clone_from(who_for));
    }

    fn at(&self, span: SpanId) -> impl Iterator<Item = &PlacedCall> {
        self.by_span.range((span, 0)..=(span, usize::MAX)).map(|(_, at)| &self.calls[*at])
    }

    /// Whether nothing speaks against that a span lies above another one whose chain ends before the root.
    fn may_be_above(&self, upper: SpanId, lower: SpanId, from_lower: &Chain) -> bool {
        let highest = from_lower.spans.last().copied().unwrap_or(lower);
        // Whatever the highest one is below of is above both.
        upper != highest && !from_lower.spans.contains(&upper) && !self.chain(upper).spans.contains(&highest)
    }

    fn chain(&self, span: SpanId) -> Chain {
        let mut chain = Chain { spans: Vec::new(), is_complete: false };
        let mut below = span;
        while chain.spans.len() < CHAIN_MAX {
            match self.up.get(&below) {
                Some(Some(above)) => {
                    chain.spans.push(*above);
                    below = *above;
                }
                Some(None) => {
                    chain.is_complete = true;
                    break;
                }
                None => break,
            }
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Origin, TraceId};

    fn span(number: u8) -> SpanId {
        SpanId([number; 8])
    }

    /// A span below others, the last of which is the root where `is_rooted`.
    fn place(number: u8, above: &[u8], is_rooted: bool) -> SpanPlace {
        let ancestors = above.iter().map(|above| span(*above)).collect();
        SpanPlace { trace: TraceId([7; 16]), span: span(number), ancestors, is_rooted }
    }

    fn call() -> CostEvent {
        CostEvent { model: Some("gpt-4o".into()), duration_seconds: Some(60.0), ..CostEvent::example() }
    }

    fn agent() -> CostEvent {
        CostEvent { origin: Some(Box::new(Origin { is_wrapper: true, ..Origin::of("otlp:x") })), ..call() }
    }

    /// A trace with these spans, and calls that are charged from these first entries on.
    fn trace<const N: usize>(places: &[SpanPlace], calls: [(i64, u8, CostEvent); N]) -> Trace {
        let mut trace = Trace::default();
        places.iter().for_each(|place| trace.learn(place));
        for (first, number, event) in calls {
            trace.add(PlacedCall::new(Some(first), span(number), &event));
        }
        trace
    }

    fn judged(trace: &Trace, number: u8, event: &CostEvent) -> Judgement {
        trace.judge(None, span(number), &CallFacts::of(event))
    }

    fn repeating(trace: &Trace, number: u8, event: &CostEvent) -> Vec<i64> {
        judged(trace, number, event).repeating.into_iter().collect()
    }

    #[test]
    fn what_is_taken_back_is_neither_repeated_nor_repeats() {
        // Where nobody says what is above, and where somebody does.
        let places = [place(1, &[], true), place(3, &[2], false), place(4, &[1], true)];
        let mut above = trace(&places, [(10, 1, agent())]);
        assert_eq!([3, 4].map(|number| repeating(&above, number, &call())), [[10], [10]]);
        above.set_repeat(11);
        assert_eq!(repeating(&above, 3, &call()), [10], "another one");
        above.set_repeat(10);
        assert_eq!([3, 4].map(|number| repeating(&above, number, &call())), [[0; 0]; 2]);
        let mut below = trace(&places, [(20, 4, call())]);
        assert!(judged(&below, 1, &agent()).is_repeat);
        below.set_repeat(20);
        assert_eq!(judged(&below, 1, &agent()), Judgement::default());
    }

    #[test]
    fn only_what_adds_up_may_be_above_without_anybody_saying_so() {
        let open = [place(1, &[8], false), place(2, &[9], false)];
        assert_eq!(repeating(&trace(&open, [(10, 1, agent())]), 2, &call()), [10]);
        assert_eq!(repeating(&trace(&open, [(10, 1, call())]), 2, &call()), [0; 0]);
        assert_eq!(repeating(&trace(&open, [(10, 1, agent())]), 2, &agent()), [0; 0], "either may be above the other");
        let known = [place(1, &[8], false), place(2, &[9], true)];
        assert_eq!(repeating(&trace(&known, [(10, 1, agent())]), 2, &call()), [0; 0], "all that is above it is known");
    }

    #[test]
    fn a_span_may_be_above_another_unless_something_speaks_against_it() {
        let trace = trace(&[place(3, &[5, 2], false), place(7, &[2], false), place(8, &[9], false)], []);
        let may_be_above_3 = |upper: &u8| trace.may_be_above(span(*upper), span(3), &trace.chain(span(3)));
        assert_eq!([5, 2, 7, 8].map(|upper| may_be_above_3(&upper)), [false, false, false, true]);
        let nothing = trace.chain(span(6));
        assert!(trace.may_be_above(span(3), span(6), &nothing) && !trace.may_be_above(span(6), span(6), &nothing));
    }

    #[test]
    fn a_call_that_knows_whom_it_is_for_need_not_be_told() {
        let places = [place(3, &[1], true), place(4, &[1], true)];
        let mut trace = trace(&places, [(30, 3, call()), (40, 4, call())]);
        let lacking = |trace: &Trace| judged(trace, 1, &agent()).lacking.into_iter().collect::<Vec<_>>();
        assert_eq!(lacking(&trace), [30, 40]);
        trace.set_who_for(30, &["w", "b", "l"].map(|name| Some(name.into())));
        assert_eq!(lacking(&trace), [40]);
        trace.set_who_for(40, &[Some("w".into()), None, Some("l".into())]);
        assert_eq!(lacking(&trace), [40]);
    }

    /// Guards against: a sender whose spans lie above each other in a circle.
    #[test]
    fn what_a_span_tells_besides_is_not_below_it() {
        let circle = [place(1, &[2], false), place(2, &[1], false)];
        assert_eq!(judged(&trace(&circle, [(10, 1, call())]), 1, &agent()), Judgement::default());
    }

    #[test]
    fn of_spans_below_only_those_are_remembered_that_calls_are_below_of() {
        let mut trace = trace(&[place(5, &[4], false)], [(50, 5, call())]);
        let links = [(6, 1), (3, 1), (7, 6), (4, 3)].map(|(below, above)| (span(below), span(above)));
        trace.learn_below(&links);
        assert_eq!((trace.chain(span(5)).spans, trace.len()), ([4, 3, 1].map(span).into(), 1 + 3));
        assert_eq!(judged(&trace, 1, &agent()).lacking.into_iter().collect::<Vec<_>>(), [50]);
        trace.learn_below(&[(span(4), span(9))]);
        assert_eq!(trace.chain(span(5)).spans, [4, 3, 1].map(span), "what was said first stays");
    }

    #[test]
    fn a_call_is_known_at_each_of_its_spans() {
        let mut trace = trace(&[place(1, &[8, 9], true), place(2, &[8], false)], [(10, 1, call()), (10, 2, call())]);
        trace.add(PlacedCall::new(None, span(2), &call()));
        let has = |first| [1, 2, 3].map(|number| trace.has(first, span(number)));
        assert_eq!(has(Some(10)), [true, true, false]);
        assert_eq!((has(Some(11)), has(None)), ([false; 3], [false, true, false]));
        assert_eq!(trace.len(), 3 + 4, "three calls, and what is above 1, 2, 8 and 9");
    }
}
