//! Somebody guesses passwords.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{USUAL, Web};
use crate::support::{Client, Response, assert_within};

/// `alice:wonderland`.
const RIGHT: &str = "Basic YWxpY2U6d29uZGVybGFuZA==";

fn ask(client: &mut Client, authorization: &str) -> Response {
    client.request("GET", "/metrics", &[("Authorization", authorization)], b"").unwrap()
}

/// A password that nobody guessed before.
fn guess(number: usize) -> String {
    use base64::Engine;
    let name = if number.is_multiple_of(2) { "alice" } else { "mallory" };
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{name}:guess-{number}")))
}

#[test]
fn readers_who_are_known_wait_for_no_guess() {
    let web = Web::new(&format!("basic_auth_users: {{alice: {USUAL}}}"));
    let agent = web.start();
    let mut alice = agent.client();
    ask(&mut alice, RIGHT).expect(200);
    let (stop, numbers, refused, busy) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let mut took = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let mut client = agent.client();
                while !stop.load(Ordering::Relaxed) {
                    let answer = ask(&mut client, &guess(numbers.fetch_add(1, Ordering::Relaxed)));
                    match answer.status {
                        401 => refused.fetch_add(1, Ordering::Relaxed),
                        503 => {
                            assert!(answer.header("retry-after").is_some());
                            // So that the machine has time for the rest of the test.
                            std::thread::sleep(Duration::from_millis(20));
                            busy.fetch_add(1, Ordering::Relaxed)
                        }
                        status => panic!("{status}"),
                    };
                }
            });
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            let asked = Instant::now();
            ask(&mut alice, RIGHT).expect(200);
            took.push(asked.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (refused, busy) = (refused.into_inner(), busy.into_inner());
    assert!(refused > 0 && busy > 0, "guesses were looked at ({refused}) one at a time ({busy} were not)");
    // One at a time, of 20 ms at the least.
    assert!(refused < 15 * 50, "{refused}");
    println!("refused {refused}, busy {busy}");
    assert_within(took, Duration::from_secs(1));
}

#[test]
fn all_who_come_with_the_same_password_at_once_are_let_in() {
    let web = Web::new(&format!("basic_auth_users: {{alice: {USUAL}}}"));
    let agent = web.start();
    let together = std::sync::Barrier::new(24);
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let mut client = agent.client();
                together.wait();
                ask(&mut client, RIGHT).expect(200);
            });
        }
    });
}

#[test]
fn a_name_that_nobody_has_takes_as_long_as_a_wrong_password() {
    let web = Web::new(&format!("basic_auth_users: {{alice: {USUAL}}}"));
    let agent = web.start();
    let mut client = agent.client();
    let mut took = [Vec::new(), Vec::new()];
    for number in 0..30 {
        let began = Instant::now();
        ask(&mut client, &guess(number)).expect(401);
        took[number % 2].push(began.elapsed());
    }
    // The quickest of each: what others do on this machine only adds.
    let [known, unknown] = took.map(|took| took.into_iter().min().unwrap());
    assert!(unknown > known / 2 && known > unknown / 2, "{known:?} and {unknown:?}");
    // The same again costs nothing.
    let again = (0..30).map(|number| {
        let began = Instant::now();
        ask(&mut client, &guess(number)).expect(401);
        began.elapsed()
    });
    let again = again.min().unwrap();
    assert!(again < known / 2, "{again:?} in place of {known:?}");
}
