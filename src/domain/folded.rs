//! Names without regard to letter case: how budgets match the names of services.
//!
//! *Invariants.* Unicode's simple case folding (status C and S of `CaseFolding.txt`), character by character, whatever the language:
//! `OpenAI`, `OPENAI` and `openai` are alike, `straße` and `strasse` are not, nor are `i` and the Turkish `ı`. The standard library
//! has lower case only, which takes `ς` and `σ` for two letters; ICU's tables are Unicode's own, and are in this program already.

use std::borrow::{Borrow, Cow};
use std::sync::Arc;

use icu_casemap::CaseMapper;

use super::Name;

/// What all names have in common that differ only in letter case. Cloning shares the text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Folded(Arc<str>);

impl Folded {
    /// Folds a name. One that is folded already, as most are, is shared.
    pub fn of(name: &Name) -> Self {
        match fold_text(name.as_str()) {
            Cow::Borrowed(_) => Self(Arc::clone(name.shared())),
            Cow::Owned(folded) => Self(folded.into()),
        }
    }

    /// Takes a text that [`Folded::as_str`] gave.
    pub fn from_folded(text: &str) -> Self {
        Self(text.into())
    }

    /// The folded text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that a map by folded names is asked with a text from [`fold_text`].
impl Borrow<str> for Folded {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Name {
    /// Whether the two differ in letter case at most.
    pub fn is_like(&self, other: &Self) -> bool {
        let (one, other) = (self.as_str(), other.as_str());
        one == other || one.chars().map(fold).eq(other.chars().map(fold))
    }
}

/// Folds a text. Nearly all are folded already.
pub fn fold_text(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(fold).collect())
}

fn fold(letter: char) -> char {
    if letter.is_ascii() { letter.to_ascii_lowercase() } else { CaseMapper::new().simple_fold(letter) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn names_that_differ_in_letter_case_are_alike_and_no_others() {
        for (one, other, alike) in [
            ("openai", "OpenAI", true),
            ("OPENAI", "oPENai", true),
            ("openai", "openai2", false),
            ("openai", "open ai", false),
            ("ÉCOLE", "école", true),
            ("ΟΔΟΣ", "οδος", true),
            ("οδος", "οδοσ", true),
            ("straße", "STRAẞE", true),
            ("straße", "STRASSE", false),
            // The Kelvin sign is a letter k, by Unicode's table.
            ("\u{212a}", "k", true),
            ("ı", "I", false),
            ("İ", "i", false),
            // A letter whose other case is longer in UTF-8.
            ("Ⱥ", "ⱥ", true),
        ] {
            let (one, other) = (name(one), name(other));
            assert_eq!(one.is_like(&other), alike, "{one} {other}");
            assert_eq!(Folded::of(&one) == Folded::of(&other), alike, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn comparing_and_folding_agree(one in "[aAbBßẞσςΣ]{1,4}", other in "[aAbBßẞσςΣ]{1,4}") {
            let (one, other) = (name(&one), name(&other));
            prop_assert_eq!(one.is_like(&other), Folded::of(&one) == Folded::of(&other));
            prop_assert_eq!(Folded::of(&name(Folded::of(&one).as_str())), Folded::of(&one));
        }
    }

    #[test]
    fn a_map_by_folded_names_is_asked_with_folded_texts() {
        let map = std::collections::BTreeMap::from([(Folded::of(&name("OpenAI")), 7)]);
        assert_eq!(map.get(&*fold_text("OPENAI")), Some(&7));
        assert_eq!(map.get("OPENAI"), None);
        assert_eq!(Folded::from_folded("openai"), Folded::of(&name("OpenAI")));
    }
}
