//! Meters that a start puts together with less memory than there are keys.

use std::sync::Arc;

use jiff::SignedDuration;

use super::draft::find_tally;
use super::meters::load_meters;
use super::tests::{at, charge, start_under, stop, what_a_kill_leaves};
use super::{Started, Taking};
use crate::budget::{Budget, Policy};
use crate::clock::Clock;
use crate::domain::{BudgetZone, CostEvent, Facet, PeriodKind};
use crate::ledger::Ledger;

const WORKERS: i64 = 100;
const KEYS_MAX: usize = 10;

/// A budget for each worker in each of these periods.
fn per_worker(kinds: &[PeriodKind]) -> Policy {
    let each = |kind: &PeriodKind| Budget {
        each: Some(Facet::Worker),
        ..Budget::example(&format!("per-worker-{kind:?}").to_lowercase(), *kind, "1000000")
    };
    Policy { budgets: kinds.iter().map(each).collect(), ..Policy::example(BudgetZone::UTC, 1) }
}

/// A call of each worker; the nth worker's costs n dollars.
async fn all_call(started: &Started, round: i64, clock: &Clock) {
    let call = |worker| CostEvent {
        worker: Some(format!("w{worker}").into()),
        ..charge(&format!("{round}-{worker}"), worker, clock.now())
    };
    let calls = (1..=WORKERS).map(call).collect();
    started.writer.record(calls, Taking::AllOrNothing, Box::new(|_| ())).await.unwrap();
}

#[tokio::test]
async fn a_key_that_memory_has_no_room_for_is_in_the_ledger_whatever_that_had_of_its_budget() {
    let folder = tempfile::tempdir().unwrap();
    let (path, killed) = (folder.path().join("ledger.db"), folder.path().join("killed.db"));
    let clock = Clock::manual(at("2026-11-22T10:30:00Z"));
    let known = Arc::new(per_worker(&[PeriodKind::Daily]));
    let started = start_under(Arc::clone(&known), &path, &clock);
    all_call(&started, 0, &clock).await;
    stop(started).await;
    // What is counted of these is not saved yet when the process is killed.
    let started = start_under(known, &path, &clock);
    all_call(&started, 1, &clock).await;
    what_a_kill_leaves(&path, &killed);
    stop(started).await;

    for kinds in [[PeriodKind::Daily, PeriodKind::Hourly], [PeriodKind::Hourly, PeriodKind::Daily]] {
        let policy = per_worker(&kinds);
        let path = folder.path().join(format!("{:?}.db", kinds[0]));
        what_a_kill_leaves(&killed, &path);
        let mut ledger = Ledger::open(&path, &policy.zone, clock.now()).unwrap();
        let meters = load_meters(&mut ledger, &policy, &[], KEYS_MAX, clock.now()).unwrap();
        assert!(meters.iter().map(|meter| meter.keys_len()).sum::<usize>() <= KEYS_MAX);
        for (position, (budget, meter)) in policy.budgets.iter().zip(&meters).enumerate() {
            let span = policy.zone.span_of(&budget.cycle, clock.now());
            for worker in 1..=WORKERS {
                let found = meter.find(position, span, &format!("w{worker}"));
                let found = found.unwrap_or_else(|missing| find_tally(&ledger, &missing).unwrap());
                let spent = found.map(|tally| tally.spent.to_vec());
                let dollars = 2 * i128::from(worker);
                assert_eq!(
                    spent,
                    Some(vec![dollars * 1_000_000_000_000]),
                    "worker {worker} of {} in {kinds:?}",
                    budget.name
                );
            }
        }
    }
}

/// Guards against: a spent budget that opens again because the days are counted in another zone, and retention has removed what it counted.
#[tokio::test]
async fn what_was_spent_of_a_budget_for_all_time_outlives_its_zone_and_its_entries() {
    // More than a segment of entries.
    const ROUNDS: i64 = 170;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let clock = Clock::manual(at("2026-11-22T10:30:00Z"));
    let policy = per_worker(&[PeriodKind::Daily, PeriodKind::Total]);
    let started = start_under(Arc::new(policy.clone()), &path, &clock);
    for round in 0..ROUNDS {
        all_call(&started, round, &clock).await;
    }
    stop(started).await;
    let now = at("2026-11-23T23:30:00Z");
    let second = SignedDuration::from_secs(1);
    assert!(Ledger::open(&path, &policy.zone, now).unwrap().prune(second, now).unwrap());
    for zone in ["Europe/Berlin", "America/New_York", "UTC"] {
        let policy = Policy { zone: BudgetZone::named(zone).unwrap(), ..policy.clone() };
        let mut ledger = Ledger::open(&path, &policy.zone, now).unwrap();
        let meters = load_meters(&mut ledger, &policy, &[], usize::MAX, now).unwrap();
        let span = policy.zone.span_of(&policy.budgets[1].cycle, now);
        for worker in 1..=WORKERS {
            let found = meters[1].find(1, span, &format!("w{worker}")).unwrap().unwrap();
            assert_eq!(found.spent.to_vec(), [i128::from(ROUNDS * worker) * 1_000_000_000_000], "worker {worker} in {zone}");
        }
        // It counts on.
        assert_eq!(
            (meters[1].saved_to, ledger.has_removed_since(at("2026-11-22T00:00:00Z")).unwrap()),
            (ledger.events(), true)
        );
        assert!(!ledger.has_removed_since(at("2026-11-22T10:30:01Z")).unwrap());
    }
}
