//! What is counted of the budgets, taken from the ledger: at a start, after a failure, and when the settings change.
//!
//! *Invariants.* A meter counts everything that happened from its first span on: what the ledger has of it, and each entry behind that. One
//! that the ledger does not have, because the budget is new or counts something else than before, is made up from the sums of days where
//! these say enough, else from the entries.
//!
//! *Limits.* Keys in memory: a setting, and what one segment of entries adds. What is counted beyond is written to the ledger on the way.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use super::draft::find_tally;
use super::saving::{row_of, stored_meter};
use crate::budget::{Amounts, Budget, Limit, Policy};
use crate::domain::{Facet, OTHER_LABEL, Pair, Period, PeriodKind, Reached, Span, Subject};
use crate::ledger::{BudgetChanges, Commit, Ledger, LedgerError, StoredMeter};
use crate::views::tallies::{KEPT, Meter, Tally, let_go};

/// The meters of the budgets of a policy, with the limits in force, in their order, counted up to the newest entry. The sums of days must be
/// up to date. Those of `known` that are of the same budgets are taken as they are.
///
/// # Errors
/// A row is damaged, or the ledger cannot be read, or written where there are more keys than memory shall have.
pub(super) fn load_meters(
    ledger: &mut Ledger,
    in_force: &Policy,
    known: &[Meter],
    keys_max: usize,
    now: Timestamp,
) -> Result<Vec<Meter>, LedgerError> {
    let stored = ledger.meters();
    // Behind those of the ledger, of which some may be forgotten and still have tallies, and those that it does not know yet.
    let next_id = known.iter().map(|meter| meter.id + 1).fold(ledger.next_meter(), i64::max);
    let mut loading = Loading { policy: in_force, meters: Vec::new(), keys_max, written_to: 0, now };
    let zone = &in_force.zone;
    let (mut behind, mut since): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (position, budget) in in_force.budgets.iter().enumerate() {
        if let Some(known) = known.iter().find(|meter| meter.is_of(budget, zone)) {
            loading.meters.push(known.clone());
            continue;
        }
        let from = zone.span_of(&budget.cycle, now.checked_sub(KEPT).unwrap_or(now)).start;
        let mut meter = Meter::new(next_id + position as i64, budget, zone, from);
        let beside = |(other, _): &(&Budget, &Meter)| budget.each.is_some() && other.each == budget.each;
        if let Some((_, other)) = in_force.budgets.iter().zip(&loading.meters).find(beside) {
            meter.stand_beside(other);
        }
        let is_usable = |stored: &&StoredMeter| {
            *stored.budget == *meter.budget
                && budget.is_counted_by(&stored.definition, zone)
                && stored.counted_to > 0
                && stored.counted_from <= from
        };
        let usable = stored.iter().find(is_usable);
        loading.meters.push(meter);
        match usable {
            Some(stored) => {
                loading.read_tallies(ledger, stored, position)?;
                behind.push(position);
            }
            None if loading.add_days(ledger, position)? => {}
            None => {
                if ledger.has_removed_since(zone.span_of(&budget.cycle, now).start)? {
                    let budget = &*budget.name;
                    tracing::warn!(
                        budget,
                        "retention has removed events of this budget's period: it begins with less than was spent"
                    );
                }
                since.push(position);
            }
        }
    }
    if let Some(saved_to) = behind.iter().map(|position| loading.meters[*position].saved_to).min() {
        loading.count(ledger, &behind, ledger.entries_behind(saved_to))?;
    }
    if let Some(from) = since.iter().map(|position| loading.meters[*position].counted_from).min() {
        loading.count(ledger, &since, ledger.entries_since(from)?)?;
    }
    Ok(loading.meters)
}

/// The meters while they are put together.
struct Loading<'p> {
    policy: &'p Policy,
    meters: Vec<Meter>,
    keys_max: usize,
    /// The entry up to which the ledger has all that these stretches have counted.
    written_to: i64,
    now: Timestamp,
}

impl Loading<'_> {
    /// Takes what the ledger has of a meter.
    fn read_tallies(&mut self, ledger: &Ledger, stored: &StoredMeter, position: usize) -> Result<(), LedgerError> {
        let (policy, keys_max) = (self.policy, self.keys_max);
        let (budget, meter) = (&policy.budgets[position], &mut self.meters[position]);
        meter.id = stored.id;
        (meter.saved_to, meter.saved_from) = (stored.counted_to, Some(stored.counted_from));
        let mut span: Option<Span> = None;
        ledger.each_tally(stored.id, |row| {
            if row.span_start < meter.counted_from {
                return Ok(());
            }
            let of_row = span.filter(|span| span.start == row.span_start);
            let of_row = of_row.unwrap_or_else(|| policy.zone.span_of(&budget.cycle, row.span_start));
            span = Some(of_row);
            meter.load(of_row, &row.key, Tally { spent: row.spent, reached: row.reached, counted_to: row.counted_to });
            if meter.keys_len() > keys_max {
                let_go(&mut [(budget, &mut *meter)], keys_max - keys_max / 10, |_, _| true);
            }
            Ok(())
        })?;
        meter.saved_limits = Amounts::from_slice(&stored.limits);
        if meter.saved_limits.is_empty() {
            // The limit was changed before the process was killed, who knows when.
            meter.doubt_reached();
        } else if meter.saved_limits != budget.limit.amounts() {
            meter.note_new_limit(budget);
        }
        Ok(())
    }

    /// Counts the entries of these stretches for the meters at these places, as far as the ledger has not counted them.
    fn count(&mut self, ledger: &mut Ledger, which: &[usize], stretches: Vec<(i64, i64)>) -> Result<(), LedgerError> {
        // They may begin before what was counted last for others.
        self.written_to = 0;
        for stretch in stretches {
            let (policy, meters, of_ledger) = (self.policy, &mut self.meters, &*ledger);
            of_ledger.each_entry_of(stretch, |stored| {
                let (subject, mut shared) = (stored.event.subject().folded(), None);
                for position in which {
                    let (budget, meter) = (&policy.budgets[*position], &mut meters[*position]);
                    let Some(key) = budget.key_of(&subject).filter(|_| stored.seq > meter.saved_to) else { continue };
                    if let Some(missing) = meter.missing(policy, budget, *position, key, stored.event.time) {
                        let found = find_tally(of_ledger, &missing)?;
                        meter.put_found(&missing, found);
                    }
                    let placed = (stored.seq, &stored.event, &stored.entry);
                    meter.count(policy, budget, (key, &mut shared), placed, false);
                }
                Ok(())
            })?;
            which.iter().for_each(|position| self.meters[*position].apply());
            self.make_room(ledger, stretch.1)?;
        }
        Ok(())
    }

    /// Writes what was counted on the way, and lets go of most of it, if memory has too much.
    fn make_room(&mut self, ledger: &mut Ledger, counted_to: i64) -> Result<(), LedgerError> {
        if self.meters.iter().map(Meter::keys_len).sum::<usize>() <= self.keys_max {
            return Ok(());
        }
        let mut budgets = BudgetChanges::default();
        let keyed = self.policy.budgets.iter().zip(&self.meters).filter(|(budget, _)| budget.each.is_some());
        for (_, meter) in keyed {
            // Of what is new to the ledger it knows all or nothing: until it has all, the next start begins anew.
            budgets.meters.push(stored_meter(meter, meter.saved_to, &meter.saved_limits));
            let known_to = self.written_to.max(meter.saved_to);
            for span in meter.spans() {
                meter.each_tally(span, |key, tally| {
                    if tally.counted_to > known_to {
                        budgets.tallies.push(row_of(meter.id, span, key.as_str(), tally.clone()));
                    }
                });
            }
        }
        ledger.commit(&Commit { budgets, ..Commit::default() }, self.now)?;
        self.written_to = counted_to;
        let mut meters: Vec<_> = self.policy.budgets.iter().zip(&mut self.meters).collect();
        let_go(&mut meters, self.keys_max - self.keys_max / 10, |_, _| true);
        Ok(())
    }

    /// Adds up the sums of days, which takes no time with the number of events. Answers whether these say enough.
    fn add_days(&mut self, ledger: &Ledger, position: usize) -> Result<bool, LedgerError> {
        let (budget, meter, zone) = (&self.policy.budgets[position], &mut self.meters[position], &self.policy.zone);
        if !is_told_by_days(budget) {
            return Ok(false);
        }
        let first = if meter.counted_from == Timestamp::MIN { Date::MIN } else { zone.day_of(meter.counted_from) };
        let mut spans: BTreeMap<Span, i128> = BTreeMap::new();
        for day in ledger.days_since(first) {
            let span = zone.span_of(&budget.cycle, zone.bounds(Period::Day(day)).0);
            for row in ledger.pairs_of(day)? {
                let is_mixed = [&row.pair.service, &row.pair.operation].iter().any(|name| name.as_str() == OTHER_LABEL);
                if is_mixed && !budget.cover.is_everything() {
                    // Names of that day may have been added up.
                    return Ok(false);
                }
                if budget.cover.covers(&subject_of(&row.pair).folded()) {
                    *spans.entry(span).or_default() += row.sums.net().pico();
                }
            }
        }
        for (span, spent) in spans {
            let tally = Tally { spent: Amounts::from_buf([spent]), reached: Reached::Never, counted_to: ledger.events() };
            meter.load(span, "", tally);
        }
        meter.note_new_limit(budget);
        Ok(true)
    }
}

/// Whether the sums of days by service and operation say all about it.
fn is_told_by_days(budget: &Budget) -> bool {
    let unknown = [Facet::Worker, Facet::Batch, Facet::Lead, Facet::Model];
    let asks_more = budget.each.is_some() || unknown.iter().any(|facet| !budget.cover.patterns(*facet).is_empty());
    !asks_more && matches!(budget.limit, Limit::Usd(_)) && budget.cycle.kind != PeriodKind::Hourly
}

fn subject_of(pair: &Pair) -> Subject<'_> {
    let Pair { service, operation } = pair;
    Subject { service, operation, worker: None, batch: None, lead: None, model: None }
}
