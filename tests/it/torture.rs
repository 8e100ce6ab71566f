//! `scripts/torture`, a little of each.
//!
//! Guards against: a script for long nights that has stopped working; a fault that the other tests' checker, which is in Rust as the program is,
//! has in common with it.

use std::process::{Command, Stdio};

use crate::support::{program, tool};

#[test]
fn a_little_torture_loses_nothing() {
    // strace and mkfs are found through it.
    let path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torture");
    let mut torture = Command::new(tool("python3"));
    torture.args(["-B", package, "--program"]).arg(program()).env("PATH", path).stdin(Stdio::null());
    torture.args(["--kills", "10", "--calls", "kill", "eio", "--operations", "50", "--step", "199"]);
    torture.args(["--power", "2", "--full", "2", "--flips", "20"]);
    let output = torture.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("nothing lost, nothing doubled").count(), 8, "all of them ran: {said}");
}
