//! The recipes of docs/budgets.md: each settings file with its commands, which print what is written below them.
//!
//! Guards against: a guide that shows settings, requests or answers that the program does not know.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Receiver, Setup, TestAgent, program, tool, within};

/// The Friday evening in the guide.
const EVENING: &str = "2026-11-20 19:10:00";
/// What the guide leaves out of an answer.
const LEFT_OUT: char = '…';
/// Where the guide's chat listens.
const CHAT: &str = "https://hooks.slack.com/services/T000/B000/XXXX";
const WAIT: Duration = Duration::from_secs(20);

struct Recipe {
    title: &'static str,
    settings: &'static str,
    commands: &'static str,
    answer: &'static str,
}

fn recipes() -> Vec<Recipe> {
    let guide = include_str!("../../docs/budgets.md");
    let of = |section: &'static str| {
        let block = |language: &str| section.split_once(&format!("```{language}\n")).unwrap().1.split("```").next().unwrap();
        let title = section.lines().next().unwrap();
        Recipe { title, settings: block("toml"), commands: block("sh"), answer: block("json") }
    };
    guide.split("\n### ").skip(1).map(of).collect()
}

fn recipe(title: &str) -> Recipe {
    recipes().into_iter().find(|recipe| recipe.title.contains(title)).unwrap()
}

/// What the commands print at an agent.
#[track_caller]
fn printed(commands: &str, agent: &TestAgent) -> String {
    let folder = program().parent().unwrap_or(Path::new("/")).display().to_string();
    let path = format!("{folder}:{}", std::env::var_os("PATH").unwrap_or_default().display());
    let commands = commands.replace("localhost:8000", &agent.addr().to_string());
    let commands = commands.replace("curl ", "curl --silent --show-error --write-out '\\n' ");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .env("PATH", path)
        .env("METRICS_HOST", "127.0.0.1")
        .env("METRICS_PORT", agent.addr().port().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.replace("\n\n", "\n")
}

/// Whether a text has these parts in their order, and begins and ends with the first and the last.
fn has_parts(text: &str, expected: &str) -> bool {
    let parts: Vec<&str> = expected.split(LEFT_OUT).collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let mut rest = text;
    for part in &parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    text.starts_with(first) && text.ends_with(last)
}

#[test]
fn each_recipe_prints_what_is_written_below_it() {
    tool("curl");
    let recipes = recipes();
    assert_eq!(recipes.len(), 11);
    for Recipe { title, settings, commands, answer } in recipes {
        let agent = Setup::new().setting(settings).with_wall_clock(EVENING).start();
        let printed = printed(commands, &agent);
        let (lines, expected): (Vec<_>, Vec<_>) = (printed.lines().collect(), answer.lines().collect());
        assert_eq!(lines.len(), expected.len(), "{title}: {printed}");
        for (line, expected) in lines.into_iter().zip(expected) {
            assert!(has_parts(line, expected), "{title}: {line}\n{expected}");
        }
        let log = agent.log();
        let is_doubt = |line: &&str| line.contains("\"WARN\"") && !line.contains("the scaling gate changed");
        let doubts: Vec<&str> = log.lines().filter(is_doubt).collect();
        assert!(doubts.is_empty() || title.contains("chat"), "{title}: {doubts:?}");
    }
}

#[test]
fn what_is_watched_is_refused_once_the_action_is_taken_out() {
    let Recipe { settings, commands, .. } = recipe("Watch before");
    let enforced: String =
        settings.lines().filter(|line| !line.starts_with("action")).map(|line| format!("{line}\n")).collect();
    let agent = Setup::new().setting(enforced).with_wall_clock(EVENING).start();
    assert!(printed(commands, &agent).contains(r#""allowed":false,"reason":"Budget per-worker (w-1) has -2 USD left"#));
}

#[test]
fn the_chat_of_the_recipe_hears_of_each_threshold_once_and_of_nothing_else() {
    let Recipe { settings, commands, .. } = recipe("told to a chat");
    let chat = Receiver::that_answers(200);
    assert!(settings.contains(CHAT));
    let settings = settings.replace(CHAT, &chat.url("/chat"));
    // The day's budget is passed as well, which closes the gate.
    let agent = Setup::new().setting(settings).with_wall_clock(EVENING).start();
    printed(commands, &agent);
    let heard = within(WAIT, "the chat has heard it all", || {
        let posted = chat.posted();
        (posted.len() >= 4 && agent.metrics().get("lead_factory_webhook_pending", &[]) == Some(0.0)).then_some(posted)
    });
    let texts: Vec<String> = heard.iter().map(|posted| posted.json()["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(texts.len(), 4, "three shares and the gate's: {texts:#?}");
    assert!(texts.iter().all(|text| text.contains("team-search")), "{texts:#?}");
}
