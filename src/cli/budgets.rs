//! `budgets`: every limit and how far it is used.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::BudgetsArgs;
use super::client::{ANSWER_TIMEOUT, Client};
use super::costs::{not_understood, read_amount};
use super::output::{Cell, Format, Screen, Table, Tone};
use super::{Exit, Failure};
use crate::config::Sources;
use crate::domain::Usd;

/// The columns that people see; CSV has all.
const SHOWN: &[&str] =
    &["name", "service", "state", "used_percent", "spent_usd", "limit_usd", "remaining_usd", "forecast_usd", "exhausted_at"];

/// An item of the agent's answer.
#[derive(Deserialize)]
struct Item {
    name: String,
    service: Option<String>,
    period: String,
    limit_usd: Box<RawValue>,
    spent_usd: Box<RawValue>,
    reserved_usd: Box<RawValue>,
    remaining_usd: Box<RawValue>,
    utilization_percent: Box<RawValue>,
    state: String,
    period_end: String,
    forecast_usd: Box<RawValue>,
    exhausted_at: Option<String>,
}

/// Runs the verb.
pub fn run(arguments: &BudgetsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let answer = Client::new(&arguments.agent, process, ANSWER_TIMEOUT)?.get("/budgets", &[])?;
    let table = table(&answer)?;
    match arguments.output.output {
        Format::Table => table.narrowed(SHOWN).write(Format::Table, &answer, screen)?,
        format => table.write(format, &answer, screen)?,
    };
    Ok(Exit::Done)
}

fn table(answer: &str) -> Result<Table, Failure> {
    let items: Vec<Item> = serde_json::from_str(answer).map_err(|error| not_understood(&error.to_string()))?;
    let mut table = Table::new(&[
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
    ]);
    for item in items {
        let tone = tone_of(&item.state);
        table.push(vec![
            Cell::text(item.name),
            Cell::text(item.service.unwrap_or_default()),
            Cell::text(item.period),
            Cell::toned(item.state, tone),
            Cell::number(percent(&item.utilization_percent)?),
            Cell::number(read_amount(&item.spent_usd)?),
            Cell::number(read_amount(&item.reserved_usd)?),
            Cell::number(read_amount(&item.limit_usd)?),
            Cell::number(read_amount(&item.remaining_usd)?),
            Cell::number(read_amount(&item.forecast_usd)?),
            Cell::text(item.exhausted_at.unwrap_or_default()),
            Cell::text(item.period_end),
        ]);
    }
    Ok(table)
}

fn tone_of(state: &str) -> Tone {
    match state {
        "ok" => Tone::Good,
        "warning" => Tone::Warning,
        "critical" | "exhausted" => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// A percentage with at most two decimals, cut off: rounded up, 89.999 would look like a threshold that was reached.
pub fn percent(value: &RawValue) -> Result<String, Failure> {
    const PICO_PER_HUNDREDTH: i128 = 10_000_000_000;
    let exact = Usd::parse(value.get()).map_err(|error| not_understood(&format!("{} {error}", value.get())))?;
    Ok(Usd::from_pico(exact.pico().div_euclid(PICO_PER_HUNDREDTH) * PICO_PER_HUNDREDTH).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_line() {
        let answer = r#"[{"name":"daily","service":null,"period":"daily","limit_usd":50,"spent_usd":45.1,"reserved_usd":0,
            "remaining_usd":4.9,"utilization_percent":90.2,"state":"critical","period_start":"2026-11-22T00:00:00Z",
            "period_end":"2026-11-23T00:00:00Z","forecast_usd":108.24,"exhausted_at":"2026-11-22T11:05:15Z"}]"#;
        assert_eq!(
            table(answer).unwrap().csv(),
            "name,service,period,state,used_percent,spent_usd,reserved_usd,limit_usd,remaining_usd,forecast_usd,exhausted_at,period_end\r\n\
             daily,,daily,critical,90.2,45.1,0,50,4.9,108.24,2026-11-22T11:05:15Z,2026-11-23T00:00:00Z\r\n"
        );
        let painted = table(answer).unwrap().narrowed(SHOWN).paint(Screen::plain());
        assert_eq!(
            painted,
            "\
┌───────┬─────────┬──────────┬──────────────┬───────────┬───────────┬───────────────┬──────────────┬──────────────────────┐
│ NAME  ┆ SERVICE ┆ STATE    ┆ USED PERCENT ┆ SPENT USD ┆ LIMIT USD ┆ REMAINING USD ┆ FORECAST USD ┆ EXHAUSTED AT         │
╞═══════╪═════════╪══════════╪══════════════╪═══════════╪═══════════╪═══════════════╪══════════════╪══════════════════════╡
│ daily ┆         ┆ critical ┆         90.2 ┆      45.1 ┆        50 ┆           4.9 ┆       108.24 ┆ 2026-11-22T11:05:15Z │
└───────┴─────────┴──────────┴──────────────┴───────────┴───────────┴───────────────┴──────────────┴──────────────────────┘
"
        );
        assert!(table("{}").is_err());
    }

    #[test]
    fn a_percentage_never_looks_larger_than_it_is() {
        for (text, shown) in [("89.99999", "89.99"), ("33.333333333333336", "33.33"), ("90", "90"), ("1e-13", "0")] {
            assert_eq!(percent(&RawValue::from_string(text.into()).unwrap()).unwrap(), shown);
        }
    }
}
