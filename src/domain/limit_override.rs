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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_holds_until_just_before_it_lapses_if_it_sets_a_limit() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let lapse = at("2026-11-22T10:00:00Z");
        let before = at("2026-11-22T09:59:59.999999999Z");
        let of = |limit: Option<i128>, expires_at| LimitOverride {
            budget: "daily".into(),
            limit: limit.map(|limit| vec![("usd".into(), limit)]),
            reason: "why".to_owned(),
            actor: String::new(),
            timestamp: at("2026-11-22T00:00:00Z"),
            expires_at,
            token: None,
        };
        for (limit, expires_at, holds_before, holds_at_lapse, lapses_at) in [
            (Some(1), Some(lapse), true, false, Some(lapse)),
            (Some(1), None, true, true, None),
            (None, Some(lapse), false, false, None),
            (None, None, false, false, None),
        ] {
            let change = of(limit, expires_at);
            let found = (change.holds_at(before), change.holds_at(lapse), change.lapses_at());
            assert_eq!(found, (holds_before, holds_at_lapse, lapses_at), "{limit:?} {expires_at:?}");
        }
    }
}
