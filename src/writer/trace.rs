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
            let wrappers = self.calls.iter().filter(|call| call.is_charged && call.facts.is_wrapper).filter(is_other);
            let above =
                wrappers.filter(|wrapper| self.may_be_above(wrapper.span, span, &chain) && wrapper.facts.may_contain(facts));
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
