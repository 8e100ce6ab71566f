//! Where answers go: standard output, with what a terminal can show.
//!
//! *Invariants.* A reader who has seen enough (`| head`) is no error.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

use super::Failure;
use crate::config::Sources;
pub use crate::people::printable;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Table,
    /// The agent's answer as it came.
    Json,
    /// For spreadsheets.
    Csv,
}

/// Columns of a terminal that does not say how many it has.
const COLUMNS_DEFAULT: usize = 80;

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    colours: bool,
    terminal: bool,
    dumb: bool,
    /// What `COLUMNS` says, for programs that read a terminal's answer for it, such as `watch`.
    columns: Option<usize>,
}

impl Screen {
    /// Standard output, with colours where a terminal shows them and `NO_COLOR` does not forbid it.
    pub fn of_process(process: &Sources) -> Self {
        let terminal = io::stdout().is_terminal();
        let dumb = process.variable("TERM") == Some("dumb");
        let columns = process.variable("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
        Self { terminal, colours: terminal && !dumb && process.variable("NO_COLOR").is_none(), dumb, columns }
    }

    /// Whether what it shows can be drawn over.
    pub const fn is_live(self) -> bool {
        self.terminal && !self.dumb
    }

    /// A line that tells of something wrong.
    pub fn warning(self, line: &str) -> String {
        if self.colours { format!("\u{1b}[31m{line}\u{1b}[0m") } else { line.to_owned() }
    }

    /// Columns and rows of the window, as they are now.
    fn window(self) -> Option<(usize, usize)> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|_| self.terminal)?;
        (size.ws_col > 0).then_some((size.ws_col.into(), size.ws_row.into()))
    }

    /// Columns that a line may have; as many as it likes on paper.
    pub fn width(self) -> Option<usize> {
        let default = self.terminal.then_some(COLUMNS_DEFAULT);
        self.window().map(|(columns, _)| columns).or(self.columns).or(default)
    }

    /// Whether colours are shown.
    pub const fn has_colours(self) -> bool {
        self.colours
    }

    /// Paper.
    #[cfg(test)]
    pub const fn plain() -> Self {
        Self { colours: false, terminal: false, dumb: true, columns: None }
    }

    /// Paper that takes colours.
    #[cfg(test)]
    pub const fn coloured() -> Self {
        Self { colours: true, ..Self::plain() }
    }

    /// Paper that is so wide.
    #[cfg(test)]
    pub const fn wide(columns: usize) -> Self {
        Self { columns: Some(columns), ..Self::plain() }
    }
}

/// A terminal's other page, on which frames are drawn over each other. The first one comes back when it is dropped.
pub struct LiveScreen(Screen);

/// Rows of a terminal that does not say how many it has.
const ROWS_DEFAULT: usize = 24;

impl LiveScreen {
    /// Turns to the other page and hides the cursor (xterm's control sequences, which every terminal of today has).
    pub fn enter(screen: Screen) -> Result<Self, Failure> {
        print_text("\u{1b}[?1049h\u{1b}[?25l")?;
        Ok(Self(screen))
    }

    /// Columns and rows, as they are now.
    pub fn size(&self) -> (usize, usize) {
        let default = (self.0.width().unwrap_or(COLUMNS_DEFAULT), ROWS_DEFAULT);
        self.0.window().map_or(default, |(columns, rows)| (columns, if rows > 0 { rows } else { ROWS_DEFAULT }))
    }

    /// Draws lines over those of before, in one write: nothing flickers. Says whether there is still a terminal.
    pub fn draw(&self, lines: &[String]) -> Result<bool, Failure> {
        // The cursor to the corner; the rest of each line and of the page erased. No line feed at the end: it would scroll.
        let lines: Vec<String> = lines.iter().map(|line| format!("{line}\u{1b}[K")).collect();
        print_text(&format!("\u{1b}[H{}\u{1b}[J", lines.join("\r\n")))
    }
}

impl Drop for LiveScreen {
    fn drop(&mut self) {
        leave_live();
    }
}

/// Shows the cursor and turns back to the first page.
pub fn leave_live() {
    // A terminal that is gone needs nothing.
    let _gone = print_text("\u{1b}[?25h\u{1b}[?1049l");
}

/// Writes a line to standard output, and says whether somebody still reads.
pub fn print_line(line: &str) -> Result<bool, Failure> {
    print_text(&format!("{}\n", line.trim_end_matches('\n')))
}

/// Writes a line to standard error, for people only.
pub fn note(line: &str) {
    // With nobody left to read it, it is of no use to anybody.
    let _closed = writeln!(io::stderr(), "{}", printable(line));
}

/// Writes to standard output, and says whether somebody still reads.
pub fn print_text(text: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        // The reader has seen enough (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Failed(format!("cannot write to standard output: {error}"))),
    }
}
