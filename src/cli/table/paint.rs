//! A table drawn with lines.

use super::layout::Layout;
use super::wrap;

/// One cell to be drawn, without what could steer a terminal.
#[derive(Debug)]
pub struct Drawn {
    pub text: String,
    /// At the right end of its column.
    pub right: bool,
    /// How narrow its column may become.
    pub narrowest: usize,
    /// Lines that it may take; the rest of it is left out.
    pub lines_max: usize,
    /// The ECMA-48 code of its colour, if it has one.
    pub colour: Option<&'static str>,
}

/// Draws rows under headings. `headings` and every row are as long as there are columns.
pub fn draw(layout: &Layout, headings: &[Drawn], rows: &[Vec<Drawn>]) -> String {
    match layout {
        Layout::Columns(columns) => side_by_side(columns, headings, rows),
        Layout::Blocks(heading, cell) => blocks([*heading, *cell], headings, rows),
    }
}

fn side_by_side(columns: &[(usize, usize)], headings: &[Drawn], rows: &[Vec<Drawn>]) -> String {
    let widths: Vec<usize> = columns.iter().map(|(_, width)| *width).collect();
    let chosen = |row: &[Drawn], text: &mut String| {
        let cells: Vec<_> = columns.iter().filter_map(|(position, width)| Some((row.get(*position)?, *width))).collect();
        lines(&cells, text);
    };
    let mut text = rule(&widths, ['┌', '─', '┬', '┐']);
    chosen(headings, &mut text);
    text += &rule(&widths, ['╞', '═', '╪', '╡']);
    rows.iter().for_each(|row| chosen(row, &mut text));
    text + &rule(&widths, ['└', '─', '┴', '┘'])
}

fn blocks(widths: [usize; 2], headings: &[Drawn], rows: &[Vec<Drawn>]) -> String {
    let mut text = rule(&widths, ['┌', '─', '┬', '┐']);
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            text += &rule(&widths, ['├', '─', '┼', '┤']);
        }
        for (heading, cell) in headings.iter().zip(row).filter(|(_, cell)| !cell.text.is_empty()) {
            let cell = Drawn { right: false, text: cell.text.clone(), ..*cell };
            lines(&[(heading, widths[0]), (&cell, widths[1])], &mut text);
        }
    }
    text + &rule(&widths, ['└', '─', '┴', '┘'])
}

/// One row, on as many lines as its highest cell needs.
fn lines(cells: &[(&Drawn, usize)], text: &mut String) {
    let broken: Vec<Vec<String>> =
        cells.iter().map(|(cell, width)| wrap::first_lines(&cell.text, *width, cell.lines_max)).collect();
    let height = broken.iter().map(Vec::len).max().unwrap_or(0);
    for number in 0..height {
        for (index, ((cell, width), lines)) in cells.iter().zip(&broken).enumerate() {
            let line = lines.get(number).map_or("", String::as_str);
            let blanks = " ".repeat(width.saturating_sub(wrap::width(line)));
            let padded = if cell.right { format!("{blanks}{line}") } else { format!("{line}{blanks}") };
            text.push_str(if index == 0 { "│ " } else { " ┆ " });
            match cell.colour {
                Some(code) => *text += &format!("\u{1b}[{code}m{padded}\u{1b}[0m"),
                None => text.push_str(&padded),
            }
        }
        text.push_str(" │\n");
    }
}

fn rule(widths: &[usize], [left, line, cross, right]: [char; 4]) -> String {
    let parts: Vec<String> = widths.iter().map(|width| line.to_string().repeat(width + 2)).collect();
    format!("{left}{}{right}\n", parts.join(&cross.to_string()))
}
