//! What is counted of one budget.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::counted::{Counted, Tally, is_passed_over};
use super::entries::{Missing, Placed, add};
use super::keys::Keys;
use crate::budget::{Amounts, Bars, Budget, KeyCounts, Policy};
use crate::domain::{BudgetZone, Folded, Reached, Span};

/// What is counted of one budget. A clone shares the tallies of keys, and sees them change as commits are published.
#[derive(Clone, Debug)]
pub struct Meter {
    about: Arc<About>,
    /// Those of the limit in force.
    bars: Arc<Bars>,
    /// By their beginning.
    spans: SmallVec<[Counted; 1]>,
    /// What open holds set aside where there is one limit for all.
    reserved: Amounts,
    /// Where the limit holds for each value of something.
    keys: Option<Keys>,
}

/// What changes seldom.
#[derive(Clone, Debug)]
pub struct About {
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
}

impl Deref for Meter {
    type Target = About;

    fn deref(&self) -> &About {
        &self.about
    }
}

impl DerefMut for Meter {
    fn deref_mut(&mut self) -> &mut About {
        Arc::make_mut(&mut self.about)
    }
}

impl Meter {
    /// Nothing counted so far of what happened from `counted_from` on.
    pub fn new(id: i64, budget: &Budget, zone: &BudgetZone, counted_from: Timestamp) -> Self {
        let about = About {
            id,
            budget: budget.name.as_str().into(),
            definition: budget.definition(zone).into(),
            counted_from,
            saved_to: 0,
            saved_from: None,
            saved_limits: Amounts::new(),
            has_old_limits: false,
        };
        Self {
            about: Arc::new(about),
            bars: Arc::new(Bars::of(budget)),
            spans: SmallVec::new(),
            reserved: Amounts::new(),
            keys: budget.each.map(|_| Keys::new(None)),
        }
    }

    /// Has its keys stand beside those of another budget with the same `each`, while nothing is counted so far.
    pub fn stand_beside(&mut self, other: &Self) {
        if self.keys.is_some() {
            self.keys = other.keys.as_ref().map(|keys| Keys::new(Some(keys)));
        }
    }

    /// Whether this is what is counted of a budget, whatever its limit.
    pub fn is_of(&self, budget: &Budget, zone: &BudgetZone) -> bool {
        *self.budget == *budget.name && *self.definition == *budget.definition(zone)
    }

    /// From which amounts on the thresholds in force are reached.
    pub fn bars(&self) -> &Bars {
        &self.bars
    }

    /// The spans of which something is counted.
    pub fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        self.spans.iter().map(|counted| counted.span)
    }

    /// How the keys with cost in a span stand.
    pub fn counts(&self, span: Span) -> KeyCounts {
        self.counted(span).map(|counted| counted.counts).unwrap_or_default()
    }

    /// Hands over each key in memory with something spent in a span, or set aside. Of one that only the ledger has nothing is said.
    pub(super) fn each_key(&self, span: Span, mut visit: impl FnMut(&Folded, Option<&Tally>, Option<&Amounts>)) {
        match &self.keys {
            Some(keys) => keys.each(self.column(span), &self.bars, visit),
            None => {
                let tally = self.counted(span).and_then(|counted| counted.whole.as_ref());
                let reserved = Some(&self.reserved).filter(|reserved| !reserved.is_empty());
                if tally.is_some() || reserved.is_some() {
                    visit(&Folded::from_folded(""), tally, reserved);
                }
            }
        }
    }

    /// Says of each key that has nothing in a span but something set aside.
    pub(super) fn each_held_only(&self, span: Span, mut found: impl FnMut()) {
        if let Some(keys) = &self.keys {
            keys.each(self.column(span), &self.bars, |_, tally, _| {
                if tally.is_none() {
                    found();
                }
            });
        }
    }

    /// Hands over each tally of a span that is in memory, with its key.
    pub fn each_tally(&self, span: Span, mut visit: impl FnMut(&Folded, &Tally)) {
        self.each_key(span, |key, tally, _| {
            if let Some(tally) = tally {
                visit(key, tally);
            }
        });
    }

    /// Looks at what is known of a key in a span, all of it of one moment: its tally, what is set aside, and whether of that everything that
    /// has lapsed may be taken off by who knows of it. Where a later commit has changed it, that is done.
    ///
    /// # Errors
    /// Only the ledger knows what was spent; what is set aside is known.
    pub fn look<T>(
        &self,
        span: Span,
        key: &str,
        take: impl FnOnce(Option<&Tally>, Option<&Amounts>, bool) -> T,
    ) -> Result<T, T> {
        match &self.keys {
            Some(keys) => keys.look(self.column(span), key, &self.bars, |tally, reserved, aside| {
                let taken = take(tally, reserved, !aside.is_newer);
                if aside.is_missing { Err(taken) } else { Ok(taken) }
            }),
            None => Ok(take(self.counted(span).and_then(|counted| counted.whole.as_ref()), Some(&self.reserved), true)),
        }
    }

    /// The tally of a key in a span, if there is one.
    ///
    /// # Errors
    /// Only the ledger knows.
    pub fn find(&self, position: usize, span: Span, key: &str) -> Result<Option<Tally>, Missing> {
        self.look(span, key, |tally, _, _| tally.cloned()).map_err(|_| self.missing_of(position, span, key))
    }

    /// What the ledger is to be asked for.
    pub fn missing_of(&self, position: usize, span: Span, key: &str) -> Missing {
        Missing { position, meter: self.id, span_start: span.start, key: key.into() }
    }

    /// The tally that something which happened then under this key would change, if only the ledger has it.
    pub fn missing(&self, policy: &Policy, budget: &Budget, position: usize, key: &str, time: Timestamp) -> Option<Missing> {
        if !self.is_partial() {
            return None;
        }
        self.find(position, self.span_counting(policy, budget, time)?, key).err()
    }

    /// Whether commits have changed more than the state that this one is of knows.
    pub(super) fn is_overtaken(&self) -> bool {
        self.keys.as_ref().is_some_and(Keys::is_overtaken)
    }

    /// Forgets what is set aside.
    pub fn forget_reserved(&mut self) {
        self.reserved.clear();
        if let Some(keys) = &mut self.keys {
            keys.forget_reserved();
        }
    }

    /// Puts in a tally that was read from the ledger, as it is, while nobody looks at it yet.
    pub fn load(&mut self, span: Span, key: &str, tally: Tally) {
        let Self { bars, spans, keys, .. } = self;
        let counted = counted_mut(spans, span, keys.as_ref());
        let (Some(keys), Some(column)) = (keys, counted.column()) else {
            counted.whole = Some(tally);
            return;
        };
        let state = bars.key_state(&tally.spent);
        let before = keys.load(column, key, &tally);
        counted.keys_len += usize::from(before.is_none());
        counted.counts.change(before.map(|before| bars.key_state(&before.spent)), Some(state));
    }

    /// Counts an entry under a key. Answers with the span in which the key came to a threshold by that, if it did; of a budget without
    /// keys nobody asks. `shared` is a copy of the key that others have, or may have.
    pub fn count(
        &mut self,
        policy: &Policy,
        budget: &Budget,
        (key, shared): (&str, &mut Option<Folded>),
        placed: Placed<'_>,
        is_live: bool,
    ) -> Option<Span> {
        let (place, event, entry) = placed;
        let span = self.span_counting(policy, budget, event.time)?;
        let amounts = budget.limit.measure_entry(event, entry);
        if is_passed_over(&amounts, &placed, true) {
            return None;
        }
        let Self { bars, spans, keys, .. } = self;
        let new = || {
            let mut tally = Tally::default();
            tally.add(bars, &amounts, placed, is_live);
            tally
        };
        let counted = counted_mut(spans, span, keys.as_ref());
        let (Some(keys), Some(column)) = (keys, counted.column()) else {
            match &mut counted.whole {
                Some(tally) if tally.counted_to >= place => {}
                Some(tally) => tally.add(bars, &amounts, placed, is_live),
                None if is_passed_over(&amounts, &placed, false) => {}
                None => counted.whole = Some(new()),
            }
            return None;
        };
        let standing = |tally: &Tally| (bars.level(&tally.spent), bars.key_state(&tally.spent));
        let changed = keys.change(column, key, bars, |tally| {
            if tally.counted_to >= place {
                return None;
            }
            let before = standing(tally);
            tally.add(bars, &amounts, placed, is_live);
            Some((before, standing(tally)))
        });
        match changed {
            Some(None) => None,
            Some(Some(((level_before, before), (level, after)))) => {
                if before != after {
                    counted.counts.change(Some(before), Some(after));
                }
                (level > level_before).then_some(span)
            }
            None if is_passed_over(&amounts, &placed, false) => None,
            None => {
                let tally = new();
                let (level, state) = standing(&tally);
                keys.add(column, shared_copy(key, shared), tally);
                counted.keys_len += 1;
                counted.counts.change(None, Some(state));
                (level > 0).then_some(span)
            }
        }
    }

    /// Takes over, while nobody looks yet, that the limit in force may have been reached before, and nobody knows.
    pub fn doubt_reached(&mut self) {
        let doubt = |tally: &mut Tally| tally.reached = Reached::SomeTime;
        self.spans.iter_mut().filter_map(|counted| counted.whole.as_mut()).for_each(doubt);
        if let Some(keys) = &self.keys {
            keys.change_each(&self.columns(), doubt);
        }
    }

    /// Judges by the limit and the thresholds of its budget from now on.
    pub fn judge_by(&mut self, budget: &Budget) {
        let bars = Bars::of(budget);
        if *self.bars != bars {
            self.bars = Arc::new(bars);
        }
    }

    /// Takes over that another limit is in force from now on.
    pub fn note_new_limit(&mut self, budget: &Budget) {
        self.judge_by(budget);
        if self.is_partial() {
            self.has_old_limits = true;
        }
        for tally in self.spans.iter_mut().filter_map(|counted| counted.whole.as_mut()) {
            tally.note_new_limit(&self.bars);
        }
        if let Some(keys) = &mut self.keys {
            keys.note_new_limit(&self.bars);
        }
        self.count_states(budget);
    }

    /// Counts anew how keys stand, as far as they are in memory.
    pub fn count_states(&mut self, budget: &Budget) {
        self.judge_by(budget);
        let Self { bars, spans, keys: Some(keys), .. } = self else { return };
        for counted in spans {
            let mut counts = KeyCounts::default();
            keys.each(counted.column(), bars, |_, tally, _| {
                if let Some(tally) = tally {
                    counts.change(None, Some(bars.key_state(&tally.spent)));
                }
            });
            // Those that are not in memory were the emptiest.
            counts.keys = if counted.is_partial { counts.keys.max(counted.counts.keys) } else { counts.keys };
            counted.counts = counts;
        }
    }

    pub(super) fn reserve(&mut self, key: &str, amounts: &Amounts, sign: i128) {
        if amounts.iter().all(|amount| *amount == 0) {
            return;
        }
        match &mut self.keys {
            Some(keys) => keys.reserve(key, amounts, sign),
            None => {
                add(&mut self.reserved, amounts, sign);
                if self.reserved.iter().all(|amount| *amount == 0) {
                    self.reserved.clear();
                }
            }
        }
    }

    /// Takes off what has lapsed, for who only reads.
    pub(super) fn take_off(&mut self, key: &str, amounts: &Amounts) {
        match &mut self.keys {
            Some(keys) => keys.take_off(key, amounts),
            None => self.reserve(key, amounts, -1),
        }
    }

    /// Puts in what the ledger has of a tally that was missing: nothing, or a tally.
    pub fn put_found(&mut self, missing: &Missing, found: Option<Tally>) {
        let Self { bars, spans, keys: Some(keys), .. } = self else { return };
        let Some(counted) = spans.iter_mut().find(|counted| counted.span.start == missing.span_start) else { return };
        let Some(column) = counted.column() else { return };
        let is_known = keys.look(Some(column), &missing.key, bars, |tally, _, _| tally.is_some());
        // It was counted before it was let go. Without cost it counts as a key from the next entry on.
        let Some(mut tally) = found.filter(|_| !is_known) else { return };
        if tally.reached == Reached::Never && bars.is_exhausted(&tally.spent) {
            // The limit was lowered while only the ledger had it.
            tally.reached = Reached::SomeTime;
        }
        keys.add(column, Folded::from_folded(&missing.key), tally);
        counted.keys_len += 1;
    }

    /// Whether something is decided that is not where all states see it.
    pub(super) fn has_changes(&self) -> bool {
        self.keys.as_ref().is_some_and(Keys::has_changes)
    }

    /// Puts what is committed where all states see it.
    pub fn apply(&mut self) {
        if self.has_changes() {
            let columns = self.columns();
            let Self { bars, keys, .. } = self;
            keys.iter_mut().for_each(|keys| keys.apply(&columns, bars));
        }
    }

    /// Takes tallies of a span out of memory. The ledger has them, and they stay counted.
    pub(super) fn leave_to_ledger(&mut self, span: Span, may_go: impl FnMut(&Tally) -> bool) {
        self.apply();
        let Self { spans, keys: Some(keys), .. } = self else { return };
        let Some(counted) = spans.iter_mut().find(|counted| counted.span == span) else { return };
        let gone = counted.column().map_or(0, |column| keys.leave_to_ledger(column, may_go));
        counted.keys_len = counted.keys_len.saturating_sub(gone);
        counted.is_partial |= gone > 0;
    }

    /// Keys in memory.
    pub fn keys_len(&self) -> usize {
        self.spans.iter().map(|counted| counted.keys_len).sum()
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
        let Some(ended) = ended else { return };
        self.apply();
        self.counted_from = self.counted_from.max(ended);
        self.spans.retain(|counted| !is_over(counted));
    }

    fn counted(&self, span: Span) -> Option<&Counted> {
        self.spans.iter().find(|counted| counted.span == span)
    }

    fn column(&self, span: Span) -> Option<u32> {
        self.counted(span).and_then(Counted::column)
    }

    fn columns(&self) -> SmallVec<[u32; 4]> {
        self.spans.iter().filter_map(Counted::column).collect()
    }

    /// The span that an instant lies in.
    pub(in crate::views) fn span_at(&self, policy: &Policy, budget: &Budget, time: Timestamp) -> Span {
        // Nearly always one that is being counted.
        let known = self.spans().find(|span| span.contains(time));
        known.unwrap_or_else(|| policy.zone.span_of(&budget.cycle, time))
    }

    /// The span in which something that happened then counts, if it does any more.
    pub(super) fn span_counting(&self, policy: &Policy, budget: &Budget, time: Timestamp) -> Option<Span> {
        (time >= self.counted_from).then(|| self.span_at(policy, budget, time))
    }
}

fn counted_mut<'s>(spans: &'s mut SmallVec<[Counted; 1]>, span: Span, keys: Option<&Keys>) -> &'s mut Counted {
    let at = spans.partition_point(|counted| counted.span.start < span.start);
    if spans.get(at).is_none_or(|counted| counted.span != span) {
        spans.insert(at, Counted::begin(span, keys.map(Keys::column)));
    }
    &mut spans[at]
}

/// A copy of a key: budgets with the same `each` have one text.
fn shared_copy(key: &str, shared: &mut Option<Folded>) -> Folded {
    let same = shared.as_ref().filter(|shared| shared.as_str() == key).cloned();
    let copy = same.unwrap_or_else(|| Folded::from_folded(key));
    *shared = Some(copy.clone());
    copy
}
