//! The examples of docs/gate.md, run as they stand there. (The one in Rust is compiled as a documentation test.)
//!
//! Guards against: a guide that shows calls, fields or flags that the program does not know.

use std::path::Path;
use std::process::Command;

use crate::support::{Setup, TestAgent, amounts_in, exact, program, tool};

/// The blocks of one language, with the agent that they name replaced by this one.
fn blocks(language: &str, agent: &TestAgent) -> Vec<String> {
    let guide = include_str!("../../docs/gate.md");
    let opened = format!("```{language}\n");
    let blocks = guide.split(opened.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.replace("http://127.0.0.1:8000", &agent.url())).collect()
}

#[track_caller]
fn run(mut command: Command, agent: &TestAgent) -> String {
    let folder = program().parent().unwrap_or(Path::new("/")).display().to_string();
    let path = format!("{folder}:{}", std::env::var_os("PATH").unwrap_or_default().display());
    command.env("PATH", path).env("METRICS_HOST", "127.0.0.1").env("METRICS_PORT", agent.addr().port().to_string());
    let output = command.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {said}", output.status);
    said
}

#[test]
fn the_shell_examples_do_what_they_say() {
    let agent = Setup::new().start();
    let blocks = blocks("sh", &agent);
    assert_eq!(blocks.len(), 2, "one that reserves, one that orders");
    tool("curl");
    for block in &blocks {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", block]);
        run(shell, &agent);
    }
    assert_eq!(amounts_in(&agent.get("/costs/daily"))["openai"], exact("0.0173"));
    let history = agent.get("/scaling-gate/history").expect(200).json();
    let lines: Vec<_> =
        history.as_array().unwrap().iter().map(|line| (line["active"].as_bool(), line["mode"].as_str())).collect();
    assert_eq!(lines, [(Some(false), Some("auto")), (Some(false), Some("manual")), (Some(true), Some("manual"))]);
}

#[test]
fn the_python_example_reserves_and_settles() {
    let agent = Setup::new().start();
    let blocks = blocks("python", &agent);
    assert_eq!(blocks.len(), 1);
    let failing = "\ntry:\n    with reservation('openai', 'chat', 0.5):\n        raise ValueError\nexcept ValueError:\n    pass\n\
                   try:\n    with reservation('openai', 'chat', 5000):\n        pass\nexcept Refused as refused:\n    print(refused)\n";
    let mut python = Command::new(tool("python3"));
    python.args(["-c", &format!("{}{failing}", blocks[0])]);
    let said = run(python, &agent);
    assert!(said.contains("budget-exhausted"), "{said}");
    assert_eq!(amounts_in(&agent.get("/costs/daily"))["openai"], exact("0.0173"));
    assert_eq!(agent.get("/reservations?state=held").expect(200).json().as_array().map(Vec::len), Some(0));
    assert_eq!(agent.metrics().get("lead_factory_reservations_total", &[("result", "released")]), Some(1.0));
}
