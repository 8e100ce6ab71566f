//! Where answers go: standard output, with what a terminal can show.
//!
//! *Invariants.* A reader who has seen enough (`| head`) is no error.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

use super::Failure;
use crate::config::Sources;

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

/// Where an answer goes.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    colours: bool,
    terminal: bool,
}

impl Screen {
    /// Standard output, with colours where a terminal shows them and `NO_COLOR` does not forbid it.
    pub fn of_process(process: &Sources) -> Self {
        let terminal = io::stdout().is_terminal();
        let dumb = process.variable("TERM") == Some("dumb");
        Self { terminal, colours: terminal && !dumb && process.variable("NO_COLOR").is_none() }
    }

    /// Makes room for an answer that takes the place of the one before; on paper, they follow each other.
    pub fn clear(&self) -> Result<(), Failure> {
        // ECMA-48: the cursor to the corner, and everything erased.
        if self.terminal { print_text("\u{1b}[H\u{1b}[2J").map(drop) } else { Ok(()) }
    }

    /// Whether it is as wide as somebody's window.
    pub const fn is_terminal(self) -> bool {
        self.terminal
    }

    /// Whether colours are shown.
    pub const fn has_colours(self) -> bool {
        self.colours
    }

    /// Paper.
    #[cfg(test)]
    pub const fn plain() -> Self {
        Self { colours: false, terminal: false }
    }

    /// Paper that takes colours.
    #[cfg(test)]
    pub const fn coloured() -> Self {
        Self { colours: true, terminal: false }
    }
}

/// Text without what could steer a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }).collect()
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
