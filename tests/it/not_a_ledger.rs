//! What `DB_PATH` may name by mistake, and what may become of a ledger's file: each is told for what it is, and left as it was.
//!
//! Guards against: a mistyped path that is called a damaged ledger, and a damaged ledger on which an agent begins anew.

use std::fs;

use crate::support::Setup;

/// What `serve` and `verify` say of the ledger, both of which must fail.
#[track_caller]
fn told(setup: &Setup, what: &str) -> String {
    let verified = setup.verify();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert_eq!(verified.status.code(), Some(1), "verify of {what}: {said}");
    let refused = setup.try_start().err().unwrap_or_else(|| panic!("started on {what}"));
    assert_eq!(refused.status.code(), Some(1), "{what}: {}", refused.log);
    for part in ["is not a ledger", "is damaged"] {
        assert_eq!(said.contains(part), refused.log.contains(part), "{what}: {said}{}", refused.log);
    }
    said + &refused.log
}

#[test]
fn what_is_no_ledger_is_called_that_and_left_as_it_was() {
    let setup = Setup::new();
    fs::write(setup.ledger(), "root:x:0:0:root:/root:/bin/bash\n").unwrap();
    let before = fs::read(setup.ledger()).unwrap();
    let said = told(&setup, "a text");
    assert!(said.contains("is not a ledger: it is no SQLite database; name another file with DB_PATH"), "{said}");
    assert!(!said.contains("damaged"), "{said}");
    assert_eq!(fs::read(setup.ledger()).unwrap(), before);

    let said = told(&Setup::new().ledger_at("/etc/passwd"), "/etc/passwd");
    assert!(said.contains("/etc/passwd is not a ledger"), "{said}");
    let said = told(&Setup::new().ledger_at("/dev/null"), "/dev/null");
    assert!(said.contains("it is a device"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let said = told(&Setup::new().ledger_at(folder.path()), "a folder");
    assert!(said.contains("it is a folder"), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was put into it");

    let setup = Setup::new();
    let other = rusqlite::Connection::open(setup.ledger()).unwrap();
    other.execute_batch("CREATE TABLE costs (id INTEGER PRIMARY KEY); INSERT INTO costs VALUES (1)").unwrap();
    drop(other);
    let before = fs::read(setup.ledger()).unwrap();
    let said = told(&setup, "another program's database");
    assert!(said.contains("is not a ledger: it is an SQLite database of another program"), "{said}");
    assert_eq!(fs::read(setup.ledger()).unwrap(), before);
}

#[test]
fn an_empty_file_becomes_a_ledger_but_is_none_to_verify() {
    let setup = Setup::new();
    fs::write(setup.ledger(), "").unwrap();
    let verified = setup.verify();
    assert_eq!(verified.status.code(), Some(1));
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(said.contains("is not a ledger: it is an empty file"), "{said}");
    let mut agent = setup.start();
    agent.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
    assert!(agent.terminate().success());
    assert_eq!(setup.verify().status.code(), Some(0));
    let missing = Setup::new().verify();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("No such file"), "{missing:?}");
}

#[test]
fn a_ledger_that_is_cut_short_or_overwritten_is_damaged_and_never_begun_anew() {
    let setup = Setup::new();
    let mut agent = setup.start();
    agent.costs(r#"{"service":"s","amount_usd":1}"#).expect(200);
    assert!(agent.terminate().success());
    let whole = fs::read(setup.ledger()).unwrap();
    let mut damaged: Vec<(String, Vec<u8>)> = [16, 60, 99, 100, 101, 500, 512, 1_000, 4_095, 4_096, 5_000, whole.len() / 2]
        .map(|length| (format!("the first {length} bytes"), whole[..length].to_vec()))
        .to_vec();
    for (what, bytes) in [("magic", 0..16), ("page size", 16..18), ("mark", 68..72), ("header", 0..100)] {
        let mut copy = whole.clone();
        copy[bytes].fill(0);
        damaged.push((format!("no {what}"), copy));
    }
    for (what, bytes) in damaged {
        let setup = Setup::new();
        fs::write(setup.ledger(), &bytes).unwrap();
        let said = told(&setup, &what);
        assert!(said.contains("is damaged") && said.contains("backup"), "{what}: {said}");
        assert!(!said.contains("is not a ledger"), "{what}: {said}");
        assert!(fs::read(setup.ledger()).unwrap() == bytes, "{what} is left as it was");
    }
}
