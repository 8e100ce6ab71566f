//! Answers on paper: tables for people, CSV for spreadsheets.
//!
//! *Invariants.* No text from outside reaches a terminal with control characters in it. In CSV (RFC 4180), a text that a
//! spreadsheet would take for a formula gets an apostrophe in front; amounts are never touched, and have all their digits. A program
//! that needs the exact names reads JSON.

mod layout;
mod paint;
pub mod wrap;

use std::borrow::Cow;
use std::error::Error;

use jiff::Timestamp;

use super::Failure;
use super::output::{OutputFormat, Screen, print_line, print_text, printable};
use crate::domain::Usd;
pub use crate::people;
use crate::wire::{Exact, UsageAmounts};
use layout::{Layout, Needs, layout};
use paint::{Drawn, draw};

/// How serious a cell is, shown as a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
}

/// What a cell holds: decides how it is fitted into its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Prose: on as many lines as it takes.
    Text,
    /// A name, recognised by its beginning.
    Name,
    /// A day and an hour, which may stand below each other.
    Time,
    /// Stays in one piece.
    Number,
    /// Stays in one piece, too.
    Whole,
}

/// Lines of a cell that holds a name; the rest of it is left out.
const NAME_LINES_MAX: usize = 3;

impl Kind {
    /// How narrow a column of such cells may become: a few words, half of a name, a day.
    const fn narrowest(self) -> usize {
        match self {
            Self::Text => 14,
            Self::Name | Self::Time => 10,
            Self::Number | Self::Whole => usize::MAX,
        }
    }
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    exact: String,
    /// For people, where that is another text.
    shown: Option<String>,
    tone: Tone,
    kind: Kind,
}

/// Rows under headings, with a line of sums if there is one.
#[derive(Clone, Debug)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<Cell>>,
    total: Option<Vec<Cell>>,
    /// The columns that people see.
    for_people: Vec<String>,
    /// Those of them that a narrow screen goes without, the first one first.
    dropped_first: &'static [&'static str],
    /// Whether the same is to be had as CSV.
    has_csv: bool,
    /// Lines that stand above it, for people.
    above: Vec<String>,
    /// What stands below it, for people.
    below: Option<Box<Table>>,
}

impl Cell {
    const fn new(exact: String, kind: Kind) -> Self {
        Self { exact, shown: None, tone: Tone::Plain, kind }
    }

    /// A text from anywhere.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(text.into(), Kind::Text)
    }

    /// A text with a colour.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { tone, ..Self::text(text) }
    }

    /// A name that somebody chose, of which the beginning will do where there is little room.
    pub fn name(name: impl Into<String>) -> Self {
        Self::new(name.into(), Kind::Name)
    }

    /// Money: rounded for people.
    pub fn money(amount: Usd) -> Self {
        Self::new(amount.to_string(), Kind::Number).shown_as(people::money(amount))
    }

    /// A percentage: with one decimal for people.
    pub fn percent(value: f64) -> Self {
        Self::new(value.to_string(), Kind::Number).shown_as(people::percent(value))
    }

    /// A length of time in seconds: with one decimal for people.
    pub fn seconds(value: f64) -> Self {
        Self::new(value.to_string(), Kind::Number).shown_as(people::percent(value))
    }

    /// A text that stays in one piece, since somebody may have to type it.
    pub fn whole(text: impl Into<String>) -> Self {
        Self::new(text.into(), Kind::Whole)
    }

    /// A number of things.
    pub fn count(count: u64) -> Self {
        Self::new(count.to_string(), Kind::Number).shown_as(people::grouped(count.into()))
    }

    /// Quantities by kind: `1,000 input_tokens, 2 pages`.
    pub fn usage(amounts: &UsageAmounts) -> Self {
        let joined = |digits: fn(&str) -> String| {
            let one = |(kind, amount): (&String, &Exact)| format!("{} {kind}", digits(&amount.to_string()));
            amounts.iter().map(one).collect::<Vec<_>>().join(", ")
        };
        Self::text(joined(str::to_owned)).shown_as(joined(people::digits))
    }

    /// A time: to the second for people.
    pub fn time(time: Timestamp) -> Self {
        Self::new(time.to_string(), Kind::Time).shown_as(people::time(time))
    }

    /// The cell of what there is; an empty one of what there is not.
    pub fn optional<T>(value: Option<T>, cell: impl FnOnce(T) -> Self) -> Self {
        value.map_or_else(|| Self::text(""), cell)
    }

    /// The same, and another text for people.
    pub fn shown_as(self, shown: String) -> Self {
        Self { shown: Some(shown), ..self }
    }

    /// As a spreadsheet may have it.
    fn inert(&self) -> Cow<'_, str> {
        let is_number = self.kind == Kind::Number;
        let is_formula = !is_number && self.exact.starts_with(['=', '+', '-', '@', '\t', '\r']);
        if is_formula { format!("'{}", self.exact).into() } else { self.exact.as_str().into() }
    }

    fn drawn(&self, screen: Screen) -> Drawn {
        let colour = match self.tone {
            Tone::Good => Some("32"),
            Tone::Warning => Some("33"),
            Tone::Bad => Some("31"),
            Tone::Plain => None,
        };
        Drawn {
            text: printable(self.shown.as_ref().unwrap_or(&self.exact)),
            right: self.kind == Kind::Number,
            narrowest: self.kind.narrowest(),
            lines_max: if self.kind == Kind::Name { NAME_LINES_MAX } else { usize::MAX },
            colour: colour.filter(|_| screen.has_colours()),
        }
    }
}

impl Table {
    /// A table without rows. Headings are in lower case, as CSV has them.
    pub fn new<Heading: AsRef<str>>(headings: &[Heading]) -> Self {
        let headings: Vec<String> = headings.iter().map(|heading| heading.as_ref().to_owned()).collect();
        Self {
            for_people: headings.clone(),
            headings,
            rows: Vec::new(),
            total: None,
            dropped_first: &[],
            has_csv: true,
            above: vec![],
            below: None,
        }
    }

    /// The same, of which people see only these columns, in this order. A narrow screen goes without those of `dropped_first`, as
    /// many of them as it must, the first one first.
    pub fn for_people(self, columns: &[&'static str], dropped_first: &'static [&'static str]) -> Self {
        Self { for_people: columns.iter().map(|column| (*column).to_owned()).collect(), dropped_first, ..self }
    }

    /// A table that is shown to people only.
    pub fn without_csv(self) -> Self {
        Self { has_csv: false, ..self }
    }

    /// The same below a line for people, which stands below those before.
    #[must_use]
    pub fn under(mut self, line: String) -> Self {
        self.above.push(line);
        self
    }

    /// The same above another one for people.
    #[must_use]
    pub fn followed_by(self, table: Self) -> Self {
        Self { below: Some(Box::new(table)), ..self }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// The headings that people see in a window that is wide enough.
    #[cfg(test)]
    pub fn headings_for_people(&self) -> &[String] {
        &self.for_people
    }

    /// Sets the line of sums. It is for people: CSV leaves it out, or a program would count twice.
    pub fn set_total(&mut self, row: Vec<Cell>) {
        self.total = Some(row);
    }

    /// Comma-separated, CRLF at the end of each line (RFC 4180).
    ///
    /// # Errors
    /// A row that is not as long as the headings.
    pub fn csv(&self) -> Result<String, Failure> {
        self.separated().map_err(|error| Failure::Failed(format!("cannot write CSV: {error}")))
    }

    fn separated(&self) -> Result<String, Box<dyn Error>> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(&self.headings)?;
        for row in &self.rows {
            for cell in row {
                writer.write_field(&*cell.inert())?;
            }
            writer.write_record(None::<&[u8]>)?;
        }
        Ok(String::from_utf8(writer.into_inner()?)?)
    }

    /// For people.
    pub fn paint(&self, screen: Screen) -> String {
        let place = |wanted: &String| self.headings.iter().position(|heading| heading == wanted);
        let places: Vec<usize> = self.for_people.iter().filter_map(place).collect();
        let headings: Vec<Drawn> = places
            .iter()
            .filter_map(|place| self.headings.get(*place))
            .map(|heading| drawn_heading(heading, screen))
            .collect();
        let mut rows: Vec<Vec<Drawn>> = self
            .rows
            .iter()
            .chain(&self.total)
            .map(|row| places.iter().filter_map(|place| row.get(*place)).map(|cell| cell.drawn(screen)).collect())
            .collect();
        align(&mut rows);
        let place = |wanted: &&str| self.for_people.iter().position(|heading| heading == *wanted);
        let droppable: Vec<usize> = self.dropped_first.iter().filter_map(place).collect();
        let layout = layout(&needs(&headings, &rows), &droppable, screen.width());
        let columns = screen.width().unwrap_or(usize::MAX);
        let above: Vec<String> = self.above.iter().flat_map(|line| wrap::lines(&printable(line), columns)).collect();
        let above: String = above.iter().map(|line| format!("{line}\n")).collect();
        let below = self.below.as_ref().map(|table| table.paint(screen)).unwrap_or_default();
        above + &draw(&layout, &headings, &rows) + &left_out(&layout, &headings, screen, self.has_csv) + &below
    }

    /// In the format asked for; `json` is the agent's answer.
    ///
    /// Says whether somebody still reads.
    pub fn write(&self, format: OutputFormat, json: &str, screen: &Screen) -> Result<bool, Failure> {
        match format {
            OutputFormat::Table => print_text(&self.paint(*screen)),
            OutputFormat::Csv => print_text(&self.csv()?),
            OutputFormat::Json => print_line(json),
        }
    }
}

fn drawn_heading(heading: &str, screen: Screen) -> Drawn {
    let bold = screen.has_colours().then_some("1");
    // Of an attribute the name, as somebody chose it.
    let text = match heading.strip_prefix("attributes.") {
        Some(name) => printable(name),
        None => heading.to_uppercase().replace('_', " "),
    };
    Drawn { text, right: false, narrowest: 0, lines_max: usize::MAX, colour: bold }
}

/// Numbers stand to the right, but not among texts.
fn align(rows: &mut [Vec<Drawn>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns {
        let has_text = rows.iter().filter_map(|row| row.get(column)).any(|cell| !cell.right && !cell.text.is_empty());
        rows.iter_mut().filter_map(|row| row.get_mut(column)).for_each(|cell| cell.right &= !has_text);
    }
}

fn needs(headings: &[Drawn], rows: &[Vec<Drawn>]) -> Vec<Needs> {
    let mut needs: Vec<Needs> = headings.iter().map(|heading| Needs::of_heading(&heading.text)).collect();
    for row in rows {
        needs.iter_mut().zip(row).for_each(|(needs, cell)| needs.take(&cell.text, cell.narrowest));
    }
    needs
}

/// Says which columns there was no room for.
fn left_out(layout: &Layout, headings: &[Drawn], screen: Screen, has_csv: bool) -> String {
    let Layout::Columns(kept) = layout else { return String::new() };
    let is_left_out = |place: &usize| kept.iter().all(|(kept, _)| kept != place);
    let names: Vec<String> = (0..headings.len())
        .filter(is_left_out)
        .filter_map(|place| headings.get(place))
        .map(|heading| heading.text.to_lowercase())
        .collect();
    if names.is_empty() {
        return String::new();
    }
    let or_csv = if has_csv { " or with --output csv" } else { "" };
    let text = format!("In a wider window{or_csv} also: {}", names.join(", "));
    wrap::lines(&text, screen.width().unwrap_or(usize::MAX)).join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: &str) -> Cell {
        Cell::money(Usd::parse(amount).unwrap())
    }

    fn table() -> Table {
        let mut table = Table::new(&["service", "cost_usd"]);
        table.push(vec![Cell::name("openai"), money("10.5")]);
        table.push(vec![Cell::name("a\u{1b}[31m\""), money("-0.0000015")]);
        table.set_total(vec![Cell::text("total"), money("10.4999985")]);
        table
    }

    #[test]
    fn a_table_aligns_numbers_and_defuses_control_characters() {
        let expected = "\
┌─────────┬────────────┐
│ SERVICE ┆   COST USD │
╞═════════╪════════════╡
│ openai  ┆      10.50 │
│ a�[31m\" ┆ -0.0000015 │
│ total   ┆      10.50 │
└─────────┴────────────┘
";
        let painted = table().paint(Screen::plain());
        // Headings stand to the left, above numbers too.
        assert_eq!(painted, expected.replace("│ SERVICE ┆   COST USD │", "│ SERVICE ┆ COST USD   │"));
    }

    #[test]
    fn csv_quotes_and_keeps_formulas_from_running() {
        let mut table = Table::new(&["service", "cost_usd"]);
        for service in ["plain", "a,b", "say \"hi\"", "=cmd|' /C calc'!A0", "-1", "@x"] {
            table.push(vec![Cell::text(service), money("-1")]);
        }
        table.set_total(vec![Cell::text("total"), money("-6")]);
        assert_eq!(
            table.csv().unwrap(),
            "service,cost_usd\r\nplain,-1\r\n\"a,b\",-1\r\n\"say \"\"hi\"\"\",-1\r\n'=cmd|' /C calc'!A0,-1\r\n'-1,-1\r\n'@x,-1\r\n"
        );
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let mut table = Table::new(&["state"]);
        table.push(vec![Cell::toned("exhausted", Tone::Bad)]);
        assert!(!table.paint(Screen::plain()).contains('\u{1b}'));
        assert!(table.paint(Screen::coloured()).contains('\u{1b}'));
    }
}
