//! What is counted of all budgets of a policy.

use std::sync::Arc;

use jiff::Timestamp;

use super::KEPT;
use super::entries::{Crossing, Missing, Placed};
use super::fullest::let_go;
use super::meter::Meter;
use super::tally::Tally;
use crate::budget::{Amounts, Policy};
use crate::domain::{FoldedSubject, ReservationRequest, Span};

/// What is counted of the budgets of a policy, in its order. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub struct Tallies(Arc<Vec<Meter>>);

impl Tallies {
    /// Takes meters, one for each budget of a policy in its order.
    pub fn new(meters: Vec<Meter>) -> Self {
        Self(Arc::new(meters))
    }

    /// The meters, in the policy's order.
    pub fn meters(&self) -> &[Meter] {
        &self.0
    }

    /// The meters, to change what is known of what the ledger has of them.
    pub fn meters_mut(&mut self) -> &mut Vec<Meter> {
        Arc::make_mut(&mut self.0)
    }

    /// The span that an instant lies in of the budget at this place.
    pub fn span(&self, policy: &Policy, position: usize, now: Timestamp) -> Span {
        let budget = policy.budgets.get(position).zip(self.0.get(position));
        budget.map_or(Span::EVER, |(budget, meter)| meter.span_at(policy, budget, now))
    }

    /// What was spent of the budget at this place by a key in a span; `None` where nothing was.
    ///
    /// # Errors
    /// Only the ledger knows.
    pub fn find(&self, position: usize, span: Span, key: &str) -> Result<Option<Tally>, Missing> {
        self.0.get(position).map_or(Ok(None), |meter| meter.find(position, span, key))
    }

    /// Whether a commit has changed tallies of keys that this state does not know of: it is about to be replaced.
    pub fn are_overtaken(&self) -> bool {
        self.0.iter().any(Meter::is_overtaken)
    }

    /// Puts what is committed where all states see it.
    pub fn apply(&mut self) {
        if self.0.iter().any(Meter::has_changes) {
            Arc::make_mut(&mut self.0).iter_mut().for_each(Meter::apply);
        }
    }

    /// Counts entries. `is_live` says that they are counted as they come, under the limits that were in force then; not when they are
    /// counted again after a start. Answers with the keys that came to a threshold.
    pub fn count<'e>(&mut self, policy: &Policy, entries: impl Iterator<Item = Placed<'e>>, is_live: bool) -> Vec<Crossing> {
        let mut crossings = Vec::new();
        let mut entries = entries.peekable();
        if entries.peek().is_none() {
            return crossings;
        }
        let meters = Arc::make_mut(&mut self.0);
        for placed in entries {
            let (mut subject, mut shared): (Option<FoldedSubject<'_>>, _) = (None, None);
            for (position, (budget, meter)) in policy.budgets.iter().zip(meters.iter_mut()).enumerate() {
                let key = if budget.is_of_all() {
                    ""
                } else {
                    let subject = subject.get_or_insert_with(|| placed.1.subject().folded());
                    let Some(key) = budget.key_of(subject) else { continue };
                    key
                };
                if let Some(span) = meter.count(policy, budget, (key, &mut shared), placed, is_live) {
                    crossings.push(Crossing { position, span, key: key.into() });
                }
            }
        }
        crossings
    }

    /// The keys in memory that are at a threshold or above, of the budget at this place.
    pub fn at_thresholds(&self, policy: &Policy, position: usize, now: Timestamp) -> Vec<Crossing> {
        let (Some(budget), Some(meter)) = (policy.budgets.get(position), self.0.get(position)) else { return Vec::new() };
        let span = meter.span_at(policy, budget, now);
        let mut reached = Vec::new();
        meter.each_tally(span, |key, tally| {
            if meter.bars().level(&tally.spent) > 0 {
                reached.push(Crossing { position, span, key: key.as_str().into() });
            }
        });
        reached
    }

    /// The tallies that these entries change and that only the ledger has.
    pub fn missing_for<'e>(&self, policy: &Policy, entries: impl Iterator<Item = Placed<'e>>) -> Vec<Missing> {
        if !self.0.iter().any(Meter::is_partial) {
            return Vec::new();
        }
        let mut missing = Vec::new();
        for (_, event, _) in entries {
            let subject = event.subject().folded();
            for (position, (budget, meter)) in policy.budgets.iter().zip(self.0.iter()).enumerate() {
                let Some(key) = budget.key_of(&subject) else { continue };
                missing.extend(meter.missing(policy, budget, position, key, event.time));
            }
        }
        missing
    }

    /// Puts in what the ledger has of a tally that was missing: nothing, or a tally.
    pub fn put_found(&mut self, missing: &Missing, found: Option<Tally>) {
        if let Some(meter) = Arc::make_mut(&mut self.0).get_mut(missing.position) {
            meter.put_found(missing, found);
        }
    }

    /// Sets aside what a hold asks for, or no longer (`sign` −1).
    pub fn reserve(&mut self, policy: &Policy, request: &ReservationRequest, sign: i128) {
        self.each_of(policy, request, |meter, key, amounts| meter.reserve(key, amounts, sign));
    }

    /// Takes off what a hold that has lapsed asked for, as far as a later commit has not done so: for who reads a state that is about to be
    /// replaced, and changes a copy.
    pub fn take_off(&mut self, policy: &Policy, request: &ReservationRequest) {
        self.each_of(policy, request, Meter::take_off);
    }

    fn each_of(&mut self, policy: &Policy, request: &ReservationRequest, change: impl Fn(&mut Meter, &str, &Amounts)) {
        let subject = request.subject().folded();
        let meters = Arc::make_mut(&mut self.0);
        for (budget, meter) in policy.budgets.iter().zip(meters) {
            let Some(key) = budget.key_of(&subject) else { continue };
            change(meter, key, &budget.limit.measure(request.estimated_cost, &request.usage));
        }
    }

    /// Lets go of what is over.
    pub fn retire(&mut self, now: Timestamp) {
        let floor = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        if self.0.iter().any(|meter| meter.has_ended_before(floor)) {
            Arc::make_mut(&mut self.0).iter_mut().for_each(|meter| meter.retire(floor));
        }
    }

    /// Whether the current span of some budget is not counted from its beginning: the clock was set far back.
    pub fn lack(&self, policy: &Policy, now: Timestamp) -> bool {
        let mut meters = policy.budgets.iter().zip(self.0.iter());
        meters.any(|(budget, meter)| meter.counted_from > meter.span_at(policy, budget, now).start)
    }

    /// Keys that are in memory, over all budgets with `each`.
    pub fn keys_len(&self) -> usize {
        self.0.iter().map(Meter::keys_len).sum()
    }

    /// Lets go of keys that the ledger has as they are, the emptiest first, until nine tenths of the bound are left.
    pub fn make_room(&mut self, policy: &Policy, keys_max: usize) {
        if self.keys_len() > keys_max {
            let mut meters: Vec<_> = policy.budgets.iter().zip(self.meters_mut()).collect();
            let_go(&mut meters, keys_max - keys_max / 10, |meter, tally| tally.counted_to <= meter.saved_to);
        }
    }
}
