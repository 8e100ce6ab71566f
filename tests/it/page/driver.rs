//! Debian's Chromium, driven by the scenarios in `tests/page`: one process for each, whose verdict is a line of JSON.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::tool;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the pictures are that a person may look at.
fn pictures() -> PathBuf {
    root().join("target/page-screenshots")
}

/// Has the browser go through a scenario at this address. It must find no fault, and must have looked at something.
#[track_caller]
pub fn bears(scenario: &str, url: &str, name: &str) -> Value {
    let verdict = ask(scenario, json!({ "url": url, "name": name }));
    let faults: Vec<&str> = verdict["faults"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(faults.is_empty(), "{scenario} of {name}:\n{}\n(pictures: {})", faults.join("\n"), pictures().display());
    assert!(verdict["looked"].as_u64() > Some(0), "{scenario} of {name} looked at nothing: {verdict}");
    verdict
}

/// What the pages at these paths say, by section, as the browser has them.
#[track_caller]
pub fn read(base: &str, paths: &[&str]) -> Vec<Value> {
    let urls: Vec<String> = paths.iter().map(|path| format!("{base}{path}")).collect();
    let verdict = ask("read", json!({ "urls": urls }));
    verdict["pages"].as_array().unwrap().clone()
}

/// Runs a scenario and returns what it says.
#[track_caller]
fn ask(scenario: &str, mut options: Value) -> Value {
    tool("chromium");
    let driver = root().join("target/page/node_modules/playwright-core");
    assert!(driver.exists(), "this test needs {}; scripts/test installs it", driver.display());
    options["pictures"] = pictures().display().to_string().into();
    let mut node = Command::new("node");
    // Where scripts/test puts one if the machine's is too old.
    let path = env::var_os("PATH").unwrap_or_default();
    let places = [root().join("target/nodejs/bin")].into_iter().chain(env::split_paths(&path));
    node.env("PATH", env::join_paths(places).unwrap());
    node.arg(root().join("tests/page/run.mjs")).arg(scenario).arg(options.to_string()).stdin(Stdio::null());
    let output = node.output().expect("this test needs node; scripts/test installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{scenario} {options}: {} {said}", output.status);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {:?} {said}", output.stdout))
}
