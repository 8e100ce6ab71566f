//! How things look. Colours only repeat what words say.

use ratatui::style::{Color, Modifier, Style};

use crate::budget::BudgetState;
use crate::wire::Word;

/// What a text is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// What may be passed over.
    Quiet,
    /// What just came.
    New,
    Strong,
    Good,
    Warning,
    Bad,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    pub colours: bool,
    /// All of it is old.
    pub faded: bool,
}

impl Theme {
    pub fn style(self, tone: Tone) -> Style {
        let (colour, modifier) = match tone {
            Tone::Plain => (None, Modifier::empty()),
            Tone::Quiet => (None, Modifier::DIM),
            Tone::New | Tone::Strong => (None, Modifier::BOLD),
            Tone::Good => (Some(Color::Green), Modifier::empty()),
            Tone::Warning => (Some(Color::Yellow), Modifier::BOLD),
            Tone::Bad => (Some(Color::Red), Modifier::BOLD),
        };
        let style = Style::new().add_modifier(if self.faded { Modifier::DIM } else { modifier });
        match colour.filter(|_| self.colours && !self.faded) {
            Some(colour) => style.fg(colour),
            None => style,
        }
    }
}

/// How urgent a budget is.
pub fn tone_of(state: &Word<BudgetState>) -> Tone {
    match state.known() {
        Some(BudgetState::Ok) => Tone::Good,
        Some(BudgetState::Warning) => Tone::Warning,
        Some(BudgetState::Critical | BudgetState::Exhausted) => Tone::Bad,
        None => Tone::Plain,
    }
}
