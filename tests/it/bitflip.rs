//! A bit flips in the closed ledger: it is detected, or it is harmless.
//!
//! Guards against: a flipped bit that becomes another total, as SQLite itself has no checksums.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::support::{GROUPINGS, Rng, Setup, TestAgent, now};

const COPIES: u64 = 300;
const LANES: u64 = 4;

#[test]
fn a_flipped_bit_is_reported_or_changes_no_number() {
    let setup = Setup::new();
    let mut agent = setup.start();
    let events: Vec<String> = (0..400)
        .map(|number| {
            format!(
                r#"{{"id":"call-{number}","service":"s{}","operation":"o{}","worker":"w{}","model":"m","amount_usd":0.{:06},"usage":{{"tokens":{number}}}}}"#,
                number % 5, number % 3, number % 4, number * 37 + 1
            )
        })
        .collect();
    // Several commits, so that there is a chain of them.
    for part in events.chunks(80) {
        agent.costs(format!("[{}]", part.join(","))).expect(200);
    }
    let today = now().to_zoned(TimeZone::UTC).date();
    let truth = everything_shown(&agent, today);
    assert!(agent.terminate().success());
    let whole = fs::read(setup.ledger()).unwrap();
    let wal = setup.ledger().with_extension("db-wal");
    assert!(fs::metadata(&wal).map_or(0, |wal| wal.len()) == 0, "closing moved everything into one file");

    let (detected, harmless) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for lane in 0..LANES {
            let (whole, truth, detected, harmless) = (&whole, &truth, &detected, &harmless);
            scope.spawn(move || {
                for copy in (0..COPIES).filter(|copy| copy % LANES == lane) {
                    let counter = if is_detected(copy, whole, today, truth) { detected } else { harmless };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} flips detected, {} harmless", detected.load(Ordering::Relaxed), harmless.load(Ordering::Relaxed));
    assert!(detected.load(Ordering::Relaxed) > 0, "nothing at all was detected");
}

/// Flips one bit of a copy. `false` when nothing complained, after checking that all numbers are as they were.
fn is_detected(copy: u64, whole: &[u8], today: Date, truth: &[Value]) -> bool {
    let mut rng = Rng::new(copy);
    let offset = usize::try_from(rng.below(whole.len() as u64)).unwrap();
    let bit = rng.below(8);
    let mut bytes = whole.to_vec();
    bytes[offset] ^= 1 << bit;
    let setup = Setup::new();
    fs::write(setup.ledger(), bytes).unwrap();

    let verified = setup.verify();
    match verified.status.code() {
        Some(0) => {}
        Some(1) => return true,
        other => {
            panic!("bit {bit} of byte {offset}: verify ended with {other:?}: {}", String::from_utf8_lossy(&verified.stderr))
        }
    }
    match setup.try_start() {
        Err(refused) => {
            assert_eq!(refused.status.code(), Some(1), "bit {bit} of byte {offset}: {}", refused.log);
            true
        }
        Ok(agent) => {
            assert_eq!(
                everything_shown(&agent, today),
                truth,
                "bit {bit} of byte {offset}: other numbers, and nobody says so"
            );
            false
        }
    }
}

/// Every number that there is to see, of a fixed day and month: midnight may pass while this test runs.
fn everything_shown(agent: &TestAgent, today: Date) -> Vec<Value> {
    let month = &today.to_string()[..7];
    let mut shown: Vec<Value> = GROUPINGS
        .iter()
        .flat_map(|by| [format!("/costs/daily?date={today}&by={by}"), format!("/costs/monthly?month={month}&by={by}")])
        .map(|path| agent.get(&path).expect(200).json())
        .collect();
    let metrics = agent.metrics();
    for metric in ["lead_factory_cost_usd_total", "lead_factory_usage_total"] {
        shown.extend(metrics.series(metric).map(|(labels, value)| serde_json::json!([metric, labels, value])));
    }
    shown
}

#[test]
fn a_file_that_is_no_ledger_or_cut_short_is_refused() {
    let setup = Setup::new();
    let mut agent = setup.start();
    agent.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
    assert!(agent.terminate().success());
    let whole = fs::read(setup.ledger()).unwrap();
    for (what, bytes) in
        [("half of it", &whole[..whole.len() / 2]), ("a text", b"this is not a database, but it is long enough to look at")]
    {
        let setup = Setup::new();
        fs::write(setup.ledger(), bytes).unwrap();
        assert_eq!(setup.verify().status.code(), Some(1), "verify of {what}");
        let refused = setup.try_start().err().unwrap_or_else(|| panic!("started on {what}"));
        assert_eq!(refused.status.code(), Some(1), "{what}: {}", refused.log);
        assert_eq!(fs::read(setup.ledger()).unwrap(), bytes, "{what} is left as it was");
    }
}
