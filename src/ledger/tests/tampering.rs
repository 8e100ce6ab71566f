//! Rows that are sound each for itself, but not what was written together: what only the digests, the chain and the sums can tell.

use super::super::events::event_at;
use super::super::head::Head;
use super::super::row::{RowWriter, write_row};
use super::super::rows::{self, DayRow, PairRow};
use super::super::segment::Segment;
use super::super::verify::PROBLEMS_MAX;
use super::*;
use crate::domain::Adjustment;

/// A closed segment and 50 entries behind it, of which 5 are not in the sums yet. Event 10 was told anew, under another worker.
fn ledger() -> Fixture {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let nobodys = CostEvent { worker: None, ..event(9) };
    let events = (0..SEGMENT_EVENTS).map(|number| if number == 9 { nobodys.clone() } else { event(number) });
    fixture.commit(&mut ledger, events.collect(), now());
    fixture
        .revise(&mut ledger, CostEvent { revision: 1, amount: Usd::from_dollars(1), worker: Some("w".into()), ..nobodys });
    fixture.commit(&mut ledger, events_of(SEGMENT_EVENTS, 42), now());
    let tail = Commit { rollup: None, ..fixture.commit_of(&ledger, events_of(SEGMENT_EVENTS + 42, 5)) };
    ledger.commit(&tail, now()).unwrap();
    assert_eq!(ledger.events(), SEGMENT_EVENTS + 50);
    fixture
}

fn events_of(first: i64, count: i64) -> Vec<CostEvent> {
    events(first..first + count)
}

/// Writes another event in an entry's place, with the right checksum.
fn rewrite(connection: &Connection, seq: i64, change: impl FnOnce(&mut CostEvent, &mut Entry)) {
    let StoredEvent { mut event, mut entry, seq, recorded_at, reservation } = event_at(connection, seq).unwrap().unwrap();
    change(&mut event, &mut entry);
    let stored = StoredEvent { seq, recorded_at, event: &event, reservation, entry };
    RowWriter::update(connection).unwrap().write(&stored).unwrap();
}

/// Writes a segment's row anew, with the right checksum.
fn rewrite_segment(connection: &Connection, change: impl FnOnce(&mut Segment)) {
    let mut segment = Segment::read_all(connection).unwrap().remove(0);
    change(&mut segment);
    segment.write(connection).unwrap();
}

/// Writes a day's rows anew, with the right digests.
fn rewrite_pairs(connection: &Connection, change: impl FnOnce(&mut Vec<PairRow>)) {
    let (day, row) = rows::read_days(connection, DAY, DAY).unwrap().into_iter().next().unwrap();
    let mut pairs = super::super::sums::read_day_pairs(connection, day, &row).unwrap();
    change(&mut pairs);
    let mut writer = RowWriter::insert(connection).unwrap();
    let pairs_digest = pairs.iter().fold(0_i64, |digest, pair| digest.wrapping_add(writer.write(pair).unwrap()));
    let after = DayRow { pairs_digest, ..row };
    let head = Head::read(connection).unwrap();
    let days_digest = RowWriter::insert(connection).unwrap().write(&after).unwrap();
    Head { days_digest, ..head }.write(connection).unwrap();
}

fn execute(sql: &'static str) -> Box<dyn Fn(&Connection)> {
    Box::new(move |connection| connection.execute_batch(sql).unwrap())
}

const BROKEN: &str = "the chain is broken in segment 0";
const ROLLUPS: &str = "the rollups of 2026-11-22 are not what its events add up to";
const HEAD: &str = "the chain over the events does not end where the head row says";
const NEWEST: &str = "the chain over the newest events is broken";

/// What is done, what is found then, and what a start says.
type Case = (&'static str, Box<dyn Fn(&Connection)>, &'static [&'static str], Option<&'static str>);

#[track_caller]
fn assert_found(fixture: &Fixture, cases: Vec<Case>) {
    for (what, change, expected, at_start) in cases {
        let path = fixture.changed(change);
        let found = verify(&path).unwrap().problems;
        for problem in expected {
            assert!(found.iter().any(|found| found.contains(problem)), "{what}: {problem} in {found:#?}");
        }
        assert_eq!(found.is_empty(), expected.is_empty(), "{what}: {found:#?}");
        let opened = Ledger::open(&path, &BudgetZone::UTC, now()).map(drop);
        let said = opened.err().map(|error| crate::error_chain::ErrorChain(&error).to_string());
        assert_eq!(said.is_some(), at_start.is_some(), "{what}: {said:?}");
        assert!(said.is_none_or(|said| said.contains(at_start.unwrap())), "{what}");
    }
}

#[test]
fn entries_that_are_not_those_that_were_written_are_found() {
    let fixture = ledger();
    let report = verify(&fixture.path()).unwrap();
    let others: Usd =
        events(0..SEGMENT_EVENTS + 47).iter().filter(|other| other.key != event(9).key).map(|other| other.amount).sum();
    let expected = (SEGMENT_EVENTS.cast_unsigned() + 47, 1, others + Usd::from_dollars(1));
    assert_eq!((report.events, report.adjustments, report.total_usd), expected, "also of those that no sum counts yet");
    let open = SEGMENT_EVENTS + 20;
    assert_found(
        &fixture,
        vec![
            ("nothing", Box::new(|_| ()), &[], None),
            (
                "a table more",
                execute("CREATE TABLE more (id INTEGER)"),
                &["the tables are not the ones this format has"],
                None,
            ),
            ("an entry less", execute("DELETE FROM event WHERE seq = 5"), &["event 5 is missing", BROKEN, ROLLUPS], None),
            (
                "an entry of the open segment less",
                execute("DELETE FROM event WHERE seq = 16404"),
                &["event 16404 is missing", HEAD, ROLLUPS],
                Some(NEWEST),
            ),
            (
                "another amount",
                Box::new(|connection| rewrite(connection, 5, |event, _| event.amount += Usd::from_pico(1))),
                &[BROKEN, ROLLUPS],
                None,
            ),
            (
                "another amount in the open segment",
                Box::new(move |connection| rewrite(connection, open, |event, _| event.amount += Usd::from_pico(1))),
                &[HEAD, ROLLUPS],
                Some(NEWEST),
            ),
            (
                "another id",
                Box::new(|connection| rewrite(connection, 5, |event, _| event.key.id = "other".into())),
                &[BROKEN, "the index of ids of block 0 does not match its events"],
                None,
            ),
            (
                "another day",
                Box::new(|connection| rewrite(connection, 5, |event, _| event.time += SignedDuration::from_hours(24))),
                &["segment 0 does not know of day 2026-11-23", "segment 0 does not know when event 5 happened", ROLLUPS],
                None,
            ),
        ],
    );
    let path = fixture.changed(|connection| {
        connection.execute("DELETE FROM event WHERE seq % 3 = 0", ()).map(drop).unwrap();
    });
    assert_eq!(verify(&path).unwrap().problems.len(), PROBLEMS_MAX, "and no more");
}

#[test]
fn segments_and_adjustments_that_do_not_follow_from_the_entries_are_found() {
    let adjust = |change: fn(&mut Adjustment)| -> Box<dyn Fn(&Connection)> {
        Box::new(move |connection| {
            rewrite(connection, SEGMENT_EVENTS + 3, |_, entry| {
                let Entry::Adjustment(adjustment) = entry else { panic!("{entry:?}") };
                change(adjustment);
            });
        })
    };
    assert_found(
        &ledger(),
        vec![
            (
                "another chain",
                Box::new(|connection| rewrite_segment(connection, |segment| segment.event_chain += 1)),
                &[BROKEN],
                Some(NEWEST),
            ),
            (
                "no segment",
                execute("DELETE FROM segment"),
                &["segments and events do not match"],
                Some("segments and events do not match"),
            ),
            (
                "what an adjustment makes of its event",
                adjust(|adjustment| adjustment.standing += Usd::from_pico(1)),
                &["entry 16387 does not follow from the event that it adjusts"],
                Some(NEWEST),
            ),
            (
                "what an adjustment adjusts",
                adjust(|adjustment| adjustment.first += 1),
                &["entry 16387 does not follow from the event that it adjusts"],
                Some(NEWEST),
            ),
            (
                "what is moved to another worker",
                Box::new(|connection| rewrite(connection, SEGMENT_EVENTS + 2, |event, _| event.amount += Usd::from_pico(1))),
                &["entry 16387 does not follow from the event that it adjusts"],
                Some(NEWEST),
            ),
        ],
    );
}

#[test]
fn sums_that_are_not_those_of_the_entries_are_found() {
    assert_found(
        &ledger(),
        vec![
            (
                "a pair less",
                execute("DELETE FROM rollup_pair WHERE service = 'service-1'"),
                &["rows of rollup_pair for 2026-11-22 are missing or belong to another state"],
                None,
            ),
            (
                "a pair of no day",
                Box::new(|connection| {
                    let pair = Pair { service: event(1).service, operation: event(1).operation };
                    write_row(connection, &PairRow { day: DAY.tomorrow().unwrap(), pair, sums: Sums::default() }).unwrap();
                }),
                &["rollup_pair has rows of days that do not exist"],
                None,
            ),
            (
                "a pair that says more",
                Box::new(|connection| rewrite_pairs(connection, |pairs| pairs[0].sums.charges += Usd::from_pico(1))),
                &["the pairs of 2026-11-22 do not add up to the day's total", ROLLUPS],
                None,
            ),
            (
                "a pair that says what another one should",
                Box::new(|connection| {
                    rewrite_pairs(connection, |pairs| {
                        pairs[0].sums.charges += Usd::from_pico(1);
                        pairs[1].sums.charges -= Usd::from_pico(1);
                    });
                }),
                &[ROLLUPS],
                None,
            ),
            (
                "a series less",
                execute("DELETE FROM series WHERE service = 'service-1'"),
                &["rows of series are missing"],
                Some("rows of series are missing"),
            ),
            (
                "a model less",
                execute("DELETE FROM model_series WHERE service = 'service-1'"),
                &["rows of model_series are missing"],
                Some("rows of model_series are missing"),
            ),
            (
                "a day less",
                execute("DELETE FROM rollup_day"),
                &["rows of rollup_day are missing"],
                Some("rows of rollup_day are missing"),
            ),
        ],
    );
}

/// Where a segment has just ended its row alone says so.
#[test]
fn a_start_without_entries_in_the_open_segment_compares_the_chain_too() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    fixture.commit(&mut ledger, events(0..SEGMENT_EVENTS), now());
    drop(ledger);
    let path = fixture.changed(|connection| rewrite_segment(connection, |segment| segment.event_chain += 1));
    assert!(matches!(Ledger::open(&path, &BudgetZone::UTC, now()), Err(OpenError::Damaged { .. })));
    assert!(Ledger::open(&fixture.changed(|_| ()), &BudgetZone::UTC, now()).is_ok());
}
