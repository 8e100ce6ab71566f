//! SIGKILL at each of the first disk system calls, one after another.
//!
//! Guards against: an answer before the sync, a window between two writes in which half a batch is on disk, a new ledger that
//! cannot be opened because its making was interrupted.

use std::thread;
use std::time::Duration;

use crate::support::{Amount, Rng, Setup, TestAgent, amounts_in, exact, within};

/// System calls that change what is on disk, as strace names them.
const DISK_CALLS: &str = "pwrite64,fsync,fdatasync,ftruncate,unlink";
const CALLS: u64 = 300;
/// Rounds at the same time: they mostly wait for the disk and for strace.
const LANES: u64 = 4;
/// Requests in one round, at most: far more than it takes to reach the last of the calls.
const REQUESTS_MAX: u64 = 2_000;

#[test]
fn a_kill_at_each_of_the_first_300_disk_calls_keeps_what_was_answered() {
    in_lanes(CALLS, |call| kill_at_call(&Setup::new(), call));
}

/// strace counts per thread, and the thread that makes a new ledger hides the first calls of the one that records: with a
/// ledger that exists, those are reached.
#[test]
fn a_kill_at_each_of_the_first_100_disk_calls_on_a_ledger_that_exists_keeps_what_was_answered() {
    in_lanes(CALLS / 3, |call| {
        let setup = Setup::new();
        assert!(setup.start().terminate().success());
        kill_at_call(&setup, call);
    });
}

fn in_lanes(calls: u64, round: impl Fn(u64) + Sync) {
    thread::scope(|scope| {
        for lane in 0..LANES {
            let round = &round;
            scope.spawn(move || (1..=calls).filter(|call| call % LANES == lane).for_each(round));
        }
    });
}

fn kill_at_call(setup: &Setup, call: u64) {
    let traced = setup.clone().with_injected_faults(&[&format!("{DISK_CALLS}:signal=KILL:when={call}")]);
    // Killed while starting, or later: either way the round goes on.
    let (answered, unanswered) = match traced.try_start() {
        Ok(agent) => record_until_killed(agent, call),
        Err(_) => (Amount::default(), None),
    };

    let agent = setup.start();
    if let Some((body, amount)) = unanswered {
        let before = total(&agent);
        assert!(
            before == answered || before == &answered + &amount,
            "call {call}: {before} of {answered} and maybe {amount}"
        );
        let again = agent.costs(&body).expect(200).json();
        let known = u64::from(before != answered) * 3;
        assert_eq!(
            (&again["accepted"], &again["duplicates"]),
            (&(3 - known).into(), &known.into()),
            "call {call}: all or nothing"
        );
        assert_eq!(total(&agent), answered + amount, "call {call}, after the retry");
    } else {
        assert_eq!(total(&agent), answered, "call {call}");
    }
    drop(agent);
    setup.assert_verifies();
}

/// The sum of what was answered, and the request that got no answer.
fn record_until_killed(mut agent: TestAgent, call: u64) -> (Amount, Option<(String, Amount)>) {
    let mut rng = Rng::new(call);
    let mut client = agent.client();
    let mut answered = Amount::default();
    for request in 0..REQUESTS_MAX {
        let mut amount = Amount::default();
        let events: Vec<String> = (0..3)
            .map(|number| {
                let text = format!("0.{:012}", rng.below(1_000_000_000_000));
                amount += exact(&text);
                format!(
                    r#"{{"id":"{request}/{number}","service":"s{number}","operation":"o{request}","amount_usd":{text}}}"#
                )
            })
            .collect();
        let body = format!("[{}]", events.join(","));
        match client.request("POST", "/costs", &[("Content-Type", "application/json")], body.as_bytes()) {
            Ok(answer) => {
                assert_eq!(answer.status, 200, "call {call}: {}", answer.text());
                answered += amount;
            }
            Err(_) => {
                within(Duration::from_secs(10), "the kill", || (!agent.is_running()).then_some(()));
                return (answered, Some((body, amount)));
            }
        }
    }
    panic!("call {call} was never made in {REQUESTS_MAX} requests");
}

#[track_caller]
fn total(agent: &TestAgent) -> Amount {
    let today = crate::support::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    [today.yesterday().unwrap(), today]
        .iter()
        .flat_map(|day| amounts_in(&agent.get(&format!("/costs/daily?date={day}"))).into_values())
        .sum()
}
