//! `--watch` on a terminal: what is seen while the agent comes and goes, and what the terminal is like afterwards.
//!
//! Guards against: a screen that is empty while the agent is gone, lines that are wider than the window, and a terminal that is left
//! without a cursor.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::support::{Setup, free_addr, program, tool, within};

const SEEN_MAX: Duration = Duration::from_secs(30);
/// To the corner: a new frame begins.
const FRAME: &str = "\u{1b}[H";

/// A window of 70 columns and 24 rows in which the program runs.
struct Window {
    child: Child,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Window {
    fn of(arguments: &str) -> Self {
        let line = format!("stty cols 70 rows 24; exec '{}' {arguments}", program().display());
        let mut child = Command::new(tool("script"))
            .args(["-qefc", &line, "/dev/null"])
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut output, to) = (child.stdout.take().unwrap(), Arc::clone(&written));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                to.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { child, written }
    }

    fn all(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// The newest frame that is complete, without its control sequences.
    fn frame(&self) -> String {
        let all = self.all();
        let complete = all.rsplit_once("\u{1b}[J").map_or("", |(complete, _)| complete);
        without_controls(complete.rsplit(FRAME).next().unwrap_or_default())
    }

    #[track_caller]
    fn shows(&self, what: &str) -> String {
        within(SEEN_MAX, &format!("the window shows {what:?}"), || Some(self.frame()).filter(|frame| frame.contains(what)))
    }

    fn type_text(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// ECMA-48: ESC [, parameters, a letter.
fn without_controls(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += part.split_once(|char: char| char.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
    }
    plain
}

#[test]
fn a_watched_agent_may_go_and_come_back_and_ctrl_c_leaves_the_terminal_in_order() {
    let port = free_addr().port().to_string();
    let setup = Setup::new().env("METRICS_PORT", &port).env("OPENAI_DAILY_CAP", "1");
    let mut agent = setup.start();
    agent.costs(r#"{"service":"openai","amount_usd":"1.2345"}"#).expect(200);
    let mut window = Window::of(&format!("costs daily --watch 1 --url {}", agent.url()));
    let frame = window.shows("│ openai  ┆     1.23 │");
    for part in ["gate inactive", "daily 2.4 % of 50.00", "openai-daily 123.4 % of 1.00"] {
        // The line above may be broken anywhere.
        assert!(frame.replace("\r\n", " ").contains(part), "{part} in {frame}");
    }
    agent.costs(r#"{"service":"openai","amount_usd":"1"}"#).expect(200);
    window.shows("│ openai  ┆     2.23 │");

    agent.kill();
    let frame = window.shows("trying again every 1 s");
    assert!(frame.contains("cannot reach the agent") && frame.contains("Last answer "), "{frame}");
    assert!(frame.contains("│ openai  ┆     2.23 │"), "what was last known is still there: {frame}");
    for frame in window.all().split(FRAME) {
        for line in without_controls(frame).split("\r\n") {
            assert!(line.chars().count() <= 70, "{line}");
        }
    }
    let agent = setup.start();
    agent.costs(r#"{"service":"openai","amount_usd":"1"}"#).expect(200);
    let frame = window.shows("│ openai  ┆     3.23 │");
    assert!(!frame.contains("Last answer"), "{frame}");

    window.type_text("\u{3}");
    let status = within(SEEN_MAX, "Ctrl-C ends it", || window.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0), "{}", window.all());
    let end = within(SEEN_MAX, "the rest is read", || Some(window.all()).filter(|all| all.contains("\u{1b}[?1049l")));
    let (entered, left) = (end.find("\u{1b}[?1049h").unwrap(), end.find("\u{1b}[?25h\u{1b}[?1049l").unwrap());
    assert!(entered < left, "the first page and the cursor come back");
}

#[test]
fn budgets_the_gate_and_reservations_are_watched_too() {
    let agent = Setup::new().start();
    for (verb, shown) in [("budgets", "monthly"), ("gate status", "Below threshold"), ("reservations", "ESTIMATED")] {
        let mut window = Window::of(&format!("{verb} --watch --url {}", agent.url()));
        window.shows(shown);
        window.type_text("\u{3}");
        within(SEEN_MAX, "Ctrl-C ends it", || window.child.try_wait().unwrap());
    }
    let mut window = Window::of("budgets --watch --url http://127.0.0.1:9");
    let status = within(SEEN_MAX, "a first question without an answer ends it", || window.child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    assert!(!window.all().contains("\u{1b}[?1049h"), "before anything is drawn: {}", window.all());
}

#[test]
fn in_a_narrow_window_tables_fit() {
    let agent = Setup::new().env("DAILY_BUDGET", "100").start();
    let name = "data-for-seo/serp/google/organic/live/advanced/".repeat(3)[..128].to_owned();
    let events = [&*name, "openai", "x"].map(|service| {
        format!(r#"{{"service":{service:?},"operation":{name:?},"model":{name:?},"amount_usd":"3.000000000001"}}"#)
    });
    agent.costs(format!("[{}]", events.join(","))).expect(200);
    for columns in [60, 80, 120] {
        for arguments in [
            "budgets",
            "gate check --service openai --estimated-cost-usd 99",
            "gate status",
            "gate history",
            "reservations",
            "costs daily --by service,operation,model",
            "costs history",
            "costs leads",
        ] {
            let line = format!("stty cols {columns} rows 24; '{}' {arguments} --url {}", program().display(), agent.url());
            let output =
                Command::new(tool("script")).args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
            let shown = without_controls(&String::from_utf8(output.stdout).unwrap());
            assert!(shown.contains('│'), "{arguments}: {shown}");
            for line in shown.lines() {
                assert!(line.trim_end().chars().count() <= columns, "{arguments} at {columns}: {line}");
            }
        }
    }
}
