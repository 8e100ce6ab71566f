use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use smallvec::smallvec;

use super::super::segment::SEGMENT_EVENTS;
use super::super::tests::{Fixture, event};
use super::super::{BudgetChanges, Commit, Ledger, StoredMeter, StoredTally};
use super::*;
use crate::domain::{CostEvent, Reached};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// One period for each hour, and a key for each worker.
fn read_definition(definition: &str) -> Option<Counting> {
    (definition == "by worker").then(|| -> Counting {
        Box::new(|event, _| {
            let hour = event.time.as_nanosecond().div_euclid(3_600_000_000_000) * 3_600_000_000_000;
            let span_start = Timestamp::from_nanosecond(hour).ok()?;
            Some(Counted { span_start, key: event.worker.clone()?, amounts: smallvec![event.amount.pico()] })
        })
    })
}

fn meter(definition: &str, counted_from: Timestamp, counted_to: i64) -> StoredMeter {
    StoredMeter { id: 1, budget: "workers".into(), definition: definition.into(), limits: vec![], counted_from, counted_to }
}

/// What these events add up to, each of which stands one place behind its number.
fn counted(events: &[(i64, CostEvent)]) -> Vec<StoredTally> {
    let mut counting = read_definition("by worker").unwrap();
    let mut tallies: BTreeMap<(Timestamp, Box<str>), StoredTally> = BTreeMap::new();
    for (seq, event) in events {
        let Some(Counted { span_start, key, amounts }) = counting(event, &crate::domain::Entry::First) else { continue };
        let new = || StoredTally {
            meter: 1,
            span_start,
            key: key.clone(),
            spent: smallvec![0],
            reached: Reached::Never,
            counted_to: 0,
        };
        let tally = tallies.entry((span_start, key.clone())).or_insert_with(new);
        tally.spent[0] += amounts[0];
        tally.counted_to = *seq;
    }
    tallies.into_values().collect()
}

#[track_caller]
fn save(ledger: &mut Ledger, meter: StoredMeter, tallies: Vec<StoredTally>) {
    let budgets = BudgetChanges { forgotten_meters: vec![1], meters: vec![meter], tallies, ..BudgetChanges::default() };
    ledger.commit(&Commit { budgets, ..Commit::default() }, at("2026-11-22T12:00:00Z")).unwrap();
}

#[track_caller]
fn problems(fixture: &Fixture, budgets: u64) -> Vec<String> {
    let report = verify_counting(&fixture.path(), &read_definition).unwrap();
    assert_eq!(report.budgets, budgets);
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new(), "the rows themselves are sound");
    report.problems
}

/// Guards against: a budget that has counted too little, twice, or under another key, in rows that are all sound.
#[test]
fn tallies_are_counted_anew() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let early = at("2026-11-22T10:15:00Z");
    let with_time = |number: i64| if number < 20 { CostEvent { time: early, ..event(number) } } else { event(number) };
    let events: Vec<(i64, CostEvent)> = (0..60).map(|number| (number + 1, with_time(number))).collect();
    fixture.commit(&mut ledger, events.iter().map(|(_, event)| event.clone()).collect(), early);
    let all = counted(&events);
    assert_eq!(all.len(), 10, "five workers in two hours");

    save(&mut ledger, meter("by worker", Timestamp::MIN, 60), all.clone());
    assert_eq!(problems(&fixture, 1), Vec::<String>::new());
    save(&mut ledger, meter("of another build", Timestamp::MIN, 60), vec![]);
    assert_eq!(problems(&fixture, 0), Vec::<String>::new());
    save(&mut ledger, meter("by worker", Timestamp::MIN, 0), vec![]);
    assert_eq!(problems(&fixture, 0), Vec::<String>::new(), "it is worth nothing, and says so");
    // Written at different times, as a pass does: what is ahead of the meter is right as well.
    let mut mixed = counted(&events[..40]);
    mixed[7] = all[7].clone();
    save(&mut ledger, meter("by worker", Timestamp::MIN, 40), mixed.clone());
    assert_eq!(problems(&fixture, 1), Vec::<String>::new());
    save(&mut ledger, meter("by worker", Timestamp::MIN, 60), mixed);
    assert_eq!(problems(&fixture, 1).len(), 1, "it lacks entries that it says to have");
    let noon = at("2026-11-22T12:00:00Z");
    save(&mut ledger, meter("by worker", noon, 60), all[5..].to_vec());
    assert_eq!(problems(&fixture, 1), Vec::<String>::new(), "the first hour is over");
    save(&mut ledger, meter("by worker", Timestamp::MIN, 60), all[5..].to_vec());
    assert_eq!(problems(&fixture, 1).len(), 1);

    let wrong = |change: &dyn Fn(&mut Vec<StoredTally>)| {
        let mut tallies = all.clone();
        change(&mut tallies);
        tallies
    };
    for (what, tallies) in [
        ("one pico-dollar more", wrong(&|tallies| tallies[3].spent[0] += 1)),
        ("another unit", wrong(&|tallies| tallies[3].spent.push(0))),
        ("another key", wrong(&|tallies| tallies[3].key = "worker-9".into())),
        ("one too many", wrong(&|tallies| tallies.push(StoredTally { key: "worker-9".into(), ..tallies[0].clone() }))),
        ("one is missing", wrong(&|tallies| drop(tallies.remove(3)))),
        ("its newest entry is not in it", wrong(&|tallies| tallies[3].counted_to -= 1)),
    ] {
        save(&mut ledger, meter("by worker", Timestamp::MIN, 60), tallies);
        assert_eq!(problems(&fixture, 1).len(), 1, "{what}");
    }
}

#[test]
fn what_retention_has_removed_is_not_missed() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let early = at("2026-11-22T09:59:59.999999999Z");
    let time = |number: i64| if number < SEGMENT_EVENTS { early } else { at("2026-11-22T10:30:00Z") };
    let events: Vec<(i64, CostEvent)> =
        (0..SEGMENT_EVENTS + 9).map(|number| (number + 1, CostEvent { time: time(number), ..event(number) })).collect();
    fixture.commit(&mut ledger, events.iter().map(|(_, event)| event.clone()).collect(), early);
    let mut tallies = counted(&events);
    save(&mut ledger, meter("by worker", Timestamp::MIN, SEGMENT_EVENTS + 9), tallies.clone());
    assert_eq!(problems(&fixture, 1), Vec::<String>::new());
    assert!(ledger.prune(SignedDuration::from_hours(1), at("2026-11-22T12:00:00Z")).unwrap());
    assert_eq!(problems(&fixture, 1), Vec::<String>::new());
    tallies[0].spent[0] += 1;
    save(&mut ledger, meter("by worker", Timestamp::MIN, SEGMENT_EVENTS + 9), tallies.clone());
    assert_eq!(problems(&fixture, 1), Vec::<String>::new(), "nobody can know");
    tallies[5].spent[0] += 1;
    save(&mut ledger, meter("by worker", Timestamp::MIN, SEGMENT_EVENTS + 9), tallies);
    assert_eq!(problems(&fixture, 1).len(), 1, "of the hour behind that all is there");
}
