//! What is counted of one budget.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::counted::Counted;
use super::entries::{Missing, add};
use super::keys::Keys;
use super::tally::Tally;
use crate::budget::{Amounts, Bars, Budget, KeyCounts, Policy};
use crate::domain::{BudgetZone, Folded, Span};

/// What is counted of one budget. A clone shares the tallies of keys, and sees them change as commits are published.
#[derive(Clone, Debug)]
pub struct Meter {
    about: Arc<About>,
    /// Those of the limit in force.
    pub(super) bars: Arc<Bars>,
    /// By their beginning.
    pub(super) spans: SmallVec<[Counted; 1]>,
    /// What open holds set aside where there is one limit for all.
    reserved: Amounts,
    /// Where the limit holds for each value of something.
    pub(super) keys: Option<Keys>,
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

    /// Keys in memory.
    pub fn keys_len(&self) -> usize {
        self.spans.iter().map(|counted| counted.keys_len).sum()
    }

    pub(super) fn is_partial(&self) -> bool {
        self.spans.iter().any(|counted| counted.is_partial)
    }

    fn counted(&self, span: Span) -> Option<&Counted> {
        self.spans.iter().find(|counted| counted.span == span)
    }

    fn column(&self, span: Span) -> Option<u32> {
        self.counted(span).and_then(Counted::column)
    }

    pub(super) fn columns(&self) -> SmallVec<[u32; 4]> {
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
