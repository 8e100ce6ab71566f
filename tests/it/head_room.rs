//! Writers and idle clients never use up what readers need.
//!
//! Guards against: writes that wait for the disk and hold every connection, clients that connect and say nothing until nobody else gets
//! in, a flood of connections for which there are no file descriptors.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Client, Conn, Setup, TestAgent, amounts_in, assert_within, exact, tool};

const WRITERS: u64 = 600;
const IDLE: usize = 560;
const ANSWER_MAX: Duration = Duration::from_secs(1);
const READS: [&str; 4] = ["/metrics", "/health", "/scaling-gate/check?service=s", "/costs/daily"];

/// Asks everything again and again for a while, each on a connection of its own, as probes do; how long each took.
#[track_caller]
fn reads_for(agent: &TestAgent, time: Duration) -> Vec<Duration> {
    let begin = Instant::now();
    let mut took = Vec::new();
    while begin.elapsed() < time {
        for path in READS {
            let one = Instant::now();
            Client::new(agent.addr()).get(path).expect(200);
            took.push(one.elapsed());
        }
    }
    took
}

/// A writer's thread needs little of a stack, and there are many.
fn spawn<'scope>(scope: &'scope thread::Scope<'scope, '_>, work: impl FnOnce() + Send + 'scope) {
    thread::Builder::new().stack_size(128 * 1024).spawn_scoped(scope, work).unwrap();
}

#[test]
fn with_six_hundred_writers_on_a_slow_disk_everything_else_answers_within_a_second() {
    let setup = Setup::new();
    let mut agent = setup.clone().with_injected_faults(&["fsync,fdatasync:delay_exit=1500000"]).start();
    let (stop, recorded, refused, slow_refusals) =
        (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let mut took = Vec::new();
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (agent, stop, recorded, refused, slow_refusals) = (&agent, &stop, &recorded, &refused, &slow_refusals);
            spawn(scope, move || {
                let mut client = agent.client();
                for request in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let body = format!(r#"{{"id":"{writer}/{request}","service":"s","amount_usd":1}}"#);
                    let mut sent = Instant::now();
                    let answer = loop {
                        match client.request("POST", "/costs", &[("Content-Type", "application/json")], body.as_bytes()) {
                            Ok(answer) => break answer,
                            // Its connection was idle and made room. The same again is counted once.
                            Err(_) => sent = Instant::now(),
                        }
                    };
                    if answer.status == 200 {
                        recorded.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    assert_eq!((answer.status, answer.slug().as_str()), (503, "overloaded"), "{}", answer.text());
                    assert!(
                        answer
                            .header("retry-after")
                            .is_some_and(|value| value.parse::<u64>().is_ok_and(|seconds| seconds >= 1))
                    );
                    refused.fetch_add(1, Ordering::Relaxed);
                    slow_refusals.fetch_add(u64::from(sent.elapsed() > ANSWER_MAX), Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(200));
                }
            });
        }
        took = reads_for(&agent, Duration::from_secs(8));
        stop.store(true, Ordering::Relaxed);
    });
    let (recorded, refused, slow_refusals) = (recorded.into_inner(), refused.into_inner(), slow_refusals.into_inner());
    println!("{recorded} recorded, {refused} refused ({slow_refusals} after a second)");
    assert!(recorded > 0 && refused > 0, "{recorded} recorded, {refused} refused");
    assert_within(took, ANSWER_MAX);
    assert!(slow_refusals <= refused / 20, "{slow_refusals} of {refused}");
    assert_eq!(amounts_in(&agent.get("/costs/daily"))["s"], exact(&recorded.to_string()), "refused ones are not recorded");
    assert!(agent.status_kib("VmHWM") < 96 * 1024, "{} KiB", agent.status_kib("VmHWM"));
    assert!(agent.terminate().success());
    setup.assert_verifies();
}

#[test]
fn with_five_hundred_and_sixty_idle_connections_everybody_is_answered_within_a_second() {
    let agent = Setup::new().start();
    // Half of them say nothing, and half have had an answer.
    let mut idle: Vec<Conn> = Vec::new();
    for number in 0..IDLE {
        let mut conn = Conn::open(agent.addr()).unwrap();
        if number % 2 == 0 {
            conn.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            conn.read().unwrap().expect(200);
        }
        idle.push(conn);
    }
    let mut took = Vec::new();
    for _ in 0..20 {
        for path in READS {
            let begin = Instant::now();
            Client::new(agent.addr()).get(path).expect(200);
            took.push(begin.elapsed());
        }
        let begin = Instant::now();
        agent.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
        took.push(begin.elapsed());
    }
    assert_within(took, ANSWER_MAX);
    let closed = idle.iter_mut().filter_map(|conn| conn.read_until_closed(Duration::from_millis(1)).ok()).count();
    assert!(closed >= IDLE - 512, "{closed} made room");
    assert!(closed < 200, "{closed} made room: more than there was a need for");
    agent.assert_healthy();
}

/// Guards against: a stranger's few hundred questions that each wait for the ledger to be read, and hold all connections meanwhile.
#[test]
fn with_six_hundred_questions_to_the_ledger_everything_else_answers_within_a_second() {
    let setup = Setup::new();
    let agent = setup.start();
    for batch in 0..60 {
        let line =
            |number| format!(r#"{{"id":"{batch}/{number}","service":"s","amount_usd":1,"lead_id":"{batch}-{number}"}}"#);
        let lines: Vec<String> = (0..1_000).map(line).collect();
        let headers = [("Content-Type", "application/x-ndjson")];
        agent.client().request("POST", "/costs", &headers, lines.join("\n").as_bytes()).unwrap().expect(200);
    }
    let mut asking = Vec::new();
    for _ in 0..WRITERS {
        let mut conn = Conn::open(agent.addr()).unwrap();
        conn.send(b"GET /costs/daily?by=lead,worker HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        asking.push(conn);
    }
    assert_within(reads_for(&agent, Duration::from_secs(4)), ANSWER_MAX);
    let refused = agent.get("/costs/daily?by=lead,worker");
    if refused.status != 200 {
        assert_eq!((refused.status, refused.slug().as_str()), (503, "overloaded"), "{}", refused.text());
        assert!(refused.header("retry-after").is_some());
    }
    drop(asking);
    crate::support::within(Duration::from_secs(30), "whoever asks alone is answered", || {
        (agent.get("/costs/daily?by=lead,worker").status == 200).then_some(())
    });
    agent.assert_healthy();
}

#[test]
fn a_place_among_the_writes_is_free_again_when_its_client_hangs_up() {
    let agent = Setup::new().setting("max_writes_in_progress = 2").start();
    let head = b"POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{";
    let held: Vec<Conn> = (0..2)
        .map(|_| {
            let mut conn = Conn::open(agent.addr()).unwrap();
            conn.send(head).unwrap();
            conn
        })
        .collect();
    let refused = crate::support::within(Duration::from_secs(20), "both places are taken", || {
        let answer = agent.costs(r#"{"service":"s","amount_usd":1}"#);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!((refused.status, refused.slug().as_str()), (503, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    // Reads, and what a stranger sends, need no place.
    agent.get("/costs/daily").expect(200);
    let stranger = agent.client().request("POST", "/costs", &[("Origin", "http://localhost")], b"{}").unwrap();
    assert_eq!(stranger.status, 403);
    drop(held);
    crate::support::within(Duration::from_secs(20), "a place is free", || {
        (agent.costs(r#"{"service":"s","amount_usd":1}"#).status == 200).then_some(())
    });
}

#[test]
fn with_sixty_four_file_descriptors_and_a_slow_disk_a_hundred_writers_leave_room_to_read() {
    let fault = "inject=fsync,fdatasync:delay_exit=1500000";
    let limit = ["prlimit", "--nofile=64:64"]
        .map(|part| if part == "prlimit" { tool(part).display().to_string() } else { part.into() });
    let trace =
        ["strace", "-D", "-f", "-q", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", fault].map(str::to_owned);
    tool("strace");
    let agent = Setup::new().wrapped_in(limit.into_iter().chain(trace)).start();
    let stop = AtomicBool::new(false);
    let mut took = Vec::new();
    thread::scope(|scope| {
        for writer in 0..100 {
            let (agent, stop) = (&agent, &stop);
            spawn(scope, move || {
                let mut client = agent.client();
                let body = format!(r#"{{"id":"{writer}","service":"s","amount_usd":1}}"#);
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.request("POST", "/costs", &[("Content-Type", "application/json")], body.as_bytes());
                    assert!(answer.is_err() || matches!(answer.unwrap().status, 200 | 503));
                    thread::sleep(Duration::from_millis(100));
                }
            });
        }
        took = reads_for(&agent, Duration::from_secs(5));
        stop.store(true, Ordering::Relaxed);
    });
    assert_within(took, ANSWER_MAX);
    agent.assert_healthy();
}

#[test]
fn with_sixty_four_file_descriptors_a_flood_of_connections_keeps_nobody_out() {
    tool("prlimit");
    let agent = Setup::new().wrapped_in(["prlimit", "--nofile=64:64"]).start();
    let held: Vec<Conn> = (0..IDLE).filter_map(|_| Conn::open(agent.addr()).ok()).collect();
    assert_within(reads_for(&agent, Duration::from_millis(500)), 3 * ANSWER_MAX);
    agent.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
    // This one reads the file.
    agent.get("/costs/daily?by=lead").expect(200);
    assert_eq!(agent.metrics().get("process_max_fds", &[]), Some(64.0));
    drop(held);
    agent.assert_healthy();
}
