use super::*;
use crate::domain::{Adjustment, Kind, revise};

/// What is told of an event later: an amount that many pico-dollars higher, and other attributes.
fn retold(number: i64, revision: u32, more: i64) -> CostEvent {
    let event = event(number);
    let amount = event.amount + Usd::from_pico(more.into());
    CostEvent { revision, amount, attributes: Some(format!(r#"{{"revision":{revision}}}"#).into()), ..event }
}

impl Fixture {
    pub(super) fn revise(&mut self, ledger: &mut Ledger, told: CostEvent) {
        let found = ledger.find(&ledger.keyed(told.clone())).unwrap().expect("it was recorded");
        let first = found.entry.first(found.seq);
        let commit = self.commit_of_entries(ledger, revise(found.entry.stand(found.event), first, told));
        ledger.commit(&commit, now()).unwrap();
    }
}

/// What a grouping by worker adds up to.
fn total_by_worker(fixture: &Fixture) -> Usd {
    let question = CostQuestion { by: vec![Dimension::Worker], first: DAY, last: DAY, filters: vec![], by_day: false };
    let groups = Reader::new(fixture.path(), BudgetZone::UTC).breakdown(&question, &|| false).unwrap();
    groups.values().flat_map(|groups| groups.values()).copied().sum()
}

#[test]
fn what_stands_is_what_was_told_last_wherever_its_entries_are() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, events(0..10), now());
    fixture.revise(&mut ledger, retold(3, 1, 100));
    for reopened in [false, true] {
        let found = find(&ledger, 3).unwrap();
        assert_eq!((found.seq, found.entry.first(found.seq)), (13, 4), "two entries have moved the amount so far");
        let reader = Reader::new(fixture.path(), BudgetZone::UTC);
        assert_eq!(ledger.newest_telling(4).unwrap().as_ref(), Some(&found));
        assert_eq!(reader.newest_telling(4).unwrap().as_ref(), Some(&found));
        assert_eq!(ledger.newest_telling(5).unwrap().unwrap().event, event(4), "it was told once");
        assert_eq!((ledger.newest_telling(99).unwrap(), reader.newest_telling(99).unwrap()), (None, None));
        assert_eq!((found.event.amount, found.entry.stand(found.event)), (Usd::from_pico(100), retold(3, 1, 100)));
        if !reopened {
            drop(ledger);
            ledger = fixture.open();
        }
    }
    // The first entries are in a closed segment now, and then all of them.
    fixture.commit(&mut ledger, events(10..SEGMENT_EVENTS), now());
    fixture.revise(&mut ledger, retold(3, 2, 50));
    assert_eq!(find(&ledger, 3).unwrap().event.amount, Usd::from_pico(-50));
    fixture.commit(&mut ledger, events(SEGMENT_EVENTS..2 * SEGMENT_EVENTS), now());
    drop(ledger);
    let ledger = fixture.open();
    assert_eq!(find(&ledger, 3).unwrap().event.revision, 2);
    let on_disk = ids::find_on_disk(&ledger.connection, &event(3).key).unwrap().unwrap();
    assert_eq!(on_disk, find(&ledger, 3).unwrap());

    let report = verify(&fixture.path()).unwrap();
    assert_eq!((report.problems, report.events, report.adjustments), (vec![], 2 * SEGMENT_EVENTS as u64, 2));
    let total: Usd = events(0..2 * SEGMENT_EVENTS).iter().map(|event| event.amount).sum();
    assert_eq!((report.total_usd, total_by_worker(&fixture)), (total + Usd::from_pico(50), total + Usd::from_pico(50)));
}

#[test]
fn an_adjustment_outlives_the_event_that_retention_has_removed() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, events(0..SEGMENT_EVENTS), now());
    let later = now().checked_add(SignedDuration::from_hours(24 * 41)).unwrap();
    let told = fixture.commit_of_entries(&ledger, revise(event(3), 4, retold(3, 1, 100)));
    ledger.commit(&told, later).unwrap();
    assert!(ledger.prune(SignedDuration::from_hours(24 * 40), later).unwrap());
    // Another revision, and one that tells the same again.
    fixture.revise(&mut ledger, retold(3, 2, 20));
    let found = find(&ledger, 3).unwrap();
    assert_eq!(found.entry.stand(found.event), retold(3, 2, 20));
    let total: Usd = events(0..SEGMENT_EVENTS).iter().map(|event| event.amount).sum();
    let report = verify(&fixture.path()).unwrap();
    assert_eq!((report.problems, report.adjustments), (vec![], 2));
    assert_eq!((report.total_usd, total_by_worker(&fixture)), (total + Usd::from_pico(20), total + Usd::from_pico(20)));
}

/// Guards against: a credit that is posted again after months, and counts twice.
#[test]
fn a_credit_is_known_after_the_ids_of_its_time_are_forgotten() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let credit = CostEvent { kind: Kind::Credit, amount: Usd::from_dollars(-5), ..event(-1) };
    let count = SEGMENT_EVENTS * ids::BLOCK_SEGMENTS;
    fixture.commit(&mut ledger, vec![credit.clone()], now());
    fixture.revise(&mut ledger, CostEvent { amount: Usd::from_dollars(-7), revision: 1, ..credit.clone() });
    for from in (0..count).step_by(20_000) {
        fixture.commit(&mut ledger, events(from..(from + 20_000).min(count)), now());
    }
    assert!(ledger.forget_ids(now().checked_add(SignedDuration::from_secs(1)).unwrap()).unwrap());
    for reopened in [false, true] {
        assert_eq!(find(&ledger, 0), None);
        let found = ledger.find(&ledger.keyed(credit.clone())).unwrap().unwrap();
        assert_eq!(found.entry.stand(found.event).amount, Usd::from_dollars(-7));
        if !reopened {
            drop(ledger);
            ledger = fixture.open();
        }
    }
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn an_adjustment_that_does_not_follow_is_found() {
    let amount = event(3).amount;
    let adjust = |first, difference: i64, standing| {
        let event = CostEvent { amount: Usd::from_pico(difference.into()), revision: 1, ..event(3) };
        (event, Entry::Adjustment(Box::new(Adjustment { first, standing, usage_added: vec![], usage_removed: vec![] })))
    };
    let right = adjust(4, 9, amount + Usd::from_pico(9));
    let again = adjust(4, 1, amount + Usd::from_pico(1));
    let moved = (event(3), Entry::Move { first: 4, usage_removed: Box::default() });
    for (entries, is_sound) in [
        (vec![right.clone()], true),
        (vec![adjust(4, 9, amount)], false),
        (vec![adjust(5, 9, amount + Usd::from_pico(9))], false),
        (vec![right.clone(), again], false),
        (vec![moved, right], false),
    ] {
        let mut fixture = Fixture::new();
        let mut ledger = fixture.open();
        fixture.commit(&mut ledger, events(0..10), now());
        let commit = fixture.commit_of_entries(&ledger, entries.clone().into_iter());
        ledger.commit(&commit, now()).unwrap();
        assert_eq!(verify(&fixture.path()).unwrap().problems.is_empty(), is_sound, "{entries:?}");
    }
}
