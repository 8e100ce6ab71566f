use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use opentelemetry::metrics::MeterProvider;
use proptest::prelude::*;

use super::*;
use crate::domain::{BudgetZone, CostEvent, EventKey, Kind, Period, Usd};
use crate::ledger::{Attribute, Breakdown, Reader, verify};
use crate::views::SeriesLimits;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn policy(daily: i64) -> Arc<Policy> {
    Arc::new(Policy::example(BudgetZone::named("Europe/Berlin").unwrap(), daily))
}

fn start_at(path: &Path, clock: &Clock) -> Started {
    let policy = policy(50);
    let ledger = Ledger::open(path, &policy.zone, clock.now()).unwrap();
    let settings = Settings {
        series: SeriesLimits::default(),
        age_max: SignedDuration::from_hours(35 * 24),
        ahead_max: SignedDuration::from_mins(5),
        retention: None,
    };
    let meter = opentelemetry_sdk::metrics::SdkMeterProvider::default().meter("test");
    start(ledger, policy, settings, clock.clone(), &meter).unwrap()
}

async fn stop(started: Started) {
    started.writer.stop().await;
    assert_eq!(started.ended.await, Ok(Ended::Cleanly));
}

fn charge(id: &str, dollars: i64, time: Timestamp) -> CostEvent {
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
    let standings = published.standings(clock.now());
    [standings[0].spent_usd, standings[1].spent_usd]
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
        let recorded = started.writer.record(vec![event], Box::new(|_| ())).await.unwrap();
        let is_first = usize::from(round == 0);
        assert_eq!(recorded, Recorded { accepted: is_first, duplicates: 1 - is_first });
        assert_eq!(spent(&started.board, &clock), [Usd::from_dollars(3); 2]);
        let refused =
            started.writer.record(vec![charge("x", 1, clock.now()), charge("call", 4, clock.now())], Box::new(|_| ())).await;
        assert!(matches!(refused, Err(RecordError::Conflict(conflicts)) if conflicts[0].index == 1));
        assert_eq!(started.board.read().views.events, 1, "a refused batch leaves nothing");
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
    started.writer.record(vec![charge("a", 44, clock.now())], Box::new(|_| ())).await.unwrap();
    assert!(!started.board.read().gate(clock.now()).active);
    started.writer.record(vec![charge("b", 1, clock.now())], Box::new(|_| ())).await.unwrap();
    let published = started.board.read();
    assert!(published.gate(clock.now()).active);
    let line = published.views.gate.clone().unwrap();
    assert!(line.active && line.reason.contains("daily") && line.reason.contains("90%"), "{}", line.reason);
    assert_eq!(published.views.gate_activations, 1);

    clock.set(at("2026-11-22T23:00:00Z"));
    assert!(!started.board.read().gate(clock.now()).active, "a reader sees the new day at once");
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
    started.writer.record(vec![charge("a", 50, clock.now())], Box::new(|_| ())).await.unwrap();
    assert!(started.board.read().gate(clock.now()).active);
    started.writer.record(vec![charge("b", -20, clock.now())], Box::new(|_| ())).await.unwrap();
    assert!(!started.board.read().gate(clock.now()).active);
    started.writer.record(vec![charge("c", 20, clock.now())], Box::new(|_| ())).await.unwrap();
    assert!(started.board.read().gate(clock.now()).active);
    started.writer.set_policy(policy(500)).await.unwrap();
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
    started.writer.record(vec![charge("a", 7, clock.now())], Box::new(|_| ())).await.unwrap();
    clock.set(at("2027-11-22T10:00:00Z"));
    started.writer.record(vec![charge("b", 1, clock.now())], Box::new(|_| ())).await.unwrap();
    assert_eq!(spent(&started.board, &clock), [Usd::from_dollars(1); 2]);
    clock.set(at("2026-11-22T11:00:00Z"));
    eventually(|| spent(&started.board, &clock) == [Usd::from_dollars(7); 2]).await;
    let again = started.writer.record(vec![charge("a", 7, at("2026-11-22T10:00:00Z"))], Box::new(|_| ())).await.unwrap();
    assert_eq!(again, Recorded { accepted: 0, duplicates: 1 });
    stop(started).await;
    assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn after_a_stop_nothing_more_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(at("2026-11-22T10:00:00Z"));
    let started = start_at(&folder.path().join("ledger.db"), &clock);
    let writer = started.writer.clone();
    stop(started).await;
    let refused = writer.record(vec![charge("a", 7, clock.now())], Box::new(|_| ())).await;
    assert!(matches!(refused, Err(RecordError::ShuttingDown)));
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
            (any::<bool>(), prop::collection::vec((0..30_u8, 0..3_i64, -60..60_i8), 1..12)),
            1..12,
        )
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("ledger.db");
            let now = at("2026-11-22T10:00:00Z");
            let clock = Clock::manual(now);
            let mut started = start_at(&path, &clock);
            let mut naive = NaiveLedger::default();
            for (restarts, batch) in rounds {
                if restarts {
                    stop(started).await;
                    started = start_at(&path, &clock);
                }
                let time = |hour: i8| now.checked_sub(SignedDuration::from_hours(i64::from(hour) + 60)).unwrap();
                let events = batch.iter().map(|(id, dollars, hour)| charge(&format!("id-{id}"), *dollars, time(*hour)));
                let recorded = started.writer.record(events.collect(), Box::new(|_| ())).await;
                let recorded = recorded.ok().map(|recorded| (recorded.accepted, recorded.duplicates));
                assert_eq!(recorded, naive.take(&batch));

                let published = started.board.read();
                let zone = &published.policy.zone;
                let mut by_day = BTreeMap::new();
                for (dollars, hour) in naive.events.values() {
                    *by_day.entry(zone.day_of(time(*hour))).or_insert(Usd::ZERO) += Usd::from_dollars(*dollars);
                }
                for (day, total) in &by_day {
                    assert_eq!(published.views.spent(None, Period::Day(*day)), *total);
                }
                let reader = Reader::new(path.clone(), zone.clone());
                let Some(first) = by_day.keys().next().copied() else { continue };
                let question =
                    Breakdown { attribute: Attribute::Worker, first, last: zone.day_of(now), service: None, by_day: true };
                let groups = reader.breakdown(&question, &|| false).unwrap();
                let from_events: BTreeMap<_, _> = groups.into_iter().map(|(day, group)| (day, group["w1"])).collect();
                assert_eq!(from_events, by_day);
            }
            stop(started).await;
            assert_eq!(verify(&path).unwrap().problems, Vec::<String>::new());
        });
    }
}
