//! SIGTERM: stop accepting, finish what was accepted, sync, exit 0 within 10 s.
//!
//! Guards against: spend lost at shutdown because a queue lived in memory, a shutdown that waits for slow clients.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Amount, Conn, Rng, Setup, amounts_in, exact};

const WRITERS: u64 = 8;
/// The promise is 10 s.
const STOP_MAX: Duration = Duration::from_secs(10);

#[test]
fn sigterm_under_load_loses_nothing_that_was_answered() {
    for round in 0..5 {
        let setup = Setup::new();
        let mut agent = setup.start();
        let answered = Mutex::new(Amount::default());
        let unanswered = Mutex::new(Vec::new());
        let status = thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (addr, answered, unanswered) = (agent.addr(), &answered, &unanswered);
                scope.spawn(move || {
                    let mut rng = Rng::new(round * 100 + writer);
                    let mut client = crate::support::Client::new(addr);
                    for request in 0_u64.. {
                        let amount = format!("0.{:012}", rng.below(1_000_000_000_000));
                        let body = format!(r#"{{"id":"{writer}/{request}","service":"s","amount_usd":{amount}}}"#);
                        let answer =
                            client.request("POST", "/costs", &[("Content-Type", "application/json")], body.as_bytes());
                        match answer {
                            Ok(answer) if answer.status == 200 => *answered.lock().unwrap() += exact(&amount),
                            Ok(answer) => {
                                assert_eq!((answer.status, answer.slug().as_str()), (503, "shutting-down"));
                                return unanswered.lock().unwrap().push((body, exact(&amount)));
                            }
                            Err(_) => return unanswered.lock().unwrap().push((body, exact(&amount))),
                        }
                    }
                });
            }
            crate::support::within(Duration::from_secs(10), "the load is on", || {
                (*answered.lock().unwrap() > exact("20")).then_some(())
            });
            let begin = Instant::now();
            let status = agent.terminate();
            assert!(begin.elapsed() < STOP_MAX, "stopped after {:?}", begin.elapsed());
            status
        });
        assert_eq!(status.code(), Some(0), "{}", agent.log());

        setup.assert_verifies();
        let (answered, unanswered) = (answered.into_inner().unwrap(), unanswered.into_inner().unwrap());
        let agent = setup.start();
        let shown: Amount = amounts_in(&agent.get("/costs/daily")).into_values().sum();
        let at_most = &answered + unanswered.iter().map(|(_, amount)| amount).sum::<Amount>();
        assert!(shown >= answered && shown <= at_most, "{shown} is not between {answered} and {at_most}");
        for (body, _) in &unanswered {
            agent.costs(body).expect(200);
        }
        let shown: Amount = amounts_in(&agent.get("/costs/daily")).into_values().sum();
        assert_eq!(shown, at_most, "each retried event counts once");
    }
}

#[test]
fn sigterm_does_not_wait_for_slow_clients() {
    let mut agent = Setup::new().start();
    let mut open = Vec::new();
    for number in 0..40 {
        let mut conn = Conn::open(agent.addr()).unwrap();
        match number % 4 {
            0 => {}
            1 => conn.send(b"GET /health HT").unwrap(),
            2 => conn
                .send(b"POST /costs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{")
                .unwrap(),
            _ => {
                conn.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
                conn.read().unwrap().expect(200);
            }
        }
        open.push(conn);
    }
    let begin = Instant::now();
    let status = agent.terminate();
    assert!(begin.elapsed() < STOP_MAX, "stopped after {:?}", begin.elapsed());
    assert_eq!(status.code(), Some(0), "{}", agent.log());
}

#[test]
fn sigterm_with_a_slow_disk_finishes_what_was_accepted() {
    let setup = Setup::new();
    let mut agent = setup.clone().with_injected_faults(&["fsync,fdatasync:delay_exit=300000"]).start();
    let answers = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let addr = agent.addr();
                scope.spawn(move || {
                    let body = format!(r#"{{"id":"{writer}","service":"s","amount_usd":1}}"#);
                    let headers = [("Content-Type", "application/json")];
                    let answer = crate::support::Client::new(addr).request("POST", "/costs", &headers, body.as_bytes());
                    answer.is_ok_and(|answer| answer.status == 200)
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(50));
        let begin = Instant::now();
        assert_eq!(agent.terminate().code(), Some(0), "{}", agent.log());
        assert!(begin.elapsed() < STOP_MAX, "stopped after {:?}", begin.elapsed());
        writers.into_iter().filter_map(|writer| writer.join().unwrap().then_some(())).count()
    });
    let agent = setup.start();
    let shown = amounts_in(&agent.get("/costs/daily")).into_values().sum::<Amount>();
    assert!(shown >= exact(&answers.to_string()), "{answers} were answered, {shown} are there");
    agent.assert_healthy();
}

#[test]
fn sigterm_before_any_request_and_sigint_end_cleanly() {
    let setup = Setup::new();
    assert_eq!(setup.start().terminate().code(), Some(0));
    let mut agent = setup.start();
    crate::support::run("kill", &["-INT", &agent.pid().to_string()]);
    assert_eq!(agent.wait_for_end(STOP_MAX).code(), Some(0));
    setup.assert_verifies();
}
