//! What the model's budgets have come to, by key and period, and under which limits.

use std::collections::BTreeMap;

use super::calendar::{Nanos, Span};
use super::command::{Amounts, Budget, Event, Names, Pico, UNITS, Word, names};
use super::naive::Model;
use super::rules::{Used, fold};

/// The newest word on each budget's limit.
pub type Limits = BTreeMap<Word, SetLimit>;

/// A limit in place of the one in the settings, or that one again.
#[derive(Clone, Debug)]
pub struct SetLimit {
    pub limit: Option<Vec<(usize, Pico)>>,
    pub ends_at: Option<Nanos>,
}

/// What was spent, in the order in which it was recorded, and what it comes to.
#[derive(Debug, Default)]
pub struct Spending {
    spent: Vec<(Names, Nanos, Amounts)>,
    /// For each budget of the settings.
    budgets: Vec<Spent>,
}

/// What was spent of one budget.
#[derive(Debug)]
struct Spent {
    of: Budget,
    by_key: BTreeMap<(Span, String), Tally>,
    /// The limit that was in force when something was counted last.
    limit: Vec<(usize, Pico)>,
}

#[derive(Clone, Debug)]
struct Tally {
    spent: Vec<Pico>,
    since: Since,
}

/// Since when a limit is used up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Since {
    /// It never was.
    Never,
    /// Since the event of this time.
    Event(Nanos),
    /// Since nobody knows which event.
    Unknown,
}

impl Model {
    /// Counts what was spent. What is nothing in each unit of a budget makes no key of it. While it is moved, it comes to no limit.
    pub(super) fn spend(&mut self, event: &Event, more: Amounts, is_moved: bool) {
        let names = names(event.service, event.operation, event.who, event.model);
        self.spending.spent.push((names, event.time, more));
        self.count(&(names, event.time, more));
        if !is_moved {
            self.note_event(&names, event.time);
        }
    }

    fn count(&mut self, (names, time, more): &(Names, Nanos, Amounts)) {
        for spent in &mut self.spending.budgets {
            let Spent { of: budget, by_key, .. } = spent;
            let Some(key) = budget.key_of(names) else { continue };
            if budget.limit.iter().all(|(unit, _)| more[*unit] == 0) {
                continue;
            }
            let span = self.zone.span(budget.cycle, *time);
            let nothing = || Tally { spent: vec![0; budget.limit.len()], since: Since::Never };
            let tally = by_key.entry((span, key)).or_insert_with(nothing);
            budget.limit.iter().zip(&mut tally.spent).for_each(|((unit, _), spent)| *spent += more[*unit]);
        }
    }

    /// An event is told: limits that are used up now and were not before are since then.
    fn note_event(&mut self, names: &Names, time: Nanos) {
        for spent in &mut self.spending.budgets {
            let Some(key) = spent.of.key_of(names) else { continue };
            let span = self.zone.span(spent.of.cycle, time);
            if let Some(tally) = spent.by_key.get_mut(&(span, key))
                && tally.since == Since::Never
                && is_exhausted(&tally.spent, &spent.limit)
            {
                tally.since = Since::Event(time);
            }
        }
    }

    /// Counts everything for the budgets of the settings as they are now. Of one that counts what it did before, it stays known since
    /// when it is used up.
    pub(super) fn count_anew(&mut self) {
        let before = std::mem::take(&mut self.spending.budgets);
        let begun = |budget: &Budget| {
            let known = before.iter().find(|known| counts_as(&known.of, budget));
            let limit = known.map_or_else(|| self.limit(budget), |known| known.limit.clone());
            Spent { of: budget.clone(), by_key: BTreeMap::new(), limit }
        };
        self.spending.budgets = self.policy.budgets.iter().map(begun).collect();
        let all = std::mem::take(&mut self.spending.spent);
        all.iter().for_each(|spent| self.count(spent));
        self.spending.spent = all;
        for spent in &mut self.spending.budgets {
            let known = before.iter().find(|known| counts_as(&known.of, &spent.of));
            for (of, tally) in &mut spent.by_key {
                let since = if is_exhausted(&tally.spent, &spent.limit) { Since::Unknown } else { Since::Never };
                tally.since = known.and_then(|known| known.by_key.get(of)).map_or(since, |known| known.since);
            }
        }
        self.note_limits();
    }

    pub(super) fn set_limit(&mut self, budget: Word, limit: Option<Vec<(usize, Pico)>>, ends_at: Option<Nanos>) {
        self.limits.insert(budget, SetLimit { limit, ends_at });
        self.note_limits();
    }

    /// Of a limit that comes into force nobody knows with which event it would have been used up.
    pub(super) fn note_limits(&mut self) {
        let in_force: Vec<_> = self.spending.budgets.iter().map(|spent| self.limit(&spent.of)).collect();
        for (spent, limit) in self.spending.budgets.iter_mut().zip(in_force) {
            if spent.limit != limit {
                for tally in spent.by_key.values_mut() {
                    tally.since = if is_exhausted(&tally.spent, &limit) { Since::Unknown } else { Since::Never };
                }
                spent.limit = limit;
            }
        }
    }

    /// What was spent of a budget under a key in a period, if anything ever was.
    pub fn spent(&self, budget: &Budget, span: Span, key: &str) -> Option<Vec<Pico>> {
        self.tally(budget, span, key).map(|tally| tally.spent.clone())
    }

    /// Since when the limit is used up, as far as that is known if the program was never killed.
    pub fn exhausted_since(&self, budget: &Budget, key: &str) -> Since {
        self.tally(budget, self.zone.span(budget.cycle, self.now), key).map_or(Since::Never, |tally| tally.since)
    }

    /// The keys under which anything was ever spent of a budget in a period.
    pub fn spenders(&self, budget: &Budget, span: Span) -> impl Iterator<Item = String> {
        let all = self.spent_of(budget).into_iter().flat_map(|spent| spent.by_key.keys());
        all.filter(move |(of, _)| *of == span).map(|(_, key)| key.clone())
    }

    fn tally(&self, budget: &Budget, span: Span, key: &str) -> Option<&Tally> {
        self.spent_of(budget)?.by_key.get(&(span, key.to_owned()))
    }

    fn spent_of(&self, budget: &Budget) -> Option<&Spent> {
        let at = self.policy.budgets.iter().position(|other| other == budget)?;
        self.spending.budgets.get(at)
    }
}

/// Whether two budgets count the same under one name, whatever their limits.
fn counts_as(one: &Budget, other: &Budget) -> bool {
    let patterns = |budget: &Budget| {
        budget.patterns.clone().map(|patterns| {
            let mut folded: Vec<String> = patterns.into_iter().map(fold).collect();
            folded.sort();
            folded.dedup();
            folded
        })
    };
    let units = |budget: &Budget| budget.limit.iter().map(|(unit, _)| *unit).collect::<Vec<_>>();
    let of = |budget: &Budget| (budget.name, budget.each, budget.cycle.length, units(budget));
    of(one) == of(other) && patterns(one) == patterns(other)
}

fn is_exhausted(spent: &[Pico], limit: &[(usize, Pico)]) -> bool {
    assert!(limit.iter().all(|(unit, _)| *unit < UNITS.len()));
    Used { limit: limit.to_vec(), spent: spent.to_vec(), reserved: vec![0; spent.len()] }.is_exhausted()
}
