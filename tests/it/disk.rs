//! The disk fills, or turns read-only: writes are refused, reads stay, and recording goes on by itself when it can.
//!
//! Guards against: a full disk that makes the ledger unreadable for ever, an answer for what was not written, a restart that is
//! needed after room was made.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::{Amount, Setup, TestAgent, TmpfsForLedger, amounts_in, exact, tool, within};

/// Long enough for the agent's own pauses between attempts.
const RECOVERY_MAX: Duration = Duration::from_secs(30);
/// Far above the agent's pause between attempts: who is refused that long is refused until there is room.
const REFUSED_FOR_GOOD: Duration = Duration::from_millis(1_500);

fn event(number: u64) -> String {
    let padding = "x".repeat(2_000);
    format!(r#"{{"id":"{number}","service":"s","amount_usd":"0.{number:012}","attributes":{{"p":"{padding}"}}}}"#)
}

#[track_caller]
fn total(agent: &TestAgent) -> Amount {
    amounts_in(&agent.get("/costs/daily")).into_values().sum()
}

/// Records events from `first` on until one is refused for good. Returns that one's number and the sum of the answered ones.
///
/// For good: the first refusal makes the agent move what its write-ahead log holds into the ledger, which may make room.
#[track_caller]
fn record_until_refused(agent: &TestAgent, first: u64) -> (u64, Amount) {
    let mut client = agent.client();
    let mut answered = Amount::default();
    for number in first..first + 50_000 {
        let begin = Instant::now();
        while begin.elapsed() < REFUSED_FOR_GOOD {
            let answer = client.costs(event(number));
            if answer.status == 200 {
                answered += exact(&format!("0.{number:012}"));
                break;
            }
            assert_eq!((answer.status, answer.slug().as_str()), (503, "ledger-unavailable"), "{}", answer.text());
            assert!(answer.header("retry-after").is_some(), "503 says when to come back");
        }
        if begin.elapsed() >= REFUSED_FOR_GOOD {
            return (number, answered);
        }
    }
    panic!("the disk never filled");
}

/// Retries one event until it is recorded.
#[track_caller]
fn record_in_the_end(agent: &TestAgent, number: u64) {
    within(RECOVERY_MAX, "recording goes on without a restart", || {
        let answer = agent.costs(event(number));
        assert!(matches!(answer.status, 200 | 503), "{} {}", answer.status, answer.text());
        (answer.status == 200).then_some(())
    });
}

#[track_caller]
fn assert_unhealthy_but_readable(agent: &TestAgent, answered: &Amount) {
    let health = agent.get("/health").expect(503).json();
    assert_eq!(health["status"], "unhealthy");
    let reason = health["reason"].as_str().expect("a reason");
    assert!(!reason.contains(".db") && !reason.contains('/'), "nothing internal leaks: {reason}");
    agent.get("/-/ready").expect(503);
    agent.get("/-/healthy").expect(200);
    assert_eq!(&total(agent), answered, "what was answered stays readable, and no more");
    assert_eq!(agent.metrics().get("lead_factory_ledger_up", &[]), Some(0.0));
    assert_eq!(agent.get("/costs/daily?by=worker").status, 200, "reads from the ledger, too");
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room_again() {
    let disk = TmpfsForLedger::mount("6m");
    let filler = disk.path_from_here().join("filler");
    fs::write(&filler, vec![0; 2 * 1024 * 1024]).unwrap();
    let setup = Setup::new().ledger_at(disk.path().join("ledger.db")).wrapped_in(disk.inside());
    let mut agent = setup.start();
    let (refused, mut answered) = record_until_refused(&agent, 1);
    assert_unhealthy_but_readable(&agent, &answered);

    fs::remove_file(&filler).unwrap();
    record_in_the_end(&agent, refused);
    answered += exact(&format!("0.{refused:012}"));
    agent.assert_healthy();
    assert_eq!(total(&agent), answered, "the refused one counts once");
    let (refused, more) = record_until_refused(&agent, refused + 1);
    answered += more;

    // Killed while full: what was answered is there at the next start, once there is room for one.
    agent.kill();
    disk.remount("size=16m");
    let agent = setup.start();
    let after = total(&agent);
    let unanswered = exact(&format!("0.{refused:012}"));
    assert!(after == answered || after == &answered + &unanswered, "{after} instead of {answered}");
    record_in_the_end(&agent, refused);
    assert_eq!(total(&agent), answered + unanswered);
}

#[test]
fn at_the_limit_of_file_sizes_the_agent_survives_and_refuses() {
    tool("prlimit");
    let setup = Setup::new();
    let mut agent = setup.clone().wrapped_in(["prlimit", "--fsize=1500000:unlimited"]).start();
    let (refused, mut answered) = record_until_refused(&agent, 1);
    assert_unhealthy_but_readable(&agent, &answered);

    crate::support::run("prlimit", &["--pid", &agent.pid().to_string(), "--fsize=unlimited:unlimited"]);
    record_in_the_end(&agent, refused);
    answered += exact(&format!("0.{refused:012}"));
    assert_eq!(total(&agent), answered);
    assert!(agent.terminate().success());
    setup.assert_verifies();
    assert_eq!(total(&setup.start()), answered);
}

#[test]
fn failing_writes_are_refused_and_recording_goes_on_when_they_work_again() {
    for error in ["ENOSPC", "EDQUOT", "EROFS", "EIO"] {
        let setup = Setup::new();
        // The opening takes fewer calls; then a stretch of failures, then all is well.
        let fault = format!("pwrite64:error={error}:when=160..175");
        let mut agent = setup.clone().with_injected_faults(&[&fault]).start();
        let mut client = agent.client();
        let mut answered = Amount::default();
        let mut refusals = 0;
        for number in 1..=150 {
            let mut tries = 0;
            while client.costs(event(number)).status != 200 {
                (refusals, tries) = (refusals + 1, tries + 1);
                assert!(tries < 2_000, "{error}: event {number} is never recorded");
                std::thread::sleep(Duration::from_millis(5));
                assert_eq!(client.get("/costs/daily").status, 200, "{error}: reads stay up");
            }
            answered += exact(&format!("0.{number:012}"));
        }
        assert!(refusals > 0, "{error} was not injected");
        assert_eq!(total(&agent), answered, "{error}");
        assert!(agent.terminate().success(), "{error}");
        setup.assert_verifies();
        assert_eq!(total(&setup.start()), answered, "{error}, after a restart");
    }
}

#[test]
fn a_ledger_on_a_read_only_disk_is_refused_at_the_start() {
    let disk = TmpfsForLedger::mount("4m");
    let setup = Setup::new().ledger_at(disk.path().join("ledger.db")).wrapped_in(disk.inside());
    let mut agent = setup.start();
    agent.costs(event(1)).expect(200);
    assert!(agent.terminate().success());
    disk.remount("ro");
    let refused = setup.try_start().err().expect("does not start");
    assert_eq!(refused.status.code(), Some(1), "{}", refused.log);
    disk.remount("rw");
    assert_eq!(total(&setup.start()), exact("0.000000000001"));
}
