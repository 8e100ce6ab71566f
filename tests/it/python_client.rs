//! The Python client's own tests, against the program under test.
//!
//! Guards against: a change of the agent that its client does not get along with.

use std::process::{Command, Stdio};

use crate::support::{program, tool};

#[test]
fn the_python_clients_tests_pass() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/tests/run.py");
    let mut tests = Command::new(tool("python3"));
    tests.arg(script).env("LEAD_FACTORY_METRICS", program()).stdin(Stdio::null());
    let output = tests.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.lines().filter(|line| line.starts_with("ok ")).count() >= 9, "all of them ran: {said}");
}
