//! The one committed state that every reader looks at.
//!
//! *Invariants.* A state does not change, but for the tallies of keys: whoever asks for one finds the newest that is committed, with what is
//! set aside for that key at the same moment. Nothing of what is not committed is ever seen.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use jiff::civil::Date;

use super::tallies::{Crossing, Meter, Missing, Tallies, Tally};
use super::{CostPerLead, Hold, Newest, Touched, Views};
use crate::budget::{
    Admission, Allowances, Amounts, Asking, Bars, Budget, BudgetAccount, BudgetStanding, Drawn, GateVerdict, Looked, Policy,
    Spend, Standing, admit, assess, judge,
};
use crate::domain::{CostEvent, Entry, Now, Reached, Span, Steady};

/// What readers see: the newest committed views under the policy in force.
#[derive(Clone, Debug)]
pub struct Published {
    /// What the ledger adds up to.
    pub views: Views,
    /// What the operator asked for in the settings.
    pub configured: Arc<Policy>,
    /// The same with the limits that somebody has set since: what is in force within `policy_in`.
    pub policy: Arc<Policy>,
    /// From when such a limit lapsed until another one does.
    pub(super) policy_in: Span,
    /// What was spent of its budgets.
    pub tallies: Tallies,
    /// What this agent may use of those that a fleet shares.
    pub(super) allowances: Allowances,
}

/// Where the writer puts each new state, and readers pick up the newest: neither waits for the other.
#[derive(Debug)]
pub struct Board {
    published: ArcSwap<Published>,
    per_lead: ArcSwapOption<CostPerLead>,
    /// How often retention has removed entries since the start.
    prunes: AtomicU64,
    newest: Newest,
}

/// What the ledger was found to have of tallies that are not in memory.
pub type Found = HashMap<Missing, Option<Tally>>;

/// An entry that is recorded: its place in the ledger, what it says, and the day that it counts in.
pub type Recorded<'e> = (i64, &'e CostEvent, &'e Entry, Date);

impl Published {
    /// What is shown of a ledger under the settings: `meters` are those of the configured budgets, in their order.
    pub fn new(views: Views, configured: Arc<Policy>, meters: Vec<Meter>, now: Timestamp) -> Self {
        let (policy, policy_in) = views.overrides.in_force(&configured, now);
        let mut tallies = Tallies::new(meters);
        for (budget, meter) in policy.budgets.iter().zip(tallies.meters_mut()) {
            meter.judge_by(budget);
            meter.forget_reserved();
        }
        for hold in views.holds.counting() {
            tallies.reserve(&policy, &hold.request, 1);
        }
        Self { views, configured, policy, policy_in, tallies, allowances: Allowances::default() }
    }

    /// The same under other settings from now on; `meters` are those of their budgets, in their order.
    #[must_use]
    pub fn under(&self, configured: Arc<Policy>, meters: Vec<Meter>, now: Timestamp) -> (Self, Vec<Crossing>) {
        let mut next = Self::new(self.views.clone(), configured, meters, now).with_allowances_of(self);
        let crossings = next.note_limits_since(&self.policy, now);
        (next, crossings)
    }

    /// The tallies that these entries change and that only the ledger has.
    pub fn missing_for<'e>(&self, entries: impl Iterator<Item = Recorded<'e>>) -> Vec<Missing> {
        self.tallies.missing_for(&self.policy, entries.map(|(place, event, entry, _)| (place, event, entry)))
    }

    /// Adds entries as [`Views::record`] does, and to the tallies of the budgets. Answers with what they touch and the keys that came to
    /// a threshold.
    pub fn record<'e>(
        &mut self,
        entries: impl Iterator<Item = Recorded<'e>> + Clone,
        recorded_at: Timestamp,
    ) -> (Touched, Vec<Crossing>) {
        let touched = self.views.record(entries.clone().map(|(_, event, entry, day)| (event, entry, day)), recorded_at);
        let placed = entries.map(|(place, event, entry, _)| (place, event, entry));
        (touched, self.tallies.count(&self.policy, placed, true))
    }

    /// Adds a hold, in place of the one with its `seq` if there is one.
    pub fn put_hold(&mut self, hold: Hold) {
        self.remove_hold(hold.seq);
        self.tallies.reserve(&self.policy, &hold.request, 1);
        self.views.holds.put(hold);
    }

    /// Takes a hold out: it has ended, or the ledger knows that it has lapsed.
    pub fn remove_hold(&mut self, seq: i64) -> Option<Arc<Hold>> {
        let (hold, counted) = self.views.holds.remove(seq)?;
        if counted {
            self.tallies.reserve(&self.policy, &hold.request, -1);
        }
        Some(hold)
    }

    /// Stops counting holds that have run out of time, and says how many these are.
    pub fn lapse(&mut self, now: Steady) -> usize {
        let lapsed = self.views.holds.lapse(now);
        lapsed.iter().for_each(|hold| self.tallies.reserve(&self.policy, &hold.request, -1));
        lapsed.len()
    }

    /// Where every budget without `each` stands at this instant, in the policy's order.
    pub fn standings(&self, now: Now) -> Vec<Standing> {
        let policy = self.policy_at(now.time);
        let whole = policy.budgets.iter().enumerate().filter(|(_, budget)| budget.each.is_none());
        whole.map(|(position, budget)| self.whole(&policy, position, budget, now)).collect()
    }

    /// Where every budget stands at this instant, in the policy's order.
    pub fn all_standings(&self, now: Now) -> Vec<BudgetStanding> {
        let (policy, lapsed) = (self.policy_at(now.time), self.lapsed(now));
        let standing = |(position, budget): (usize, &Budget)| match budget.each {
            None => BudgetStanding::Whole(self.whole(&policy, position, budget, now)),
            Some(_) => BudgetStanding::Keyed(lapsed.keyed(&policy, position, budget, now)),
        };
        policy.budgets.iter().enumerate().map(standing).collect()
    }

    /// Where one key of the budget at this place stands at this instant, which is empty where the budget has no `each`.
    ///
    /// # Errors
    /// Those of `look_up`, which says what the ledger has of a tally that is not in memory.
    pub fn key_standing<E>(
        &self,
        position: usize,
        key: &str,
        now: Now,
        look_up: impl Fn(&Missing) -> Result<Option<Tally>, E>,
    ) -> Result<Option<Standing>, E> {
        let policy = self.policy_at(now.time);
        let Some(budget) = policy.budgets.get(position) else { return Ok(None) };
        let (drawn, span, reached) = self.drawn(&policy, (position, key), now, &self.due(now), &look_up)?;
        let drawn = self.with_fleet(budget, drawn, span);
        let account = BudgetAccount { account: drawn.account(&budget.limit), span };
        Ok(Some(assess(budget, budget.each.map(|_| key.into()), account, reached, now.time)))
    }

    /// Whether the gate is active at this instant, from the same numbers that `standings` shows.
    pub fn gate(&self, now: Now) -> GateVerdict {
        self.verdict(&self.policy_at(now.time), now)
    }

    fn verdict(&self, policy: &Policy, now: Now) -> GateVerdict {
        let (nothing, is_in_force) = (Amounts::new(), self.policy_in.contains(now.time));
        let is_at_gate = |position: usize| {
            let meter = self.tallies.meters().get(position);
            let Some((budget, meter)) = policy.budgets.get(position).zip(meter) else { return false };
            let span = meter.span_at(policy, budget, now.time);
            let elsewhere = self.elsewhere(budget, span);
            let is_at_gate = |tally: Option<&Tally>, _: Option<&Amounts>, _: bool| {
                let spent = tally.map_or(&nothing, |tally| &tally.spent);
                let of_all = elsewhere.map(|elsewhere| {
                    let mut drawn = Drawn { spent: Amounts::from_slice(spent), ..Drawn::default() };
                    drawn.add(elsewhere);
                    drawn.spent
                });
                let spent = of_all.as_ref().unwrap_or(spent);
                if is_in_force { meter.bars().is_at_gate(spent) } else { Bars::of(budget).is_at_gate(spent) }
            };
            let (Ok(is_at_gate) | Err(is_at_gate)) = meter.look(span, "", is_at_gate);
            is_at_gate
        };
        let account = |position: usize| {
            let (drawn, ..) = self.known(policy, position, now);
            policy.budgets.get(position).map(|budget| drawn.account(&budget.limit)).unwrap_or_default()
        };
        judge(policy, self.views.manual(now.time), is_at_gate, account)
    }

    /// Whether something may be spent at this instant.
    ///
    /// # Errors
    /// Those of `look_up`, which says what the ledger has of a tally that is not in memory.
    pub fn admit<E>(
        &self,
        spend: Spend<'_>,
        asking: Asking,
        now: Now,
        look_up: impl Fn(&Missing) -> Result<Option<Tally>, E>,
    ) -> Result<Admission, E> {
        let policy = self.policy_at(now.time);
        let (gate, due) = (self.verdict(&policy, now), self.due(now));
        admit(&policy, &gate, spend, |position, key, take| {
            let Some((budget, meter)) = policy.budgets.get(position).zip(self.tallies.meters().get(position)) else {
                return Ok(());
            };
            let span = meter.span_at(&policy, budget, now.time);
            let mut tell = |spent: &[i128], reserved: &[i128]| {
                let shared = self.shared(budget, span, (spent, reserved), asking, now.steady);
                take(Looked { spent, reserved, span, shared });
            };
            let looked = meter.look(span, key, |tally, reserved, _| {
                tell(tally.map_or(&[], |tally| &tally.spent), reserved.map_or(&[], |reserved| reserved));
            });
            if looked.is_err() || due.is_some() {
                let (Drawn { spent, reserved }, ..) = self.drawn(&policy, (position, key), now, &due, &look_up)?;
                tell(&spent, &reserved);
            }
            Ok(())
        })
    }

    /// Whether what was asked of this state at an instant is better asked of the next one, which is about to be published: there are holds that
    /// have run out of time, and of keys which a later commit has changed only those are taken off that had by then.
    pub fn is_overtaken(&self, now: impl FnOnce() -> Now) -> bool {
        self.tallies.are_overtaken() && self.due(now()).is_some()
    }

    /// What has run out of time without the writer having noticed, if anything has: next to never, since it wakes up for that.
    fn due(&self, now: Now) -> Option<Vec<Arc<Hold>>> {
        let is_any = self.views.holds.next_deadline().is_some_and(|deadline| deadline <= now.steady);
        is_any.then(|| self.views.holds.due(now.steady).cloned().collect())
    }

    fn whole(&self, policy: &Policy, position: usize, budget: &Budget, now: Now) -> Standing {
        let (drawn, span, reached) = self.known(policy, position, now);
        let account = BudgetAccount { account: drawn.account(&budget.limit), span };
        assess(budget, None, account, reached, now.time)
    }

    /// What is used of a budget without `each`, by the whole fleet where one shares it: memory has that always.
    fn known(&self, policy: &Policy, position: usize, now: Now) -> (Drawn, Span, Reached) {
        let nothing = |_: &Missing| Ok::<_, Infallible>(None);
        let Ok((drawn, span, reached)) = self.drawn(policy, (position, ""), now, &self.due(now), &nothing);
        let drawn = policy.budgets.get(position).map_or(drawn.clone(), |budget| self.with_fleet(budget, drawn, span));
        (drawn, span, reached)
    }

    /// What is used by a key of a budget, in which period, and when the limit was used up.
    fn drawn<E>(
        &self,
        policy: &Policy,
        (position, key): (usize, &str),
        now: Now,
        due: &Option<Vec<Arc<Hold>>>,
        look_up: &impl Fn(&Missing) -> Result<Option<Tally>, E>,
    ) -> Result<(Drawn, Span, Reached), E> {
        let (Some(budget), Some(meter)) = (policy.budgets.get(position), self.tallies.meters().get(position)) else {
            return Ok(Default::default());
        };
        let span = meter.span_at(policy, budget, now.time);
        let take = |tally: Option<&Tally>, reserved: Option<&Amounts>, may_take_off: bool| {
            // Copies of slices are quicker than clones of what may have more in it than numbers.
            let copy = |amounts: &Amounts| Amounts::from_slice(amounts);
            let (spent, reached) = tally.map(|tally| (copy(&tally.spent), tally.reached)).unwrap_or_default();
            (Drawn { spent, reserved: reserved.map(copy).unwrap_or_default() }, reached, may_take_off)
        };
        let (mut drawn, mut reached, may_take_off) = match meter.look(span, key, take) {
            Ok(known) => known,
            Err((known, _, may_take_off)) => {
                let read = look_up(&meter.missing_of(position, span, key))?;
                let (drawn, reached, _) = take(read.as_ref(), None, may_take_off);
                (Drawn { reserved: known.reserved, ..drawn }, reached, may_take_off)
            }
        };
        for hold in due.iter().flatten().filter(|_| may_take_off) {
            if budget.key_of(&hold.request.subject().folded()) == Some(key) {
                let amounts = budget.limit.measure(hold.request.estimated_cost, &hold.request.usage);
                drawn.reserved.iter_mut().zip(amounts).for_each(|(reserved, amount)| *reserved -= amount);
            }
        }
        if matches!(reached, Reached::At(_)) && !self.policy_in.contains(now.time) {
            // Of a limit that has lapsed since.
            reached = Reached::SomeTime;
        }
        Ok((drawn, span, reached))
    }
}

impl Board {
    /// A board that shows `first`.
    pub fn new(mut first: Published) -> Self {
        first.tallies.apply();
        Self {
            published: ArcSwap::from_pointee(first),
            per_lead: ArcSwapOption::empty(),
            prunes: AtomicU64::new(0),
            newest: Newest::default(),
        }
    }

    /// Shows a new state, which is committed, to every read that starts from now on.
    pub fn publish(&self, mut next: Published) {
        next.tallies.apply();
        self.published.store(Arc::new(next));
    }

    /// The newest state.
    pub fn read(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// The newest entries, among them all that are published since somebody asked for them.
    pub fn newest(&self) -> &Newest {
        &self.newest
    }

    /// Tells readers of the ledger that retention has removed entries.
    pub fn note_prune(&self) {
        self.prunes.fetch_add(1, Ordering::Release);
    }

    /// How often retention has removed entries since the start.
    pub fn prunes(&self) -> u64 {
        self.prunes.load(Ordering::Acquire)
    }

    /// Shows what a lead costs on average, or that it is not known.
    pub fn show_per_lead(&self, newest: Option<CostPerLead>) {
        self.per_lead.store(newest.map(Arc::new));
    }

    /// What a lead costs on average, where it is known.
    pub fn per_lead(&self) -> Option<CostPerLead> {
        self.per_lead.load().as_deref().copied()
    }
}

#[cfg(test)]
impl Published {
    /// What is shown of views that have counted no event of a budget so far, for tests.
    pub(crate) fn example(views: Views, policy: Arc<Policy>, now: Timestamp) -> Self {
        let mut meters: Vec<Meter> = Vec::new();
        for (id, budget) in (1..).zip(&policy.budgets) {
            let from = policy.zone.span_of(&budget.cycle, now).start;
            let mut meter = Meter::new(id, budget, &policy.zone, from);
            let beside = policy.budgets.iter().zip(&meters).find(|(other, _)| other.each == budget.each);
            beside.into_iter().for_each(|(_, other)| meter.stand_beside(other));
            meters.push(meter);
        }
        Self::new(views, policy, meters, now)
    }

    /// The same under other settings, for tests. Of a budget that is new nothing is counted.
    pub(crate) fn example_under(&self, policy: Arc<Policy>, now: Timestamp) -> Self {
        let new = Self::example(self.views.clone(), Arc::clone(&policy), now);
        let known = self.tallies.meters();
        let meters = new.tallies.meters().iter().map(|meter| {
            known
                .iter()
                .find(|known| (&known.budget, &known.definition) == (&meter.budget, &meter.definition))
                .unwrap_or(meter)
                .clone()
        });
        self.under(policy, meters.collect(), now).0
    }

    /// Counts events one after the other, for tests.
    pub(crate) fn record_events<'e>(
        &mut self,
        events: impl IntoIterator<Item = (&'e CostEvent, &'e Entry)>,
        now: Timestamp,
    ) {
        let zone = self.policy.zone.clone();
        let behind = self.views.entries as i64 + 1;
        let events: Vec<_> =
            (behind..).zip(events).map(|(place, (event, entry))| (place, event, entry, zone.day_of(event.time))).collect();
        self.record(events.into_iter(), now);
    }
}
