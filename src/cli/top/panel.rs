//! One part of the screen: a heading with a rule, and rows below it of which some are seen.

use ratatui::text::{Line, Span};

use super::super::table::wrap;
use super::columns::{Column, Row, drawn};
use super::text::clean;
use super::theme::{Theme, Tone};

/// The parts that can be scrolled, in the order in which Tab goes through them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Budgets,
    Holds,
    Unpriced,
    Days,
    Costs,
    #[default]
    Events,
}

/// What is to be shown of one part.
#[derive(Debug)]
pub struct Panel {
    pub place: Place,
    /// Never cut.
    pub heading: &'static str,
    /// Behind the heading, where there is room.
    pub summary: String,
    /// Why the rows are old or not there.
    pub trouble: Option<String>,
    /// What is said in place of rows.
    pub empty: &'static str,
    pub columns: &'static [Column],
    pub rows: Vec<Row>,
}

impl Panel {
    /// Lines above the rows, of which there are some or something is said in their place.
    fn lines_above(&self) -> usize {
        1 + usize::from(self.trouble.is_some())
    }

    /// Lines that it would fill.
    pub fn wanted(&self) -> usize {
        let said = usize::from(self.rows.is_empty() && self.trouble.is_none() && !self.empty.is_empty());
        self.lines_above() + self.rows.len().max(said)
    }

    /// Rows that are seen in so many lines.
    pub fn rows_seen(&self, lines: usize) -> usize {
        lines.saturating_sub(self.lines_above()).min(self.rows.len())
    }

    /// As many lines as are given, with the rows from one on.
    pub fn lines(&self, [columns, lines]: [usize; 2], from: usize, is_focused: bool, theme: Theme) -> Vec<Line<'static>> {
        let seen = self.rows_seen(lines);
        let mut text = vec![self.heading(columns, from, seen, is_focused, theme)];
        if let Some(trouble) = &self.trouble {
            let said = wrap::cut(&format!("cannot be read: {}", clean(trouble)), columns);
            text.push(Line::styled(said, theme.style(Tone::Bad)));
        }
        if self.rows.is_empty() && self.trouble.is_none() && !self.empty.is_empty() {
            text.push(Line::styled(wrap::cut(self.empty, columns), theme.style(Tone::Quiet)));
        }
        text.extend(drawn(self.columns, &self.rows, from..from + seen, columns, theme));
        text.truncate(lines);
        text
    }

    fn heading(&self, columns: usize, from: usize, seen: usize, is_focused: bool, theme: Theme) -> Line<'static> {
        let place = match (seen, self.rows.len()) {
            (0, _) => String::new(),
            (seen, all) if seen < all => format!(" {}–{} of {all} ", from + 1, from + seen),
            _ => String::new(),
        };
        let mark = if is_focused { "▸ " } else { "─ " };
        let room = columns.saturating_sub(wrap::width(mark) + wrap::width(self.heading) + 1);
        let place = if wrap::width(&place) < room { place } else { String::new() };
        let summary = if self.summary.is_empty() { String::new() } else { format!(" {}", self.summary) };
        let summary = wrap::cut(&summary, room.saturating_sub(wrap::width(&place)));
        let rule = room.saturating_sub(wrap::width(&summary) + wrap::width(&place));
        let quiet = theme.style(Tone::Quiet);
        Line::from(vec![
            Span::styled(mark, if is_focused { theme.style(Tone::Strong) } else { quiet }),
            Span::styled(self.heading, theme.style(Tone::Strong)),
            Span::raw(summary),
            Span::styled(format!(" {}", "─".repeat(rule)), quiet),
            Span::styled(place, quiet),
        ])
    }
}
