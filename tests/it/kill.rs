//! SIGKILL at any moment, under load.
//!
//! Guards against: answered events that lived in memory only, a retry that counts twice, a batch recorded in part, a start
//! that must read everything before it is ready.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Amount, Rng, Setup, Stage, amounts_in, exact};

const ROUNDS: u32 = 100;
const WRITERS: u64 = 8;
/// The promise is 1 s; on a machine that runs other tests at the same time this still finds a start that reads everything.
const READY_MAX: Duration = Duration::from_secs(5);

#[test]
fn a_hundred_kills_under_load_lose_nothing_and_double_nothing() {
    let setup = Setup::new();
    let stage = Stage::default();
    let mut slowest_start = Duration::ZERO;
    let mut answered: BTreeMap<String, Amount> = BTreeMap::new();
    let last = thread::scope(|scope| {
        let end = stage.end_on_drop();
        let stage = &stage;
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write_until_stopped(writer, stage))).collect();
        let mut rng = Rng::new(7);
        for _ in 0..ROUNDS {
            let begin = Instant::now();
            let mut agent = setup.start();
            slowest_start = slowest_start.max(begin.elapsed());
            stage.enter(&agent);
            thread::sleep(Duration::from_micros(rng.below(80_000)));
            agent.kill();
        }
        // One that lives on, so that every writer gets its last answer.
        let last = setup.start();
        stage.enter(&last);
        drop(end);
        for writer in writers {
            answered.extend(writer.join().unwrap());
        }
        last
    });
    println!("slowest of {ROUNDS} starts: {slowest_start:?}; {} batches", answered.len());
    assert!(slowest_start < READY_MAX, "ready within {READY_MAX:?}, took {slowest_start:?}");

    drop(last);
    setup.assert_verifies();
    let agent = setup.start();
    // Two days, should midnight have passed meanwhile.
    let mut shown: BTreeMap<String, Amount> = BTreeMap::new();
    let today = crate::support::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    for day in [today.yesterday().unwrap(), today] {
        for (batch, amount) in amounts_in(&agent.get(&format!("/costs/daily?date={day}&by=batch"))) {
            *shown.entry(batch).or_default() += amount;
        }
    }
    assert!(answered.len() >= usize::try_from(WRITERS).unwrap(), "the writers got somewhere");
    assert_eq!(shown, answered, "each event exactly once: lost or doubled ones show in their batch's sum");
}

/// Records requests of a few events, each until it is answered 200. Amounts are random 50-bit numbers: a sum that is right
/// contains each of them once.
fn write_until_stopped(writer: u64, stage: &Stage) -> BTreeMap<String, Amount> {
    let mut rng = Rng::new(1_000 + writer);
    let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
    let mut client = stage.follower();
    for request in 0_u64.. {
        if stage.is_over() && request > 0 {
            break;
        }
        let batch = format!("w{writer}-{}", request / 20);
        let mut total = Amount::default();
        let events: Vec<String> = (0..=rng.below(8))
            .map(|number| {
                let pico = rng.below(1 << 50);
                let amount = format!("{}.{:012}", pico / 1_000_000_000_000, pico % 1_000_000_000_000);
                total += exact(&amount);
                format!(r#"{{"id":"{writer}/{request}/{number}","service":"s{writer}","batch_id":"{batch}","amount_usd":{amount}}}"#)
            })
            .collect();
        let body = format!("[{}]", events.join(","));
        client.post("/costs", &body).expect(200);
        *sums.entry(batch).or_default() += total;
    }
    sums
}
