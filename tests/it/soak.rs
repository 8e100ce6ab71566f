//! A short soak, with kills, so that the long one of `scripts/soak` goes on working and goes on noticing.
//!
//! Guards against: a soak that no longer starts or ends, and one that any ledger would pass.

use std::process::{Command, Stdio};

use crate::support::program;

/// How it ended, and what it said. Times are not judged: other tests share the machine.
fn soak(options: &str) -> (Option<i32>, String) {
    let mut soak = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/soak"));
    soak.args(["--judge", "counts", "--batch-events-per-second", "1000", "--batch-events", "100"]);
    soak.args(["--singles-per-second", "50", "--reservations-per-second", "20"]);
    soak.args(options.split(' ')).arg("--program").arg(program()).stdin(Stdio::null());
    let output = soak.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

#[test]
fn a_short_soak_finds_every_sum_as_its_model_has_it() {
    let (code, said) = soak("--minutes 0.3 --kill-every 6");
    assert_eq!(code, Some(0), "{said}");
    let kills = said.lines().find(|line| line.starts_with("kills ")).unwrap_or_default();
    assert_eq!(kills.split_whitespace().nth(1), Some("2"), "{said}");
}

#[test]
fn a_soak_fails_over_one_event_that_its_model_does_not_know() {
    let (code, said) = soak("--minutes 0.05 --kill-every 0 --spoil");
    assert_eq!(code, Some(1), "{said}");
    for missed in ["totals by day, service and operation (REST)", "metrics", "budgets and their keys", "verify"] {
        let row = said.lines().find(|line| line.starts_with(missed)).unwrap_or_default();
        assert!(row.ends_with(" NO"), "{missed}: {said}");
    }
}
