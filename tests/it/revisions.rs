//! Events that are told again with more: revisions, in any order of arrival, over kills.
//!
//! Guards against: a streamed call that stays at what it cost at first, a figure that grows and counts each time, a correction that
//! counts on the day it comes in, one that a kill or a retry counts twice or loses, counters that fall.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::support::{Amount, Rng, Setup, Stage, amounts_in, exact};

const WRITERS: u64 = 4;
const KILLS: u64 = 30;
/// Tellings of an event, at most.
const REVISIONS: u64 = 4;

fn today(path: &str, agent: &crate::support::TestAgent) -> BTreeMap<String, Amount> {
    amounts_in(&agent.get(path))
}

#[test]
fn the_highest_revision_stands_whatever_order_it_comes_in() {
    let tellings = [(0, "1.30"), (1, "2.10"), (2, "3.255")];
    let setup = Setup::new();
    let agent = setup.start();
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (number, order) in orders.iter().enumerate() {
        for which in order.iter().chain(order) {
            let (revision, amount) = tellings[*which];
            let telling = format!(
                r#"{{"id":"day-{number}","service":"maps","worker":"w{number}","amount_usd":{amount},"revision":{revision}}}"#
            );
            agent.costs(telling).expect(200);
        }
    }
    let expected: BTreeMap<String, Amount> =
        (0..orders.len()).map(|number| (format!("w{number}"), exact("3.255"))).collect();
    assert_eq!(today("/costs/daily?by=worker", &agent), expected);

    let conflict = agent.costs(r#"{"id":"day-0","service":"maps","worker":"w0","amount_usd":3,"revision":2}"#).expect(409);
    assert_eq!(conflict.slug(), "id-conflict");
    let elsewhere =
        agent.costs(r#"{"id":"day-0","service":"other","worker":"w0","amount_usd":3,"revision":3}"#).expect(409).json();
    assert_eq!(elsewhere["errors"][0]["field"], "service");
    drop(agent);
    setup.assert_verifies();
}

#[test]
fn a_batch_tells_revisions_in_order_and_counts_what_it_replaced() {
    let agent = Setup::new().start();
    let answer = agent
        .costs(
            r#"[{"id":"a","service":"s","amount_usd":1},{"id":"a","service":"s","amount_usd":4,"revision":1},
                {"id":"a","service":"s","amount_usd":3,"revision":2},{"id":"a","service":"s","amount_usd":9,"revision":1},
                {"id":"b","service":"s","amount_usd":-5,"kind":"credit"},
                {"id":"b","service":"s","amount_usd":-2,"kind":"credit","revision":7}]"#,
        )
        .expect(200)
        .json();
    assert_eq!(answer, serde_json::json!({"accepted": 2, "duplicates": 1, "revised": 3}));
    assert_eq!(today("/costs/daily", &agent)["s"], exact("1"));
    let metrics = agent.metrics();
    // A rise is a charge, and so is that of a credit towards zero; a fall is a credit.
    assert_eq!(metrics.get("lead_factory_cost_usd_total", &[("operation", "unknown"), ("service", "s")]), Some(7.0));
    assert_eq!(metrics.get("lead_factory_credit_usd_total", &[("service", "s")]), Some(6.0));
}

#[test]
fn revisions_survive_kills_in_any_order() {
    let setup = Setup::new();
    let stage = Stage::default();
    let mut expected: BTreeMap<String, Amount> = BTreeMap::new();
    let last = thread::scope(|scope| {
        let end = stage.end_on_drop();
        let stage = &stage;
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || tell_until_stopped(writer, stage))).collect();
        let mut rng = Rng::new(11);
        for _ in 0..KILLS {
            let mut agent = setup.start();
            stage.enter(&agent);
            thread::sleep(Duration::from_micros(rng.below(80_000)));
            agent.kill();
        }
        let last = setup.start();
        stage.enter(&last);
        drop(end);
        writers.into_iter().for_each(|writer| expected.extend(writer.join().unwrap()));
        last
    });
    assert_eq!(last_month(&last), expected);
    drop(last);
    setup.assert_verifies();
    let mut agent = setup.start();
    assert_eq!(last_month(&agent), expected);
    // Counted anew in another zone, events and adjustments stay together.
    agent.kill();
    let elsewhere = setup.env("BUDGET_TIMEZONE", "Pacific/Auckland");
    let agent = elsewhere.start();
    assert_eq!(last_month(&agent), expected);
    drop(agent);
    elsewhere.assert_verifies();
}

/// Cost by lead of all days in which events of the test lie.
fn last_month(agent: &crate::support::TestAgent) -> BTreeMap<String, Amount> {
    let history = agent.get("/costs/history?days=40&by=lead").expect(200).json();
    let mut found: BTreeMap<String, Amount> = BTreeMap::new();
    for day in history.as_array().unwrap() {
        for (lead, amount) in day["by"].as_object().unwrap() {
            *found.entry(lead.clone()).or_default() += exact(&amount.to_string());
        }
    }
    found
}

/// Tells of event after event, each as often and in as much disorder as it may come; what each lead's events stand at.
fn tell_until_stopped(writer: u64, stage: &Stage) -> BTreeMap<String, Amount> {
    let mut rng = Rng::new(500 + writer);
    let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
    let mut client = stage.follower();
    let yesterday = crate::support::now().checked_sub(jiff::SignedDuration::from_hours(30)).unwrap();
    for request in 0_u64.. {
        if stage.is_over() && request > 0 {
            break;
        }
        let lead = format!("w{writer}-{}", request / 10);
        // With few digits, so that a reader of floats has them all.
        let amount =
            |revision: u64| format!("{}.{:03}", (request * 7 + revision * 13) % 90, (request * 31 + revision * 17) % 1_000);
        let highest = rng.below(REVISIONS);
        let mut order: Vec<u64> = (0..=highest).collect();
        for place in (1..order.len()).rev() {
            order.swap(place, rng.below(place as u64 + 1) as usize);
        }
        for revision in order {
            let telling = format!(
                r#"{{"id":"{writer}/{request}","service":"s{writer}","lead_id":"{lead}","time":"{yesterday}","amount_usd":{},
                    "revision":{revision},"attributes":{{"team":"t{}"}}}}"#,
                amount(revision),
                rng.below(2)
            );
            // Told once more under the same revision, the attributes must be the same.
            client.post("/costs", &telling).expect(200);
        }
        *sums.entry(lead).or_default() += exact(&amount(highest));
    }
    sums
}
