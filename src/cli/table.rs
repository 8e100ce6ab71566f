//! Answers on paper: tables for people, CSV for spreadsheets.
//!
//! *Invariants.* No text from outside reaches a terminal with control characters in it. In CSV (RFC 4180), a text that a
//! spreadsheet would take for a formula gets an apostrophe in front; amounts are never touched. A program that needs the exact
//! names reads JSON.

use std::borrow::Cow;
use std::error::Error;

use comfy_table::{
    Attribute, Cell as PaintedCell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table as Painter, presets,
};

use super::Failure;
use super::output::{OutputFormat, Screen, print_line, print_text, printable};

/// How serious a cell is, shown as a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    tone: Tone,
    number: bool,
}

/// Rows under headings, with a line of sums if there is one.
#[derive(Clone, Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    total: Option<Vec<Cell>>,
}

impl Cell {
    /// A text from anywhere.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain, number: false }
    }

    /// A text with a colour.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { tone, ..Self::text(text) }
    }

    /// A number: aligned to the right.
    pub fn number(digits: impl ToString) -> Self {
        Self { number: true, ..Self::text(digits.to_string()) }
    }

    /// A text, if there is one.
    pub fn optional(text: Option<impl ToString>) -> Self {
        Self::text(text.map(|text| text.to_string()).unwrap_or_default())
    }

    /// As a spreadsheet may have it.
    fn inert(&self) -> Cow<'_, str> {
        let is_formula = !self.number && self.text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        if is_formula { format!("'{}", self.text).into() } else { self.text.as_str().into() }
    }

    fn painted(&self, screen: Screen) -> PaintedCell {
        let cell = PaintedCell::new(printable(&self.text));
        let cell = if self.number { cell.set_alignment(CellAlignment::Right) } else { cell };
        let colour = match self.tone {
            Tone::Good => Color::Green,
            Tone::Warning => Color::Yellow,
            Tone::Bad => Color::Red,
            Tone::Plain => return cell,
        };
        if screen.has_colours() { cell.fg(colour) } else { cell }
    }
}

impl Table {
    /// A table without rows. Headings are in lower case, as CSV has them.
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new(), total: None }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    /// Only these columns, in their order here; for a screen that is not as wide as a file.
    pub fn narrowed(&self, headings: &[&'static str]) -> Self {
        let positions: Vec<usize> =
            headings.iter().filter_map(|wanted| self.headings.iter().position(|heading| heading == wanted)).collect();
        let narrow = |row: &Vec<Cell>| positions.iter().filter_map(|position| row.get(*position).cloned()).collect();
        Self {
            headings: positions.iter().filter_map(|position| self.headings.get(*position).copied()).collect(),
            rows: self.rows.iter().map(narrow).collect(),
            total: self.total.as_ref().map(narrow),
        }
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
        let mut painter = Painter::new();
        painter.load_style(presets::UTF8_FULL_CONDENSED);
        if screen.is_terminal() {
            painter.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            painter.force_no_tty();
        }
        if screen.has_colours() {
            painter.enforce_styling();
        }
        painter.set_header(self.headings.iter().map(|heading| {
            let cell = PaintedCell::new(heading.to_uppercase().replace('_', " "));
            if screen.has_colours() { cell.add_attribute(Attribute::Bold) } else { cell }
        }));
        for row in self.rows.iter().chain(&self.total) {
            painter.add_row(row.iter().map(|cell| cell.painted(screen)));
        }
        for (index, column) in painter.column_iter_mut().enumerate() {
            // Digits of an amount stay on one line, however narrow the terminal.
            if self.rows.iter().any(|row| row.get(index).is_some_and(|cell| cell.number)) {
                column.set_constraint(ColumnConstraint::ContentWidth);
            }
        }
        format!("{painter}\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["service", "cost_usd"]);
        table.push(vec![Cell::text("openai"), Cell::number("10.5")]);
        table.push(vec![Cell::text("a\u{1b}[31m\""), Cell::number("-0.0000015")]);
        table.set_total(vec![Cell::text("total"), Cell::number("10.4999985")]);
        table
    }

    #[test]
    fn a_table_aligns_numbers_and_defuses_control_characters() {
        let expected = "\
┌─────────┬────────────┐
│ SERVICE ┆   COST USD │
╞═════════╪════════════╡
│ openai  ┆       10.5 │
│ a�[31m\" ┆ -0.0000015 │
│ total   ┆ 10.4999985 │
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
            table.push(vec![Cell::text(service), Cell::number("-1")]);
        }
        table.set_total(vec![Cell::text("total"), Cell::number("-6")]);
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
