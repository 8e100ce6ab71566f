//! Which columns fit on a screen, and how wide each is.
//!
//! *Invariants.* At 60 columns and more nothing is wider than the screen. No word of a heading and no number is broken, but for an
//! attribute's name that is longer than a line. On paper everything stands as it is.

use super::wrap;

/// Columns between the text of two cells: a blank, a line and a blank; the same at both ends together, with one more.
const BETWEEN: usize = 3;

/// What one column needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Its heading on one line.
    heading: usize,
    /// The longest word of its heading.
    word: usize,
    /// Its widest cell on one line.
    cell: usize,
    /// The least width in which its cells can be read.
    cell_min: usize,
}

/// How a table is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Side by side: the columns by their position, and how wide each is.
    Columns(Vec<(usize, usize)>),
    /// Each row a block of its own: how wide the headings and how wide the cells are.
    Blocks(usize, usize),
}

impl Needs {
    pub fn of_heading(heading: &str) -> Self {
        Self { heading: wrap::width(heading), word: wrap::longest_word(heading), cell: 0, cell_min: 0 }
    }

    /// Takes a cell in, whose column may become as narrow as this before another is left out.
    pub fn take(&mut self, text: &str, narrowest: usize) {
        let width = wrap::width(text);
        self.cell = self.cell.max(width);
        self.cell_min = self.cell_min.max(width.min(narrowest));
    }

    const fn on_one_line(self) -> usize {
        if self.heading > self.cell { self.heading } else { self.cell }
    }

    const fn with_wrapped_heading(self) -> usize {
        if self.word > self.cell { self.word } else { self.cell }
    }

    const fn least(self) -> usize {
        if self.word > self.cell_min { self.word } else { self.cell_min }
    }
}

/// Lays out columns on a screen of this width, or on paper. Those of `droppable` are left out where there is no room for them,
/// the first one first; where even that is not enough, rows become blocks.
pub fn layout(needs: &[Needs], droppable: &[usize], screen: Option<usize>) -> Layout {
    let mut columns: Vec<(usize, Needs)> = needs.iter().copied().enumerate().collect();
    let Some(screen) = screen else {
        return Layout::Columns(columns.into_iter().map(|(position, needs)| (position, needs.on_one_line())).collect());
    };
    let mut droppable = droppable.iter();
    loop {
        if let Some(widths) = screen.checked_sub(BETWEEN * columns.len() + 1).and_then(|room| widths(&columns, room)) {
            return Layout::Columns(columns.iter().map(|(position, _)| *position).zip(widths).collect());
        }
        match droppable.next() {
            Some(dropped) => columns.retain(|(position, _)| position != dropped),
            None => break,
        }
    }
    // A word that somebody chose may be longer than a line: then it goes on in the next one.
    let heading_max = screen.saturating_sub(2 * BETWEEN + 1) / 2;
    let heading = needs.iter().map(|needs| needs.heading).max().unwrap_or(0).min(heading_max).max(1);
    let cell = needs.iter().map(|needs| needs.cell).max().unwrap_or(0);
    Layout::Blocks(heading, cell.min(screen.saturating_sub(2 * BETWEEN + 1 + heading)).max(1))
}

/// The widths of columns in so much room: headings are broken first, then the widest texts.
fn widths(columns: &[(usize, Needs)], room: usize) -> Option<Vec<usize>> {
    let sum = |widths: &[usize]| widths.iter().sum::<usize>();
    let of = |width: fn(Needs) -> usize| columns.iter().map(|(_, needs)| width(*needs)).collect::<Vec<_>>();
    let easy = of(Needs::on_one_line);
    if sum(&easy) <= room {
        return Some(easy);
    }
    let (least, most) = (of(Needs::least), of(Needs::with_wrapped_heading));
    if sum(&least) > room {
        return None;
    }
    // The highest level to which all that are wider are cut down.
    let at = |level: usize| -> Vec<usize> {
        least.iter().zip(&most).map(|(least, most)| level.clamp(*least, *least.max(most))).collect()
    };
    let level = (1..=room).rev().find(|level| sum(&at(*level)) <= room).unwrap_or(0);
    let mut widths = at(level);
    let mut left = room - sum(&widths);
    for (width, most) in widths.iter_mut().zip(&most) {
        if left > 0 && *width == level && *width < *most {
            *width += 1;
            left -= 1;
        }
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(heading: &str, cells: &[(&str, usize)]) -> Needs {
        let mut needs = Needs::of_heading(heading);
        cells.iter().for_each(|(text, narrowest)| needs.take(text, *narrowest));
        needs
    }

    #[test]
    fn headings_are_broken_before_texts_and_texts_before_columns_are_left_out() {
        let name = needs("NAME", &[(&"n".repeat(40), 14)]);
        let amount = needs("REMAINING USD", &[("10.50", usize::MAX)]);
        let table = [name, amount];
        let at = |screen| layout(&table, &[1], Some(screen));
        assert_eq!(layout(&table, &[1], None), Layout::Columns(vec![(0, 40), (1, 13)]));
        assert_eq!(at(60), Layout::Columns(vec![(0, 40), (1, 13)]));
        assert_eq!(at(59), Layout::Columns(vec![(0, 40), (1, 9)]));
        assert_eq!(at(50), Layout::Columns(vec![(0, 34), (1, 9)]));
        assert_eq!(at(30), Layout::Columns(vec![(0, 14), (1, 9)]));
        assert_eq!(at(29), Layout::Columns(vec![(0, 25)]), "the amount is left out");
        assert_eq!(at(17), Layout::Blocks(5, 5), "and a screen that is no screen is no panic");
        assert_eq!(layout(&table, &[], Some(29)), Layout::Blocks(11, 11));
        assert_eq!(layout(&table, &[], Some(0)), Layout::Blocks(1, 1));
    }

    #[test]
    fn room_that_is_left_goes_to_the_widest() {
        let table = [needs("A", &[(&"a".repeat(30), 14)]), needs("B", &[(&"b".repeat(30), 14)])];
        assert_eq!(layout(&table, &[], Some(48)), Layout::Columns(vec![(0, 21), (1, 20)]));
    }
}
