//! The examples of docs/corrections.md, run as they stand there, print what is written below them.
//!
//! Guards against: a guide that shows requests or answers that the program does not know.

use std::process::Command;

use crate::support::{Setup, TestAgent, amounts_in, exact, run, tool};

/// The day in the guide.
const DAY: &str = "2026-11-22";
/// What the guide leaves out of an answer.
const LEFT_OUT: char = '…';

/// The blocks of one language, of this agent and a day of last week.
fn blocks(language: &str, agent: &TestAgent, day: &str) -> Vec<String> {
    let guide = include_str!("../../docs/corrections.md");
    let opened = format!("```{language}\n");
    let blocks = guide.split(opened.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.replace("localhost:8000", &agent.addr().to_string()).replace(DAY, day)).collect()
}

#[test]
fn each_example_prints_what_is_written_below_it() {
    tool("curl");
    let agent = Setup::new().start();
    let day = String::from_utf8(run("date", &["--utc", "--date=6 days ago", "+%F"]).stdout).unwrap();
    let day = day.trim();
    let (commands, answers) = (blocks("sh", &agent, day), blocks("json", &agent, day));
    assert_eq!((commands.len(), answers.len()), (5, 5), "each has its answer");
    for (commands, answer) in commands.iter().zip(answers) {
        let commands = commands.replace("curl ", "curl --silent --show-error ");
        let output = Command::new("bash").args(["-euo", "pipefail", "-c", &commands]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // JSON answers end without a line feed, which the guide puts in for its readers.
        let printed = String::from_utf8(output.stdout).unwrap().replace('\n', "");
        let answer = answer.replace('\n', "");
        match answer.split_once(LEFT_OUT) {
            None => assert_eq!(printed, answer),
            Some((begin, end)) => assert!(printed.starts_with(begin) && printed.ends_with(end), "{printed}\n{answer}"),
        }
    }
    let today = amounts_in(&agent.get("/costs/daily"));
    let expected = [("anthropic", "0.0345"), ("openai", "0.0021"), ("sendgrid", "0.0015")];
    assert_eq!(today.len(), expected.len(), "{today:?}");
    for (service, amount) in expected {
        assert_eq!(today[service], exact(amount), "{service}");
    }
}
