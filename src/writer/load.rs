//! Start-up, and what follows a failed commit: views from what the ledger holds.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::Settings;
use super::meters::load_meters;
use super::unsaved::{Unsaved, make_resident};
use crate::budget::Policy;
use crate::domain::{BudgetZone, Month, Now};
use crate::ledger::{Commit, Ledger, LedgerError, StoredReservation};
use crate::views::{Hold, Holds, Published, RESIDENT_PAIRS_MAX, Views};

/// Builds the views from the ledger's sums and open reservations, and brings these up to date if the last process was killed before it did. Reads no
/// closed events. Holds that were in memory `before` keep their time by the steady clock.
pub(super) fn load_views(
    ledger: &mut Ledger,
    settings: &Settings,
    zone: &BudgetZone,
    now: Now,
    before: Option<&Holds>,
) -> Result<Views, LedgerError> {
    let floor = resident_floor(settings, zone, now.time);
    let today = zone.day_of(now.time);
    let mut views = Views::new(settings.series.clone(), floor);
    let summary = ledger.summary()?;
    summary.series.into_iter().for_each(|(label, sums)| views.series.load(label, sums));
    summary.usage.into_iter().for_each(|(key, count)| views.usage.load(key, count));
    summary.models.into_iter().for_each(|(key, charges)| views.models.load(key, charges));
    views.gate = summary.gate;
    views.gate_override = summary.gate_override;
    views.gate_activations = summary.gate_activations;
    views.entries = summary.entries;
    views.last_recorded_at = summary.last_recorded_at;

    let mut pairs = 0;
    for day in ledger.days_since(floor) {
        let rows = ledger.pairs_of(day)?;
        pairs += rows.len();
        if pairs > RESIDENT_PAIRS_MAX && day < today {
            views.leave_to_ledger(day);
        }
        for row in rows {
            if views.is_resident(day) {
                views.load_pair(day, row.pair, row.sums);
            } else {
                views.load_month(day, &row.pair.service, row.sums);
            }
        }
    }
    views.holds = load_holds(ledger, now, before)?;
    roll_up_tail(ledger, &mut views, zone, now.time)?;
    // These are counted with the table.
    ledger.take_unpriced_changes();
    ledger.each_unpriced(|event| views.change_unpriced(&event.service, &event.model, true))?;
    Ok(views)
}

/// What readers see of these views under a policy, with what is counted of its budgets.
///
/// # Errors
/// A row is damaged or cannot be read.
pub(super) fn shown(
    ledger: &mut Ledger,
    mut views: Views,
    configured: Arc<Policy>,
    settings: &Settings,
    now: Timestamp,
) -> Result<Published, LedgerError> {
    ledger.limit_overrides()?.into_iter().for_each(|line| views.overrides.put(line));
    let (in_force, _) = views.overrides.in_force(&configured, now);
    let meters = load_meters(ledger, &in_force, &[], settings.budget_keys_max, now)?;
    Ok(Published::new(views, configured, meters, now))
}

fn load_holds(ledger: &Ledger, now: Now, before: Option<&Holds>) -> Result<Holds, LedgerError> {
    let (held, expired) = ledger.open_reservations()?;
    let mut holds = Holds::with_expired(expired);
    for StoredReservation { seq, reservation, .. } in held {
        let known = before.and_then(|before| before.find(&reservation.request.id));
        match known.filter(|known| known.seq == seq && known.reservation() == reservation) {
            Some(known) => holds.put(Hold::clone(known)),
            None => holds.put(Hold::resumed(seq, &reservation, now)),
        }
    }
    before.into_iter().for_each(|before| holds.keep_lapsed(before));
    Ok(holds)
}

fn roll_up_tail(ledger: &mut Ledger, views: &mut Views, zone: &BudgetZone, now: Timestamp) -> Result<(), LedgerError> {
    let tail = ledger.take_tail();
    let Some(newest) = tail.last() else { return Ok(()) };
    for stored in &tail {
        make_resident(views, ledger, zone.day_of(stored.event.time))?;
    }
    let mut unsaved = Unsaved::since(views.clone());
    let entries = tail.iter().map(|stored| (&stored.event, &stored.entry, zone.day_of(stored.event.time)));
    unsaved.add(views.record(entries, newest.recorded_at));
    let rollup = Some(unsaved.rollup(views, Vec::new(), None));
    ledger.commit(&Commit { rollup, ..Commit::default() }, now)
}

/// The first day that stays in memory: the month's beginning, of the oldest day in which an event may still count.
pub(super) fn resident_floor(settings: &Settings, zone: &BudgetZone, now: Timestamp) -> Date {
    let oldest = now.checked_sub(settings.age_max).unwrap_or(Timestamp::MIN);
    Month::of(zone.day_of(oldest)).first_day()
}
