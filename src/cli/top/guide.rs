//! What the keys do: in the last line, and in full.

use ratatui::text::{Line, Span};

use super::super::table::wrap;
use super::theme::{Theme, Tone};

/// The keys, what they do, and in which order they are left out of a line that is too short: the highest first.
const KEYS: [(&str, &str, u8); 8] = [
    ("q", "quit", 0),
    ("d/m", "day/month", 2),
    ("g", "group", 1),
    ("Tab", "part", 4),
    ("↑↓", "scroll", 3),
    ("p", "pause", 5),
    ("r", "refresh", 6),
    ("?", "help", 0),
];

const HELP: &[&str] = &[
    "q, Esc, Ctrl-C   quit",
    "d, m             costs of the day, of the month",
    "g                costs by service, by model, by worker",
    "Tab, ← →         the next part, the one before: ▸ has the arrows",
    "↑ ↓, PgUp PgDn   scroll; Home, End: to the first, to the last",
    "p                pause; again: go on",
    "r                ask now",
    "?, Esc           close this help",
    "",
    "█ spent, ▒ held by reservations, · left of the limit",
    "▁▃█ by day, today at the right end: 30 days, or as many as fit",
    "Times are UTC, by the agent's clock. New events are bold.",
    "Money is rounded here; the other commands have every digit.",
];

/// The last line.
pub fn keys(columns: usize, paused: bool, theme: Theme) -> Line<'static> {
    let does = |(key, does, _): (&'static str, &'static str, u8)| (key, if paused && key == "p" { "go on" } else { does });
    let mut shown: Vec<_> = KEYS.to_vec();
    let width = |shown: &Vec<(&'static str, &'static str, u8)>| {
        let one = |key: &(&'static str, &'static str, u8)| wrap::width(key.0) + 1 + wrap::width(does(*key).1);
        shown.iter().map(one).sum::<usize>() + 2 * shown.len().saturating_sub(1)
    };
    while width(&shown) > columns {
        let Some(last) = shown.iter().map(|key| key.2).max() else { break };
        shown.retain(|key| key.2 < last);
    }
    let mut spans = vec![];
    for (number, key) in shown.into_iter().enumerate() {
        let (key, does) = does(key);
        spans.push(Span::raw(if number > 0 { "  " } else { "" }));
        spans.push(Span::styled(key, theme.style(Tone::Strong)));
        spans.push(Span::styled(format!(" {does}"), theme.style(Tone::Quiet)));
    }
    Line::from(spans)
}

/// All of it.
pub fn help(columns: usize, theme: Theme) -> Vec<Line<'static>> {
    HELP.iter().map(|line| Line::styled(wrap::cut(line, columns), theme.style(Tone::Plain))).collect()
}
