//! `top` in a real terminal: what is seen while cost comes in and the agent comes and goes, and what the terminal is like afterwards.
//!
//! Guards against: a screen that stays empty or old, lines that are wider than the window after its size changed, an end that leaves
//! the other page, a hidden cursor or a keyboard without echo behind, and a name that steers the terminal.
//!
//! tmux is the terminal: it shows what a person would see, and knows its own state.

use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::{Setup, free_addr, program, tool, within};

const SEEN_MAX: Duration = Duration::from_secs(30);

/// A terminal in which a shell runs the program, and says how it ended.
struct Terminal {
    /// The name of a tmux server of its own.
    server: String,
}

impl Terminal {
    fn of(arguments: &str, [columns, rows]: [u16; 2]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = format!("lead-factory-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let terminal = Self { server };
        // The settings of the keyboard before and after; then it waits to be looked at.
        let line = format!(
            "stty -g >\"$T/before\"; '{}' {arguments}; echo \"ended with $?\"; stty -g >\"$T/after\"; cmp \"$T/before\" \"$T/after\" && echo the keyboard is as before; exec cat",
            program().display()
        );
        let line = format!("T=$(mktemp -d); {line}");
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let new = [
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            &rows,
            "env",
            "-u",
            "NO_COLOR",
            "sh",
            "-c",
            &line,
        ];
        let output = terminal.tmux(&new);
        assert!(output.status.success(), "{output:?}");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(tool("tmux"));
        command.args(["-u", "-L", &self.server]).args(arguments).stdin(Stdio::null());
        // A tmux around the tests is not theirs.
        command.env_remove("TMUX").env("LANG", "C.UTF-8").output().unwrap()
    }

    fn lines(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    fn state(&self, what: &str) -> String {
        let output = self.tmux(&["display-message", "-p", &format!("#{{{what}}}")]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[track_caller]
    fn shows(&self, what: &str) -> String {
        within(SEEN_MAX, &format!("the terminal shows {what:?}, not\n{}", self.lines()), || {
            Some(self.lines()).filter(|lines| lines.contains(what))
        })
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// The program's process: the shell's only child.
    fn pid(&self) -> String {
        let shell = self.state("pane_pid");
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap();
        children.trim().to_owned()
    }

    /// The first page, the cursor and the keyboard are back.
    #[track_caller]
    fn is_in_order(&self, exit: u8) {
        let lines = self.shows("the keyboard is as before");
        assert!(lines.contains(&format!("ended with {exit}")), "{lines}");
        assert_eq!((self.state("alternate_on"), self.state("cursor_flag")), ("0".into(), "1".into()), "{lines}");
        assert!(!lines.contains("Gate "), "the other page is gone: {lines}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[track_caller]
fn fits(lines: &str, columns: usize) {
    for line in lines.lines() {
        assert!(line.chars().count() <= columns, "{line}");
    }
    let last = lines.trim_end().lines().last().unwrap();
    assert!(last.starts_with("q quit") && last.ends_with("? help"), "the keys stand in the last line: {lines}");
}

#[test]
fn costs_are_seen_as_they_come_and_the_agent_may_go_and_come_back() {
    let port = free_addr().port().to_string();
    let setup = Setup::new().env("METRICS_PORT", &port).env("OPENAI_DAILY_CAP", "2");
    let mut agent = setup.start();
    agent.costs(r#"{"service":"openai","operation":"first","amount_usd":"1.2345"}"#).expect(200);
    let terminal = Terminal::of(&format!("top --interval 1 --url {}", agent.url()), [80, 24]);
    let lines = terminal.shows("openai/first");
    for part in ["Gate inactive", "Today 1.23 of 50.00", "openai-daily ok", "1.23 of 2.00 ", "Services today, 1.23 USD"] {
        assert!(lines.contains(part), "{part} in {lines}");
    }
    assert_eq!((terminal.state("alternate_on"), terminal.state("cursor_flag")), ("1".into(), "0".into()));
    agent.costs(r#"{"service":"openai","operation":"second","amount_usd":"1"}"#).expect(200);
    let lines = terminal.shows("openai/second");
    assert!(lines.contains("openai/first"), "{lines}");
    let lines = terminal.shows("openai-daily exhausted 111.7 %");
    fits(&lines, 80);

    agent.kill();
    let lines = terminal.shows("Last answer ");
    assert!(lines.contains("cannot reach the agent") && lines.contains("openai/second"), "what was known stays: {lines}");
    let age = |lines: &str| lines.split("Last answer ").nth(1)?.split(' ').next()?.parse::<u64>().ok();
    within(SEEN_MAX, "its age grows", || age(&terminal.lines()).filter(|age| *age >= 3));
    // Keys are answered while nobody else answers.
    terminal.press("?");
    terminal.shows("the next part");
    terminal.press("Escape");
    terminal.shows("openai/second");
    let agent = setup.start();
    agent.costs(r#"{"service":"runpod","operation":"third","amount_usd":"3"}"#).expect(200);
    let lines = terminal.shows("runpod/third");
    assert!(!lines.contains("Last answer"), "{lines}");
    terminal.press("q");
    terminal.is_in_order(0);
}

#[test]
fn a_window_may_change_its_size() {
    let agent = Setup::new().start();
    agent.costs(r#"{"service":"openai","operation":"first","amount_usd":"1"}"#).expect(200);
    // Nothing new comes but the window's size and the time.
    let terminal = Terminal::of(&format!("top --interval 3600 --url {}", agent.url()), [80, 24]);
    terminal.shows("openai/first");
    for (columns, rows, shown) in [(130, 40, " │ "), (60, 10, "Budgets"), (40, 8, "window has 40 and 8."), (200, 50, "Days")]
    {
        terminal.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
        let lines = terminal.shows(shown);
        if columns >= 60 {
            let lines = within(SEEN_MAX, &format!("it fills the window: {lines}"), || {
                Some(terminal.lines()).filter(|lines| lines.trim_end().lines().count() == rows && lines.contains("? help"))
            });
            fits(&lines, columns);
        }
    }
    terminal.press("C-c");
    terminal.is_in_order(0);
}

#[test]
fn signals_leave_the_terminal_in_order_too() {
    let agent = Setup::new().start();
    for signal in ["-TERM", "-INT", "-HUP"] {
        let terminal = Terminal::of(&format!("top --url {}", agent.url()), [80, 24]);
        terminal.shows("Gate inactive");
        let killed = Command::new(tool("kill")).args([signal, &terminal.pid()]).status().unwrap();
        assert!(killed.success());
        terminal.is_in_order(0);
    }
    let terminal = Terminal::of(&format!("top --url {}", agent.url()), [80, 24]);
    terminal.shows("Gate inactive");
    let process = format!("/proc/{}", terminal.pid());
    drop(terminal);
    within(SEEN_MAX, "with its terminal the program ends", || (!std::path::Path::new(&process).exists()).then_some(()));
}

#[test]
fn names_steer_no_terminal_and_keys_choose_what_is_seen() {
    let agent = Setup::new().start();
    let hostile = r#"{"service":"openai","operation":"chat","amount_usd":"1","worker":"\u001b[2J\u001b]0;owned\u0007\u009b5n","lead_id":"\u0008\u007f","model":"gpt-\u001b[31m"}"#;
    let posted = agent.costs(hostile);
    if posted.status != 200 {
        // Then such names never get in; what a newer agent takes is tested without one.
        agent
            .costs(r#"{"service":"openai","operation":"chat","amount_usd":"1","worker":"请求👍","model":"gpt-4o"}"#)
            .expect(200);
    }
    let terminal = Terminal::of(&format!("top --interval 1 --url {}", agent.url()), [100, 30]);
    fits(&terminal.shows("openai/chat"), 100);
    assert!(!terminal.state("pane_title").contains("owned"));
    terminal.press("g");
    terminal.shows("Models today, 1.00 USD");
    terminal.press("m");
    terminal.shows("Models this month, 1.00 USD");
    terminal.press("p");
    terminal.shows("PAUSED");
    agent.costs(r#"{"service":"later","operation":"o","amount_usd":"1"}"#).expect(200);
    terminal.press("r");
    terminal.shows("later/o");
    terminal.press("q");
    terminal.is_in_order(0);
}

#[test]
fn without_a_terminal_it_prints_once_and_without_an_agent_it_fails() {
    let agent = Setup::new().start();
    agent.costs(r#"{"service":"openai","operation":"first","amount_usd":"1.5"}"#).expect(200);
    let output = agent.cli(&["top"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in
        ["│ state ", "Services today", "│ openai  ┆     1.50 │", "│ today  ┆     1.50 ┆     50.00 ┆", "first", "Budgets"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains('\u{1b}'));
    let dumb = Terminal::of(&format!("--version; TERM=dumb '{}' top --url {}", program().display(), agent.url()), [100, 60]);
    let lines = dumb.shows("the keyboard is as before");
    assert!(lines.contains("Services today") && lines.contains("ended with 0"), "{lines}");

    let output = Setup::new().verb(&["top", "--url", "http://127.0.0.1:9"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
    assert!(said.contains("cannot reach the agent at http://127.0.0.1:9/"), "{said}");
    let nobody = Terminal::of("top --url http://127.0.0.1:9", [80, 24]);
    nobody.is_in_order(1);
    for arguments in [&["top", "--interval", "0"][..], &["top", "--interval", "3601"], &["top", "--by", "lead"]] {
        assert_eq!(Setup::new().verb(arguments).status.code(), Some(2), "{arguments:?}");
    }
}
