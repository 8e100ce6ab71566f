//! `costs`: what was spent in a day, a month, and each of the last days.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::args::{CostsArgs, CostsPeriod, CostsView, Grouping};
use super::client::{ANSWER_TIMEOUT, Client};
use super::output::{Cell, Format, Screen, Table, printable};
use super::{Exit, Failure, watch};
use crate::config::Sources;
use crate::domain::Usd;

/// Names that a day of the history shows in a table; the rest of them is counted.
const NAMES_A_DAY_SHOWN_MAX: usize = 4;

/// One sum: its names (service, or service and operation …) and the amount.
type Sum = (Vec<String>, Usd);

/// One day of the history, as the agent writes it.
#[derive(Deserialize)]
struct Day {
    date: String,
    total_usd: Box<RawValue>,
    by: Box<RawValue>,
}

/// Runs the verb.
pub fn run(arguments: &CostsArgs, process: &Sources, screen: &Screen) -> Result<Exit, Failure> {
    let (path, parameter, view) = match &arguments.period {
        CostsPeriod::Daily { date, view } => ("/costs/daily", ("date", date.clone()), view),
        CostsPeriod::Monthly { month, view } => ("/costs/monthly", ("month", month.clone()), view),
        CostsPeriod::History { days, view } => ("/costs/history", ("days", days.map(|days| days.to_string())), view),
    };
    let query = query(parameter, view);
    let client = Client::new(&view.agent, process, ANSWER_TIMEOUT)?;
    let format = view.output.output;
    let pause = view.watch.map(|seconds| Duration::from_secs(seconds.into()));
    watch::repeat(pause, screen, || {
        let answer = client.get(path, &query)?;
        let table = match (&arguments.period, format) {
            (CostsPeriod::History { .. }, Format::Csv) => history_lines(&answer, view.by)?,
            (CostsPeriod::History { .. }, _) => history(&answer)?,
            _ => period(&answer, view.by)?,
        };
        table.write(format, &answer, screen)
    })
}

fn query((name, value): (&'static str, Option<String>), view: &CostsView) -> Vec<(&'static str, String)> {
    let mut query = vec![("by", view.by.as_str().to_owned())];
    query.extend(value.map(|value| (name, value)));
    query.extend(view.service.clone().map(|service| ("service", service)));
    query
}

fn name_headings(by: Grouping) -> Vec<&'static str> {
    if by == Grouping::Operation { vec!["service", "operation"] } else { vec![by.as_str()] }
}

/// Sums of one period, the largest first, and their exact sum.
fn period(answer: &str, by: Grouping) -> Result<Table, Failure> {
    let sums = read_sums(answer)?;
    let mut headings = name_headings(by);
    let names = headings.len();
    headings.push("cost_usd");
    let mut table = Table::new(&headings);
    let total: Usd = sums.iter().map(|(_, amount)| *amount).sum();
    for (path, amount) in sums {
        table.push(row(path, names, amount));
    }
    table.set_total(row(vec!["total".into()], names, total));
    Ok(table)
}

fn row(path: Vec<String>, names: usize, amount: Usd) -> Vec<Cell> {
    let mut cells: Vec<Cell> = path.into_iter().map(Cell::text).collect();
    // What the agent adds up under `other` has no second name.
    cells.resize(names, Cell::text(""));
    cells.push(Cell::number(amount));
    cells
}

/// For people: a line a day, with its largest names.
fn history(answer: &str) -> Result<Table, Failure> {
    let mut table = Table::new(&["date", "total_usd", "largest"]);
    let mut total = Usd::ZERO;
    for day in read_days(answer)? {
        let amount = read_amount(&day.total_usd)?;
        total += amount;
        let sums = read_sums(day.by.get())?;
        let mut largest: Vec<String> =
            sums.iter().take(NAMES_A_DAY_SHOWN_MAX).map(|(path, amount)| format!("{} {amount}", path.join("/"))).collect();
        if sums.len() > NAMES_A_DAY_SHOWN_MAX {
            largest.push(format!("{} more", sums.len() - NAMES_A_DAY_SHOWN_MAX));
        }
        table.push(vec![Cell::text(day.date), Cell::number(amount), Cell::text(largest.join(", "))]);
    }
    table.set_total(vec![Cell::text("total"), Cell::number(total), Cell::text("")]);
    Ok(table)
}

/// For spreadsheets: a line for each day and name. A day without cost has one line without a name, so that no day is missing.
fn history_lines(answer: &str, by: Grouping) -> Result<Table, Failure> {
    let mut headings = vec!["date"];
    headings.extend(name_headings(by));
    let names = headings.len();
    headings.push("cost_usd");
    let mut table = Table::new(&headings);
    for day in read_days(answer)? {
        let sums = read_sums(day.by.get())?;
        if sums.is_empty() {
            table.push(row(vec![day.date.clone()], names, Usd::ZERO));
        }
        for (path, amount) in sums {
            let path = std::iter::once(day.date.clone()).chain(path).collect();
            table.push(row(path, names, amount));
        }
    }
    Ok(table)
}

fn read_days(answer: &str) -> Result<Vec<Day>, Failure> {
    serde_json::from_str(answer).map_err(|error| not_understood(&error.to_string()))
}

/// The sums in an object of names, which may nest; the largest first.
fn read_sums(json: &str) -> Result<Vec<Sum>, Failure> {
    let mut sums = Vec::new();
    collect(json, &mut Vec::new(), &mut sums)?;
    sums.sort_by(|(left, left_amount), (right, right_amount)| right_amount.cmp(left_amount).then_with(|| left.cmp(right)));
    Ok(sums)
}

/// Amounts stay text until they are read as money: a float would lose digits.
fn collect(json: &str, path: &mut Vec<String>, sums: &mut Vec<Sum>) -> Result<(), Failure> {
    let object: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(json).map_err(|error| not_understood(&error.to_string()))?;
    for (name, value) in object {
        path.push(name);
        if value.get().starts_with('{') && path.len() < 2 {
            collect(value.get(), path, sums)?;
        } else {
            sums.push((path.clone(), read_amount(&value)?));
        }
        path.pop();
    }
    Ok(())
}

/// An amount from its digits.
pub fn read_amount(value: &RawValue) -> Result<Usd, Failure> {
    Usd::parse(value.get()).map_err(|error| not_understood(&format!("{} {error}", value.get())))
}

/// The agent speaks another language: an older or newer one, or something else listens there.
pub fn not_understood(reason: &str) -> Failure {
    const CHARS_MAX: usize = 200;
    let reason: String = printable(reason).chars().take(CHARS_MAX).collect();
    Failure::Failed(format!("the answer is not what this version understands: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_listed_by_size_and_summed_exactly() {
        let answer = r#"{"aws":0.1,"openai":10.500000000001,"sendgrid":-0.2,"":0}"#;
        assert_eq!(
            period(answer, Grouping::Service).unwrap().paint(Screen::plain()),
            "\
┌──────────┬─────────────────┐
│ SERVICE  ┆ COST USD        │
╞══════════╪═════════════════╡
│ openai   ┆ 10.500000000001 │
│ aws      ┆             0.1 │
│          ┆               0 │
│ sendgrid ┆            -0.2 │
│ total    ┆ 10.400000000001 │
└──────────┴─────────────────┘
"
        );
    }

    #[test]
    fn operations_nest_below_their_service() {
        let answer = r#"{"openai":{"embeddings":2,"chat":6.5},"other":{"other":1}}"#;
        assert_eq!(
            period(answer, Grouping::Operation).unwrap().csv(),
            "service,operation,cost_usd\r\nopenai,chat,6.5\r\nopenai,embeddings,2\r\nother,other,1\r\n"
        );
    }

    #[test]
    fn an_empty_day_is_a_total_of_nought() {
        let painted = period("{}", Grouping::Model).unwrap().paint(Screen::plain());
        assert!(painted.contains("│ total ┆        0 │"), "{painted}");
    }

    const HISTORY: &str = r#"[{"date":"2026-11-21","total_usd":0,"by":{}},
        {"date":"2026-11-22","total_usd":15,"by":{"a":1,"b":2,"c":3,"d":4,"e":5}}]"#;

    #[test]
    fn a_history_has_a_line_a_day() {
        let painted = history(HISTORY).unwrap().paint(Screen::plain());
        assert!(painted.contains("│ 2026-11-21 ┆         0 ┆"), "{painted}");
        assert!(painted.contains("│ 2026-11-22 ┆        15 ┆ e 5, d 4, c 3, b 2, 1 more │"), "{painted}");
        assert!(painted.contains("│ total      ┆        15 ┆"), "{painted}");
    }

    #[test]
    fn a_history_in_csv_has_every_name_and_every_day() {
        assert_eq!(
            history_lines(HISTORY, Grouping::Service).unwrap().csv(),
            "date,service,cost_usd\r\n2026-11-21,,0\r\n2026-11-22,e,5\r\n2026-11-22,d,4\r\n2026-11-22,c,3\r\n2026-11-22,b,2\r\n2026-11-22,a,1\r\n"
        );
    }

    #[test]
    fn another_answer_is_an_error_and_not_a_table() {
        for answer in ["[]", "{\"a\":\"1\"}", "{\"a\":{\"b\":{\"c\":1}}}", "<html>", ""] {
            assert!(period(answer, Grouping::Service).is_err(), "{answer}");
        }
    }
}
