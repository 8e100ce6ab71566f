//! `budgets`: every limit and how far it is used; of budgets with `each` the fullest keys, or one.

use clap::Args;

use super::super::agent_args::{AgentArgs, OutputArgs};
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::Screen;
use super::super::table::{Cell, Table, Tone, people};
use super::super::watch::{self, Answer, WatchArgs};
use super::super::{Exit, Failure};
use crate::budget::BudgetState;
use crate::config::Sources;
use crate::wire::{BudgetItem, KeyItem, Word};

/// All columns, as CSV has them.
const COLUMNS: &[&str] = &[
    "name",
    "service",
    "period",
    "state",
    "used_percent",
    "spent_usd",
    "reserved_usd",
    "limit_usd",
    "remaining_usd",
    "forecast_usd",
    "exhausted_at",
    "period_end",
    "each",
    "key",
    "keys",
    "keys_warning",
    "keys_exhausted",
    "spent_usage",
    "reserved_usage",
    "limit_usage",
    "remaining_usage",
    "action",
    "override_reason",
    "override_expires_at",
];
/// The columns that people see, those in brackets where some budget needs them.
const SHOWN: &[&str] = &[
    "name",
    "[key]",
    "service",
    "state",
    "used_percent",
    "spent_usd",
    "limit_usd",
    "[spent_usage]",
    "[limit_usage]",
    "remaining_usd",
    "forecast_usd",
    "exhausted_at",
    "[action]",
    "[override_reason]",
    "[override_expires_at]",
];
/// What a narrow screen goes without: the name of a budget tells of its service, and the state of the rest.
const DROPPED_FIRST: &[&str] =
    &["service", "action", "exhausted_at", "override_expires_at", "forecast_usd", "remaining_usd", "override_reason"];

#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Of budgets that hold for each worker, batch, lead and so on, show this one
    #[arg(long)]
    pub key: Option<String>,
    #[command(flatten)]
    pub watch: WatchArgs,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the verb.
pub fn run(arguments: ShowArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let ShowArgs { key, watch, agent, output } = arguments;
    let client = AgentClient::new(&agent, process, ANSWER_TIMEOUT)?;
    let query: Vec<_> = key.into_iter().map(|key| ("key", key)).collect();
    watch::show(&watch, output.output, client, screen, move |client| {
        let json = client.get("/budgets", &query)?;
        Ok(Answer { table: table(read(&json)?), json })
    })
}

/// A line for each budget, followed by one for each of its fullest keys.
pub fn table(items: Vec<BudgetItem>) -> Table {
    let needed = |column: &str| match column {
        "key" => items.iter().any(|item| item.keys.is_some() || item.key.is_some()),
        "spent_usage" | "limit_usage" => items.iter().any(|item| item.limit_usage.is_some()),
        "action" => items.iter().any(|item| item.action.is_some()),
        _ => items.iter().any(|item| item.overridden.is_some()),
    };
    let shown: Vec<&'static str> = SHOWN
        .iter()
        .filter_map(|column| match column.strip_prefix('[').and_then(|column| column.strip_suffix(']')) {
            Some(optional) => Some(optional).filter(|column| needed(column)),
            None => Some(*column),
        })
        .collect();
    let mut table = Table::new(COLUMNS).for_people(&shown, DROPPED_FIRST);
    for item in items {
        let keys = item.fullest.clone().unwrap_or_default();
        table.push(line(&item));
        keys.into_iter().for_each(|key| table.push(line_of_key(&item, key)));
    }
    table
}

fn line(item: &BudgetItem) -> Vec<Cell> {
    let overridden = item.overridden.as_ref();
    vec![
        Cell::name(item.name.as_str()),
        Cell::optional(item.service.as_deref(), Cell::name),
        Cell::text(item.period.as_str()),
        Cell::toned(item.state.as_str(), tone_of(&item.state)),
        Cell::percent(item.utilization_percent),
        Cell::optional(item.spent_usd, Cell::money),
        Cell::optional(item.reserved_usd, Cell::money),
        Cell::optional(item.limit_usd, Cell::money),
        Cell::optional(item.remaining_usd, Cell::money),
        Cell::optional(item.forecast_usd, Cell::money),
        Cell::optional(item.exhausted_at, Cell::time),
        Cell::optional(item.period_end, Cell::time),
        Cell::optional(item.each.as_ref(), |each| Cell::text(each.as_str())),
        key_of(item),
        Cell::optional(item.keys, Cell::count),
        Cell::optional(item.keys_warning, Cell::count),
        Cell::optional(item.keys_exhausted, Cell::count),
        Cell::optional(item.spent_usage.as_ref(), Cell::usage),
        Cell::optional(item.reserved_usage.as_ref(), Cell::usage),
        Cell::optional(item.limit_usage.as_ref(), Cell::usage),
        Cell::optional(item.remaining_usage.as_ref(), Cell::usage),
        Cell::optional(item.action.as_ref(), |action| Cell::text(action.as_str())),
        Cell::optional(overridden, |line| Cell::text(line.reason.as_str())),
        Cell::optional(overridden.and_then(|line| line.expires_at), Cell::time),
    ]
}

fn line_of_key(item: &BudgetItem, key: KeyItem) -> Vec<Cell> {
    let of_key = BudgetItem {
        key: Some(key.key),
        keys: None,
        keys_warning: None,
        keys_exhausted: None,
        fullest: None,
        spent_usd: key.spent_usd,
        reserved_usd: key.reserved_usd,
        remaining_usd: key.remaining_usd,
        spent_usage: key.spent_usage,
        reserved_usage: key.reserved_usage,
        remaining_usage: key.remaining_usage,
        utilization_percent: key.utilization_percent,
        state: key.state,
        forecast_usd: None,
        exhausted_at: None,
        overridden: None,
        ..item.clone()
    };
    line(&of_key)
}

/// The key; for people, of a budget with many, how they stand.
fn key_of(item: &BudgetItem) -> Cell {
    let Some(keys) = item.keys else { return Cell::optional(item.key.as_deref(), Cell::name) };
    let counted = |count: Option<u64>, what: &str| {
        let count = count.filter(|count| *count > 0)?;
        Some(format!(", {} {what}", people::grouped(count.into())))
    };
    let shown = format!(
        "{} {}{}{}",
        people::grouped(keys.into()),
        if keys == 1 { "key" } else { "keys" },
        counted(item.keys_warning, "warning").unwrap_or_default(),
        counted(item.keys_exhausted, "exhausted").unwrap_or_default(),
    );
    Cell::text("").shown_as(shown)
}

fn tone_of(state: &Word<BudgetState>) -> Tone {
    match state.known() {
        Some(BudgetState::Ok) => Tone::Good,
        Some(BudgetState::Warning) => Tone::Warning,
        Some(BudgetState::Critical | BudgetState::Exhausted) => Tone::Bad,
        None => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_line() {
        let answer = r#"[{"name":"daily","service":null,"period":"daily","limit_usd":50,"spent_usd":45.1,"reserved_usd":0,
            "remaining_usd":4.9,"utilization_percent":90.2,"state":"critical","period_start":"2026-11-22T00:00:00Z",
            "period_end":"2026-11-23T00:00:00Z","forecast_usd":108.24,"exhausted_at":"2026-11-22T11:05:15Z"}]"#;
        let table = table(read(answer).unwrap());
        assert_eq!(
            table.csv().unwrap(),
            "name,service,period,state,used_percent,spent_usd,reserved_usd,limit_usd,remaining_usd,forecast_usd,exhausted_at,period_end,\
             each,key,keys,keys_warning,keys_exhausted,spent_usage,reserved_usage,limit_usage,remaining_usage,action,override_reason,\
             override_expires_at\r\n\
             daily,,daily,critical,90.2,45.1,0,50,4.9,108.24,2026-11-22T11:05:15Z,2026-11-23T00:00:00Z,,,,,,,,,,,,\r\n"
        );
        assert!(read::<Vec<BudgetItem>>("{}").is_err());
    }
    #[test]
    fn keys_follow_their_budget_and_usage_has_all_its_digits() {
        let answer = r#"[{"name":"lead-cap","service":null,"period":"total","limit_usage":{"tokens":2000000,"pages":0.5},
            "utilization_percent":100,"state":"exhausted","period_start":null,"period_end":null,"forecast_usd":null,
            "exhausted_at":null,"each":"lead","action":"watch","keys":1234,"keys_warning":0,"keys_exhausted":1,"fullest":[
            {"key":"acme","spent_usage":{"tokens":2000000.25,"pages":0},"reserved_usage":{"tokens":0,"pages":0},
            "remaining_usage":{"tokens":-0.25,"pages":0.5},"utilization_percent":100,"state":"exhausted"}],
            "override":{"reason":"night","actor":"ann","timestamp":"2026-11-22T10:00:00Z","expires_at":"2026-11-22T18:00:00Z"}}]"#;
        let table = table(read(answer).unwrap());
        let lines: Vec<_> = table.csv().unwrap().lines().skip(1).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "lead-cap,,total,exhausted,100,,,,,,,,lead,,1234,0,1,,,\"0.5 pages, 2000000 tokens\",,watch,night,2026-11-22T18:00:00Z",
                "lead-cap,,total,exhausted,100,,,,,,,,lead,acme,,,,\"0 pages, 2000000.25 tokens\",\"0 pages, 0 tokens\",\
                 \"0.5 pages, 2000000 tokens\",\"0.5 pages, -0.25 tokens\",watch,,",
            ]
        );
        let painted = table.paint(Screen::wide(300));
        for text in ["1,234 keys, 1 exhausted", "0 pages, 2,000,000.25 tokens", "night"] {
            assert!(painted.contains(text), "{text} in\n{painted}");
        }
    }
}
