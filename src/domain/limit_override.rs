//! Limits that somebody has set in place of those of the settings.

use jiff::Timestamp;

/// One line of the history of overrides: from then on the budget has this limit, until it lapses or another line comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitOverride {
    /// The budget's name.
    pub budget: Box<str>,
    /// The limit, in the smallest parts of each of the budget's units, as its `limit` was written then: `usd`, or names of usage, in
    /// order. `None` lifts the override.
    pub limit: Option<Vec<(Box<str>, i128)>>,
    /// Why; 1 to 500 bytes.
    pub reason: String,
    /// Who says so; at most 200 bytes, empty when not said.
    pub actor: String,
    /// Since when.
    pub timestamp: Timestamp,
    /// When it lapses by itself.
    pub expires_at: Option<Timestamp>,
    /// The name of the token that it was sent with, if that has one.
    pub token: Option<Box<str>>,
}

impl LimitOverride {
    /// Whether it sets a limit at this instant.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.limit.is_some() && self.expires_at.is_none_or(|end| now < end)
    }

    /// When the limit that it sets lapses, if it sets one that does.
    pub fn lapses_at(&self) -> Option<Timestamp> {
        self.expires_at.filter(|_| self.limit.is_some())
    }
}
