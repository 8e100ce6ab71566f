//! Rows of cells, side by side in as much room as there is.
//!
//! *Invariants.* No row is wider than its room. A number stands there whole or not at all. What is less important gives way first.

use ratatui::text::{Line, Span};

use super::super::table::wrap;
use super::graph::{Bar, sparkline};
use super::theme::{Theme, Tone};

/// What stands at a place of a row.
#[derive(Clone, Debug)]
pub enum Cell {
    Text(String, Tone),
    Bar(Bar, Tone),
    /// Sizes by day, the last one at the right end.
    Spark(Vec<u128>),
}

/// How wide a column is.
#[derive(Clone, Copy, Debug)]
pub enum Fit {
    /// A text that may be cut, not below so many columns.
    Cut(usize),
    /// As wide as its widest cell; at the left.
    Whole,
    /// The same; at the right, as numbers stand.
    Number,
    /// A picture: at least and at most so wide.
    Picture(usize, usize),
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub fit: Fit,
    /// The highest is left out first; 0 stays.
    pub gives_way: u8,
}

pub type Row = Vec<Cell>;

/// Columns between two cells.
const GAP: usize = 1;

impl Cell {
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Text(text.into(), Tone::Plain)
    }

    pub fn empty() -> Self {
        Self::plain("")
    }

    fn width(&self) -> usize {
        match self {
            Self::Text(text, _) => wrap::width(text),
            Self::Bar(..) => 1,
            Self::Spark(days) => days.len(),
        }
    }

    fn span(&self, width: usize, fit: Fit, theme: Theme) -> Span<'static> {
        let (text, tone) = match self {
            Self::Text(text, tone) => (wrap::cut(text, width), *tone),
            Self::Bar(bar, tone) => (bar.drawn(width), *tone),
            Self::Spark(days) => (sparkline(days, width), Tone::Plain),
        };
        let blanks = " ".repeat(width.saturating_sub(wrap::width(&text)));
        let text = if matches!(fit, Fit::Number) { blanks + &text } else { text + &blanks };
        Span::styled(text, theme.style(tone))
    }
}

/// The rows from one on, at most so many, in so much room.
pub fn drawn(
    columns: &[Column],
    rows: &[Row],
    range: std::ops::Range<usize>,
    room: usize,
    theme: Theme,
) -> Vec<Line<'static>> {
    // From all rows, so that scrolling moves nothing sideways.
    let widths = widths(columns, &natural(columns, rows), room);
    let line = |row: &Row| {
        let cells = row.iter().zip(columns).zip(&widths).filter(|(_, width)| **width > 0);
        let mut spans: Vec<Span<'static>> = vec![];
        for ((cell, column), width) in cells {
            if !spans.is_empty() {
                spans.push(Span::raw(" ".repeat(GAP)));
            }
            spans.push(cell.span(*width, column.fit, theme));
        }
        Line::from(spans)
    };
    rows.iter().skip(range.start).take(range.len()).map(line).collect()
}

/// How wide the widest cell of each column is.
fn natural(columns: &[Column], rows: &[Row]) -> Vec<usize> {
    let widest = |place: usize| rows.iter().filter_map(|row| row.get(place)).map(Cell::width).max().unwrap_or(0);
    (0..columns.len()).map(widest).collect()
}

/// The width of each column; 0 is left out.
fn widths(columns: &[Column], natural: &[usize], room: usize) -> Vec<usize> {
    let least = |(column, natural): (&Column, &usize)| match column.fit {
        Fit::Cut(least) => least.min(*natural),
        Fit::Whole | Fit::Number => *natural,
        Fit::Picture(least, _) => {
            if *natural > 0 {
                least
            } else {
                0
            }
        }
    };
    let most = |(column, natural): (&Column, &usize)| match column.fit {
        Fit::Picture(_, most) => {
            if *natural > 0 {
                most
            } else {
                0
            }
        }
        Fit::Cut(_) | Fit::Whole | Fit::Number => *natural,
    };
    let mut widths: Vec<usize> = columns.iter().zip(natural).map(least).collect();
    let used = |widths: &[usize]| {
        let shown = widths.iter().filter(|width| **width > 0).count();
        widths.iter().sum::<usize>() + GAP * shown.saturating_sub(1)
    };
    while used(&widths) > room {
        let shown = columns.iter().enumerate().filter(|(place, _)| widths.get(*place).is_some_and(|width| *width > 0));
        // Of two as unimportant the one at the right.
        let Some((place, _)) = shown.filter(|(_, column)| column.gives_way > 0).max_by_key(|(_, column)| column.gives_way)
        else {
            break;
        };
        if let Some(width) = widths.get_mut(place) {
            *width = 0;
        }
    }
    // A number that is wider than the room: better cut than beside the window.
    while used(&widths) > room {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > 0) else { break };
        *widest -= 1;
    }
    let most: Vec<usize> = columns.iter().zip(natural).map(most).collect();
    for is_picture in [false, true] {
        let grows = |fit: Fit| matches!(fit, Fit::Picture(..)) == is_picture;
        let mut left = room.saturating_sub(used(&widths));
        // One column each in turn, so that two long names share what there is.
        while left > 0 {
            let before = left;
            for ((width, most), column) in widths.iter_mut().zip(&most).zip(columns) {
                if left > 0 && grows(column.fit) && *width > 0 && *width < *most {
                    *width += 1;
                    left -= 1;
                }
            }
            if left == before {
                break;
            }
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [Column; 4] = [
        Column { fit: Fit::Cut(8), gives_way: 0 },
        Column { fit: Fit::Number, gives_way: 0 },
        Column { fit: Fit::Picture(4, 20), gives_way: 2 },
        Column { fit: Fit::Whole, gives_way: 3 },
    ];

    #[test]
    fn what_is_less_important_gives_way_and_names_grow_before_pictures() {
        for (room, expected) in [
            (60, [20, 6, 20, 10]),
            (59, [20, 6, 20, 10]),
            (45, [20, 6, 6, 10]),
            (43, [20, 6, 4, 10]),
            (40, [17, 6, 4, 10]),
            (31, [8, 6, 4, 10]),
            (30, [18, 6, 4, 0]),
            (20, [8, 6, 4, 0]),
            (19, [12, 6, 0, 0]),
            (15, [8, 6, 0, 0]),
            (9, [4, 4, 0, 0]),
        ] {
            assert_eq!(widths(&COLUMNS, &[20, 6, 1, 10], room), expected, "{room}");
        }
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_its_room(name in "[a-z请 ]{0,40}", number in "[0-9]{0,30}", note in "[a-z请]{0,30}", room in 2_usize..120) {
            let bar = Cell::Bar(Bar::of_percent(50.0), Tone::Good);
            let rows = [vec![Cell::plain(name), Cell::plain(number), bar, Cell::plain(note)]];
            for line in drawn(&COLUMNS, &rows, 0..1, room, Theme { colours: true, faded: false }) {
                prop_assert!(line.width() <= room, "{line:?}");
            }
        }
    }
}
