//! SIGKILL at each of the first disk system calls, one after another.
//!
//! Guards against: an answer before the sync, a window between two writes in which half a batch is on disk, a new ledger that
//! cannot be opened because its making was interrupted.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Amount, Rng, Setup, TestAgent, amounts_in, exact, spent_by_key, within};

/// System calls that change what is on disk, as strace names them.
const DISK_CALLS: &str = "pwrite64,fsync,fdatasync,ftruncate,unlink";
const CALLS: u64 = 300;
/// More than two commits and a stop make.
const CALLS_OF_A_STOP: u64 = 60;
const BUDGETS: [&str; 5] =
    ["[[budget]]", r#"name = "worker""#, r#"each = "worker""#, r#"period = "total""#, "limit_usd = 1"];
/// Rounds at the same time: they mostly wait for the disk and for strace.
const LANES: u64 = 4;
/// Requests in one round, at most: far more than it takes to reach the last of the calls.
const REQUESTS_MAX: u64 = 2_000;

#[test]
fn a_kill_at_each_of_the_first_300_disk_calls_keeps_what_was_answered() {
    in_lanes(CALLS, |call| kill_at_call(&Setup::new(), call));
}

/// A start fills the log with zeros, so its calls are far more than these. Counted from when the program is ready, those of recording are reached.
#[test]
fn a_kill_at_each_of_the_first_100_disk_calls_of_recording_keeps_what_was_answered() {
    in_lanes(CALLS / 3, |call| {
        let setup = Setup::new();
        let agent = setup.start();
        let mut tracer = kill_at(&agent, call);
        let (answered, unanswered) = record_until_killed(agent, call);
        assert!(tracer.wait().is_ok());
        assert_nothing_lost(&setup, call, answered, unanswered);
    });
}

/// What budgets have counted is written while the program stops, the limit that somebody sets at once.
///
/// Guards against: sums of keys that a kill leaves half written and a start takes for whole, or counts twice.
#[test]
fn a_kill_at_each_disk_call_of_a_clean_stop_keeps_what_budgets_have_counted() {
    let has_stopped = AtomicU64::new(0);
    in_lanes(CALLS_OF_A_STOP, |call| {
        let setup = BUDGETS.into_iter().fold(Setup::new(), Setup::setting);
        let mut agent = setup.start();
        let mut expected = record_by_worker(&agent, 1);
        assert!(agent.terminate().success());

        let mut agent = setup.start();
        let mut tracer = kill_at(&agent, call);
        let json = [("Content-Type", "application/json")];
        let order = br#"{"limit_usd":7,"reason":"the launch is tonight"}"#;
        let answer = agent.client().request("PUT", "/budgets/worker", &json, order);
        let is_set = answer.is_ok_and(|answer| answer.status == 200);
        let is_told = is_set && agent.client().request("POST", "/costs", &json, events_by_worker(2).as_bytes()).is_ok();
        if is_told && agent.terminate().success() {
            has_stopped.fetch_add(1, Ordering::Relaxed);
        }
        assert!(tracer.wait().is_ok());
        drop(agent);
        let agent = setup.start();
        let history = agent.get("/budgets/history").expect(200).json();
        let orders = history.as_array().unwrap().len();
        assert!(orders == 1 || orders == 0 && !is_set, "call {call}: {history}");
        expected.extend(record_by_worker(&agent, 2));
        assert_eq!(spent_by_key(&agent, "worker"), expected, "call {call}");
        drop(agent);
        setup.assert_verifies();
        // Counted from what was there, whatever that was, and kept anew.
        let mut agent = setup.start();
        assert_eq!(spent_by_key(&agent, "worker"), expected, "call {call}, once more");
        assert!(agent.terminate().success());
        setup.assert_verifies();
    });
    let has_stopped = has_stopped.into_inner();
    assert!(
        has_stopped > 0 && has_stopped < CALLS_OF_A_STOP,
        "{has_stopped} rounds came to the end: all calls were among those"
    );
}

/// Ten workers of which no other round tells.
fn events_by_worker(round: u64) -> String {
    let event = |worker| {
        format!(r#"{{"id":"{round}/{worker}","service":"s","amount_usd":0.0{worker}1,"worker":"{round}/{worker}"}}"#)
    };
    format!("[{}]", (0..10).map(event).collect::<Vec<_>>().join(","))
}

#[track_caller]
fn record_by_worker(agent: &TestAgent, round: u64) -> BTreeMap<String, Amount> {
    agent.costs(events_by_worker(round)).expect(200);
    (0..10).map(|worker| (format!("{round}/{worker}"), exact(&format!("0.0{worker}1")))).collect()
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
    assert_nothing_lost(setup, call, answered, unanswered);
}

/// Has a program that runs killed at its call of this number from now on, of whichever thread comes to so many first.
#[track_caller]
fn kill_at(agent: &TestAgent, call: u64) -> Child {
    let (trace, inject) = (format!("trace={DISK_CALLS}"), format!("inject={DISK_CALLS}:signal=KILL:when={call}"));
    let mut strace = Command::new(crate::support::tool("strace"));
    strace.args(["-f", "-q", "-o", "/dev/null", "-e", &trace, "-e", &inject, "-p", &agent.pid().to_string()]);
    let tracer = strace.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is_traced = |thread: fs::DirEntry| {
        let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
    };
    within(Duration::from_secs(30), "strace to hold every thread", || {
        let mut threads = fs::read_dir(format!("/proc/{}/task", agent.pid())).unwrap();
        threads.all(|thread| is_traced(thread.unwrap())).then_some(())
    });
    tracer
}

#[track_caller]
fn assert_nothing_lost(setup: &Setup, call: u64, answered: Amount, unanswered: Option<(String, Amount)>) {
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
