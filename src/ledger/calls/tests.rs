use jiff::{SignedDuration, Timestamp};

use super::super::segment::SEGMENT_EVENTS;
use super::super::tests::{Fixture, event};
use super::super::{Commit, Ledger, Reader, verify};
use super::*;
use crate::domain::{BudgetZone, CostEvent, CostSource, Origin, Usd, revise};

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn place(trace: u8, span: u8, above: &[u8]) -> SpanPlace {
    let ancestors = above.iter().map(|above| SpanId([*above; 8])).collect();
    SpanPlace { trace: TraceId([trace; 16]), span: SpanId([span; 8]), ancestors, is_rooted: span == 1 }
}

/// A call that waits for a price.
fn unpriced(number: i64) -> CostEvent {
    let origin = Some(Box::new(Origin { cost: CostSource::Unpriced, ..Origin::of("litellm") }));
    CostEvent { amount: Usd::ZERO, model: Some("m".into()), origin, ..event(number) }
}

/// What waits, by `seq`, as it was committed and as the file has it.
#[track_caller]
fn waiting(ledger: &mut Ledger) -> (Vec<(String, bool)>, Vec<i64>) {
    let changes = ledger.take_unpriced_changes().into_iter();
    let changes = changes.map(|change| (format!("{} {}", change.service, change.model), change.is_added)).collect();
    let mut seqs = Vec::new();
    ledger.each_unpriced(|unpriced| seqs.push(unpriced.seq)).unwrap();
    (changes, seqs)
}

/// The entries that change a known event into another one.
fn told_again(known: CostEvent, first: i64, told: CostEvent) -> Vec<(CostEvent, Entry)> {
    revise(known, first, CostEvent { revision: 1, ..told }).collect()
}

#[test]
fn what_waits_for_a_price_waits_until_it_has_one() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, vec![event(1), unpriced(2), unpriced(3)], now());
    let [second, third] = [("service-2 m".to_owned(), true), ("service-0 m".to_owned(), true)];
    assert_eq!(waiting(&mut ledger), (vec![second.clone(), third.clone()], vec![2, 3]));
    assert_eq!(waiting(&mut ledger).0, [], "told once");

    let mut rated = unpriced(2);
    (rated.amount, rated.origin.as_mut().unwrap().cost) = (Usd::from_dollars(1), CostSource::Told);
    let still = CostEvent { duration_seconds: Some(9.0), ..unpriced(3) };
    let entries = [told_again(unpriced(2), 2, rated), told_again(unpriced(3), 3, still)].concat();
    let commit = fixture.commit_of_entries(&ledger, entries.into_iter());
    ledger.commit(&commit, now()).unwrap();
    let gone = |(name, _): (String, bool)| (name, false);
    assert_eq!(waiting(&mut ledger), (vec![gone(second), gone(third.clone()), third], vec![3]));
    drop(ledger);
    let mut ledger = fixture.open();
    assert_eq!(waiting(&mut ledger), (vec![], vec![3]));
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

#[test]
fn what_waits_is_read_on_from_an_entry_and_in_groups() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let at = |number: i64, hour: i64| {
        let time = now() + SignedDuration::from_hours(hour);
        CostEvent { time, ..unpriced(number) }
    };
    fixture.commit(&mut ledger, vec![at(1, 0), event(2), at(3, 0), at(4, -2), at(7, 1)], now());
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    let behind = |after, limit| -> Vec<i64> {
        reader.unpriced_behind(after, limit).unwrap().iter().map(|unpriced| unpriced.seq).collect()
    };
    assert_eq!((behind(0, 9), behind(1, 9), behind(3, 1), behind(5, 9)), (vec![1, 3, 4, 5], vec![3, 4, 5], vec![4], vec![]));
    let groups = reader.unpriced_groups(9).unwrap();
    let ns = |hour| (now() + SignedDuration::from_hours(hour)).as_nanosecond() as i64;
    let told = |service: &str, events, first, last| {
        (service.to_owned(), "m".to_owned(), r#"["tokens"]"#.to_owned(), events, ns(first), ns(last))
    };
    let found: Vec<_> = groups
        .into_iter()
        .map(|group| (group.service, group.model, group.usage, group.events, group.first_ns, group.last_ns))
        .collect();
    assert_eq!(found, [told("service-1", 3, -2, 1), told("service-0", 1, 0, 0)]);
    assert_eq!(reader.unpriced_groups(1).unwrap().len(), 1);
}

#[test]
fn what_retention_removes_waits_no_more() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let mut events: Vec<_> = (0..SEGMENT_EVENTS).map(event).collect();
    events[0] = unpriced(0);
    events.push(unpriced(SEGMENT_EVENTS));
    fixture.commit(&mut ledger, events, now());
    let kept = SEGMENT_EVENTS + 1;
    assert_eq!(waiting(&mut ledger).1, [1, kept]);
    assert!(ledger.prune(SignedDuration::from_hours(24), now() + SignedDuration::from_hours(25)).unwrap());
    assert_eq!(waiting(&mut ledger), (vec![("service-0 m".to_owned(), false)], vec![kept]));
}

#[test]
fn the_places_of_a_traces_calls_are_read_newest_first() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let at = |number: i64, place: SpanPlace| {
        let origin = Some(Box::new(Origin { span: Some(place), ..Origin::of("otlp:x") }));
        CostEvent { origin, ..event(number) }
    };
    let told = [place(7, 1, &[]), place(8, 1, &[]), place(7, 3, &[2, 1])];
    let events = told.iter().cloned().zip(0..).map(|(place, number)| at(number, place)).collect();
    fixture.commit(&mut ledger, events, now());
    // A further span of the first one.
    let further = CallSpan { seq: 1, place: place(7, 4, &[1]) };
    ledger.commit(&Commit { places: vec![further.clone()], ..Commit::default() }, now()).unwrap();
    let of_trace = |ledger: &Ledger, trace: u8| ledger.calls_of(TraceId([trace; 16])).unwrap();
    let [first, other, third] = [1, 2, 3].map(|seq| CallSpan { seq, place: told[seq as usize - 1].clone() });
    let found = of_trace(&ledger, 7);
    assert_eq!(found.iter().map(|call| call.seq).collect::<Vec<_>>(), [3, 1, 1]);
    assert!([&first, &third, &further].into_iter().all(|call| found.contains(call)), "{found:?}");
    assert_eq!((of_trace(&ledger, 8), of_trace(&ledger, 9)), (vec![other], vec![]));
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

/// Guards against: a wrong row that was written as if it were right, so that its checksum says nothing.
#[test]
fn what_the_tables_say_otherwise_than_the_entries_is_found() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let origin = Some(Box::new(Origin { span: Some(place(7, 2, &[1])), ..Origin::of("otlp:x") }));
    fixture.commit(&mut ledger, vec![CostEvent { origin, ..event(1) }, unpriced(2), event(3)], now());
    drop(ledger);
    let problems = |change: &dyn Fn(&Connection)| {
        let path = fixture.changed(change);
        verify(&path).unwrap().problems
    };
    let remove = |table: &'static str| {
        move |connection: &Connection| assert_eq!(connection.execute(&format!("DELETE FROM {table}"), ()).unwrap(), 1)
    };
    let put = |call: CallSpan| {
        move |connection: &Connection| RowWriter::insert(connection).unwrap().write(&call).map(drop).unwrap()
    };
    let wait = |seq: i64| {
        let waiting = Unpriced { seq, time_ns: 0, service: "s".into(), model: "m".into(), usage: "[]".into() };
        move |connection: &Connection| RowWriter::insert(connection).unwrap().write(&waiting).map(drop).unwrap()
    };
    let further = |seq| CallSpan { seq, place: place(7, 5, &[1]) };
    let (of_spans, of_prices) = (
        ["call_span does not say where the charged calls stand"],
        ["unpriced does not list the events that wait for a price"],
    );
    assert_eq!(problems(&|_| ()), [""; 0]);
    assert_eq!(problems(&put(further(3))), [""; 0], "a call may have further spans");
    let before = CallSpan { seq: 1, place: place(7, 1, &[]) };
    assert_eq!(problems(&put(before)), [""; 0], "before its own in the table, too");
    assert_eq!(problems(&put(further(4))), of_spans);
    assert_eq!(problems(&remove("call_span")), of_spans);
    assert_eq!(problems(&remove("unpriced")), of_prices);
    assert_eq!(problems(&wait(3)), of_prices);
}
