//! Many workers reserve from one small budget at once.
//!
//! Guards against: check-then-act between workers, a grant that passes the limit, a refusal of what would have fitted, sums that
//! drift from the holds they are made of, and holds left behind by clients that hang up.

use std::net::SocketAddr;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Client, Conn, Rng, Setup, TestAgent, within};

const ROUNDS: usize = 1_000;
const WORKERS: usize = 64;
/// Small against what 64 workers ask for, and odd.
const LIMIT_MICROS: u64 = 10_000_019;
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What one worker was told in one round: the amounts in millionths of a dollar.
#[derive(Debug)]
enum Told {
    Granted { id: String, asked: u64 },
    Refused { asked: u64, remaining: i64 },
}

fn micros(value: &Value) -> i64 {
    (value.as_f64().unwrap_or_else(|| panic!("no amount: {value}")) * 1e6).round() as i64
}

fn dollars(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn small_budget() -> TestAgent {
    // A gate far above the limit: here the budget alone decides.
    Setup::new()
        .env("DAILY_BUDGET", dollars(LIMIT_MICROS))
        .env("MONTHLY_BUDGET", "none")
        .env("SCALING_GATE_DAILY_THRESHOLD", "10")
        .start()
}

fn daily(client: &mut Client) -> Value {
    client.get("/budgets").expect(200).json()[0].clone()
}

fn reserve(client: &mut Client, id: &str, asked: u64) -> Told {
    let body = format!(r#"{{"id":"{id}","service":"openai","operation":"chat","estimated_cost_usd":{}}}"#, dollars(asked));
    let answer = client.request("POST", "/reservations", &[JSON], body.as_bytes()).unwrap();
    let document = answer.json();
    match answer.status {
        201 => Told::Granted { id: id.to_owned(), asked },
        409 => {
            assert_eq!(
                (answer.slug().as_str(), &document["budget"]),
                ("budget-exhausted", &Value::from("daily")),
                "{document}"
            );
            Told::Refused { asked, remaining: micros(&document["remaining_usd"]) }
        }
        other => panic!("{other}: {document}"),
    }
}

/// All workers at once, each on its own connection.
fn at_once<T: Send>(workers: &mut [(Client, Rng)], work: impl Fn(usize, &mut Client, &mut Rng) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(workers.len());
    thread::scope(|scope| {
        let running: Vec<_> = workers
            .iter_mut()
            .enumerate()
            .map(|(worker, (client, rng))| {
                let (start, work) = (&start, &work);
                scope.spawn(move || {
                    start.wait();
                    work(worker, client, rng)
                })
            })
            .collect();
        running.into_iter().map(|worker| worker.join().unwrap()).collect()
    })
}

#[test]
fn a_thousand_rounds_of_parallel_reservations_grant_all_that_fits_and_no_more() {
    let agent = small_budget();
    let mut workers: Vec<_> = (0..WORKERS).map(|worker| (agent.client(), Rng::new(worker as u64))).collect();
    let mut client = agent.client();
    let (mut granted, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let told = at_once(&mut workers, |worker, client, rng| {
            reserve(client, &format!("{round}-{worker}"), 1 + rng.below(900_000))
        });
        let held = check_round(&mut client, &told);
        granted += held.len();
        refused += told.len() - held.len();
        at_once(&mut workers, |worker, client, _| {
            let id = format!("{round}-{worker}");
            if held.contains(&id) {
                settle(client, &id, round + worker);
            }
        });
    }
    assert!(granted > ROUNDS && refused > ROUNDS, "{granted} granted and {refused} refused: both happen in each round");
    let after = daily(&mut client);
    assert_eq!(micros(&after["reserved_usd"]), 0);
    agent.assert_healthy();
}

/// Compares what the workers were told with the order in which the ledger recorded the grants; answers the ids that are held.
fn check_round(client: &mut Client, told: &[Told]) -> Vec<String> {
    let budget = daily(client);
    let spent = micros(&budget["spent_usd"]);
    let listed = client.get("/reservations?state=held&limit=1000").expect(200).json();
    let in_order: Vec<(&str, i64)> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["reservation_id"].as_str().unwrap(), micros(&item["estimated_cost_usd"])))
        .collect();
    let free = LIMIT_MICROS as i64 - spent;
    let held: i64 = in_order.iter().map(|(_, amount)| amount).sum();
    assert!(held <= free, "{held} granted, {free} were left");
    assert_eq!(micros(&budget["reserved_usd"]), held);
    // What was left before the first grant, after it, after the second …
    let mut left = vec![free];
    in_order.iter().for_each(|(_, amount)| left.push(left[left.len() - 1] - amount));
    let mut granted = Vec::new();
    for told in told {
        match told {
            Told::Granted { id, asked } => {
                let listed = in_order.iter().find(|(listed, _)| listed == id);
                assert_eq!(listed.map(|(_, amount)| *amount), Some(*asked as i64), "{id} was granted");
                granted.push(id.clone());
            }
            Told::Refused { asked, remaining } => {
                assert!(left.contains(remaining), "{remaining} was never left: {left:?}");
                assert!(*asked as i64 > *remaining, "{asked} would have fitted into {remaining}");
            }
        }
    }
    assert_eq!(granted.len(), in_order.len(), "nobody else holds anything");
    granted
}

/// Most are given back; a few are paid, with a little that lets the budget last for all rounds.
fn settle(client: &mut Client, id: &str, number: usize) {
    let (call, body) = if number.is_multiple_of(16) { ("commit", r#"{"amount_usd":0.000007}"#) } else { ("release", "{}") };
    let path = format!("/reservations/{id}/{call}");
    client.request("POST", &path, &[JSON], body.as_bytes()).unwrap().expect(200);
}

#[test]
fn a_client_that_hangs_up_at_any_byte_leaves_a_whole_hold_or_none() {
    let agent = small_budget();
    let mut client = agent.client();
    let body = r#"{"id":"ID","service":"openai","estimated_cost_usd":0.001,"ttl_seconds":1}"#;
    let request = |number: usize| {
        let body = body.replace("ID", &format!("cut-{number:03}"));
        let length = body.len();
        format!(
            "POST /reservations HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            agent.addr()
        )
    };
    let whole = request(0).len();
    for sent in 0..whole {
        hang_up_after(agent.addr(), &request(sent).as_bytes()[..sent]);
    }
    // Sent as a whole, they may be found to be without a client before they are looked at, or be granted.
    let sent_whole = 500..550;
    sent_whole.clone().for_each(|number| hang_up_after(agent.addr(), request(number).as_bytes()));
    for sent in 0..whole {
        assert_eq!(client.get(&format!("/reservations/cut-{sent:03}")).status, 404, "cut after {sent} bytes");
    }
    let granted = || {
        let known = |number: &usize| agent.get(&format!("/reservations/cut-{number:03}")).status == 200;
        sent_whole.clone().filter(known).count()
    };
    within(Duration::from_secs(10), "the holds lapse", || (micros(&daily(&mut client)["reserved_usd"]) == 0).then_some(()));
    let listed = client.get("/reservations?state=expired").expect(200).json();
    assert_eq!(listed.as_array().unwrap().len(), granted(), "{listed}");
    assert_eq!(client.get("/reservations?state=held").expect(200).text(), "[]");
    agent.assert_healthy();
}

fn hang_up_after(address: SocketAddr, bytes: &[u8]) {
    let mut conn = Conn::open(address).unwrap();
    conn.send(bytes).unwrap();
}
