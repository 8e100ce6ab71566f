//! What becomes of calls that may come over several roads, and of which several spans may tell.
//!
//! *Invariants.* However the spans of a trace are spread over requests, and in whatever order they come: a call is charged once, at the span that
//! knows it best. One that was charged at another span before is taken back by an adjustment to zero.
//!
//! *Limits.* [`NAMES_FILLED_MAX`], [`SUSPECTED_LOGGED_MAX`].

use std::cmp::Reverse;

use super::Recorded;
use super::decide::Known;
use super::draft::Draft;
use super::memory::Memory;
use super::trace::{Judgement, PlacedCall, WhoFor};
use super::unsaved::make_resident;
use crate::domain::{
    CallFacts, CostEvent, CostSource, Entry, EventKey, Kind, NATIVE_ROAD, Origin, SpanPlace, Usd, complete,
};
use crate::ledger::{CallSpan, KeyedEvent, LedgerError};

/// Calls below one span that are told whom they are for by it, at a time.
const NAMES_FILLED_MAX: usize = 256;

/// Suspicions of one batch that are logged.
const SUSPECTED_LOGGED_MAX: usize = 20;

impl Draft<'_> {
    /// Decides a batch of calls.
    pub fn record_calls(&mut self, mut batch: Vec<KeyedEvent>, memory: &mut Memory) -> Result<Recorded, LedgerError> {
        let before = self.events.len();
        let mut answer = Recorded::default();
        // What need not be charged is not even charged for a moment.
        batch.sort_by_key(|keyed| preference(&keyed.event));
        for keyed in batch {
            if let Some(origin) = &keyed.event.origin
                && let Some(place) = origin.span.as_ref().filter(|_| !origin.links_below.is_empty())
            {
                memory.trace_of(place, self.ledger)?.learn_below(&origin.links_below);
            }
            let (keyed, known) = self.under_known_key(keyed)?;
            match known {
                None => self.tell_call(keyed, memory, &mut answer)?,
                Some(known) => {
                    let place = place_of(&keyed.event).cloned();
                    let first = known.first;
                    self.events.retell_call(known, keyed, &mut answer);
                    if let Some(place) = place {
                        self.place_known(first, place, memory)?;
                    }
                }
            }
        }
        self.settle_behind(before)?;
        self.make_days_resident(before)?;
        Ok(answer)
    }

    /// The call under the key that is known of it, where its road or another one did not say who the provider is; and what is known.
    fn under_known_key(&self, mut keyed: KeyedEvent) -> Result<(KeyedEvent, Option<Known>), LedgerError> {
        let known = self.known(&keyed)?;
        let sources = keyed.event.origin.as_ref().map_or(&[][..], |origin| &origin.also_under);
        if known.is_some() || sources.is_empty() {
            return Ok((keyed, known));
        }
        for source in sources {
            let key = EventKey { source: source.clone(), id: keyed.event.key.id.clone() };
            let key_hash = self.ledger.key_hash(&key);
            if self.events.contains(key_hash, &key) || self.ledger.find_event(&key)?.is_some() {
                (keyed.event.key, keyed.key_hash) = (key, key_hash);
                let known = self.known(&keyed)?;
                return Ok((keyed, known));
            }
        }
        Ok((keyed, None))
    }

    /// Takes a call that is not known, unless it says again what another one says.
    fn tell_call(&mut self, mut keyed: KeyedEvent, memory: &mut Memory, answer: &mut Recorded) -> Result<(), LedgerError> {
        let first = self.events.next_place();
        let Some(place) = place_of(&keyed.event).cloned() else {
            self.events.push(keyed);
            answer.accepted += 1;
            return Ok(());
        };
        let trace = memory.trace_of(&place, self.ledger)?;
        let judgement = trace.judge(None, place.span, &CallFacts::of(&keyed.event));
        if judgement.is_repeat {
            if !trace.has(None, place.span) {
                trace.add(PlacedCall::new(None, place.span, &keyed.event));
            }
            answer.aggregates += 1;
            let who_for = [keyed.event.worker, keyed.event.batch_id, keyed.event.lead_id];
            return self.follow(&judgement, &place, &who_for, memory);
        }
        complete(&mut keyed.event, judgement.who_for.each_ref());
        trace.add(PlacedCall::new(Some(first), place.span, &keyed.event));
        self.events.push(keyed);
        answer.accepted += 1;
        self.follow(&judgement, &place, &WhoFor::default(), memory)
    }

    /// Takes a further span of a call that is known.
    fn place_known(&mut self, first: i64, place: SpanPlace, memory: &mut Memory) -> Result<(), LedgerError> {
        let trace = memory.trace_of(&place, self.ledger)?;
        let Some((_, known)) = self.event_of(first)? else { return Ok(()) };
        if known.event.origin.as_ref().is_some_and(|origin| origin.is_repeat) {
            return Ok(());
        }
        if !trace.has(Some(first), place.span) {
            trace.add(PlacedCall::new(Some(first), place.span, &known.event));
            self.places.push(CallSpan { seq: first, place: place.clone() });
        }
        let mut judgement = trace.judge(Some(first), place.span, &CallFacts::of(&known.event));
        if complete(&mut known.event.clone(), judgement.who_for.each_ref()) {
            self.fill(first, &judgement.who_for, &place, memory)?;
        }
        judgement.lacking.clear();
        self.follow(&judgement, &place, &WhoFor::default(), memory)
    }

    /// Does to other calls what follows from one.
    fn follow(
        &mut self,
        judgement: &Judgement,
        place: &SpanPlace,
        who_for: &WhoFor,
        memory: &mut Memory,
    ) -> Result<(), LedgerError> {
        for first in &judgement.repeating {
            memory.trace_of(place, self.ledger)?.set_repeat(*first);
            self.take_back(*first)?;
        }
        for first in judgement.lacking.iter().take(NAMES_FILLED_MAX) {
            self.fill(*first, who_for, place, memory)?;
        }
        Ok(())
    }

    /// Takes back what a call costs that says again what others say.
    fn take_back(&mut self, first: i64) -> Result<(), LedgerError> {
        let Some((mut keyed, known)) = self.event_of(first)? else { return Ok(()) };
        let origin = known.event.origin.as_deref().cloned().unwrap_or_else(|| Origin::of(NATIVE_ROAD));
        if origin.is_repeat {
            return Ok(());
        }
        let origin =
            Origin { is_repeat: true, cost: CostSource::Told, amendment: origin.amendment.saturating_add(1), ..origin };
        let origin = Some(Box::new(origin));
        keyed.event = CostEvent { amount: Usd::ZERO, usage: Vec::new(), origin, ..known.event.clone() };
        self.events.revise(known, keyed);
        Ok(())
    }

    /// Tells a call whom it is for, as far as it does not say so.
    fn fill(&mut self, first: i64, who_for: &WhoFor, place: &SpanPlace, memory: &mut Memory) -> Result<(), LedgerError> {
        let Some((mut keyed, known)) = self.event_of(first)? else { return Ok(()) };
        let mut event = known.event.clone();
        if !complete(&mut event, who_for.each_ref()) {
            return Ok(());
        }
        let mut origin = event.origin.take().unwrap_or_else(|| Box::new(Origin::of(NATIVE_ROAD)));
        origin.amendment = origin.amendment.saturating_add(1);
        let now_for = [event.worker.clone(), event.batch_id.clone(), event.lead_id.clone()];
        memory.trace_of(place, self.ledger)?.set_who_for(first, &now_for);
        event.origin = Some(origin);
        keyed.event = event;
        self.events.revise(known, keyed);
        Ok(())
    }

    /// Looks among the new events behind the first so many for such as another road has told under another key.
    pub fn suspect_behind(&mut self, before: usize, memory: &mut Memory) -> Result<usize, LedgerError> {
        let mut alike = Vec::new();
        for (first, keyed) in self.events.behind_first(before) {
            if keyed.entry == Entry::First && keyed.event.kind == Kind::Charge && keyed.event.first_recorded_at.is_none() {
                let others = memory.recent.take(first, &keyed.event);
                alike.extend(Some((first, others)).filter(|(_, others)| !others.is_empty()));
            }
        }
        let mut suspected = 0;
        for (first, others) in alike {
            let Some(event) = self.charged(first)? else { continue };
            for other in others {
                let Some(other) = self.charged(other)? else { continue };
                self.events.suspect(first);
                suspected += 1;
                if suspected <= SUSPECTED_LOGGED_MAX {
                    let ((id, source), (other_id, other_source)) =
                        ((&*event.key.id, &*event.key.source), (&*other.key.id, &*other.key.source));
                    tracing::warn!(
                        id,
                        source,
                        other_id,
                        other_source,
                        "two roads may have told one call: choose one with charge_from"
                    );
                }
                break;
            }
        }
        Ok(suspected)
    }

    /// The event whose first entry stands here, unless it says again what others say.
    fn charged(&self, first: i64) -> Result<Option<CostEvent>, LedgerError> {
        let is_charged = |event: &CostEvent| event.origin.as_ref().is_none_or(|origin| !origin.is_repeat);
        Ok(self.event_of(first)?.map(|(_, known)| known.event).filter(is_charged))
    }

    /// The event whose first entry stands here, as it stands with what was decided so far; `None` once it is not kept.
    fn event_of(&self, first: i64) -> Result<Option<(KeyedEvent, Known)>, LedgerError> {
        let event = match self.events.entry_at(first) {
            Some(entry) => entry.event.clone(),
            None => match self.ledger.newest_telling(first)? {
                Some(stored) => stored.event,
                None => return Ok(None),
            },
        };
        let keyed = self.ledger.keyed(event);
        // Its id may be forgotten.
        let known = self.known(&keyed)?.filter(|known| known.first == first);
        Ok(known.map(|known| (keyed, known)))
    }

    /// What was adjusted may count in days that no command named.
    fn make_days_resident(&mut self, before: usize) -> Result<(), LedgerError> {
        let days = self.events.behind_first(before).map(|(_, keyed)| keyed.day);
        let missing: Vec<_> = days.filter(|day| !self.next.views.is_resident(*day)).collect();
        for day in missing {
            self.unsaved.make_resident(self.ledger, day)?;
            make_resident(&mut self.next.views, self.ledger, day)?;
        }
        Ok(())
    }
}

fn place_of(event: &CostEvent) -> Option<&SpanPlace> {
    event.origin.as_ref().and_then(|origin| origin.span.as_ref())
}

/// Those first that others repeat: of calls of one trace those with a response id, then the lowest.
fn preference(event: &CostEvent) -> (bool, bool, Reverse<usize>) {
    let (is_wrapper, has_response_id) = (CallFacts::is_of_wrapper(event), CallFacts::is_of_response(event));
    let depth = if has_response_id { 0 } else { place_of(event).map_or(0, |place| place.ancestors.len()) };
    (is_wrapper, !has_response_id, Reverse(depth))
}
