//! Where a budget stands whose limit holds for each value of something by itself.

use super::{Account, BudgetState, Standing};

/// Where a budget stands.
#[derive(Clone, Debug)]
pub enum BudgetStanding {
    /// One that has one limit for all that it covers.
    Whole(Standing),
    /// One whose limit holds for each value of something by itself.
    Keyed(KeysStanding),
}

/// Where a budget with `each` stands.
#[derive(Clone, Debug)]
pub struct KeysStanding {
    /// The standing of the fullest key; of none where there is none.
    pub standing: Standing,
    /// How the keys with cost or holds in this period stand.
    pub counts: KeyCounts,
    /// The fullest keys.
    pub fullest: Vec<KeyStanding>,
}

/// Where one key of a budget stands.
#[derive(Clone, Debug)]
pub struct KeyStanding {
    /// The key, folded.
    pub key: Box<str>,
    /// What is used.
    pub account: Account,
    /// How serious it is.
    pub state: BudgetState,
}

/// How many keys of a budget stand how, in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// All that have cost.
    pub keys: u64,
    /// Those from the lowest alert threshold on, but below the limit.
    pub warning: u64,
    /// Those that have used up the limit.
    pub exhausted: u64,
}

impl KeyCounts {
    /// Counts a key that stood so, if it did, and now stands so.
    pub fn change(&mut self, before: Option<BudgetState>, now: Option<BudgetState>) {
        for (state, sign) in [(before, -1), (now, 1)] {
            let Some(state) = state else { continue };
            self.keys = self.keys.saturating_add_signed(sign);
            match state {
                BudgetState::Ok => {}
                BudgetState::Warning | BudgetState::Critical => self.warning = self.warning.saturating_add_signed(sign),
                BudgetState::Exhausted => self.exhausted = self.exhausted.saturating_add_signed(sign),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_counted_once_where_it_stands() {
        use BudgetState::{Critical, Exhausted, Ok, Warning};
        let mut counts = KeyCounts::default();
        let expected = |keys, warning, exhausted| KeyCounts { keys, warning, exhausted };
        for (before, now, after) in [
            (None, Some(Ok), expected(1, 0, 0)),
            (None, Some(Warning), expected(2, 1, 0)),
            (None, Some(Exhausted), expected(3, 1, 1)),
            (Some(Ok), Some(Critical), expected(3, 2, 1)),
            (Some(Critical), Some(Exhausted), expected(3, 1, 2)),
            (Some(Exhausted), Some(Ok), expected(3, 1, 1)),
            (Some(Warning), None, expected(2, 0, 1)),
            (Some(Exhausted), None, expected(1, 0, 0)),
            (Some(Ok), None, expected(0, 0, 0)),
        ] {
            counts.change(before, now);
            assert_eq!(counts, after, "{before:?} {now:?}");
        }
    }
}
