//! A bit flips in the closed ledger: it is detected, or it is harmless.
//!
//! Guards against: a flipped bit that becomes another total, as SQLite itself has no checksums.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::support::{GROUPINGS, Rng, Setup, TestAgent, now};

const COPIES: u64 = 300;
const COPIES_OF_BUDGETS: u64 = 100;
const LANES: u64 = 4;

/// A closed ledger, and all that is to be seen of it.
struct Closed {
    whole: Vec<u8>,
    today: Date,
    truth: Vec<Value>,
}

/// Budgets that have rows in each of their tables.
fn with_budgets(setup: Setup) -> Setup {
    [
        "[[budget]]",
        r#"name = "worker""#,
        r#"each = "worker""#,
        r#"period = "yearly""#,
        "limit_usd = 0.5",
        "[[budget]]",
        r#"name = "tokens""#,
        r#"match = { model = "M*" }"#,
        r#"period = "total""#,
        "limit_usage = { tokens = 1000000 }",
    ]
    .into_iter()
    .fold(setup, Setup::setting)
}

fn closed(setup: &Setup) -> Closed {
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
    for (budget, order) in [("worker", r#""limit_usd":0.9"#), ("tokens", r#""limit_usage":{"tokens":500000}"#)] {
        let order = format!(r#"{{{order},"reason":"the launch is tonight","actor":"ann"}}"#);
        let json = [("Content-Type", "application/json")];
        let path = format!("/budgets/{budget}");
        agent.client().request("PUT", &path, &json, order.as_bytes()).unwrap().expect(200);
    }
    let today = now().to_zoned(TimeZone::UTC).date();
    let truth = everything_shown(&agent, today);
    assert!(agent.terminate().success());
    let wal = setup.ledger().with_extension("db-wal");
    assert!(fs::metadata(&wal).map_or(0, |wal| wal.len()) == 0, "closing moved everything into one file");
    Closed { whole: fs::read(setup.ledger()).unwrap(), today, truth }
}

/// Flips a bit in each of so many copies, of one of the bytes at these places. Returns how many flips were detected.
fn flips(closed: &Closed, copies: u64, places: &[usize]) -> u64 {
    let detected = AtomicU64::new(0);
    thread::scope(|scope| {
        for lane in 0..LANES {
            let detected = &detected;
            scope.spawn(move || {
                for copy in (0..copies).filter(|copy| copy % LANES == lane) {
                    if is_detected(copy, closed, places) {
                        detected.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    detected.into_inner()
}

#[test]
fn a_flipped_bit_is_reported_or_changes_no_number() {
    let closed = closed(&with_budgets(Setup::new()));
    let places: Vec<usize> = (0..closed.whole.len()).collect();
    let detected = flips(&closed, COPIES, &places);
    println!("{detected} flips detected, {} harmless", COPIES - detected);
    assert!(detected > 0, "nothing at all was detected");
}

/// Guards against: what budgets have spent, and limits that somebody has set, as rows that nothing proves.
#[test]
fn a_flipped_bit_in_the_tables_of_budgets_is_reported() {
    let setup = with_budgets(Setup::new());
    let closed = closed(&setup);
    let connection = rusqlite::Connection::open(setup.ledger()).unwrap();
    let mut places = Vec::new();
    for table in ["budget_meter", "budget_tally", "budget_override"] {
        let sql = "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?";
        let (page, size): (i64, i64) = connection.query_row(sql, [table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let (start, size) = (usize::try_from((page - 1) * size).unwrap(), usize::try_from(size).unwrap());
        // A leaf of a table or of an index; below it there is nothing.
        assert!([0x0d, 0x0a].contains(&closed.whole[start]), "the few rows of {table} are on one page");
        let cells = usize::from(u16::from_be_bytes([closed.whole[start + 5], closed.whole[start + 6]]));
        places.extend(start + cells..start + size);
    }
    drop(connection);
    let detected = flips(&closed, COPIES_OF_BUDGETS, &places);
    println!("{detected} flips detected, {} harmless", COPIES_OF_BUDGETS - detected);
    assert_eq!(detected, COPIES_OF_BUDGETS, "each of these bytes says something");
}

/// Flips one bit of a copy. `false` when nothing complained, after checking that all numbers are as they were.
fn is_detected(copy: u64, Closed { whole, today, truth }: &Closed, places: &[usize]) -> bool {
    let mut rng = Rng::new(copy);
    let offset = places[usize::try_from(rng.below(places.len() as u64)).unwrap()];
    let bit = rng.below(8);
    let mut bytes = whole.clone();
    bytes[offset] ^= 1 << bit;
    let setup = with_budgets(Setup::new());
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
                everything_shown(&agent, *today),
                *truth,
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
    // Not the budgets of days and months, and nothing that is said of the future: midnight may pass here as well.
    for item in agent.get("/budgets").expect(200).json().as_array_mut().unwrap() {
        if ["worker", "tokens"].iter().any(|name| item["name"] == *name) {
            item.as_object_mut().unwrap().remove("forecast_usd");
            item.as_object_mut().unwrap().remove("exhausted_at");
            shown.push(item.take());
        }
    }
    shown.push(agent.get("/budgets/history").expect(200).json());
    let metrics = agent.metrics();
    for metric in ["lead_factory_cost_usd_total", "lead_factory_usage_total"] {
        shown.extend(metrics.series(metric).map(|(labels, value)| serde_json::json!([metric, labels, value])));
    }
    shown
}

/// After a kill the newest events are in the write-ahead log alone, and SQLite takes a damaged one for one that ends earlier.
///
/// Guards against: answered events that are gone after a start, and nobody says so.
#[test]
fn a_flipped_bit_in_the_log_of_a_killed_agent_is_reported() {
    let setup = Setup::new();
    let ledger = setup.ledger().to_owned();
    flip_bits_of_the_log(&setup, &ledger);
}

/// SQLite has the log beside the file itself.
#[test]
fn a_flipped_bit_in_the_log_of_a_ledger_behind_a_link_is_reported() {
    let setup = Setup::new();
    let ledger = setup.folder().join("volume/real.db");
    std::os::unix::fs::symlink("volume/real.db", setup.ledger()).unwrap();
    flip_bits_of_the_log(&setup, &ledger);
}

fn flip_bits_of_the_log(setup: &Setup, ledger: &Path) {
    let mut agent = setup.start();
    for number in 0..50 {
        agent.costs(format!(r#"{{"id":"{number}","service":"s","amount_usd":1}}"#)).expect(200);
    }
    agent.kill();
    let log = ledger.with_extension("db-wal");
    let whole = fs::read(&log).unwrap();
    let mark = fs::read(ledger.with_extension("db-mark")).unwrap();
    let frames = u32::from_be_bytes(mark[..4].try_into().unwrap()) as usize;
    let mut rng = Rng::new(1);
    for _ in 0..20 {
        let place = usize::try_from(rng.below((32 + frames * (24 + 4_096)) as u64)).unwrap();
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << rng.below(8);
        fs::write(&log, flipped).unwrap();
        assert_eq!(setup.verify().status.code(), Some(1), "verify of byte {place}");
        let refused = setup.try_start().err().unwrap_or_else(|| panic!("started on byte {place}"));
        assert_eq!(refused.status.code(), Some(1), "byte {place}: {}", refused.log);
        assert!(refused.log.contains("write-ahead log"), "byte {place}: {}", refused.log);
    }
    fs::write(&log, whole).unwrap();
    setup.assert_verifies();
    let agent = setup.start();
    assert_eq!(agent.get("/costs/daily").expect(200).json()["s"], 50);
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
