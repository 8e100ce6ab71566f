use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::tests::{Fixture, event};
use super::*;
use crate::domain::{BudgetZone, CostEvent, Kind};

proptest! {
    #[test]
    fn leads_are_counted_once_in_each_day_and_in_all(
        steps in prop::collection::vec((0..60_u64, prop::option::of(0..DAYS), 0..9_u8), 0..300),
    ) {
        let mut leads = Leads::default();
        let mut naive: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
        for (lead, day, what) in steps {
            leads.add((lead << DAYS) | (lead % 8), day);
            naive.entry(lead).or_default().extend(day);
            if what < 2 {
                leads.sort_in();
            }
            if what == 0 {
                leads.next_day();
                naive.values_mut().for_each(|days| *days = days.iter().filter_map(|day| day.checked_sub(1)).collect());
            }
        }
        leads.sort_in();
        let found: Vec<u64> = leads.sorted.iter().map(|lead| lead >> DAYS).collect();
        prop_assert_eq!(found, naive.keys().copied().collect::<Vec<_>>());
        for (day, count) in leads.counts.iter().enumerate() {
            prop_assert_eq!(*count, naive.values().filter(|days| days.contains(&day)).count() as u64);
        }
    }
}

/// What a person with the list of events says of some days.
fn naive_mean(events: &[CostEvent], first: Date, last: Date) -> Option<Usd> {
    let of_days = events.iter().filter(|event| (first..=last).contains(&BudgetZone::UTC.day_of(event.time)));
    let attributed: Vec<_> = of_days.filter_map(|event| Some((event.lead_id.as_deref()?, event.amount))).collect();
    let leads: BTreeSet<&str> = attributed.iter().map(|(lead, _)| *lead).collect();
    let total: Usd = attributed.iter().map(|(_, amount)| *amount).sum();
    (!leads.is_empty()).then(|| total.divided_by(leads.len() as u64))
}

#[test]
fn each_look_adds_what_was_recorded_since_also_over_midnight_and_the_end_of_a_month() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    let mut per_lead = PerLead::new(date(2026, 11, 26));
    let (mut events, mut number) = (Vec::<CostEvent>::new(), 0_i64);
    for (today, count) in [
        (date(2026, 11, 27), 0),
        (date(2026, 11, 27), SEGMENT_EVENTS + 3_000),
        (date(2026, 11, 27), 5),
        (date(2026, 11, 28), 900),
        (date(2026, 11, 28), 0),
        (date(2026, 11, 29), 40),
        (date(2026, 11, 30), 0),
        (date(2026, 12, 1), 200),
        (date(2026, 12, 2), 30),
        (date(2026, 12, 5), 30),
        // The clock was ahead.
        (date(2026, 12, 3), 1),
    ] {
        let noon: Timestamp = format!("{today}T12:00:00Z").parse().unwrap();
        let batch: Vec<CostEvent> = (0..count)
            .map(|_| {
                number += 1;
                // Up to a week old, half a day ahead, and now and then four days.
                let hours = number * 7_919 % 180 - 168 + if number % 501 == 0 { 96 } else { 0 };
                let amount = number * 104_729 % 2_000_003 - 400_000;
                CostEvent {
                    time: noon + SignedDuration::from_hours(hours),
                    lead_id: (number % 5 > 0).then(|| format!("lead-{}", number * 31 % 700).into()),
                    amount: Usd::from_pico(amount.into()),
                    kind: if amount < 0 { Kind::Credit } else { Kind::Charge },
                    ..event(number)
                }
            })
            .collect();
        if count > 0 {
            fixture.commit(&mut ledger, batch.clone(), noon);
        }
        events.extend(batch);
        reader.catch_up(&mut per_lead, today, &|| false).unwrap();
        let month = Month::of(today);
        assert_eq!(per_lead.daily(), naive_mean(&events, today, today), "{today}");
        assert_eq!(per_lead.monthly(), naive_mean(&events, month.first_day(), month.last_day()), "{today}");
    }
    assert!(per_lead.monthly().is_some());
}

/// Guards against: cost of a day far ahead that is missing when the day comes.
#[test]
fn what_happens_far_ahead_counts_when_its_day_comes() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    let first = date(2026, 11, 2);
    let noon: Timestamp = format!("{first}T12:00:00Z").parse().unwrap();
    let ahead = DAYS as i64 + 1;
    let events: Vec<CostEvent> = [0, 1, ahead]
        .into_iter()
        .zip(1..)
        .map(|(days, number)| CostEvent {
            time: noon + SignedDuration::from_hours(24 * days),
            lead_id: Some("l".into()),
            ..event(number)
        })
        .collect();
    fixture.commit(&mut ledger, events.clone(), noon);
    let mut per_lead = PerLead::new(first);
    for day in (0..=ahead).map(|days| first.saturating_add(jiff::Span::new().days(days))) {
        reader.catch_up(&mut per_lead, day, &|| false).unwrap();
        assert_eq!(per_lead.daily(), naive_mean(&events, day, day), "{day}");
        assert!(per_lead.is_of(day) && !per_lead.is_of(day.tomorrow().unwrap()));
    }
}

/// Guards against: entries that count twice because a look ended in the middle, or are damaged and count all the same.
#[test]
fn a_look_that_fails_counts_nothing() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    let noon: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
    let events: Vec<CostEvent> =
        (0..5_000).map(|number| CostEvent { lead_id: Some(format!("{number}").into()), ..event(number) }).collect();
    fixture.commit(&mut ledger, events.clone(), noon);
    let day = BudgetZone::UTC.day_of(events[0].time);
    let mut per_lead = PerLead::new(day);
    let looks = std::cell::Cell::new(0);
    let stop_at_third = || looks.replace(looks.get() + 1) == 2;
    assert!(matches!(reader.catch_up(&mut per_lead, day, &stop_at_third), Err(LedgerError::Stopped)));
    assert_eq!(per_lead.monthly(), None);
    reader.catch_up(&mut per_lead, day, &|| false).unwrap();
    assert_eq!(per_lead.daily(), naive_mean(&events, day, day));

    let other = rusqlite::Connection::open(fixture.path()).unwrap();
    other.execute("UPDATE event SET lead_id = 'x' WHERE seq = 4321", ()).unwrap();
    let mut per_lead = PerLead::new(day);
    assert!(matches!(reader.catch_up(&mut per_lead, day, &|| false), Err(LedgerError::Damaged(_))));
    assert_eq!(per_lead.monthly(), None);
}
