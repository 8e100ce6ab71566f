//! Start-up, and what follows a failed commit: views from what the ledger holds.

use jiff::Timestamp;
use jiff::civil::Date;

use super::Settings;
use crate::domain::{BudgetZone, Month};
use crate::ledger::{Ledger, LedgerError};
use crate::views::{RESIDENT_PAIRS_MAX, Views};

/// Builds the views from the ledger's sums. Reads no events.
pub(super) fn load_views(
    ledger: &Ledger,
    settings: &Settings,
    zone: &BudgetZone,
    now: Timestamp,
) -> Result<Views, LedgerError> {
    let floor = resident_floor(settings, zone, now);
    let today = zone.day_of(now);
    let mut views = Views::new(settings.series.clone(), floor);
    let summary = ledger.summary()?;
    summary.series.into_iter().for_each(|(label, sums)| views.series.load(label, sums));
    summary.usage.into_iter().for_each(|(key, count)| views.usage.load(key, count));
    views.gate = summary.gate;
    views.gate_activations = summary.gate_activations;
    views.events = summary.events;
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
    Ok(views)
}

/// The first day that stays in memory: the month's beginning, of the oldest day in which an event may still count.
pub(super) fn resident_floor(settings: &Settings, zone: &BudgetZone, now: Timestamp) -> Date {
    let oldest = now.checked_sub(settings.age_max).unwrap_or(Timestamp::MIN);
    Month::of(zone.day_of(oldest)).first_day()
}
