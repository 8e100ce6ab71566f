//! What is on record about the scaling gate.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// What the gate follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum GateMode {
    /// The global budgets.
    Auto,
    /// An operator's word.
    Manual,
    /// Nothing: it is never active.
    Disabled,
}

/// One line of the gate's durable history.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The name of the token that it was changed with, if that has one.
    pub token: Option<Box<str>>,
}

/// An operator's word, which holds until it is taken back or lapses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateOverride {
    /// What the gate is to be.
    pub active: bool,
    /// Why; 1 to 500 bytes.
    pub reason: String,
    /// Who says so; at most 200 bytes, empty when not said.
    pub actor: String,
    /// Since when.
    pub since: Timestamp,
    /// When it lapses, by the wall clock, which is the one the operator reads; `None`: not by itself.
    pub expires_at: Option<Timestamp>,
    /// The name of the token that it was sent with, if that has one.
    pub token: Option<Box<str>>,
}

impl GateMode {
    /// The word used in JSON and in the ledger.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl GateOverride {
    /// Whether it still holds.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_holds_until_just_before_it_lapses() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let lapse = at("2026-11-22T10:00:00Z");
        let word = |expires_at| GateOverride {
            active: true,
            reason: "why".to_owned(),
            actor: String::new(),
            since: at("2026-11-22T09:00:00Z"),
            expires_at,
            token: None,
        };
        assert!(word(Some(lapse)).holds_at(at("2026-11-22T09:59:59.999999999Z")));
        assert!(!word(Some(lapse)).holds_at(lapse));
        assert!(word(None).holds_at(Timestamp::MAX));
        assert_eq!(
            [GateMode::Auto, GateMode::Manual, GateMode::Disabled].map(GateMode::as_str),
            ["auto", "manual", "disabled"]
        );
    }
}
