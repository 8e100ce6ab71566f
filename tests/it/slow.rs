//! Five hundred clients that hold a connection and do little with it, while a worker goes on recording.
//!
//! Guards against: a server that keeps 300 of 300 slow connections, and then has none left for the worker.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Conn, Setup, TestAgent, assert_within, within};

const SLOW: usize = 500;
/// Far above each time-out that the test sets, far below the defaults added up.
const CLOSED_MAX: Duration = Duration::from_secs(20);

/// What a slow client does until it is closed.
#[derive(Clone, Copy, Debug)]
enum Slowness {
    /// Connects and says nothing.
    Silent,
    /// Sends a header line byte by byte.
    DripsHeaders,
    /// Sends a whole head and then the body byte by byte.
    DripsBody,
    /// Asks once, reads the answer, and stays.
    Idle,
}

const KINDS: [Slowness; 4] = [Slowness::Silent, Slowness::DripsHeaders, Slowness::DripsBody, Slowness::Idle];

#[test]
fn five_hundred_slow_connections_are_closed_in_time_and_harm_no_other() {
    let agent = Setup::new()
        .setting("header_timeout_seconds = 2")
        .setting("body_timeout_seconds = 2")
        .setting("idle_timeout_seconds = 3")
        .start();
    let slow: Vec<(Slowness, Conn)> = (0..SLOW).map(|number| open(&agent, KINDS[number % KINDS.len()])).collect();
    let begin = Instant::now();
    let closed = thread::scope(|scope| {
        let dripping = scope.spawn(|| drip_until_closed(slow));
        let mut took = Vec::new();
        let mut client = agent.client();
        let mut recorded = 0;
        while !dripping.is_finished() {
            let one = Instant::now();
            client.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
            recorded += 1;
            assert_eq!(client.get("/health").status, 200);
            took.push(one.elapsed());
            assert!(begin.elapsed() < CLOSED_MAX + Duration::from_secs(10), "slow connections are still open");
        }
        assert_within(took, Duration::from_secs(2));
        assert_eq!(agent.get("/costs/daily").text(), format!(r#"{{"s":{recorded}}}"#), "dripped events never count");
        dripping.join().unwrap()
    });
    assert_eq!(closed, SLOW);
    println!("{SLOW} slow connections closed after {:?}", begin.elapsed());
    agent.assert_healthy();
}

fn open(agent: &TestAgent, kind: Slowness) -> (Slowness, Conn) {
    let mut conn = Conn::open(agent.addr()).unwrap();
    match kind {
        Slowness::Silent => {}
        Slowness::DripsHeaders => conn.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap(),
        Slowness::DripsBody => conn
            .send(
                b"POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n",
            )
            .unwrap(),
        Slowness::Idle => {
            conn.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            conn.read().unwrap().expect(200);
        }
    }
    (kind, conn)
}

/// Sends a byte on each dripping connection again and again; counts the ones that the agent closed.
fn drip_until_closed(mut open: Vec<(Slowness, Conn)>) -> usize {
    let begin = Instant::now();
    let mut closed = 0;
    while !open.is_empty() && begin.elapsed() < CLOSED_MAX {
        let mut still_open = Vec::with_capacity(open.len());
        for (kind, mut conn) in open {
            let drips = matches!(kind, Slowness::DripsHeaders | Slowness::DripsBody);
            let refused = drips && conn.send(b" ").is_err();
            if !refused && conn.read_until_closed(Duration::from_millis(1)).is_err() {
                still_open.push((kind, conn));
            } else {
                closed += 1;
            }
        }
        open = still_open;
    }
    let left: Vec<Slowness> = open.iter().map(|(kind, _)| *kind).collect();
    assert!(left.is_empty(), "{} still open after {CLOSED_MAX:?}: {:?}", left.len(), &left[..left.len().min(8)]);
    closed
}

#[test]
fn a_body_that_comes_too_slowly_is_told_so() {
    let agent = Setup::new().setting("body_timeout_seconds = 1").start();
    let (_, mut conn) = open(&agent, Slowness::DripsBody);
    conn.send(b"{").unwrap();
    let answer = conn.read().unwrap();
    assert_eq!((answer.status, answer.slug().as_str()), (408, "timeout"));
    agent.assert_healthy();
}

/// Three times as many bodies of calls as are read at once, of which nothing comes, or a beginning and nothing more.
#[test]
fn slow_bodies_of_calls_hold_up_nobody_elses() {
    for beginning in ["", "[", &"[".repeat(40 * 1024)] {
        let agent = Setup::new().setting("body_timeout_seconds = 60").start();
        let _slow: Vec<Conn> = (0..24)
            .map(|_| {
                let mut conn = Conn::open(agent.addr()).unwrap();
                let head = "POST /ingest/litellm HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n";
                conn.send(format!("{head}{beginning}").as_bytes()).unwrap();
                conn
            })
            .collect();
        for _ in 0..20 {
            within(Duration::from_secs(10), "somebody else's calls are taken", || {
                let answer = agent.client().post("/ingest/litellm", "application/json", "[]");
                assert!(answer.status == 200 || answer.slug() == "overloaded", "{}", answer.text());
                (answer.status == 200).then_some(())
            });
        }
        agent.assert_healthy();
    }
}

#[test]
fn by_default_headers_have_five_seconds() {
    let agent = Setup::new().start();
    let begin = Instant::now();
    let (_, mut conn) = open(&agent, Slowness::Silent);
    let (_, mut dripping) = open(&agent, Slowness::DripsHeaders);
    dripping.read_until_closed(Duration::from_secs(12)).expect("closed by the header time-out");
    let after = begin.elapsed();
    assert!(after > Duration::from_secs(4) && after < Duration::from_secs(12), "closed after {after:?}");
    // A connection that never said anything is no different.
    conn.read_until_closed(Duration::from_secs(60)).expect("closed, at the latest by the idle time-out");
}
