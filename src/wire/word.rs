//! A word of a closed set, or one that a newer agent says.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A word. Its own agent always knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Word<T> {
    /// One of the set.
    Known(T),
    /// Any other: kept to be shown.
    Other(String),
}

impl<T: Copy + Into<&'static str>> Word<T> {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(word) => (*word).into(),
            Self::Other(word) => word,
        }
    }

    /// The word, if it is one of the set.
    pub const fn known(&self) -> Option<T> {
        if let Self::Known(word) = self { Some(*word) } else { None }
    }
}

impl<T> From<T> for Word<T> {
    fn from(word: T) -> Self {
        Self::Known(word)
    }
}

/// The word of an answer that has none.
impl<T> Default for Word<T> {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

impl<T: Copy + Into<&'static str>> fmt::Display for Word<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PeriodKind;

    #[test]
    fn a_word_that_is_not_known_is_kept_as_it_stands() {
        let read = |json: &str| serde_json::from_str::<Word<PeriodKind>>(json).unwrap();
        assert_eq!(read("\"daily\""), Word::Known(PeriodKind::Daily));
        assert_eq!(read("\"fortnightly\"").known(), None);
        for json in ["\"monthly\"", "\"fortnightly\""] {
            assert_eq!(serde_json::to_string(&read(json)).unwrap(), json);
            assert_eq!(format!("\"{}\"", read(json)), json);
        }
        assert!(serde_json::from_str::<Word<PeriodKind>>("1").is_err());
    }
}
