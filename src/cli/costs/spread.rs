//! `costs leads` and `costs batches`: how cost spreads over what it was for.

use super::super::Exit;
use super::super::Failure;
use super::super::answer::read;
use super::super::client::{ANSWER_TIMEOUT, AgentClient};
use super::super::output::Screen;
use super::super::table::{Cell, Table};
use super::super::watch::{self, Answer};
use super::SpreadArgs;
use super::question::Question;
use crate::config::Sources;
use crate::domain::Usd;
use crate::wire::{BatchCosts, LeadCosts};

/// What both answers say.
struct Figures<'a> {
    /// `lead` or `batch`.
    one: &'static str,
    /// `leads` or `batches`.
    many: &'static str,
    count: u64,
    /// By their names.
    sums: [(&'static str, Option<Usd>); 6],
    top: Vec<(&'a str, Usd)>,
}

/// Runs the verb. `table` reads the answer of `path`.
pub fn run(
    path: &'static str,
    arguments: SpreadArgs,
    table: fn(&str) -> Result<Table, Failure>,
    process: &Sources,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let client = AgentClient::new(&arguments.agent, process, ANSWER_TIMEOUT)?;
    let query = Question::default().of_days(arguments.days).filtered(&arguments.filters).0;
    watch::show(&arguments.watch, arguments.output.output, client, screen, move |client| {
        let json = client.get(path, &query)?;
        Ok(Answer { table: table(&json)?, json })
    })
}

/// The table of an answer about leads.
pub fn leads(answer: &str) -> Result<Table, Failure> {
    let LeadCosts { leads, attributed_usd, unattributed_usd, total_usd, mean_usd, median_usd, p95_usd, top } = read(answer)?;
    let sums = sums([Some(attributed_usd), Some(unattributed_usd), Some(total_usd), mean_usd, median_usd, p95_usd]);
    let top = top.iter().map(|item| (&*item.lead, item.cost_usd)).collect();
    Ok(written(Figures { one: "lead", many: "leads", count: leads, sums, top }))
}

/// The table of an answer about batches.
pub fn batches(answer: &str) -> Result<Table, Failure> {
    let BatchCosts { batches, attributed_usd, unattributed_usd, total_usd, mean_usd, median_usd, p95_usd, top } =
        read(answer)?;
    let sums = sums([Some(attributed_usd), Some(unattributed_usd), Some(total_usd), mean_usd, median_usd, p95_usd]);
    let top = top.iter().map(|item| (&*item.batch, item.cost_usd)).collect();
    Ok(written(Figures { one: "batch", many: "batches", count: batches, sums, top }))
}

fn sums(amounts: [Option<Usd>; 6]) -> [(&'static str, Option<Usd>); 6] {
    let names = ["attributed_usd", "unattributed_usd", "total_usd", "mean_usd", "median_usd", "p95_usd"];
    let mut amounts = amounts.into_iter();
    names.map(|name| (name, amounts.next().flatten()))
}

/// A line for each figure, then one for each of the most expensive.
fn written(Figures { one, many, count, sums, top }: Figures<'_>) -> Table {
    let mut table = Table::new(&["figure", one, "value"]);
    let mut line = |figure: &str, name: &str, value: Cell| {
        let shown = figure.replace("_usd", " USD").replace('_', " ");
        table.push(vec![Cell::text(figure).shown_as(shown), Cell::name(name), value]);
    };
    line(many, "", Cell::count(count));
    for (figure, amount) in sums {
        line(figure, "", Cell::optional(amount, Cell::money));
    }
    for (name, amount) in top {
        line("cost_usd", name, Cell::money(amount));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_first_and_then_the_most_expensive() {
        let answer = r#"{"leads":2,"attributed_usd":0.4,"unattributed_usd":1.5,"total_usd":1.9,"mean_usd":0.2,"median_usd":0.2,
            "p95_usd":0.300000000001,"top":[{"lead":"l-7","cost_usd":0.3},{"lead":"=1","cost_usd":0.1}]}"#;
        let table = leads(answer).unwrap();
        assert_eq!(
            table.csv().unwrap(),
            "figure,lead,value\r\nleads,,2\r\nattributed_usd,,0.4\r\nunattributed_usd,,1.5\r\ntotal_usd,,1.9\r\nmean_usd,,0.2\r\n\
             median_usd,,0.2\r\np95_usd,,0.300000000001\r\ncost_usd,l-7,0.3\r\ncost_usd,'=1,0.1\r\n"
        );
        let none = r#"{"batches":0,"attributed_usd":0,"unattributed_usd":0,"total_usd":0,"mean_usd":null,"median_usd":null,
            "p95_usd":null,"top":[]}"#;
        let painted = batches(none).unwrap().paint(Screen::plain());
        assert!(painted.contains("│ mean USD         ┆       ┆"), "{painted}");
    }
}
