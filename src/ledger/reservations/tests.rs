use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::super::row::RowWriter;
use super::super::tests::{Fixture, event};
use super::super::{Commit, KeyedEvent, Ledger, Reader, verify};
use super::*;
use crate::domain::{
    Attribution, BudgetZone, CostEvent, Entry, Name, Quantity, Reservation, ReservationRequest, UsageCount,
};

fn at(hour: i64) -> Timestamp {
    "2026-11-22T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hour)
}

/// Granted in the hour of its number, and held. Every second one says what it will use, and for whom; the second also of which model.
fn held(seq: i64) -> StoredReservation {
    let says_all = seq % 2 == 0;
    let attribution = Attribution { worker: Some("w".into()), batch_id: None, lead_id: Some("l".into()) };
    let tokens = UsageCount { kind: Name::new("tokens").unwrap(), count: Quantity::of(7) };
    let request = ReservationRequest {
        id: format!("r{seq}").into(),
        id_given: true,
        service: Name::new("s").unwrap(),
        operation: Name::new("o").unwrap(),
        estimated_cost: Usd::from_dollars(5),
        ttl_seconds: 60,
        attribution: says_all.then(|| attribution.into()),
        model: (seq == 2).then(|| "m".into()),
        usage: if says_all { vec![tokens] } else { vec![] },
    };
    let (created_at, expires_at) = (at(seq), at(seq + 1));
    let reservation =
        Reservation { request, critical: false, created_at, expires_at, ended_at: None, state: ReservationState::Held };
    StoredReservation { seq, reservation, event_seq: None }
}

/// The same an hour later.
fn ended(before: &StoredReservation, state: ReservationState, event_seq: Option<i64>) -> StoredReservation {
    let ended_at = Some(before.reservation.created_at + SignedDuration::from_hours(1));
    StoredReservation {
        reservation: Reservation { state, ended_at, ..before.reservation.clone() },
        event_seq,
        ..before.clone()
    }
}

/// The charge that settles it.
fn charge(reservation: &StoredReservation) -> CostEvent {
    CostEvent { key: key_of(&reservation.reservation.request.id), ..event(reservation.seq) }
}

fn change(before: Option<&StoredReservation>, after: &StoredReservation) -> ReservationChange {
    ReservationChange { before: before.cloned(), after: after.clone() }
}

/// A new one.
pub(in crate::ledger) fn granted() -> ReservationChange {
    change(None, &held(1))
}

/// What the ledger holds: one that is held, one expired, one released, one settled, and one settled after it had expired.
struct Five {
    fixture: Fixture,
    ledger: Ledger,
    now: [StoredReservation; 5],
}

impl Five {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        let mut ledger = fixture.open();
        let granted = [1, 2, 3, 4, 5].map(held);
        let changes = granted.iter().map(|granted| change(None, granted)).collect();
        ledger.commit(&Commit { reservations: changes, ..Commit::default() }, at(6)).unwrap();
        let [first, second, third, fourth, fifth] = &granted;
        let expired = [second, fifth].map(|granted| ended(granted, ReservationState::Expired, None));
        let reason = Some("nothing to do".into());
        let released = ended(third, ReservationState::Released { reason }, None);
        let changes =
            vec![change(Some(second), &expired[0]), change(Some(fifth), &expired[1]), change(Some(third), &released)];
        ledger.commit(&Commit { reservations: changes, ..Commit::default() }, at(7)).unwrap();
        assert_eq!((ledger.reservations(), ledger.expired_reservations()), (5, 2));
        assert_eq!(ledger.open_reservations().unwrap(), (vec![first.clone(), fourth.clone()], 2));
        let settled = |reservation: &StoredReservation, event_seq| {
            ended(reservation, ReservationState::Settled { amount: charge(reservation).amount }, Some(event_seq))
        };
        let (fourth_settled, fifth_settled) = (settled(fourth, 1), settled(fifth, 2));
        let mut commit =
            fixture.commit_of_entries(&ledger, [fourth, fifth].map(|granted| (charge(granted), Entry::First)).into_iter());
        commit.events.iter_mut().zip([4, 5]).for_each(|(event, seq): (&mut KeyedEvent, i64)| event.reservation = Some(seq));
        commit.reservations = vec![change(Some(fourth), &fourth_settled), change(Some(&expired[1]), &fifth_settled)];
        ledger.commit(&commit, at(8)).unwrap();
        let [expired, _] = expired;
        let now = [first.clone(), expired, released, fourth_settled, fifth_settled];
        Self { fixture, ledger, now }
    }

    fn reopened(self) -> Self {
        let Self { fixture, ledger, now } = self;
        drop(ledger);
        Self { ledger: fixture.open(), fixture, now }
    }
}

#[test]
fn reservations_are_found_by_their_ids_as_they_stand() {
    for five in [Five::new(), Five::new().reopened()] {
        let Five { fixture, ledger, now } = five;
        assert_eq!((ledger.reservations(), ledger.expired_reservations()), (5, 1));
        assert_eq!(ledger.open_reservations().unwrap(), (vec![now[0].clone()], 1));
        let reader = Reader::new(fixture.path(), BudgetZone::UTC);
        for (number, stored) in now.iter().enumerate() {
            let id = &stored.reservation.request.id;
            // Those that are held are in memory.
            let expected = (number > 0).then(|| stored.clone());
            assert_eq!(ledger.find_reservation(id).unwrap(), expected, "{id}");
            assert_eq!(reader.reservation(id).unwrap(), expected, "{id}");
            let expired = expected.filter(|stored| stored.reservation.state == ReservationState::Expired);
            assert_eq!(expired.is_some(), number == 1);
            assert_eq!(ledger.find_expired(id, ledger.key_hash(&key_of(id))).unwrap(), expired, "{id}");
        }
        assert_eq!((ledger.find_reservation("r6").unwrap(), reader.reservation("r6").unwrap()), (None, None));
        assert_eq!(reader.expired_reservations(0, 9).unwrap(), [now[1].clone()]);
        assert_eq!(
            (reader.expired_reservations(2, 9).unwrap(), reader.expired_reservations(0, 0).unwrap()),
            (vec![], vec![])
        );
        assert_eq!(ledger.find_event(&key_of("r4")).unwrap().unwrap().reservation, Some(4));
        assert_eq!(verify(&fixture.path()).unwrap().problems, [""; 0]);
    }
}

/// Whether an id may be in the file is asked for each new one, so what was settled is not looked for.
#[test]
fn ids_in_memory_are_those_that_are_looked_for() {
    for five in [Five::new(), Five::new().reopened()] {
        let known = |id: &str| five.ledger.state.unpaid_ids.may_contain(five.ledger.key_hash(&key_of(id)));
        assert_eq!(["r1", "r2", "r3", "r4", "r5", "r6"].map(known), [false, true, true, false, false, false]);
    }
    let mut ids = UnpaidIds::default();
    for hash in 0..UNPAID_IDS_MAX as u64 {
        ids.insert(hash);
    }
    ids.insert(7);
    assert!(ids.may_contain(7) && !ids.may_contain(u64::MAX), "all of them fit");
    ids.insert(u64::MAX);
    assert!(ids.may_contain(u64::MAX) && ids.may_contain(u64::MAX - 1), "any may be on the disk only");
    assert_eq!(ids.hashes.len(), UNPAID_IDS_MAX);
}

#[test]
fn what_has_ended_before_a_moment_is_forgotten_in_its_order() {
    let Five { fixture, mut ledger, now } = Five::new();
    // The first one is held, the second has ended after three hours, the fifth after six.
    assert_eq!(ledger.forget_reservations(at(3)).unwrap(), 0);
    assert_eq!(ledger.find_reservation("r2").unwrap(), Some(now[1].clone()), "not before that moment");
    assert_eq!(ledger.forget_reservations(at(5)).unwrap(), 1, "of those that had expired");
    assert_eq!(["r2", "r3"].map(|id| ledger.find_reservation(id).unwrap()), [None, None]);
    assert!(!["r2", "r3"].iter().any(|id| ledger.state.unpaid_ids.may_contain(ledger.key_hash(&key_of(id)))));
    assert_eq!(ledger.find_reservation("r4").unwrap(), Some(now[3].clone()));
    assert_eq!((ledger.expired_reservations(), ledger.reservations()), (0, 5));
    assert_eq!(ledger.forget_reservations(at(99)).unwrap(), 0);
    assert_eq!((ledger.find_reservation("r4").unwrap(), ledger.find_reservation("r5").unwrap()), (None, None));
    assert_eq!(ledger.open_reservations().unwrap(), (vec![now[0].clone()], 0), "what is held is kept");
    assert_eq!(verify(&fixture.path()).unwrap().problems, [""; 0]);
    drop(ledger);
    assert_eq!(fixture.open().open_reservations().unwrap(), (vec![now[0].clone()], 0));
}

#[test]
fn what_is_wrong_with_the_table_is_found() {
    let five = Five::new();
    let problems = |change: &dyn Fn(&Connection)| {
        let path = five.fixture.changed(change);
        let opened = Ledger::open(&path, &BudgetZone::UTC, at(9)).map(|ledger| ledger.open_reservations());
        (matches!(opened, Ok(Ok(_))), verify(&path).unwrap().problems)
    };
    let put = |stored: StoredReservation| {
        move |connection: &Connection| RowWriter::update(connection).unwrap().write(&stored).map(drop).unwrap()
    };
    let remove = |seq: i64| {
        move |connection: &Connection| {
            assert_eq!(connection.execute("DELETE FROM reservation WHERE seq = ?", [seq]).unwrap(), 1);
        }
    };
    let of_held = "rows of held reservations are missing or belong to another state";
    let of_rows = "rows of reservation are missing or belong to another state";
    let alone = |seq: i64| format!("reservation {seq} and its event do not belong together");
    let differs = |seq: i64| format!("reservation {seq} does not say what its event says");
    let Five { now, .. } = &five;
    assert_eq!(problems(&|_| ()), (true, vec![]));
    // What is held is counted and added up.
    let (opened, found) = problems(&remove(1));
    assert!(!opened && found.iter().any(|problem| problem.contains(of_held)), "{found:?}");
    let mut other = now[0].clone();
    other.reservation.request.estimated_cost = Usd::from_dollars(6);
    let (opened, found) = problems(&put(other));
    assert!(!opened && found.iter().any(|problem| problem.contains(of_held)), "{found:?}");
    // What has expired is counted, what was released or settled may have been forgotten.
    assert_eq!(problems(&remove(2)).1, [of_rows]);
    assert_eq!(problems(&remove(3)), (true, vec![]));
    let expired = ended(&held(3), ReservationState::Expired, None);
    assert_eq!(problems(&put(expired)).1, [of_rows]);
    let newer = held(6);
    let newer = ended(&newer, ReservationState::Released { reason: None }, None);
    let add = |connection: &Connection| RowWriter::insert(connection).unwrap().write(&newer).map(drop).unwrap();
    assert_eq!(problems(&add).1, [of_rows]);
    // An event for what is settled, and for nothing else.
    let with = |number: usize, event_seq| StoredReservation { event_seq, ..now[number].clone() };
    assert_eq!(problems(&put(with(3, None))).1, [alone(4)]);
    assert_eq!(problems(&put(with(1, Some(1)))).1, [alone(2)]);
    assert_eq!(problems(&put(with(3, Some(2)))).1, [differs(4)]);
    assert_eq!(problems(&put(with(3, Some(3)))).1, [differs(4)], "there is no such event");
    assert_eq!(problems(&put(with(3, Some(0)))).1, [differs(4)]);
    let state = ReservationState::Settled { amount: Usd::from_pico(1) };
    assert_eq!(problems(&put(ended(&held(4), state, Some(1)))).1, [differs(4)]);
}
