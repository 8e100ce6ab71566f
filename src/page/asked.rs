//! What a visitor asks the page to show, and links that change one of it and keep the rest.

use crate::domain::{Dimension, Month};

/// What the query says; each may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The month; else the current one.
    pub month: Option<Month>,
    /// By what to break it down, as it was written: one word.
    pub by: Option<String>,
    /// How often the page is loaded anew.
    pub refresh_seconds: Option<u32>,
}

impl Asked {
    /// The word of what it is broken down by.
    pub fn by(&self) -> &str {
        self.by.as_deref().unwrap_or_else(|| Dimension::Service.word())
    }

    /// The page that shows this.
    pub fn link(&self) -> String {
        let month = self.month.map(|month| format!("month={month}"));
        let by = self.by.as_deref().map(|word| format!("by={}", encoded(word)));
        let refresh = self.refresh_seconds.map(|seconds| format!("refresh={seconds}"));
        let query = [month, by, refresh].into_iter().flatten().collect::<Vec<_>>().join("&");
        if query.is_empty() { "/".into() } else { format!("/?{query}") }
    }

    /// The same of another month; of the current one with none.
    pub fn of_month(&self, month: Option<Month>) -> Self {
        Self { month, ..self.clone() }
    }

    /// The same broken down by something else.
    pub fn broken_down_by(&self, word: &str) -> Self {
        Self { by: Some(word.to_owned()), ..self.clone() }
    }

    /// The same, loaded anew so often.
    pub fn refreshed_every(&self, refresh_seconds: Option<u32>) -> Self {
        Self { refresh_seconds, ..self.clone() }
    }
}

/// A word as it stands in a query.
pub fn encoded(word: &str) -> String {
    form_urlencoded::byte_serialize(word.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_changes_one_thing_and_keeps_the_rest() {
        let month: Month = "2026-10".parse().unwrap();
        let asked = Asked { month: Some(month), by: Some("attributes.a b&c".into()), refresh_seconds: Some(10) };
        assert_eq!(asked.link(), "/?month=2026-10&by=attributes.a+b%26c&refresh=10");
        assert_eq!(asked.of_month(None).link(), "/?by=attributes.a+b%26c&refresh=10");
        assert_eq!(asked.broken_down_by("model").link(), "/?month=2026-10&by=model&refresh=10");
        assert_eq!(asked.refreshed_every(None).link(), "/?month=2026-10&by=attributes.a+b%26c");
        assert_eq!((Asked::default().link().as_str(), Asked::default().by()), ("/", "service"));
    }
}
