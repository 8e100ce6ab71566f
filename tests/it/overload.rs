//! More than the disk can take: the agent says so, and stays within its memory.
//!
//! Guards against: a queue without a bound, a health page that waits for the disk.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Setup, amounts_in, assert_within, exact};

const WRITERS: u64 = 64;
const READ_MAX: Duration = Duration::from_secs(1);

#[test]
fn with_a_slow_disk_writes_are_refused_beyond_the_bound_and_reads_stay_quick() {
    let setup = Setup::new().setting("max_body_bytes = 50000").setting("max_body_bytes_in_flight = 100000");
    let mut agent = setup.clone().with_injected_faults(&["fsync,fdatasync:delay_exit=200000"]).start();
    let (stop, recorded, refused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let padding = "x".repeat(4_000);
    let mut took = Vec::new();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (agent, stop, recorded, refused, padding) = (&agent, &stop, &recorded, &refused, &padding);
            scope.spawn(move || {
                let mut client = agent.client();
                for request in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let body = format!(
                        r#"{{"id":"{writer}/{request}","service":"s","amount_usd":1,"attributes":{{"p":"{padding}"}}}}"#
                    );
                    let answer = client.costs(&body);
                    if answer.status == 200 {
                        recorded.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    assert_eq!((answer.status, answer.slug().as_str()), (503, "overloaded"), "{}", answer.text());
                    let retry_after: Option<u64> = answer.header("retry-after").and_then(|value| value.parse().ok());
                    assert!(
                        retry_after.is_some_and(|seconds| seconds >= 1),
                        "Retry-After: {:?}",
                        answer.header("retry-after")
                    );
                    refused.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(20));
                }
            });
        }
        let begin = Instant::now();
        let mut client = agent.client();
        while begin.elapsed() < Duration::from_secs(5) {
            for path in ["/health", "/metrics", "/costs/daily", "/scaling-gate/status"] {
                let one = Instant::now();
                client.get(path).expect(200);
                took.push(one.elapsed());
            }
            thread::sleep(Duration::from_millis(20));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (recorded, refused) = (recorded.into_inner(), refused.into_inner());
    println!("{recorded} recorded, {refused} refused");
    assert!(recorded > 0 && refused > 0, "{recorded} recorded, {refused} refused");
    assert_within(took, READ_MAX);
    assert_eq!(amounts_in(&agent.get("/costs/daily"))["s"], exact(&recorded.to_string()), "refused ones are not recorded");
    assert!(agent.status_kib("VmHWM") < 64 * 1024, "{} KiB", agent.status_kib("VmHWM"));
    assert!(agent.terminate().success());
    setup.assert_verifies();
}

#[test]
fn connections_beyond_the_bound_wait_and_are_served_in_turn() {
    let agent = Setup::new().setting("max_connections = 8").start();
    thread::scope(|scope| {
        for worker in 0..40 {
            let agent = &agent;
            scope.spawn(move || {
                let mut client = agent.client();
                let close = [("Content-Type", "application/json"), ("Connection", "close")];
                let body = format!(r#"{{"id":"{worker}","service":"s","amount_usd":1}}"#);
                assert_eq!(client.request("POST", "/costs", &close, body.as_bytes()).unwrap().status, 200);
            });
        }
    });
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":40}"#);
}

#[test]
fn without_file_descriptors_the_agent_recovers_and_does_not_spin() {
    crate::support::tool("prlimit");
    let agent = Setup::new().wrapped_in(["prlimit", "--nofile=48:48"]).start();
    let held: Vec<_> = (0..100).filter_map(|_| crate::support::Conn::open(agent.addr()).ok()).collect();
    let before = cpu_ticks(agent.pid());
    thread::sleep(Duration::from_secs(1));
    let spent = cpu_ticks(agent.pid()) - before;
    assert!(spent < 50, "{spent} ticks of CPU in a second of doing nothing");
    drop(held);
    crate::support::within(Duration::from_secs(20), "recording goes on", || {
        let body = br#"{"id":"after","service":"s","amount_usd":1}"#;
        let answer = agent.client().request("POST", "/costs", &[("Content-Type", "application/json")], body);
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1}"#);
}

/// User and system time of a process, in clock ticks of 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
