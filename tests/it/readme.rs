//! What the README tells a newcomer to type prints what it says.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::{Setup, TestAgent, free_addr, program, replaced, tool, within};

/// The code blocks of the README: the language after the fence, and the text.
fn blocks() -> Vec<(String, String)> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let mut parts = readme.split("```").skip(1);
    let mut found = Vec::new();
    while let (Some(block), _) = (parts.next(), parts.next()) {
        let (language, text) = block.split_once('\n').unwrap();
        found.push((language.to_owned(), text.to_owned()));
    }
    found
}

#[test]
fn the_first_commands_print_what_is_written_below_them() {
    tool("curl");
    let blocks = blocks();
    let first =
        blocks.iter().position(|(language, text)| language == "sh" && text.starts_with("curl ")).expect("curl lines");
    let (commands, expected) = (&blocks[first].1, &blocks[first + 1].1);
    let agent = Setup::new().start();
    let here = commands.replace("localhost:8000", &agent.addr().to_string());
    let output = Command::new("sh").args(["-ec", &here]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // JSON answers end without a line feed, which the README puts in for its readers.
    let printed = String::from_utf8(output.stdout).unwrap().replace('\n', "");
    assert_eq!(printed, expected.replace('\n', ""));
}

/// A block of the README that runs on, ended with all that it began.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

/// The text with what must be another where tests run side by side.
#[track_caller]
fn elsewhere(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| replaced(&text, from, to))
}

#[test]
fn five_minutes_lead_to_cost_that_moves() {
    let (agent, prometheus, folder) = (free_addr(), free_addr().to_string(), tempfile::tempdir().unwrap());
    let blocks = blocks();
    let block = |begin: &str| &blocks.iter().find(|(_, text)| text.starts_with(begin)).expect(begin).1;
    // The shipped configuration at a quicker pace, beside the shipped rules.
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/prometheus/");
    let config = fs::read_to_string(format!("{shipped}demo.yaml")).unwrap();
    let config = elsewhere(&config, &[("_interval: 15s", "_interval: 1s"), ("localhost:8001", &agent.to_string())]);
    fs::write(folder.path().join("demo.yaml"), config).unwrap();
    for rules in ["alerts.yaml", "recording.yaml"] {
        fs::copy(format!("{shipped}{rules}"), folder.path().join(rules)).unwrap();
    }

    tool("prometheus");
    let here = folder.path().display().to_string();
    let commands = elsewhere(
        block("scripts/demo"),
        &[
            ("scripts/demo ", &format!("scripts/demo --port {} ", agent.port())),
            ("deploy/prometheus/", &format!("{here}/")),
            ("data/demo-prometheus", &format!("{here}/data --web.listen-address={prometheus}")),
        ],
    );
    let mut shell = Command::new("sh");
    shell.args(["-ec", &commands]).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    // A ledger of the one who tries it: the demo must not touch it.
    let own = folder.path().join("own.db");
    shell.env("LEAD_FACTORY_METRICS", program()).env("DB_PATH", &own).env("TMPDIR", folder.path());
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let _running = Running(shell.stdout(log.try_clone().unwrap()).stderr(log).process_group(0).spawn().unwrap());

    let query = elsewhere(block("promtool query"), &[("localhost:9090", &prometheus)]);
    let cost_usd = || {
        let output = Command::new("sh").args(["-ec", &query]).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        // {service="openai"} => 0.61 @[1795451025.851]
        let values = printed.lines().filter_map(|line| line.split("=> ").nth(1)?.split(' ').next()?.parse::<f64>().ok());
        values.sum::<f64>()
    };
    let mut first = 0.0;
    within(Duration::from_secs(60), "cost is shown and then grows", || {
        let now = cost_usd();
        if first == 0.0 {
            first = now;
        }
        (now > first).then_some(())
    });
    assert!(!own.exists(), "the demo has a ledger of its own");
}

#[test]
fn the_demos_scrape_configuration_differs_from_the_other_in_its_port() {
    let shipped = |name| fs::read_to_string(format!("{}/deploy/prometheus/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let without_comments =
        |text: String| text.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
    assert_eq!(
        without_comments(shipped("demo.yaml")),
        elsewhere(&without_comments(shipped("prometheus.yaml")), &[("localhost:8000", "localhost:8001")])
    );
}

#[test]
fn made_up_costs_do_not_get_into_a_real_ledger() {
    let demo_worker = |agent: &TestAgent| {
        let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo-worker");
        let line = [worker, "--seconds", "2", "--url", &agent.url()];
        Command::new(tool("python3")).args(line).stdin(Stdio::null()).output().unwrap()
    };
    let agent = Setup::new().start();
    agent.costs(r#"{"service":"openai","amount_usd":1.5}"#).expect(200);
    let refused = demo_worker(&agent);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing was recorded") && said.contains("scripts/demo"), "{said}");
    assert_eq!(agent.get("/costs/daily").text(), r#"{"openai":1.5}"#);
    assert_eq!(agent.get("/reservations").text(), "[]");
    let demo = Setup::new().env("ENVIRONMENT", "demo").start();
    assert_eq!(demo_worker(&demo).status.code(), Some(0));
    assert_ne!(demo.get("/costs/daily").text(), "{}");
}

#[test]
fn a_demo_has_the_same_past_however_often_it_is_recorded() {
    let agent = Setup::new().env("ENVIRONMENT", "demo").with_wall_clock("2026-11-20 12:30:00").start();
    let worker = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo-worker");
    let line = [worker, "--past-days", "3", "--past-until", "2026-11-20T13:30:00+01:00", "--url", &agent.url()];
    let mut recorded = Vec::new();
    for _ in 0..2 {
        let output = Command::new(tool("python3")).args(line).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        recorded.push(agent.get("/costs/history?days=5").expect(200).text());
    }
    assert_eq!(recorded[0], recorded[1], "a repetition counts nothing twice");
    let days = agent.get("/costs/history?days=5").json();
    let costs: Vec<f64> = days.as_array().unwrap().iter().filter_map(|day| day["total_usd"].as_f64()).collect();
    assert!(costs[..2] == [0.0, 0.0] && costs[2..].iter().all(|cost| *cost > 1.0), "three days have cost: {costs:?}");
}

#[test]
fn the_demo_leaves_nothing_and_tells_why_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let demo = |port: u16| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo");
        let mut command = Command::new(script);
        command.args(["--port", &port.to_string(), "--seconds", "2"]).env("TMPDIR", folder.path()).stdin(Stdio::null());
        command.env("LEAD_FACTORY_METRICS", program()).output().unwrap()
    };
    let ended = demo(free_addr().port());
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(String::from_utf8_lossy(&ended.stdout).contains("recorded "), "{ended:?}");
    let agent = Setup::new().start();
    let refused = demo(agent.addr().port());
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot listen"), "{refused:?}");
    assert_eq!(agent.get("/costs/daily").text(), "{}", "and nothing was spent at whoever listens there");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no ledger is left");
}

#[test]
fn every_setting_in_the_table_exists() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let shown = Setup::new().verb(&["check-config", "--output", "json"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    let table = readme.split("| environment | default |").nth(1).expect("a table of settings").split("\n\n").next().unwrap();
    let names: Vec<&str> = table.split('`').filter(|word| word.len() > 6 && is_environment_name(word)).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(shown.contains(&format!("\"{}\"", name.to_ascii_lowercase())), "{name} is no setting");
    }
}

fn is_environment_name(word: &str) -> bool {
    word.chars().all(|char| char.is_ascii_uppercase() || char == '_')
}
