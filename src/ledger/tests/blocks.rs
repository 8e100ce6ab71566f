//! Ids are found in memory and on the disk until they are forgotten.

use super::*;
use crate::domain::{EventQuestion, Selection};

#[test]
fn ids_of_closed_segments_are_found_in_their_buckets() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let count = SEGMENT_EVENTS * 2 + 100;
    for from in (0..count).step_by(5_000) {
        fixture.commit(&mut ledger, events(from..(from + 5_000).min(count)), now());
    }
    for reopened in [false, true] {
        if reopened {
            drop(ledger);
            ledger = fixture.open();
        }
        for number in (0..count).step_by(997).chain([0, SEGMENT_EVENTS - 1, SEGMENT_EVENTS, count - 1]) {
            assert_eq!(find(&ledger, number).map(|found| found.seq), Some(number + 1));
        }
        for number in count..count + 2_000 {
            assert_eq!(find(&ledger, number), None);
        }
    }
    let report = verify(&fixture.path()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(report.total_usd, events(0..count).iter().map(|event| event.amount).sum());
}

#[test]
fn ids_are_forgotten_by_whole_blocks_once_they_are_old() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let count = SEGMENT_EVENTS * ids::BLOCK_SEGMENTS + 10;
    for from in (0..count).step_by(20_000) {
        fixture.commit(&mut ledger, events(from..(from + 20_000).min(count)), now());
    }
    assert!(!ledger.forget_ids(now()).unwrap(), "they are not older than this");
    let later = now().checked_add(SignedDuration::from_secs(1)).unwrap();
    assert!(find(&ledger, 0).is_some());
    assert!(ledger.forget_ids(later).unwrap());
    assert!(find(&ledger, 0).is_none());
    assert!(find(&ledger, count - 1).is_some());
    drop(ledger);
    let ledger = fixture.open();
    assert!(find(&ledger, 0).is_none());
    assert!(find(&ledger, count - 1).is_some());
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn ids_of_several_blocks_are_found_in_memory_and_on_the_disk_until_their_block_is_forgotten() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let block = SEGMENT_EVENTS * ids::BLOCK_SEGMENTS;
    // Two full blocks, a segment of a third, and some in the open segment.
    let count = 2 * block + SEGMENT_EVENTS + 10;
    let later = now() + SignedDuration::from_secs(1);
    // The last call of the first block, and the first one of the second, are of one trace.
    let trace = TraceId([7; 16]);
    let place = |seq: i64| SpanPlace { trace, span: SpanId(seq.to_be_bytes()), ancestors: vec![], is_rooted: true };
    let origin = |seq| Box::new(Origin { span: Some(place(seq)), ..Origin::of("otlp:x") });
    for from in (0..count).step_by(block as usize / 4) {
        let events = (from..(from + block / 4).min(count)).map(|number| CostEvent {
            key: event(number).key,
            origin: [block, block + 1].contains(&(number + 1)).then(|| origin(number + 1)),
            ..CostEvent::example()
        });
        fixture.commit(&mut ledger, events.collect(), if from < block { now() } else { later });
    }
    let numbers = [0, block - 1, block, 2 * block - 1, 2 * block, count - 11, count - 1];
    let all_but = |ledger: &Ledger, gone: usize| {
        for (place, number) in numbers.into_iter().enumerate() {
            let found = find(ledger, number).map(|stored| stored.seq);
            let on_disk = ids::find_on_disk(&ledger.connection, &event(number).key).unwrap().map(|stored| stored.seq);
            let expected = (place >= gone).then_some(number + 1);
            assert_eq!((found, on_disk), (expected, expected), "{number}");
        }
        assert_eq!(ids::find_on_disk(&ledger.connection, &event(count).key).unwrap(), None);
        assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
    };
    all_but(&ledger, 0);
    // One of the full blocks is sorted, the other is not.
    ledger.sort_ids().unwrap();
    ledger.sorter.wait().unwrap();
    ledger.sort_ids().unwrap();
    assert_eq!((ledger.state.ids.unsorted(), ledger.sorter.is_busy()), (Some(1), false));
    all_but(&ledger, 0);
    drop(ledger);
    let mut ledger = Ledger::open(&fixture.path(), &BudgetZone::UTC, later).unwrap();
    assert_eq!(ledger.state.ids.unsorted(), Some(1));
    let buckets = || -> i64 {
        let connection = Connection::open(fixture.path()).unwrap();
        connection.query_row("SELECT count(*) FROM id_bucket", (), |row| row.get(0)).unwrap()
    };
    // As many for each of 33 segments.
    let all = buckets();
    let calls = |ledger: &Ledger| ledger.calls_of(trace).unwrap().iter().map(|call| call.seq).collect::<Vec<_>>();
    assert_eq!(calls(&ledger), [block + 1, block]);
    assert!(ledger.forget_ids(later).unwrap() && !ledger.forget_ids(later).unwrap());
    all_but(&ledger, 2);
    assert_eq!(calls(&ledger), [block + 1], "where its calls stand, too");
    assert_eq!(buckets() * 33, all * 17);
    ledger.sort_all_ids().unwrap();
    all_but(&ledger, 2);
    drop(ledger);
    let mut ledger = Ledger::open(&fixture.path(), &BudgetZone::UTC, later).unwrap();
    all_but(&ledger, 2);
    assert!(ledger.forget_ids(Timestamp::MAX).unwrap() && !ledger.forget_ids(Timestamp::MAX).unwrap());
    all_but(&ledger, 4);
    assert_eq!((calls(&ledger), buckets() * 33), (vec![], all));
    // Who asks for one by its key has it for as long as it is kept.
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    for number in [0, block, 2 * block - 1, count - 1] {
        let (selection, keys) = (Selection::default(), vec![event(number).key]);
        let question = EventQuestion { selection, keys, suspected: None, newest_first: true, after: None, limit: 9 };
        let mut listing = reader.begin_listing(question).unwrap();
        assert!(reader.continue_listing(&mut listing, i64::MAX, &|| false).unwrap());
        let found: Vec<_> = reader.listed(&listing).unwrap().0.iter().map(|listed| listed.place.seq).collect();
        assert_eq!(found, [number + 1]);
    }
}

#[test]
fn ids_are_found_while_a_full_block_is_sorted_and_after() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let count = SEGMENT_EVENTS * ids::BLOCK_SEGMENTS + 10;
    for from in (0..count).step_by(20_000) {
        fixture.commit(&mut ledger, events(from..(from + 20_000).min(count)), now());
    }
    let sound = |ledger: &Ledger| {
        assert!((0..count).step_by(9_999).all(|number| find(ledger, number).is_some()));
        assert!(find(ledger, count).is_none());
        assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
    };
    sound(&ledger);
    ledger.sort_ids().unwrap();
    sound(&ledger);
    let later = now() + SignedDuration::from_secs(1);
    assert!(!ledger.forget_ids(later).unwrap(), "they are being sorted");
    drop(ledger);
    // The process ended in between: the next one has it sorted.
    let mut ledger = Ledger::open(&fixture.path(), &BudgetZone::UTC, now()).unwrap();
    sound(&ledger);
    ledger.sort_all_ids().unwrap();
    sound(&ledger);
    drop(ledger);
    let mut ledger = Ledger::open(&fixture.path(), &BudgetZone::UTC, now()).unwrap();
    sound(&ledger);
    let filters = || -> i64 {
        let connection = Connection::open(fixture.path()).unwrap();
        connection.query_row("SELECT count(*) FROM id_block_filter", (), |row| row.get(0)).unwrap()
    };
    assert_eq!(filters(), 1);
    assert!(ledger.forget_ids(later).unwrap());
    assert_eq!((filters(), find(&ledger, 0), find(&ledger, count - 1).is_some()), (0, None, true));
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}
