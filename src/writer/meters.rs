//! What is counted of the budgets, taken from the ledger: at a start, after a failure, and when the settings change.
//!
//! *Invariants.* A meter counts everything that happened from its first span on: what the ledger has of it, and each entry behind that. One
//! that the ledger does not have, because the budget is new or counts something else than before, is made up from the sums of days where
//! these say enough, else from the entries.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::budget::{Amounts, Budget, Limit, Policy};
use crate::domain::{Facet, OTHER_LABEL, Pair, Period, PeriodKind, Reached, Span, Subject};
use crate::ledger::{Ledger, LedgerError, StoredMeter};
use crate::views::tallies::{KEPT, Meter, Tally};

/// The meters of the budgets of a policy, with the limits in force, in their order, counted up to the newest entry. The sums of days must be
/// up to date. Those of `known` that are of the same budgets are taken as they are.
///
/// # Errors
/// A row is damaged or cannot be read.
pub(super) fn load_meters(
    ledger: &Ledger,
    in_force: &Policy,
    known: &[Meter],
    now: Timestamp,
) -> Result<Vec<Meter>, LedgerError> {
    let stored = ledger.meters();
    // Behind those of the ledger, of which some may be forgotten and still have tallies, and those that it does not know yet.
    let mut next_id = known.iter().map(|meter| meter.id + 1).fold(ledger.next_meter(), i64::max);
    let zone = &in_force.zone;
    let mut meters = Vec::with_capacity(in_force.budgets.len());
    let (mut behind, mut since): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (position, budget) in in_force.budgets.iter().enumerate() {
        if let Some(known) = known.iter().find(|meter| meter.is_of(budget, zone)) {
            meters.push(known.clone());
            continue;
        }
        let from = zone.span_of(&budget.cycle, now.checked_sub(KEPT).unwrap_or(now)).start;
        let mut meter = Meter::new(0, budget, zone, from);
        let is_usable = |stored: &&StoredMeter| {
            *stored.budget == *meter.budget
                && *stored.definition == *meter.definition
                && stored.counted_to > 0
                && stored.counted_from <= from
        };
        if let Some(stored) = stored.iter().find(is_usable) {
            read_tallies(ledger, stored, budget, in_force, &mut meter)?;
            behind.push(position);
        } else {
            meter.id = next_id;
            next_id += 1;
            if !add_days(ledger, budget, in_force, &mut meter)? {
                since.push(position);
            }
        }
        meters.push(meter);
    }
    count_behind(ledger, in_force, &mut meters, &behind)?;
    count_since(ledger, in_force, &mut meters, &since)?;
    Ok(meters)
}

/// Takes what the ledger has of a meter.
fn read_tallies(
    ledger: &Ledger,
    stored: &StoredMeter,
    budget: &Budget,
    policy: &Policy,
    meter: &mut Meter,
) -> Result<(), LedgerError> {
    meter.id = stored.id;
    meter.saved_to = stored.counted_to;
    let from = meter.counted_from;
    let mut span: Option<Span> = None;
    ledger.each_tally(stored.id, |row| {
        if row.span_start < from {
            return Ok(());
        }
        let of_row = span.filter(|span| span.start == row.span_start);
        let of_row = of_row.unwrap_or_else(|| policy.zone.span_of(&budget.cycle, row.span_start));
        span = Some(of_row);
        let tally = Tally { spent: row.spent, reached: row.reached, counted_to: row.counted_to };
        meter.load(budget, of_row, &row.key, tally);
        Ok(())
    })?;
    meter.saved_limits = Amounts::from_slice(&stored.limits);
    if meter.saved_limits != budget.limit.amounts() {
        meter.note_new_limit(budget);
    }
    Ok(())
}

/// Counts the entries behind what the ledger has of these meters.
fn count_behind(ledger: &Ledger, policy: &Policy, meters: &mut [Meter], which: &[usize]) -> Result<(), LedgerError> {
    let Some(from) = which.iter().map(|position| meters[*position].saved_to).min() else { return Ok(()) };
    ledger.each_entry_behind(from, |stored| {
        let subject = stored.event.subject().folded();
        for position in which {
            let (budget, meter) = (&policy.budgets[*position], &mut meters[*position]);
            if let Some(key) = budget.key_of(&subject).filter(|_| stored.seq > meter.saved_to) {
                meter.count(policy, budget, key, (stored.seq, &stored.event, &stored.entry), false);
            }
        }
        Ok(())
    })
}

/// Counts all that happened since these meters begin.
fn count_since(ledger: &Ledger, policy: &Policy, meters: &mut [Meter], which: &[usize]) -> Result<(), LedgerError> {
    let Some(from) = which.iter().map(|position| meters[*position].counted_from).min() else { return Ok(()) };
    ledger.each_entry_since(from, |stored| {
        let subject = stored.event.subject().folded();
        for position in which {
            let (budget, meter) = (&policy.budgets[*position], &mut meters[*position]);
            if let Some(key) = budget.key_of(&subject) {
                meter.count(policy, budget, key, (stored.seq, &stored.event, &stored.entry), false);
            }
        }
        Ok(())
    })
}

/// Adds up the sums of days, which takes no time with the number of events. Answers whether these say enough.
fn add_days(ledger: &Ledger, budget: &Budget, policy: &Policy, meter: &mut Meter) -> Result<bool, LedgerError> {
    let unknown = [Facet::Worker, Facet::Batch, Facet::Lead, Facet::Model];
    let asks_more = budget.each.is_some() || unknown.iter().any(|facet| !budget.cover.patterns(*facet).is_empty());
    if asks_more || !matches!(budget.limit, Limit::Usd(_)) || budget.cycle.kind == PeriodKind::Hourly {
        return Ok(false);
    }
    let zone = &policy.zone;
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
        meter.load(budget, span, "", tally);
    }
    meter.note_new_limit(budget);
    Ok(true)
}

fn subject_of(pair: &Pair) -> Subject<'_> {
    let Pair { service, operation } = pair;
    Subject { service, operation, worker: None, batch: None, lead: None, model: None }
}
