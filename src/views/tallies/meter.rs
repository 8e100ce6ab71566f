//! What is counted of one budget.

use std::sync::Arc;

use imbl::HashMap;
use jiff::Timestamp;

use super::counted::{Counted, Kept, Tally};
use super::entries::{Missing, Placed, add};
use crate::budget::{Amounts, Budget, KeyCounts, Policy};
use crate::domain::{BudgetZone, Entry, Folded, Reached, Span};

/// What is counted of one budget.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Its number in the ledger.
    pub id: i64,
    /// The budget's name.
    pub budget: Arc<str>,
    /// What is counted: see [`Budget::definition`].
    pub definition: Arc<str>,
    /// Everything that happened from then on is counted.
    pub counted_from: Timestamp,
    /// The entry of the ledger up to which it has what was counted; 0 while it has nothing of use.
    pub saved_to: i64,
    /// From when on it has all that happened; `None` while it has nothing.
    pub saved_from: Option<Timestamp>,
    /// The limits under which it has when they were used up.
    pub saved_limits: Amounts,
    /// Whether the limit has changed while only the ledger had some tallies: what these say of when it was used up is not of this limit.
    pub has_old_limits: bool,
    /// By their beginning.
    spans: Vec<Counted>,
    reserved: HashMap<Folded, Amounts>,
}

impl Meter {
    /// Nothing counted so far of what happened from `counted_from` on.
    pub fn new(id: i64, budget: &Budget, zone: &BudgetZone, counted_from: Timestamp) -> Self {
        Self {
            id,
            budget: budget.name.as_str().into(),
            definition: budget.definition(zone).into(),
            counted_from,
            saved_to: 0,
            saved_from: None,
            saved_limits: Amounts::new(),
            has_old_limits: false,
            spans: Vec::new(),
            reserved: HashMap::new(),
        }
    }

    /// Whether this is what is counted of a budget, whatever its limit.
    pub fn is_of(&self, budget: &Budget, zone: &BudgetZone) -> bool {
        *self.budget == *budget.name && *self.definition == *budget.definition(zone)
    }

    /// The spans of which something is counted.
    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        self.spans.iter().map(|counted| counted.span)
    }

    /// How the keys with cost in a span stand.
    pub fn counts(&self, span: Span) -> KeyCounts {
        self.counted(span).map(|counted| counted.counts).unwrap_or_default()
    }

    /// The tallies of a span that are in memory, by key.
    pub fn tallies(&self, span: Span) -> impl Iterator<Item = (&str, &Tally)> {
        self.counted(span).into_iter().flat_map(Counted::iter)
    }

    /// Every tally in memory, with its span.
    pub fn all(&self) -> impl Iterator<Item = (Span, &str, &Tally)> {
        self.spans.iter().flat_map(|counted| counted.iter().map(|(key, tally)| (counted.span, key, tally)))
    }

    /// The tally of a key in a span, if there is one.
    ///
    /// # Errors
    /// Only the ledger knows.
    pub fn find(&self, position: usize, span: Span, key: &str) -> Result<Option<&Tally>, Missing> {
        let Some(counted) = self.counted(span) else { return Ok(None) };
        match counted.get(key) {
            None if counted.is_partial => Err(Missing { position, meter: self.id, span_start: span.start, key: key.into() }),
            found => Ok(found),
        }
    }

    /// The tally that something which happened then under this key would change, if only the ledger has it.
    pub fn missing(&self, policy: &Policy, budget: &Budget, position: usize, key: &str, time: Timestamp) -> Option<Missing> {
        if !self.is_partial() {
            return None;
        }
        self.find(position, self.span_counting(policy, budget, time)?, key).err()
    }

    /// What open holds set aside for a key.
    pub fn reserved(&self, key: &str) -> Option<&Amounts> {
        self.reserved.get(key)
    }

    /// What open holds set aside, by key.
    pub fn all_reserved(&self) -> impl Iterator<Item = (&str, &Amounts)> {
        self.reserved.iter().map(|(key, amounts)| (key.as_str(), amounts))
    }

    /// Forgets what is set aside.
    pub fn forget_reserved(&mut self) {
        self.reserved.clear();
    }

    /// Puts in a tally that was read from the ledger, as it is.
    pub fn load(&mut self, budget: &Budget, span: Span, key: &str, tally: Tally) {
        self.counted_mut(span, budget).put(key, tally, budget);
    }

    /// Counts an entry under a key. Answers with the span in which the key came to a threshold by that, if it did; of a budget without
    /// keys nobody asks.
    pub fn count(
        &mut self,
        policy: &Policy,
        budget: &Budget,
        key: &str,
        (place, event, entry): Placed<'_>,
        is_live: bool,
    ) -> Option<Span> {
        let span = self.span_counting(policy, budget, event.time)?;
        let amounts = budget.limit.measure_entry(event, entry);
        let is_nothing = amounts.iter().all(|amount| *amount == 0);
        let counted = self.counted_mut(span, budget);
        let Some(tally) = counted.get_mut(key).filter(|_| !is_nothing || !matches!(entry, Entry::First)) else {
            if is_nothing {
                return None;
            }
            let mut tally = Tally { spent: amounts, counted_to: place, ..Tally::default() };
            tally.note(budget, entry, event, is_live);
            let level = if budget.each.is_some() { tally.level(budget) } else { 0 };
            counted.put(key, tally, budget);
            return (level > 0).then_some(span);
        };
        if tally.counted_to >= place {
            return None;
        }
        let standing = |tally: &Tally| budget.each.is_some().then(|| (tally.level(budget), tally.state(budget)));
        let before = standing(tally);
        add(&mut tally.spent, &amounts, 1);
        tally.counted_to = place;
        tally.note(budget, entry, event, is_live);
        // How keys stand is counted; a budget without any is looked at when somebody asks.
        let after = standing(tally);
        let ((level_before, before), (level, after)) = (before?, after?);
        if (level_before, before) != (level, after) {
            counted.counts.change(Some(before), Some(after));
        }
        (level > level_before).then_some(span)
    }

    /// Takes over that the limit in force may have been reached before, and nobody knows.
    pub fn doubt_reached(&mut self) {
        self.spans.iter_mut().for_each(|counted| counted.change_each(|tally| tally.reached = Reached::SomeTime));
    }

    /// Takes over that another limit is in force from now on.
    pub fn note_new_limit(&mut self, budget: &Budget) {
        self.has_old_limits |= self.is_partial();
        for counted in &mut self.spans {
            counted.change_each(|tally| tally.note_new_limit(budget));
        }
        self.count_states(budget);
    }

    /// Counts anew how keys stand, as far as they are in memory.
    pub fn count_states(&mut self, budget: &Budget) {
        for counted in &mut self.spans {
            let mut counts = KeyCounts::default();
            counted.iter().for_each(|(_, tally)| counts.change(None, Some(tally.state(budget))));
            // Those that are not in memory were the emptiest.
            counts.keys = if counted.is_partial { counts.keys.max(counted.counts.keys) } else { counts.keys };
            counted.counts = counts;
        }
    }

    pub(super) fn reserve(&mut self, key: &str, amounts: &Amounts, sign: i128) {
        if amounts.iter().all(|amount| *amount == 0) {
            return;
        }
        match self.reserved.get_mut(key) {
            Some(reserved) => {
                add(reserved, amounts, sign);
                if reserved.iter().all(|amount| *amount == 0) {
                    self.reserved.remove(key);
                }
            }
            None => {
                let mut reserved = Amounts::new();
                add(&mut reserved, amounts, sign);
                self.reserved.insert(Folded::from_folded(key), reserved);
            }
        }
    }

    /// Puts in what the ledger has of a tally that was missing: nothing, or a tally.
    pub fn put_found(&mut self, budget: &Budget, missing: &Missing, found: Option<Tally>) {
        let Some(counted) = self.spans.iter_mut().find(|counted| counted.span.start == missing.span_start) else { return };
        // It was counted before it was let go. Without cost it counts as a key from the next entry on.
        if let (Kept::ByKey(tallies), Some(mut tally)) = (&mut counted.tallies, found) {
            if tally.reached == Reached::Never && tally.is_exhausted(budget) {
                // The limit was lowered while only the ledger had it.
                tally.reached = Reached::SomeTime;
            }
            tallies.insert(Folded::from_folded(&missing.key), tally);
        }
    }

    pub(super) fn leave_to_ledger(&mut self, span: Span, key: &str) {
        if let Some(counted) = self.spans.iter_mut().find(|counted| counted.span == span) {
            counted.leave_to_ledger(key);
        }
    }

    /// Keys in memory.
    pub fn keys_len(&self) -> usize {
        self.spans.iter().map(Counted::keys_len).sum()
    }

    pub(super) fn is_partial(&self) -> bool {
        self.spans.iter().any(|counted| counted.is_partial)
    }

    pub(super) fn has_ended_before(&self, floor: Timestamp) -> bool {
        self.spans.first().is_some_and(|first| first.span.ends_at().is_some_and(|end| end <= floor))
    }

    pub(super) fn retire(&mut self, floor: Timestamp) {
        let is_over = |counted: &Counted| counted.span.ends_at().is_some_and(|end| end <= floor);
        let ended = self.spans.iter().filter(|counted| is_over(counted)).map(|counted| counted.span.end).max();
        self.counted_from = ended.map_or(self.counted_from, |ended| self.counted_from.max(ended));
        self.spans.retain(|counted| !is_over(counted));
    }

    fn counted(&self, span: Span) -> Option<&Counted> {
        self.spans.iter().find(|counted| counted.span == span)
    }

    fn counted_mut(&mut self, span: Span, budget: &Budget) -> &mut Counted {
        let at = self.spans.partition_point(|counted| counted.span.start < span.start);
        if self.spans.get(at).is_none_or(|counted| counted.span != span) {
            self.spans.insert(at, Counted::begin(span, budget.each.is_some()));
        }
        &mut self.spans[at]
    }

    /// The span that an instant lies in.
    pub(super) fn span_at(&self, policy: &Policy, budget: &Budget, time: Timestamp) -> Span {
        // Nearly always one that is being counted.
        let known = self.spans().find(|span| span.contains(time));
        known.unwrap_or_else(|| policy.zone.span_of(&budget.cycle, time))
    }

    /// The span in which something that happened then counts, if it does any more.
    pub(super) fn span_counting(&self, policy: &Policy, budget: &Budget, time: Timestamp) -> Option<Span> {
        (time >= self.counted_from).then(|| self.span_at(policy, budget, time))
    }
}
