//! How what is counted of one budget changes: with entries, with limits, and with time.

use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::counted::Counted;
use super::entries::{Missing, Placed};
use super::keys::Keys;
use super::meter::Meter;
use super::tally::{Tally, is_passed_over};
use crate::budget::{Bars, Budget, KeyCounts, Policy};
use crate::domain::{Folded, Reached, Span};

impl Meter {
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

    /// Takes tallies of a span out of memory. The ledger has them, and they stay counted.
    pub(super) fn leave_to_ledger(&mut self, span: Span, may_go: impl FnMut(&Tally) -> bool) {
        self.apply();
        let Self { spans, keys: Some(keys), .. } = self else { return };
        let Some(counted) = spans.iter_mut().find(|counted| counted.span == span) else { return };
        let gone = counted.column().map_or(0, |column| keys.leave_to_ledger(column, may_go));
        counted.keys_len = counted.keys_len.saturating_sub(gone);
        counted.is_partial |= gone > 0;
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
