//! Costs on paper.

use std::borrow::Cow;

use super::super::table::people::money;
use super::super::table::wrap::cut;
use super::super::table::{Cell, Table};
use crate::domain::Usd;
use crate::wire::{CostsByName, CostsOfDay};

/// Names that a day of the history shows in a table; the rest of them is counted.
const NAMES_A_DAY_SHOWN_MAX: usize = 4;

/// Columns of each of these names.
const NAME_IN_A_DAY_COLUMNS: usize = 24;

/// One sum: its names (service, or service and operation …) and the amount.
type Sum<'a> = (Vec<Cow<'a, str>>, Usd);

/// Sums of one period, the largest first, and their exact sum. `names` are the headings of what they are grouped by.
pub fn period(costs: &CostsByName, names: &[String]) -> Table {
    let mut table = Table::new(&[names, &["cost_usd".to_owned()]].concat());
    for (path, amount) in by_size(costs) {
        table.push(row(&path, names.len(), amount));
    }
    table.set_total(row(&["total".into()], names.len(), costs.total()));
    table
}

/// For people: a line a day, with its largest names.
pub fn history(days: &[CostsOfDay]) -> Table {
    let mut table = Table::new(&["date", "total_usd", "largest"]);
    for day in days {
        let sums = by_size(&day.by);
        let mut largest: Vec<String> = sums
            .iter()
            .take(NAMES_A_DAY_SHOWN_MAX)
            .map(|(path, amount)| format!("{} {}", cut(&path.join("/"), NAME_IN_A_DAY_COLUMNS), money(*amount)))
            .collect();
        if sums.len() > NAMES_A_DAY_SHOWN_MAX {
            largest.push(format!("{} more", sums.len() - NAMES_A_DAY_SHOWN_MAX));
        }
        table.push(vec![Cell::text(day.date.to_string()), Cell::money(day.total_usd), Cell::text(largest.join(", "))]);
    }
    let total: Usd = days.iter().map(|day| day.total_usd).sum();
    table.set_total(vec![Cell::text("total"), Cell::money(total), Cell::text("")]);
    table
}

/// For spreadsheets: a line for each day and name. A day without cost has one line without a name, so that no day is missing.
pub fn history_lines(days: &[CostsOfDay], names: &[String]) -> Table {
    let mut table = Table::new(&[&["date".to_owned()], names, &["cost_usd".to_owned()]].concat());
    let columns = 1 + names.len();
    for day in days {
        let date = day.date.to_string();
        let sums = by_size(&day.by);
        if sums.is_empty() {
            table.push(row(&[date.as_str().into()], columns, Usd::ZERO));
        }
        for (path, amount) in sums {
            table.push(row(&[&[date.as_str().into()], &*path].concat(), columns, amount));
        }
    }
    table
}

fn row(path: &[Cow<'_, str>], columns: usize, amount: Usd) -> Vec<Cell> {
    let mut cells: Vec<Cell> = path.iter().map(|name| Cell::name(&**name)).collect();
    cells.resize(columns, Cell::text(""));
    cells.push(Cell::money(amount));
    cells
}

/// The largest first.
fn by_size(costs: &CostsByName) -> Vec<Sum<'_>> {
    let mut sums: Vec<Sum<'_>> = costs.0.iter().map(|(key, amount)| (key.values().collect(), *amount)).collect();
    sums.sort_by(|(left, left_amount), (right, right_amount)| right_amount.cmp(left_amount).then_with(|| left.cmp(right)));
    sums
}

#[cfg(test)]
mod tests {
    use super::super::super::answer::read;
    use super::super::super::output::Screen;
    use super::*;

    fn words<const COUNT: usize>(words: [&str; COUNT]) -> [String; COUNT] {
        words.map(str::to_owned)
    }

    #[test]
    fn a_day_is_listed_by_size_and_summed_exactly() {
        let answer = r#"{"aws":0.1,"openai":10.500000000001,"sendgrid":-0.2,"":0}"#;
        assert_eq!(
            period(&read(answer).unwrap(), &words(["service"])).paint(Screen::plain()),
            "\
┌──────────┬──────────┐
│ SERVICE  ┆ COST USD │
╞══════════╪══════════╡
│ openai   ┆    10.50 │
│ aws      ┆     0.10 │
│          ┆     0.00 │
│ sendgrid ┆    -0.20 │
│ total    ┆    10.40 │
└──────────┴──────────┘
"
        );
    }

    #[test]
    fn operations_nest_below_their_service() {
        let answer = r#"{"openai":{"embeddings":2,"chat":6.5},"other":{"other":1}}"#;
        assert_eq!(
            period(&read(answer).unwrap(), &words(["service", "operation"])).csv().unwrap(),
            "service,operation,cost_usd\r\nopenai,chat,6.5\r\nopenai,embeddings,2\r\nother,other,1\r\n"
        );
    }

    #[test]
    fn an_empty_day_is_a_total_of_nought() {
        let painted = period(&read("{}").unwrap(), &words(["model"])).paint(Screen::plain());
        assert!(painted.contains("│ total ┆     0.00 │"), "{painted}");
    }

    const HISTORY: &str = r#"[{"date":"2026-11-21","total_usd":0,"by":{}},
        {"date":"2026-11-22","total_usd":15,"by":{"a":1,"b":2,"c":3,"d":4,"e":5}}]"#;

    #[test]
    fn a_history_has_a_line_a_day() {
        let painted = history(&read::<Vec<_>>(HISTORY).unwrap()).paint(Screen::plain());
        assert!(painted.contains("│ 2026-11-21 ┆      0.00 ┆"), "{painted}");
        assert!(painted.contains("│ 2026-11-22 ┆     15.00 ┆ e 5.00, d 4.00, c 3.00, b 2.00, 1 more │"), "{painted}");
        assert!(painted.contains("│ total      ┆     15.00 ┆"), "{painted}");
    }

    #[test]
    fn a_history_in_csv_has_every_name_and_every_day() {
        assert_eq!(
            history_lines(&read::<Vec<_>>(HISTORY).unwrap(), &words(["service"])).csv().unwrap(),
            "date,service,cost_usd\r\n2026-11-21,,0\r\n2026-11-22,e,5\r\n2026-11-22,d,4\r\n2026-11-22,c,3\r\n2026-11-22,b,2\r\n2026-11-22,a,1\r\n"
        );
    }

    #[test]
    fn another_answer_is_an_error_and_not_a_table() {
        for answer in ["[]", "{\"a\":\"1\"}", "{\"a\":{\"b\":{\"c\":{\"d\":1}}}}", "<html>", ""] {
            assert!(read::<CostsByName>(answer).is_err(), "{answer}");
        }
    }
}
