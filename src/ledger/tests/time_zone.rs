//! Days are counted anew in another time zone.

use super::*;

#[test]
fn another_time_zone_counts_the_same_events_in_its_own_days() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    // 11:00, 12:00, … 13:59 on the next day, in UTC.
    let hourly = (0..SEGMENT_EVENTS + 100).map(|number| CostEvent {
        time: now() + SignedDuration::from_hours(number % 27 - 1),
        // Every ninth is a credit.
        kind: if number % 9 == 0 { Kind::Credit } else { Kind::Charge },
        amount: Usd::from_pico(if number % 9 == 0 { -2 * number - 1 } else { 7 * number + 1 }.into()),
        ..event(number)
    });
    let mut hourly: Vec<CostEvent> = hourly.collect();
    fixture.commit(&mut ledger, hourly.clone(), now());
    // What is told of them later counts when they happened.
    for number in [4, 50, 200] {
        let before = &mut hourly[number];
        let (amount, attributes) = (before.amount + Usd::from_pico(300), Some("{}".into()));
        let told = CostEvent { amount, attributes, revision: 1, ..before.clone() };
        fixture.revise(&mut ledger, told.clone());
        *before = told;
    }
    drop(ledger);
    for name in ["Pacific/Auckland", "America/Los_Angeles", "UTC"] {
        let zone = BudgetZone::named(name).unwrap();
        let ledger = Ledger::open(&fixture.path(), &zone, now()).unwrap();
        for day in ledger.days_since(Date::MIN) {
            let expected = hourly.iter().filter(|event| zone.day_of(event.time) == day).map(|event| event.amount).sum();
            let found: Usd = ledger.pairs_of(day).unwrap().iter().map(|row| row.sums.net()).sum();
            assert_eq!(found, expected, "{name} {day}");
        }
        drop(ledger);
        assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new(), "{name}");
    }
    let ledger = fixture.open();
    assert_eq!(ledger.days_since(Date::MIN), [date(2026, 11, 23), DAY]);
}

/// On a day with more names than rollups tell apart, some are counted under their service's `other`, be it spelt as a budget has it, or under
/// everybody's.
#[test]
fn names_that_were_counted_under_others_have_their_own_rows_on_a_day_with_room() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let pair = |service: &str, operation: &str| Pair {
        service: Name::new(service).unwrap(),
        operation: Name::new(operation).unwrap(),
    };
    let names =
        [("paid", "a"), ("paid", "b"), ("Paid", "c"), ("unknown", "d")].map(|(service, operation)| pair(service, operation));
    let at_night: Timestamp = "2026-11-22T23:30:00Z".parse().unwrap();
    let told: Vec<CostEvent> = names
        .iter()
        .zip(1..)
        .map(|(Pair { service, operation }, number)| CostEvent {
            service: service.clone(),
            operation: operation.clone(),
            amount: Usd::from_pico(10_i128.pow(number)),
            time: at_night,
            ..event(number.into())
        })
        .collect();
    let sums = |picos: &[i128]| {
        let sums =
            picos.iter().map(|pico| Sums::of(&CostEvent { amount: Usd::from_pico(*pico), ..event(0) }, &Entry::First));
        sums.fold(Sums::default(), |mut sum, more| {
            sum += more;
            sum
        })
    };
    let rows =
        [(pair("paid", "a"), sums(&[10])), (pair("paid", "other"), sums(&[100, 1_000])), (Pair::other(), sums(&[10_000]))];
    let pairs = rows.clone().map(|(pair, after)| Change { key: (DAY, pair), before: None, after }).to_vec();
    let series = rows.map(|(key, after)| Change { key, before: None, after }).to_vec();
    let models = vec![Change { key: ModelKey::other(), before: None, after: Usd::from_pico(11_110) }];
    let events = told.into_iter().map(|event| ledger.keyed(event)).collect();
    ledger
        .commit(
            &Commit { events, rollup: Some(Rollup { pairs, series, models, ..Rollup::default() }), ..Commit::default() },
            now(),
        )
        .unwrap();
    drop(ledger);
    let berlin = BudgetZone::named("Europe/Berlin").unwrap();
    let ledger = Ledger::open(&fixture.path(), &berlin, now()).unwrap();
    let next = DAY.tomorrow().unwrap();
    assert_eq!(ledger.days_since(Date::MIN), [next]);
    let found: BTreeMap<Pair, Sums> = ledger.pairs_of(next).unwrap().into_iter().map(|row| (row.pair, row.sums)).collect();
    let expected = names.into_iter().zip(1..).map(|(pair, number)| (pair, sums(&[10_i128.pow(number)])));
    assert_eq!(found, expected.collect());
}
