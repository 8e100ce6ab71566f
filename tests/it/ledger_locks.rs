//! Somebody else has the ledger open.
//!
//! Guards against: an SQLite shell left in a transaction that stalls every worker, two agents on one ledger.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::support::{Setup, within};

const EVENT: &str = r#"{"id":"a","service":"s","amount_usd":1}"#;
/// What a worker may wait before it hears that the ledger is held.
const QUICK: Duration = Duration::from_secs(3);

#[test]
fn an_open_transaction_of_somebody_else_is_a_quick_503_and_then_recording_goes_on() {
    let setup = Setup::new();
    let agent = setup.start();
    agent.costs(r#"{"id":"before","service":"s","amount_usd":2}"#).expect(200);
    let other = Connection::open(setup.ledger()).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let begin = Instant::now();
    let answer = agent.costs(EVENT);
    assert_eq!((answer.status, answer.slug().as_str()), (503, "ledger-unavailable"));
    assert!(begin.elapsed() < QUICK, "told after {:?}", begin.elapsed());
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":2}"#, "reads stay up");
    agent.get("/costs/daily?by=worker").expect(200);

    other.execute_batch("ROLLBACK").unwrap();
    within(Duration::from_secs(20), "recording goes on", || (agent.costs(EVENT).status == 200).then_some(()));
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":3}"#);
    agent.assert_healthy();
}

#[test]
fn a_reader_with_an_open_transaction_holds_up_nothing() {
    let setup = Setup::new();
    let agent = setup.start();
    let other = Connection::open(setup.ledger()).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").unwrap();
    for number in 0..50 {
        agent.costs(format!(r#"{{"id":"{number}","service":"s","amount_usd":1}}"#)).expect(200);
    }
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":50}"#);
}

#[test]
fn a_second_agent_refuses_to_start_and_touches_nothing() {
    let setup = Setup::new();
    let agent = setup.start();
    agent.costs(EVENT).expect(200);
    // It writes its sums now and then.
    agent.while_stopped(|| {
        let before = files(setup.ledger().parent().unwrap());
        let refused = setup.try_start().err().expect("the second one does not start");
        assert_eq!(refused.status.code(), Some(1), "{}", refused.log);
        assert_eq!(files(setup.ledger().parent().unwrap()), before, "the ledger's files are as they were");
    });

    agent.costs(r#"{"id":"b","service":"s","amount_usd":1}"#).expect(200);
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":2}"#);
    setup.assert_verifies();
    agent.assert_healthy();
}

/// Guards against: events that are answered, and lie in a file that nobody finds, beside a log that belongs to no file.
#[test]
fn a_ledger_that_is_moved_away_is_missed_and_nothing_is_begun_anew_beside_its_log() {
    let setup = Setup::new();
    let mut agent = setup.start();
    agent.costs(EVENT).expect(200);
    let away = setup.folder().join("away.db");
    fs::rename(setup.ledger(), &away).unwrap();
    let health = within(Duration::from_secs(20), "it is noticed without a write", || {
        let answer = agent.get("/health");
        (answer.status == 503).then(|| answer.text())
    });
    assert!(health.contains("was moved, deleted or replaced"), "{health}");
    let answer = agent.costs(r#"{"id":"b","service":"s","amount_usd":1}"#);
    assert_eq!((answer.status, answer.slug().as_str()), (503, "ledger-unavailable"));
    let refused = setup.try_start().err().expect("the second one does not start");
    assert_eq!(refused.status.code(), Some(1), "{}", refused.log);
    assert!(refused.log.contains("it is missing, but "), "{}", refused.log);
    assert!(!setup.ledger().exists());

    fs::rename(&away, setup.ledger()).unwrap();
    within(Duration::from_secs(20), "recording goes on", || (agent.costs(EVENT).status == 200).then_some(()));
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1}"#);
    // Another file in its place.
    fs::rename(setup.ledger(), &away).unwrap();
    fs::write(setup.ledger(), "").unwrap();
    assert_eq!(agent.costs(r#"{"id":"c","service":"s","amount_usd":1}"#).status, 503);
    agent.kill();
    let refused = setup.try_start().err().expect("it does not begin anew");
    assert!(refused.log.contains("it is empty, but "), "{}", refused.log);
    fs::rename(&away, setup.ledger()).unwrap();
    setup.assert_verifies();
    let agent = setup.start();
    assert_eq!(agent.get("/costs/daily").text(), r#"{"s":1}"#);
}

#[test]
fn verify_beside_a_running_agent_reads_a_consistent_state() {
    let setup = Setup::new();
    let agent = setup.start();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut client = agent.client();
            for number in 0..3_000 {
                client.costs(format!(r#"{{"id":"{number}","service":"s{}","amount_usd":1}}"#, number % 7)).expect(200);
            }
        });
        let mut checks = 0;
        while !writing.is_finished() || checks == 0 {
            setup.assert_verifies();
            checks += 1;
        }
    });
    agent.assert_healthy();
}

/// The bytes of the ledger's files.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, _)| name.starts_with("ledger.db") && !name.ends_with("-shm"))
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}
