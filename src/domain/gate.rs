//! What is on record about the scaling gate.

use jiff::Timestamp;
use serde::Serialize;

/// What the gate follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GateMode {
    /// The global budgets.
    Auto,
    /// Nothing: it is never active.
    Disabled,
}

/// One line of the gate's durable history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GateChange {
    /// When it changed.
    pub timestamp: Timestamp,
    /// The state from then on; active means "stop work that is not critical".
    pub active: bool,
    /// Why, for a person.
    pub reason: String,
    /// What the gate follows from then on.
    pub mode: GateMode,
    /// Who changed it; empty for the agent itself.
    pub actor: String,
}

impl GateMode {
    /// The word used in JSON and in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Disabled => "disabled",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "disabled" => Some(Self::Disabled),
            _ => None,
        }
    }
}
