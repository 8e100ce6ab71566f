use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use opentelemetry::metrics::MeterProvider;
use proptest::prelude::*;

use super::*;
use crate::budget::Policy;
use crate::clock::Clock;
use crate::domain::{BudgetZone, CostEvent, CostQuestion, Dimension, EventKey, Kind, Period, Usd};
use crate::ledger::{Ledger, Reader, verify};
use crate::views::{Board, SeriesLimits};
use crate::wire::Origin;

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn policy(daily: i64) -> Arc<Policy> {
    Arc::new(Policy::example(BudgetZone::named("Europe/Berlin").unwrap(), daily))
}

pub(super) fn start_at(path: &Path, clock: &Clock) -> Started {
    start_under(policy(50), path, clock)
}

pub(super) fn start_under(policy: Arc<Policy>, path: &Path, clock: &Clock) -> Started {
    let ledger = Ledger::open(path, &policy.zone, clock.now()).unwrap();
    let settings = Settings {
        series: SeriesLimits::default(),
        age_max: SignedDuration::from_hours(35 * 24),
        ahead_max: SignedDuration::from_mins(5),
        holds_max: 1_000,
        budget_keys_max: 1_000,
        origin: Origin::default(),
        retention: None,
        receivers: Arc::default(),
    };
    let meter = opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test");
    load(ledger, policy, settings, clock.clone()).unwrap().spawn(&meter).unwrap()
}

pub(super) async fn stop(started: Started) {
    started.writer.stop().await;
    assert_eq!(started.ended.await, Ok(Ended::Cleanly));
}

pub(super) fn charge(id: &str, dollars: i64, time: Timestamp) -> CostEvent {
    CostEvent {
        key: EventKey { source: "".into(), id: id.into() },
        amount: Usd::from_dollars(dollars),
        kind: if dollars < 0 { Kind::Credit } else { Kind::Charge },
        time,
        worker: Some("w1".into()),
        duration_seconds: Some(0.5),
        ..CostEvent::example()
    }
}

fn spent(board: &Board, clock: &Clock) -> [Usd; 2] {
    let published = board.read();
    let standings = published.standings(clock.instant());
    [0, 1].map(|at| standings[at].usd().unwrap()[1])
}

/// Waits for a state that a tick brings about.
async fn eventually(what: impl Fn() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(tokio::time::Instant::now() < patience, "the state was not reached in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_answered_event_is_visible_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Clock::manual(at("2026-11-22T10:00:00Z"));
    for round in 0..3 {
        let started = start_at(&path, &clock);
        let event = charge("call", 3, clock.now());
        let recorded = started.writer.record(vec![event], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
        let is_first = usize::from(round == 0);
        assert_eq!(recorded, Recorded { accepted: is_first, duplicates: 1 - is_first, ..Recorded::default() });
        assert_eq!(spent(&started.board, &clock), [Usd::from_dollars(3); 2]);
        let refused = started
            .writer
            .record(
                vec![charge("x", 1, clock.now()), charge("call", 4, clock.now())],
                Taking::AllOrNothing,
                Box::new(|_| ()),
            )
            .await;
        assert!(matches!(refused, Err(RecordError::Conflict(conflicts)) if conflicts[0].index == 1));
        assert_eq!(started.board.read().views.entries, 1, "a refused batch leaves nothing");
        stop(started).await;
    }
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn the_gate_closes_with_the_event_that_reaches_it_and_opens_when_the_day_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    // 23:30 in Berlin.
    let clock = Clock::manual(at("2026-11-22T22:30:00Z"));
    let started = start_at(&path, &clock);
    started.writer.record(vec![charge("a", 44, clock.now())], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    assert!(!started.board.read().gate(clock.instant()).active);
    started.writer.record(vec![charge("b", 1, clock.now())], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    let published = started.board.read();
    assert!(published.gate(clock.instant()).active);
    let line = published.views.gate.clone().unwrap();
    assert!(line.active && line.reason.contains("daily") && line.reason.contains("90%"), "{}", line.reason);
    assert_eq!(published.views.gate_activations, 1);

    clock.set(at("2026-11-22T23:00:00Z"));
    assert!(!started.board.read().gate(clock.instant()).active, "a reader sees the new day at once");
    eventually(|| started.board.read().views.gate.as_ref().is_some_and(|line| !line.active)).await;
    stop(started).await;

    let history = Reader::new(path, BudgetZone::UTC).gate_history(10).unwrap();
    let lines: Vec<_> = history.iter().map(|line| (line.timestamp, line.active)).collect();
    assert_eq!(lines, [(at("2026-11-22T23:00:00Z"), false), (at("2026-11-22T22:30:00Z"), true)]);
}

#[tokio::test]
async fn a_credit_and_a_higher_limit_open_the_gate() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(at("2026-11-22T10:00:00Z"));
    let started = start_at(&folder.path().join("ledger.db"), &clock);
    started.writer.record(vec![charge("a", 50, clock.now())], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    assert!(started.board.read().gate(clock.instant()).active);
    started.writer.record(vec![charge("b", -20, clock.now())], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    assert!(!started.board.read().gate(clock.instant()).active);
    started.writer.record(vec![charge("c", 20, clock.now())], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    assert!(started.board.read().gate(clock.instant()).active);
    started.writer.set_policy(policy(500)).await.unwrap();
    assert!(!started.board.read().gate(clock.instant()).active, "it is in force");
    eventually(|| started.board.read().views.gate.as_ref().is_some_and(|line| !line.active)).await;
    assert_eq!(started.board.read().views.gate_activations, 2);
    stop(started).await;
}

#[tokio::test]
async fn a_clock_that_runs_ahead_and_steps_back_changes_no_total() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Clock::manual(at("2026-11-22T10:00:00Z"));
    let started = start_at(&path, &clock);
    started.writer.record(vec![charge("a", 7, clock.now())], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    clock.set(at("2027-11-22T10:00:00Z"));
    started.writer.record(vec![charge("b", 1, clock.now())], Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    assert_eq!(spent(&started.board, &clock), [Usd::from_dollars(1); 2]);
    clock.set(at("2026-11-22T11:00:00Z"));
    eventually(|| spent(&started.board, &clock) == [Usd::from_dollars(7); 2]).await;
    let again = started
        .writer
        .record(vec![charge("a", 7, at("2026-11-22T10:00:00Z"))], Taking::AllOrNothing, Box::new(|_| ()))
        .await
        .unwrap();
    assert_eq!(again, Recorded { duplicates: 1, ..Recorded::default() });
    stop(started).await;
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
}

/// Copies a ledger that is being written: the file and its write-ahead log.
pub(super) fn what_a_kill_leaves(path: &Path, copy: &Path) -> std::path::PathBuf {
    for suffix in ["", "-wal"] {
        std::fs::copy(format!("{}{suffix}", path.display()), format!("{}{suffix}", copy.display())).unwrap();
    }
    copy.to_owned()
}

/// Guards against: cost that is lost, or counted twice, because the process was killed between events and their sums.
#[tokio::test]
async fn a_ledger_whose_sums_lag_behind_its_events_is_whole() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path().join("ledger.db");
    let copy = copies.path().join("ledger.db");
    let clock = Clock::manual(at("2026-11-22T10:00:00Z"));
    let started = start_at(&path, &clock);
    let mut dollars = 0;
    loop {
        dollars += 1;
        let yesterday = at("2026-11-21T10:00:00Z");
        let events = vec![charge(&format!("a{dollars}"), 1, clock.now()), charge(&format!("b{dollars}"), 2, yesterday)];
        started.writer.record(events, Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
        what_a_kill_leaves(&path, &copy);
        let head = rusqlite::Connection::open(&copy).unwrap().query_row("SELECT events FROM head", (), |row| row.get(0));
        // Between the two a tick may have come.
        if head.unwrap_or(0_i64) < 2 * dollars {
            break;
        }
    }
    let report = verify(&copy).unwrap();
    assert_eq!((report.problems, report.total_usd), (vec![], Usd::from_dollars(3 * dollars)));
    assert_eq!(report.events, 2 * dollars as u64);
    let by_worker = CostQuestion {
        by: vec![Dimension::Worker],
        first: jiff::civil::date(2026, 11, 21),
        last: jiff::civil::date(2026, 11, 22),
        filters: vec![],
        by_day: true,
    };
    let sums = Reader::new(copy.clone(), policy(50).zone.clone()).breakdown(&by_worker, &|| false).unwrap();
    assert_eq!(sums[&by_worker.first]["w1"], Usd::from_dollars(2 * dollars));
    assert_eq!(sums[&by_worker.last]["w1"], Usd::from_dollars(dollars));

    let restarted = start_at(&copy, &clock);
    assert_eq!(spent(&restarted.board, &clock), [Usd::from_dollars(dollars), Usd::from_dollars(3 * dollars)]);
    assert_eq!(restarted.board.read().views.entries, 2 * dollars as u64);
    stop(restarted).await;
    assert_eq!(verify(&copy).unwrap().problems, Vec::<String>::new());
    stop(started).await;
}

#[tokio::test]
async fn after_a_stop_nothing_more_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(at("2026-11-22T10:00:00Z"));
    let started = start_at(&folder.path().join("ledger.db"), &clock);
    let writer = started.writer.clone();
    stop(started).await;
    let refused = writer.record(vec![charge("a", 7, clock.now())], Taking::AllOrNothing, Box::new(|_| ())).await;
    assert!(matches!(refused, Err(RecordError::ShuttingDown)));
}

/// Guards against: a correction that counts when it comes in, or in a day whose sums are no longer in memory.
#[tokio::test]
async fn a_correction_lands_in_the_day_that_it_corrects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Clock::manual(at("2026-11-22T10:00:00Z"));
    let started = start_at(&path, &clock);
    let told = |dollars, revision| {
        let event = charge("call", dollars, at("2026-10-20T10:00:00Z"));
        vec![CostEvent { revision, ..event }]
    };
    started.writer.record(told(3, 0), Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
    stop(started).await;

    clock.set(at("2026-12-20T10:00:00Z"));
    let started = start_at(&path, &clock);
    let zone = BudgetZone::named("Europe/Berlin").unwrap();
    let october = || {
        let days = Reader::new(path.clone(), zone.clone()).days(jiff::civil::Date::MIN, jiff::civil::Date::MAX).unwrap();
        let sums = |rows: Vec<crate::ledger::PairRow>| rows.iter().map(|row| row.sums.net()).sum();
        days.into_iter().map(|(day, rows)| (day.to_string(), sums(rows))).collect::<Vec<(String, Usd)>>()
    };
    for (revision, dollars, time_given) in [(1, 7, false), (2, 5, true), (3, 5, false)] {
        let mut batch = told(dollars, revision);
        (batch[0].time, batch[0].time_given) = if time_given { (batch[0].time, true) } else { (clock.now(), false) };
        let answer = started.writer.record(batch, Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
        assert_eq!(answer.revised, 1);
        assert_eq!(october(), [("2026-10-20".to_owned(), Usd::from_dollars(dollars))]);
        assert_eq!(spent(&started.board, &clock), [Usd::ZERO; 2]);
        let series: Usd = started.board.read().views.series.iter().map(|(_, sums)| sums.net()).sum();
        assert_eq!(series, Usd::from_dollars(dollars));
    }
    stop(started).await;
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
}

/// What a user would do with pencil and paper.
#[derive(Default)]
struct NaiveLedger {
    events: BTreeMap<String, (i64, i8)>,
}

impl NaiveLedger {
    fn take(&mut self, batch: &[(u8, i64, i8)]) -> Option<(usize, usize)> {
        let mut next = self.events.clone();
        let mut accepted = 0;
        for (id, dollars, hour) in batch {
            match next.insert(format!("id-{id}"), (*dollars, *hour)) {
                None => accepted += 1,
                Some(known) if known == (*dollars, *hour) => {}
                Some(_) => return None,
            }
        }
        self.events = next;
        Some((accepted, batch.len() - accepted))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_naive_ledger_agrees_batch_by_batch(
        rounds in prop::collection::vec(
            (0..3_u8, prop::collection::vec((0..30_u8, 0..3_i64, -60..60_i8), 1..12)),
            1..12,
        )
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let mut path = folder.path().join("ledger.db");
            let now = at("2026-11-22T10:00:00Z");
            let clock = Clock::manual(now);
            let mut started = start_at(&path, &clock);
            let mut naive = NaiveLedger::default();
            for (round, (end, batch)) in rounds.into_iter().enumerate() {
                let next_path = match end {
                    0 => None,
                    1 => Some(path.clone()),
                    _ => Some(what_a_kill_leaves(&path, &folder.path().join(format!("{round}.db")))),
                };
                if let Some(next_path) = next_path {
                    stop(started).await;
                    path = next_path;
                    started = start_at(&path, &clock);
                }
                let time = |hour: i8| now.checked_sub(SignedDuration::from_hours(i64::from(hour) + 60)).unwrap();
                let events = batch.iter().map(|(id, dollars, hour)| charge(&format!("id-{id}"), *dollars, time(*hour)));
                let recorded = started.writer.record(events.collect(), Taking::AllOrNothing, Box::new(|_| ())).await;
                let recorded = recorded.ok().map(|recorded| (recorded.accepted, recorded.duplicates));
                assert_eq!(recorded, naive.take(&batch));

                let published = started.board.read();
                let zone = &published.policy.zone;
                let mut by_day = BTreeMap::new();
                for (dollars, hour) in naive.events.values() {
                    *by_day.entry(zone.day_of(time(*hour))).or_insert(Usd::ZERO) += Usd::from_dollars(*dollars);
                }
                for (day, total) in &by_day {
                    assert_eq!(published.views.sums(Period::Day(*day)).net(), *total);
                }
                let reader = Reader::new(path.clone(), zone.clone());
                let Some(first) = by_day.keys().next().copied() else { continue };
                let question =
                    CostQuestion { by: vec![Dimension::Worker], first, last: zone.day_of(now), filters: vec![], by_day: true };
                let groups = reader.breakdown(&question, &|| false).unwrap();
                let from_events: BTreeMap<_, _> = groups.into_iter().map(|(day, group)| (day, group["w1"])).collect();
                assert_eq!(from_events, by_day);
            }
            stop(started).await;
            assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
        });
    }
}

/// Guards against: what a commit that fails would have counted, seen by those who ask meanwhile or after.
#[tokio::test]
async fn a_commit_that_fails_leaves_what_a_key_has_spent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Clock::manual(at("2026-11-22T10:00:00Z"));
    let started = start_at(&path, &clock);
    let mut per_worker = Policy::clone(&policy(50));
    per_worker.budgets[0].each = Some(crate::domain::Facet::Worker);
    started.writer.set_policy(Arc::new(per_worker)).await.unwrap();
    let record = |id: &str, dollars| {
        let event = charge(id, dollars, clock.now());
        started.writer.record(vec![event], Taking::AllOrNothing, Box::new(|_| ()))
    };
    let spent = || {
        let known = started.board.read().key_standing(0, "w1", clock.instant(), |_| Ok::<_, ()>(None)).unwrap().unwrap();
        known.usd().unwrap()[1]
    };
    record("a", 3).await.unwrap();
    assert_eq!(spent(), Usd::from_dollars(3));
    let before = started.board.read();

    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut refused = std::pin::pin!(record("b", 4));
    loop {
        tokio::select! {
            answer = &mut refused => {
                assert!(matches!(answer, Err(RecordError::Unavailable)), "{answer:?}");
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(5)) => assert_eq!(spent(), Usd::from_dollars(3)),
        }
    }
    assert_eq!(spent(), Usd::from_dollars(3));
    other.execute_batch("ROLLBACK").unwrap();
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while record("c", 5).await.is_err() {
        assert!(tokio::time::Instant::now() < patience, "it records again in time");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(spent(), Usd::from_dollars(8));
    let known = before.key_standing(0, "w1", clock.instant(), |_| Ok::<_, ()>(None)).unwrap().unwrap();
    assert_eq!(known.usd().unwrap()[1], Usd::from_dollars(3), "memory was built anew");
    stop(started).await;
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
}
