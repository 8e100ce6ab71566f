//! What somebody looks at, and what keys do to that.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::panel::Place;
use super::question::{Period, Question};

/// Which costs, which part has the arrows, and how far each is scrolled.
#[derive(Debug, Default)]
pub struct View {
    pub question: Question,
    pub focus: Place,
    pub paused: bool,
    pub help: bool,
    /// The parts on the screen: how far each is scrolled, and how many of its rows are seen of how many.
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    place: Place,
    from: usize,
    seen: usize,
    rows: usize,
}

/// What is to be done beside drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Nothing,
    Quit,
    Ask,
    Refresh,
    Pause,
}

impl View {
    /// As it is at first.
    pub fn new(question: Question) -> Self {
        Self { question, ..Self::default() }
    }

    /// The row from which on a part is seen, of which so many can be seen: never so far down that there would be room left.
    pub fn from(&mut self, place: Place, seen: usize, rows: usize) -> usize {
        let part = match self.parts.iter_mut().find(|part| part.place == place) {
            Some(part) => part,
            None => {
                self.parts.push(Part { place, from: 0, seen, rows });
                self.parts.sort_by_key(|part| part.place);
                return 0;
            }
        };
        (part.seen, part.rows) = (seen, rows);
        part.from = part.from.min(rows.saturating_sub(seen));
        part.from
    }

    /// Forgets parts that are no longer on the screen.
    pub fn keep(&mut self, places: &[Place]) {
        self.parts.retain(|part| places.contains(&part.place));
        if !places.contains(&self.focus) {
            self.focus = places.last().copied().unwrap_or_default();
        }
    }

    /// What a key does.
    pub fn press(&mut self, key: KeyEvent) -> Deed {
        if key.kind == KeyEventKind::Release {
            return Deed::Nothing;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Deed::Quit } else { Deed::Nothing };
        }
        if self.help && matches!(key.code, KeyCode::Esc | KeyCode::Char('?')) {
            self.help = false;
            return Deed::Nothing;
        }
        let page = self.part().map_or(0, |part| part.seen.saturating_sub(1).max(1));
        match key.code {
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => return Deed::Quit,
            KeyCode::Char('?' | 'h') => self.help = true,
            KeyCode::Char('r') => return Deed::Refresh,
            KeyCode::Char('p' | ' ') => {
                self.paused = !self.paused;
                return Deed::Pause;
            }
            KeyCode::Char('d') => return self.ask(Question { period: Period::Day, ..self.question }),
            KeyCode::Char('m') => return self.ask(Question { period: Period::Month, ..self.question }),
            KeyCode::Char('g') => return self.ask(Question { by: self.question.by.next(), ..self.question }),
            KeyCode::Tab | KeyCode::Right => self.turn(1),
            KeyCode::BackTab | KeyCode::Left => self.turn(self.parts.len().saturating_sub(1)),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(|from, _| from.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.scroll(|from, _| from + 1),
            KeyCode::PageUp => self.scroll(|from, _| from.saturating_sub(page)),
            KeyCode::PageDown => self.scroll(|from, _| from + page),
            KeyCode::Home => self.scroll(|_, _| 0),
            KeyCode::End => self.scroll(|_, rows| rows),
            _ => {}
        }
        Deed::Nothing
    }

    fn ask(&mut self, question: Question) -> Deed {
        if question == self.question {
            return Deed::Nothing;
        }
        self.question = question;
        self.parts.retain(|part| part.place != Place::Costs);
        Deed::Ask
    }

    fn part(&mut self) -> Option<&mut Part> {
        self.parts.iter_mut().find(|part| part.place == self.focus)
    }

    fn scroll(&mut self, to: impl Fn(usize, usize) -> usize) {
        if let Some(part) = self.part() {
            part.from = to(part.from, part.rows).min(part.rows.saturating_sub(part.seen));
        }
    }

    /// The arrows to the part that is so many further on.
    fn turn(&mut self, by: usize) {
        let now = self.parts.iter().position(|part| part.place == self.focus).unwrap_or(0);
        if let Some(part) = self.parts.get((now + by) % self.parts.len().max(1)) {
            self.focus = part.place;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::question::By;
    use super::*;

    fn press(view: &mut View, code: KeyCode) -> Deed {
        view.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn keys_do_what_the_last_line_says() {
        let mut view = View::default();
        for code in [KeyCode::Char('q'), KeyCode::Esc] {
            assert_eq!(press(&mut view, code), Deed::Quit);
        }
        assert_eq!(view.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Deed::Quit);
        assert_eq!(view.press(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::CONTROL)), Deed::Nothing);
        assert_eq!(press(&mut view, KeyCode::Char('d')), Deed::Nothing, "it is the day already");
        assert_eq!(press(&mut view, KeyCode::Char('m')), Deed::Ask);
        assert_eq!(press(&mut view, KeyCode::Char('g')), Deed::Ask);
        assert_eq!(view.question, Question { by: By::Model, period: Period::Month });
        assert_eq!(press(&mut view, KeyCode::Char('r')), Deed::Refresh);
        assert_eq!((press(&mut view, KeyCode::Char('p')), view.paused), (Deed::Pause, true));
        assert_eq!((press(&mut view, KeyCode::Char('p')), view.paused), (Deed::Pause, false));
        press(&mut view, KeyCode::Char('?'));
        assert!(view.help);
        assert_eq!((press(&mut view, KeyCode::Esc), view.help), (Deed::Nothing, false), "of the help only");
    }

    #[test]
    fn scrolling_stays_within_the_rows_and_turns_to_what_is_on_the_screen() {
        let mut view = View::default();
        for (place, rows) in [(Place::Events, 10), (Place::Budgets, 3)] {
            assert_eq!(view.from(place, 4, rows), 0);
        }
        for (code, from) in [
            (KeyCode::Down, 1),
            (KeyCode::PageDown, 4),
            (KeyCode::PageDown, 6),
            (KeyCode::Down, 6),
            (KeyCode::Up, 5),
            (KeyCode::PageUp, 2),
            (KeyCode::End, 6),
            (KeyCode::Home, 0),
            (KeyCode::Up, 0),
            (KeyCode::End, 6),
        ] {
            press(&mut view, code);
            assert_eq!(view.from(Place::Events, 4, 10), from, "{code:?}");
        }
        assert_eq!(view.from(Place::Events, 4, 7), 3, "fewer rows");
        press(&mut view, KeyCode::Tab);
        assert_eq!(view.focus, Place::Budgets);
        press(&mut view, KeyCode::Down);
        assert_eq!(view.from(Place::Budgets, 4, 3), 0, "all are seen");
        press(&mut view, KeyCode::BackTab);
        assert_eq!(view.focus, Place::Events);
        view.keep(&[Place::Budgets]);
        assert_eq!(view.focus, Place::Budgets, "the other is gone");
        press(&mut View::default(), KeyCode::Tab);
    }
}
