//! SIGKILL at any moment while workers reserve, settle and retry.
//!
//! Guards against: a grant that was answered and is forgotten, a balance that is not the sum of its holds after a start, a hold
//! that outlives its time because its worker or its agent died, a settlement that counts twice.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Client, Follower, Rng, Setup, Stage, TestAgent, now, within};

const ROUNDS: u32 = 200;
const WORKERS: u64 = 6;
/// Holds that nobody settles have this time, the others more than the test takes.
const SHORT_TTL_SECONDS: u32 = 2;
const LONG_TTL_SECONDS: u32 = 86_400;

/// What a worker was told of a reservation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Held,
    Released,
    Committed {
        micros: u64,
    },
    /// Nobody settles it.
    Left,
}

#[test]
fn two_hundred_kills_forget_no_grant_and_leak_no_hold() {
    let setup = Setup::new().env("DAILY_BUDGET", "1000000").env("MONTHLY_BUDGET", "none");
    let stage = Stage::default();
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let last = thread::scope(|scope| {
        let end = stage.end_on_drop();
        let stage = &stage;
        let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || work_until_stopped(worker, stage))).collect();
        let mut rng = Rng::new(11);
        for _ in 0..ROUNDS {
            let mut agent = setup.start();
            // Before the workers find it: what was read from the file.
            assert_balanced(&agent);
            stage.enter(&agent);
            thread::sleep(Duration::from_micros(rng.below(60_000)));
            agent.kill();
        }
        let last = setup.start();
        stage.enter(&last);
        drop(end);
        workers.into_iter().for_each(|worker| known.extend(worker.join().unwrap()));
        last
    });
    assert!(known.len() > 100, "the workers got somewhere: {}", known.len());
    let limit = Duration::from_secs(u64::from(SHORT_TTL_SECONDS) + 1);
    thread::sleep(limit);
    assert_balanced(&last);
    let mut client = last.client();
    let mut spent = 0;
    for (id, known) in &known {
        let item = client.get(&format!("/reservations/{id}")).expect(200).json();
        let expected = match known {
            Known::Held => "held",
            Known::Left => "expired",
            Known::Released => "released",
            Known::Committed { .. } => "committed",
        };
        assert_eq!(item["state"], expected, "{id}: {item}");
        if let Known::Committed { micros } = known {
            spent += micros;
            assert_eq!((item["amount_usd"].as_f64().unwrap() * 1e6).round() as u64, *micros, "{id}");
        }
    }
    let month: f64 =
        client.get("/costs/monthly").expect(200).json().as_object().unwrap().values().filter_map(Value::as_f64).sum();
    assert_eq!((month * 1e6).round() as u64, spent, "each settlement exactly once");
    drop(last);
    setup.assert_verifies();
}

/// The balance is the sum of the open holds, and none of them is past its time.
fn assert_balanced(agent: &TestAgent) {
    let mut client = agent.client();
    within(Duration::from_secs(10), "the balance is the sum of the holds", || {
        let before = reserved(&mut client);
        let held = held(&mut client);
        // A hold may lapse between the two looks.
        let sum: i64 = held.iter().map(|item| (item["estimated_cost_usd"].as_f64().unwrap() * 1e6).round() as i64).sum();
        let second = jiff::SignedDuration::from_secs(1);
        for item in &held {
            let end: jiff::Timestamp = item["expires_at"].as_str().unwrap().parse().unwrap();
            assert!(now().duration_since(end) < second, "held past its time: {item}");
        }
        (before == sum && before == reserved(&mut client)).then_some(())
    });
}

fn reserved(client: &mut Client) -> i64 {
    let budgets = client.get("/budgets").expect(200).json();
    (budgets[0]["reserved_usd"].as_f64().unwrap() * 1e6).round() as i64
}

/// Every held reservation, page by page.
fn held(client: &mut Client) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let after =
            all.last().map(|item| format!("&after={}", item["reservation_id"].as_str().unwrap())).unwrap_or_default();
        let answer = client.get(&format!("/reservations?state=held&limit=500{after}"));
        let page = answer.json();
        // The last one of the page before may have been settled, forgotten never.
        assert_eq!(answer.status, 200, "{page}");
        let page = page.as_array().unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page.iter().cloned());
    }
}

fn work_until_stopped(worker: u64, stage: &Stage) -> BTreeMap<String, Known> {
    let mut rng = Rng::new(2_000 + worker);
    let mut known = BTreeMap::new();
    let mut client = stage.follower();
    for number in 0_u64.. {
        if stage.is_over() && number > 0 {
            break;
        }
        let id = format!("w{worker}-{number}");
        let estimate = 1 + rng.below(1_000_000);
        let end = rng.below(4);
        let ttl = if end == 3 { SHORT_TTL_SECONDS } else { LONG_TTL_SECONDS };
        let body = format!(
            r#"{{"id":"{id}","service":"s{worker}","estimated_cost_usd":{},"ttl_seconds":{ttl}}}"#,
            dollars(estimate)
        );
        let granted = client.post("/reservations", &body);
        assert!(matches!(granted.status, 200 | 201), "{}", granted.text());
        let told = match end {
            0 => Known::Held,
            1 => {
                client.post(&format!("/reservations/{id}/release"), r#"{"reason":"not needed"}"#).expect(200);
                Known::Released
            }
            2 => {
                let micros = 1 + rng.below(2_000_000);
                settle(&mut client, &id, worker, micros, rng.below(2) == 0);
                Known::Committed { micros }
            }
            _ => Known::Left,
        };
        known.insert(id, told);
    }
    known
}

/// By `commit`, after an event under the reservation's id or alone.
fn settle(client: &mut Follower<'_>, id: &str, worker: u64, micros: u64, by_event: bool) {
    let amount = dollars(micros);
    if by_event {
        client.post("/costs", &format!(r#"{{"id":"{id}","service":"s{worker}","amount_usd":{amount}}}"#)).expect(200);
    }
    client.post(&format!("/reservations/{id}/commit"), &format!(r#"{{"amount_usd":{amount}}}"#)).expect(200);
}

fn dollars(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}
