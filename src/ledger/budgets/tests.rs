use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use smallvec::smallvec;

use super::super::segment::SEGMENT_EVENTS;
use super::super::tests::{Fixture, event};
use super::super::{Commit, Ledger, LedgerError, Reader, verify};
use super::*;
use crate::domain::{BudgetZone, CostEvent, LimitOverride, Reached};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-22T12:00:00Z")
}

fn meter(id: i64, counted_to: i64) -> StoredMeter {
    StoredMeter {
        id,
        budget: format!("budget {id}"),
        definition: format!("definition \"{id}\""),
        limits: vec![i128::MAX, 5],
        counted_from: Timestamp::MIN,
        counted_to,
    }
}

fn tally(meter: i64, start: &str, key: &str, spent: i128) -> StoredTally {
    StoredTally {
        meter,
        span_start: at(start),
        key: key.into(),
        spent: smallvec![spent],
        reached: Reached::Never,
        counted_to: 0,
    }
}

const DAY: &str = "2026-11-22T00:00:00Z";

fn changes(meters: Vec<StoredMeter>, tallies: Vec<StoredTally>) -> BudgetChanges {
    BudgetChanges { meters, tallies, ..BudgetChanges::default() }
}

#[test]
fn a_commit_of_anything_is_not_empty() {
    let default = BudgetChanges::default;
    let line = LimitOverride {
        budget: "daily".into(),
        limit: None,
        reason: "a test".to_owned(),
        actor: String::new(),
        timestamp: now(),
        expires_at: None,
        token: None,
    };
    assert!(default().is_empty());
    for changes in [
        BudgetChanges { forgotten_meters: vec![1], ..default() },
        changes(vec![meter(1, 0)], vec![]),
        changes(vec![], vec![tally(1, DAY, "", 1)]),
        BudgetChanges { overrides: vec![line], ..default() },
    ] {
        assert!(!changes.is_empty(), "{changes:?}");
    }
}

#[test]
fn what_has_counted_entries_that_are_not_there_is_found() {
    for (of_meter, of_tally, is_found) in [(0, 0, false), (1, 0, true), (0, 1, true)] {
        let fixture = Fixture::new();
        let mut ledger = fixture.open();
        let tally = StoredTally { counted_to: of_tally, ..tally(1, DAY, "", 1) };
        commit(&mut ledger, changes(vec![meter(1, of_meter)], vec![tally]));
        drop(ledger);
        let problems = verify(&fixture.path()).unwrap().problems;
        assert_eq!(!problems.is_empty(), is_found, "{problems:?}");
    }
}

#[track_caller]
fn commit(ledger: &mut Ledger, budgets: BudgetChanges) {
    ledger.commit(&Commit { budgets, ..Commit::default() }, now()).unwrap();
}

fn tallies(ledger: &Ledger, meter: i64) -> Result<Vec<StoredTally>, LedgerError> {
    let mut found = Vec::new();
    ledger.each_tally(meter, |tally| {
        found.push(tally);
        Ok(())
    })?;
    Ok(found)
}

#[track_caller]
fn assert_sound(fixture: &Fixture) {
    assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
}

#[track_caller]
fn assert_damaged<T: std::fmt::Debug>(result: Result<T, LedgerError>, what: &str) {
    assert!(matches!(result, Err(LedgerError::Damaged(_))), "{what}: {result:?}");
}

/// What somebody else does to the file.
fn tamper(fixture: &Fixture, sql: &str) {
    let connection = Connection::open(fixture.path()).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn what_was_counted_is_found_after_opening_anew() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let everything = [
        StoredTally { span_start: Timestamp::MIN, reached: Reached::SomeTime, ..tally(2, DAY, "", i128::MIN) },
        StoredTally {
            spent: smallvec![i128::MAX, -1, 0],
            reached: Reached::At(now()),
            counted_to: 7,
            ..tally(2, DAY, "straße, \"täg\"", 0)
        },
        StoredTally { spent: smallvec![], ..tally(2, DAY, "without any", 0) },
    ];
    let meters = [meter(2, 0), StoredMeter { limits: vec![], counted_from: now(), ..meter(5, 0) }];
    let given = BudgetChanges { tallies: everything.iter().rev().cloned().collect(), ..changes(meters.to_vec(), vec![]) };
    commit(&mut ledger, given);
    for reopened in [false, true] {
        assert_eq!(ledger.meters(), meters);
        assert_eq!(ledger.next_meter(), 6);
        assert_eq!(tallies(&ledger, 2).unwrap(), everything, "ordered by period, then by key");
        assert_eq!(tallies(&ledger, 5).unwrap(), []);
        assert_damaged(tallies(&ledger, 1), "a meter that is not there");
        let reader = Reader::new(fixture.path(), BudgetZone::UTC);
        for tally in &everything {
            let found = ledger.find_tally(2, tally.span_start, &tally.key).unwrap();
            assert_eq!(found.as_ref(), Some(tally));
            assert_eq!(reader.find_tally(2, tally.span_start, &tally.key).unwrap(), found);
            assert_eq!(ledger.find_tally(5, tally.span_start, &tally.key).unwrap(), None);
        }
        assert_eq!(reader.find_tally(2, now(), "").unwrap(), None);
        if !reopened {
            drop(ledger);
            ledger = fixture.open();
        }
    }
    // Counted on, and one for the first time.
    let changed = StoredTally { spent: smallvec![12], counted_to: 9, ..everything[0].clone() };
    let new = tally(2, "2026-11-23T00:00:00Z", "", 1);
    commit(&mut ledger, changes(vec![StoredMeter { limits: vec![1], ..meter(2, 0) }], vec![new.clone(), changed.clone()]));
    drop(ledger);
    let ledger = fixture.open();
    assert_eq!(tallies(&ledger, 2).unwrap(), [changed, everything[1].clone(), everything[2].clone(), new]);
    assert_eq!(ledger.meters()[0].limits, [1]);
}

#[test]
fn a_commit_that_fails_has_changed_nothing() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    commit(&mut ledger, changes(vec![meter(1, 0), meter(2, 0)], vec![tally(1, DAY, "a", 1)]));
    for bad in [
        changes(vec![meter(1, 9), meter(3, 0)], vec![tally(1, DAY, "a", 2), tally(4, DAY, "a", 1)]),
        BudgetChanges { forgotten_meters: vec![2], ..changes(vec![meter(1, 9)], vec![tally(2, DAY, "a", 2)]) },
    ] {
        let bad = Commit { budgets: bad, ..Commit::default() };
        assert_damaged(ledger.commit(&bad, now()), "a tally without its meter");
        assert_eq!(ledger.meters(), [meter(1, 0), meter(2, 0)]);
        assert_eq!(tallies(&ledger, 1).unwrap(), [tally(1, DAY, "a", 1)]);
        fixture.commit(&mut ledger, vec![], now());
    }
    commit(&mut ledger, changes(vec![], vec![tally(2, DAY, "a", 3)]));
    assert_sound(&fixture);
    assert_eq!(tallies(&fixture_reopened(ledger, &fixture), 2).unwrap(), [tally(2, DAY, "a", 3)]);
}

fn fixture_reopened(ledger: Ledger, fixture: &Fixture) -> Ledger {
    drop(ledger);
    fixture.open()
}

/// A ledger with something in each of the tables.
fn counted() -> Fixture {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let given = vec![tally(1, DAY, "a", 1), tally(1, DAY, "b", 2), tally(2, DAY, "a", 3)];
    let overrides = vec![overridden("day", Some(5), 0), overridden("month", Some(7), 60)];
    commit(&mut ledger, BudgetChanges { overrides, ..changes(vec![meter(1, 0), meter(2, 0)], given) });
    fixture
}

fn overridden(budget: &str, limit: Option<i128>, second: i64) -> LimitOverride {
    LimitOverride {
        budget: budget.into(),
        limit: limit.map(|limit| vec![("usd".into(), limit)]),
        reason: "launch".into(),
        actor: "ann".into(),
        timestamp: now().checked_add(SignedDuration::from_secs(second)).unwrap(),
        expires_at: Some(now()),
        token: (second % 2 == 0).then(|| "ops".into()),
    }
}

/// Guards against: a column that no checksum covers, and rows that get lost, come back or are filed elsewhere.
#[test]
fn whatever_is_changed_in_the_tables_is_found() {
    for (edit, is_refused) in [
        ("UPDATE budget_meter SET budget = 'x' WHERE id = 1", true),
        ("UPDATE budget_meter SET definition = '' WHERE id = 1", true),
        ("UPDATE budget_meter SET limits = '5' WHERE id = 1", true),
        ("UPDATE budget_meter SET counted_from_ns = 0 WHERE id = 1", true),
        ("UPDATE budget_meter SET counted_to = 1 WHERE id = 1", true),
        ("UPDATE budget_meter SET forgotten = 1 WHERE id = 1", true),
        ("UPDATE budget_meter SET tallies_digest = 0 WHERE id = 1", true),
        ("UPDATE budget_meter SET checksum = 0 WHERE id = 1", true),
        ("UPDATE budget_meter SET id = 3 WHERE id = 2", true),
        ("DELETE FROM budget_meter WHERE id = 2", true),
        ("UPDATE budget_tally SET meter = 3 WHERE meter = 2", false),
        ("UPDATE budget_tally SET meter = 1, key = 'c' WHERE meter = 2", false),
        ("UPDATE budget_tally SET span_start_ns = 0 WHERE key = 'b'", false),
        ("UPDATE budget_tally SET key = 'B' WHERE key = 'b'", false),
        ("UPDATE budget_tally SET spent = '3' WHERE key = 'b'", false),
        ("UPDATE budget_tally SET spent = '' WHERE key = 'b'", false),
        ("UPDATE budget_tally SET spent = '2,' WHERE key = 'b'", false),
        ("UPDATE budget_tally SET reached = 'some_time' WHERE key = 'b'", false),
        ("UPDATE budget_tally SET reached = 'at', reached_at_ns = 1 WHERE key = 'b'", false),
        ("UPDATE budget_tally SET counted_to = 1 WHERE key = 'b'", false),
        ("UPDATE budget_tally SET checksum = 0 WHERE key = 'b'", false),
        ("DELETE FROM budget_tally WHERE key = 'b'", false),
        ("UPDATE budget_override SET budget = 'month' WHERE seq = 1", false),
        ("UPDATE budget_override SET limits = NULL WHERE seq = 1", false),
        ("UPDATE budget_override SET limits = '{\"usd\":\"6\"}' WHERE seq = 1", false),
        ("UPDATE budget_override SET limits = '{\"usd\":\"5\"} ' WHERE seq = 1", false),
        ("UPDATE budget_override SET reason = 'lunch' WHERE seq = 1", false),
        ("UPDATE budget_override SET actor = '' WHERE seq = 1", false),
        ("UPDATE budget_override SET token = 'worker' WHERE seq = 1", false),
        ("UPDATE budget_override SET token = NULL WHERE seq = 1", false),
        ("UPDATE budget_override SET timestamp_ns = 0 WHERE seq = 1", false),
        ("UPDATE budget_override SET expires_at_ns = NULL WHERE seq = 1", false),
        ("UPDATE budget_override SET checksum = 0 WHERE seq = 1", false),
        ("UPDATE budget_override SET seq = 3 WHERE seq = 1", false),
        ("DELETE FROM budget_override WHERE seq = 1", false),
        ("DELETE FROM budget_override WHERE seq = 2", false),
    ] {
        let fixture = counted();
        assert_sound(&fixture);
        tamper(&fixture, edit);
        assert_ne!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new(), "{edit}");
        let opened = Ledger::open(&fixture.path(), &BudgetZone::UTC, now());
        assert_eq!(opened.is_err(), is_refused, "{edit}");
        let Ok(ledger) = opened else { continue };
        let read = tallies(&ledger, 1).and_then(|_| tallies(&ledger, 2)).and_then(|_| ledger.limit_overrides());
        let of_no_meter = edit.contains("meter = 3");
        assert_damaged(read, edit);
        assert!(!of_no_meter || tallies(&ledger, 2).is_err(), "{edit}");
    }
}

/// Guards against: rows with sound checksums that are of another moment.
#[test]
fn rows_of_another_state_are_found() {
    let fixture = counted();
    let path = fixture.path();
    tamper(
        &fixture,
        "CREATE TEMP TABLE t AS SELECT * FROM budget_tally; CREATE TEMP TABLE m AS SELECT * FROM budget_meter; \
         PRAGMA wal_checkpoint(TRUNCATE)",
    );
    let copies: Vec<(&str, Vec<u8>)> = vec![("before", std::fs::read(&path).unwrap())];
    let mut ledger = fixture.open();
    commit(&mut ledger, changes(vec![], vec![tally(1, DAY, "b", 20)]));
    drop(ledger);
    let before = fixture.path().with_extension("before");
    std::fs::write(&before, &copies[0].1).unwrap();
    let attach = format!("ATTACH '{}' AS before;", before.display());
    for (table, which) in [("budget_tally", "key = 'b'"), ("budget_meter", "id = 1")] {
        let spoilt = fixture.path().with_extension(table);
        tamper(&fixture, &format!("VACUUM INTO '{}'", spoilt.display()));
        let connection = Connection::open(&spoilt).unwrap();
        let swap = format!("{attach} INSERT OR REPLACE INTO main.{table} SELECT * FROM before.{table} WHERE {which}");
        connection.execute_batch(&swap).unwrap();
        drop(connection);
        let problems = verify(&spoilt).unwrap().problems;
        assert!(problems.iter().any(|problem| problem.contains("belong to another state")), "{table}: {problems:?}");
    }
    assert_sound(&fixture);
}

#[test]
fn old_tallies_are_forgotten_in_steps() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let (old, new) = ("2026-11-21T00:00:00Z", DAY);
    let keys = 0..TALLIES_FORGOTTEN_MAX + 10;
    let given = keys.clone().map(|key| tally(1, old, &key.to_string(), 1));
    let kept = vec![tally(1, new, "a", 1), tally(1, new, "b", 1)];
    commit(
        &mut ledger,
        changes(vec![meter(1, 0), meter(2, 0)], given.chain(kept.clone()).chain([tally(2, old, "", 4)]).collect()),
    );
    assert!(!ledger.forget_tallies(1, at(old)).unwrap(), "what began then did not begin before");
    assert_eq!(tallies(&ledger, 1).unwrap().len(), keys.len() + 2);
    assert!(ledger.forget_tallies(1, at(new)).unwrap());
    assert_eq!(tallies(&ledger, 1).unwrap().len(), 12);
    assert_sound(&fixture);
    let mut ledger = fixture_reopened(ledger, &fixture);
    assert!(!ledger.forget_tallies(1, at(new)).unwrap());
    assert!(!ledger.forget_tallies(1, at(new)).unwrap());
    assert!(!ledger.forget_tallies(9, at(new)).unwrap(), "there is none");
    assert_eq!(tallies(&ledger, 1).unwrap(), kept);
    assert_eq!(tallies(&ledger, 2).unwrap(), [tally(2, old, "", 4)], "only those of the meter");
    assert_sound(&fixture);
}

#[test]
fn a_forgotten_meter_is_gone_at_once_and_its_tallies_in_steps() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    let given = |meter| (0..=TALLIES_FORGOTTEN_MAX).map(move |key| tally(meter, DAY, &key.to_string(), 1));
    let last = tally(3, DAY, "", 1);
    commit(
        &mut ledger,
        changes((1..=3).map(|id| meter(id, 0)).collect(), given(1).chain(given(2)).chain([last.clone()]).collect()),
    );
    commit(&mut ledger, BudgetChanges { forgotten_meters: vec![2, 1, 9], ..BudgetChanges::default() });
    for _ in 0..2 {
        assert_eq!(ledger.meters(), [meter(3, 0)]);
        assert_damaged(tallies(&ledger, 2), "it is forgotten");
        assert!(!ledger.forget_tallies(1, Timestamp::MAX).unwrap());
        assert_sound(&fixture);
        ledger = fixture_reopened(ledger, &fixture);
    }
    // Another in the place of one of which everything is left, and of one of which a part is.
    assert!(ledger.sweep_meters().unwrap());
    commit(&mut ledger, changes(vec![meter(1, 0), meter(2, 0)], vec![tally(1, DAY, "new", 1), tally(2, DAY, "new", 1)]));
    assert!(!ledger.sweep_meters().unwrap());
    assert_eq!(tallies(&ledger, 1).unwrap(), [tally(1, DAY, "new", 1)]);
    assert_eq!(tallies(&ledger, 2).unwrap(), [tally(2, DAY, "new", 1)]);
    assert_sound(&fixture);
    // Forgotten, and again another one in the same commit.
    let replaced =
        BudgetChanges { forgotten_meters: vec![1], ..changes(vec![meter(1, 0)], vec![tally(1, DAY, "newer", 1)]) };
    commit(&mut ledger, replaced);
    assert_eq!(tallies(&ledger, 1).unwrap(), [tally(1, DAY, "newer", 1)]);
    commit(&mut ledger, BudgetChanges { forgotten_meters: vec![1, 2], ..BudgetChanges::default() });
    let mut steps = 1;
    while ledger.sweep_meters().unwrap() {
        steps += 1;
    }
    assert_eq!((steps, ledger.next_meter()), (2, 4));
    let ledger = fixture_reopened(ledger, &fixture);
    assert_eq!((ledger.meters(), tallies(&ledger, 3).unwrap()), (vec![meter(3, 0)], vec![last]));
    let rows: i64 = ledger.connection.query_row("SELECT count(*) FROM budget_tally", (), |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
    assert_sound(&fixture);
}

#[test]
fn another_time_zone_leaves_to_whoever_counts_what_of_that_has_days() {
    let fixture = counted();
    let before = fixture.open().meters();
    let other = BudgetZone::named("Europe/Berlin").unwrap();
    let ledger = Ledger::open(&fixture.path(), &other, now()).unwrap();
    assert_eq!((ledger.meters(), ledger.next_meter()), (before, 3));
    assert_eq!(ledger.limit_overrides().unwrap().len(), 2, "limits have no zone");
    assert_sound(&fixture);
}

fn seqs(ledger: &Ledger, stretches: Vec<(i64, i64)>) -> Result<Vec<i64>, LedgerError> {
    let mut found = Vec::new();
    for stretch in stretches {
        assert!((1..=SEGMENT_EVENTS).contains(&(stretch.1 - stretch.0 + 1)), "{stretch:?}");
        ledger.each_entry_of(stretch, |stored| {
            found.push(stored.seq);
            Ok(())
        })?;
    }
    Ok(found)
}

fn behind(ledger: &Ledger, seq: i64) -> Result<Vec<i64>, LedgerError> {
    seqs(ledger, ledger.entries_behind(seq))
}

fn since(ledger: &Ledger, time: Timestamp) -> Result<Vec<i64>, LedgerError> {
    seqs(ledger, ledger.entries_since(time)?)
}

/// Three segments, of which the second has one late event, and some events in the open one.
fn three_segments(fixture: &mut Fixture, ledger: &mut Ledger) -> (Timestamp, i64) {
    let early = at("2026-11-01T00:00:00Z");
    let late = SEGMENT_EVENTS + 77;
    let count = 3 * SEGMENT_EVENTS + 10;
    let events: Vec<CostEvent> =
        (1..=count).map(|seq| CostEvent { time: if seq == late { now() } else { early }, ..event(seq) }).collect();
    for part in events.chunks(20_000) {
        fixture.commit(ledger, part.to_vec(), early);
    }
    (early, count)
}

#[test]
fn entries_are_handed_over_from_a_place_or_a_time_on() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let (early, count) = three_segments(&mut fixture, &mut ledger);
    let open = 3 * SEGMENT_EVENTS + 1;
    for (seq, first) in [(count - 3, count - 2), (count, count + 1), (0, 1), (-5, 1), (SEGMENT_EVENTS, SEGMENT_EVENTS + 1)] {
        assert_eq!(behind(&ledger, seq).unwrap(), (first..=count).collect::<Vec<_>>(), "{seq}");
    }
    let nanosecond = |time: Timestamp| time.checked_add(SignedDuration::from_nanos(1)).unwrap();
    let of_second: Vec<i64> = (SEGMENT_EVENTS + 1..=2 * SEGMENT_EVENTS).chain(open..=count).collect();
    for (time, expected) in [
        (Timestamp::MIN, (1..=count).collect()),
        (early, (1..=count).collect()),
        (nanosecond(early), of_second.clone()),
        (now(), of_second),
        (nanosecond(now()), (open..=count).collect::<Vec<_>>()),
        (Timestamp::MAX, (open..=count).collect()),
    ] {
        assert_eq!(since(&ledger, time).unwrap(), expected, "{time}");
    }
    // Segments of earlier builds do not say when; their days do. Here they lose that with their checksum, so it is written anew.
    let segments = super::super::segment::Segment::read_all(&ledger.connection).unwrap();
    for segment in segments {
        let older = super::super::segment::Segment { oldest_time: None, newest_time: None, ..segment };
        older.write(&ledger.connection).unwrap();
    }
    let later = at("2026-11-02T00:00:00Z");
    assert_eq!(since(&ledger, early).unwrap().len() as i64, count);
    assert_eq!(since(&ledger, later).unwrap().first(), Some(&(SEGMENT_EVENTS + 1)));

    tamper(&fixture, &format!("DELETE FROM event WHERE seq = {}", SEGMENT_EVENTS + 5));
    assert_damaged(behind(&ledger, 3), "a gap");
    assert_damaged(since(&ledger, now()), "a gap");
    tamper(&fixture, &format!("DELETE FROM event WHERE seq = {count}"));
    assert_damaged(behind(&ledger, count - 3), "the newest is missing");
}

#[test]
fn retention_waits_for_what_is_not_counted() {
    let mut fixture = Fixture::new();
    let mut ledger = fixture.open();
    let (_, count) = three_segments(&mut fixture, &mut ledger);
    let prune = |ledger: &mut Ledger| ledger.prune(SignedDuration::from_hours(1), now()).unwrap();
    commit(&mut ledger, changes(vec![meter(1, count), meter(2, 0)], vec![]));
    assert!(!prune(&mut ledger), "nothing of it is counted");
    commit(&mut ledger, changes(vec![meter(2, SEGMENT_EVENTS - 1)], vec![]));
    assert!(!prune(&mut ledger));
    commit(&mut ledger, changes(vec![meter(2, SEGMENT_EVENTS)], vec![]));
    assert!(prune(&mut ledger));
    assert!(!prune(&mut ledger));
    assert_eq!(behind(&ledger, 5).unwrap().first(), Some(&(SEGMENT_EVENTS + 1)), "what is removed is no gap");
    assert_eq!(since(&ledger, Timestamp::MIN).unwrap().first(), Some(&(SEGMENT_EVENTS + 1)));
    commit(&mut ledger, BudgetChanges { forgotten_meters: vec![2], ..BudgetChanges::default() });
    assert!(prune(&mut ledger), "one that counts no more holds up nothing");
}

#[test]
fn the_history_of_limits_is_kept_in_full_and_its_newest_lines_hold() {
    let fixture = Fixture::new();
    let mut ledger = fixture.open();
    assert_eq!(ledger.limit_overrides().unwrap(), []);
    let reader = Reader::new(fixture.path(), BudgetZone::UTC);
    assert_eq!(reader.budget_history(5).unwrap(), []);
    let units = LimitOverride {
        limit: Some(vec![("output_tokens".into(), i128::MAX), ("a \"name\"".into(), 0), ("input_tokens".into(), -3)]),
        actor: String::new(),
        expires_at: None,
        ..overridden("tokens", None, 3)
    };
    let lines = [
        overridden("month", Some(7), 0),
        overridden("day", Some(5), 1),
        overridden("month", None, 2),
        units,
        LimitOverride { limit: Some(vec![]), ..overridden("day", None, 4) },
    ];
    for part in [&lines[..2], &lines[2..]] {
        commit(&mut ledger, BudgetChanges { overrides: part.to_vec(), ..BudgetChanges::default() });
    }
    for _ in 0..2 {
        let newest = [&lines[4], &lines[2], &lines[3]];
        assert_eq!(ledger.limit_overrides().unwrap().iter().collect::<Vec<_>>(), newest);
        for limit in [0, 1, 5, 100] {
            let expected: Vec<_> = lines.iter().rev().take(limit).cloned().collect();
            assert_eq!(reader.budget_history(limit as u32).unwrap(), expected, "{limit}");
        }
        assert_sound(&fixture);
        ledger = fixture_reopened(ledger, &fixture);
    }
    tamper(&fixture, "DELETE FROM budget_override WHERE seq = 5");
    assert_damaged(reader.budget_history(1), "the newest line is lost");
}

/// What may happen to the tables.
#[derive(Clone, Debug)]
enum Step {
    Count { meter: i64, day: i8, key: u8, spent: i128 },
    Forget(i64),
    Meter(i64),
    ForgetTallies(i64, i8),
    Sweep,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..4_i64, 1..4_i8, 0..5_u8, any::<i128>())
            .prop_map(|(meter, day, key, spent)| Step::Count { meter, day, key, spent }),
        1 => (1..4_i64).prop_map(Step::Forget),
        2 => (1..4_i64).prop_map(Step::Meter),
        2 => (1..4_i64, 1..5_i8).prop_map(|(meter, day)| Step::ForgetTallies(meter, day)),
        1 => Just(Step::Sweep),
        1 => Just(Step::Reopen),
    ]
}

fn start_of(day: i8) -> String {
    format!("2026-11-{day:02}T00:00:00Z")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_history_leaves_what_a_map_would_have(steps in prop::collection::vec(prop::collection::vec(step(), 1..6), 1..12)) {
        let fixture = Fixture::new();
        let mut ledger = fixture.open();
        let mut model: BTreeMap<i64, BTreeMap<(Timestamp, Box<str>), StoredTally>> = BTreeMap::new();
        for together in steps {
            let mut given = BudgetChanges::default();
            // As the writer does: what is forgotten first, then new meters, then tallies, each once.
            let mut counted = BTreeMap::new();
            for step in &together {
                if let Step::Forget(id) = step {
                    given.forgotten_meters.push(*id);
                    model.remove(id);
                }
            }
            for step in &together {
                if let Step::Meter(id) = step {
                    given.meters.push(meter(*id, 0));
                    model.entry(*id).or_default();
                }
            }
            for step in &together {
                if let Step::Count { meter, day, key, spent } = step
                    && let Some(tallies) = model.get_mut(meter)
                {
                    let tally = tally(*meter, &start_of(*day), &key.to_string(), *spent);
                    tallies.insert((tally.span_start, tally.key.clone()), tally.clone());
                    counted.insert((*meter, *day, *key), tally);
                }
            }
            given.tallies = counted.into_values().collect();
            commit(&mut ledger, given);
            for step in together {
                match step {
                    Step::ForgetTallies(id, day) => {
                        prop_assert!(!ledger.forget_tallies(id, at(&start_of(day))).unwrap());
                        if let Some(tallies) = model.get_mut(&id) {
                            tallies.retain(|(start, _), _| *start >= at(&start_of(day)));
                        }
                    }
                    Step::Sweep => drop(ledger.sweep_meters().unwrap()),
                    Step::Reopen => ledger = fixture_reopened(ledger, &fixture),
                    Step::Count { .. } | Step::Forget(_) | Step::Meter(_) => {}
                }
            }
            prop_assert_eq!(ledger.meters().iter().map(|meter| meter.id).collect::<Vec<_>>(), model.keys().copied().collect::<Vec<_>>());
            for (id, expected) in &model {
                prop_assert_eq!(tallies(&ledger, *id).unwrap(), expected.values().cloned().collect::<Vec<_>>());
            }
        }
        prop_assert_eq!(verify(&fixture.path()).unwrap().problems, Vec::<String>::new());
    }
}
