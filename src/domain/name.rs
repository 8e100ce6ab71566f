//! Text that came from outside and passed its rule: names of services and operations.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest name of a service or operation, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 128;

/// The label that everything beyond a bound is added up under.
pub const OTHER_LABEL: &str = "other";

/// The name of a service or an operation: 1 to 128 bytes of UTF-8 without control characters. Cloning shares the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not allowed. The message completes a sentence that begins with the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No text at all.
    #[error("must not be empty")]
    Empty,
    /// More bytes than the bound.
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    /// Unicode's control characters (category Cc), newline and tab among them.
    #[error("contains a control character")]
    Control,
    /// White space at either end, which makes another name that looks the same.
    #[error("must not begin or end with white space")]
    SpaceAtEnd,
    /// White space other than the space, or one of Unicode's format characters (category Cf).
    #[error("contains an invisible character, {}", code_point(*.0))]
    Invisible(char),
}

fn code_point(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}

/// Checks the rule that every text in an event follows: at most `bytes_max` bytes, no control characters.
///
/// # Errors
/// The first rule that is broken; an empty text is allowed here.
pub fn check_text(text: &str, bytes_max: usize) -> Result<(), NameError> {
    if text.len() > bytes_max {
        return Err(NameError::TooLong(bytes_max));
    }
    // Nearly every text is ASCII, whose bytes need no decoding.
    let has_control =
        if text.is_ascii() { text.bytes().any(|byte| byte.is_ascii_control()) } else { text.chars().any(char::is_control) };
    if has_control {
        return Err(NameError::Control);
    }
    Ok(())
}

/// Checks that whoever reads a name sees all of it, so that no two look the same: no white space at either end, none but the space, and
/// no format characters. (An emoji that is joined of several has one.) Names on record are not held to it.
///
/// # Errors
/// The first rule that is broken.
pub fn check_visible(text: &str) -> Result<(), NameError> {
    // In ASCII only the space and control characters cannot be seen. Nearly every name ends here.
    let is_seen = |byte: Option<&u8>| byte.is_some_and(|byte| *byte > b' ');
    if is_seen(text.as_bytes().first()) && is_seen(text.as_bytes().last()) && text.is_ascii() {
        return Ok(());
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err(NameError::SpaceAtEnd);
    }
    let categories = CodePointMapData::<GeneralCategory>::new();
    let is_invisible = |character: &char| {
        *character != ' ' && (character.is_whitespace() || categories.get(*character) == GeneralCategory::Format)
    };
    text.chars().find(is_invisible).map_or(Ok(()), |found| Err(NameError::Invisible(found)))
}

impl Name {
    /// Checks and takes a name.
    ///
    /// # Errors
    /// Empty, longer than 128 bytes, or with a control character.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        check_text(text, NAME_BYTES_MAX)?;
        Ok(Self(Arc::from(text)))
    }

    /// The label of everything beyond a bound.
    pub fn other() -> Self {
        Self(Arc::from(OTHER_LABEL))
    }

    /// The name's own copy of its text.
    pub(super) fn shared(&self) -> &Arc<str> {
        &self.0
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_printable() {
        assert!(Name::new("a").is_ok());
        assert!(Name::new(&"é".repeat(64)).is_ok());
        assert!(Name::new("quotes \" and \\ are fine, so is 🙂 and مرحبا").is_ok());
        assert_eq!(Name::new(""), Err(NameError::Empty));
        assert_eq!(Name::new(&"é".repeat(65)), Err(NameError::TooLong(NAME_BYTES_MAX)));
        for text in ["a\nb", "\u{0}", "\u{7f}", "\u{85}"] {
            assert_eq!(Name::new(text), Err(NameError::Control), "{text:?}");
        }
    }

    proptest::proptest! {
        /// By the categories of another library's tables.
        #[test]
        fn every_character_of_these_categories_is_refused(
            format in "[a-z]\\p{Cf}[a-z]",
            space in "[a-z]\\p{Zs}[a-z]",
            either_end in "(\\p{Z}[a-z]{1,3})|([a-z]{1,3}\\p{Z})",
            visible in "[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}]( ?[\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}]){0,8}",
        ) {
            let is_invisible = |text: &str| matches!(check_visible(text), Err(NameError::Invisible(_)));
            proptest::prop_assert!(is_invisible(&format), "{format:?}");
            proptest::prop_assert_eq!(is_invisible(&space), !space.contains(' '), "{:?}", space);
            proptest::prop_assert_eq!(check_visible(&either_end), Err(NameError::SpaceAtEnd), "{:?}", either_end);
            proptest::prop_assert_eq!(check_visible(&visible), Ok(()), "{:?}", visible);
        }
    }

    #[test]
    fn names_that_look_like_others_are_not_visible() {
        for text in ["openai", "open ai", "日本語", "é", "e\u{301}", "🙂", "a\u{3164}b", "-", "مرحبا"] {
            assert_eq!(check_visible(text), Ok(()), "{text:?}");
        }
        for text in ["openai ", " openai", " ", "a\u{a0}", "\u{3000}a", "a\u{2028}"] {
            assert_eq!(check_visible(text), Err(NameError::SpaceAtEnd), "{text:?}");
            assert!(Name::new(text).is_ok(), "as it may stand in an older ledger");
        }
        for text in [
            "a\u{200b}",
            "\u{feff}a",
            "a\u{a0}b",
            "a\u{2003}b",
            "a\u{ad}b",
            "a\u{202e}b",
            "👩\u{200d}💻",
            "a\u{e0041}",
            "a\u{180e}b",
        ] {
            let invisible =
                text.chars().find(|character| !character.is_ascii_graphic() && !"👩💻".contains(*character)).unwrap();
            assert_eq!(check_visible(text), Err(NameError::Invisible(invisible)), "{text:?}");
            assert!(Name::new(text).is_ok(), "as it may stand in an older ledger");
        }
        assert_eq!(NameError::Invisible('\u{200b}').to_string(), "contains an invisible character, U+200B");
    }

    #[test]
    fn white_space_that_is_a_control_character_is_no_end_of_a_visible_text() {
        for text in ["\ta\t", "\n", "a\r"] {
            assert_eq!(check_visible(text), Err(NameError::SpaceAtEnd), "{text:?}");
        }
    }

    #[test]
    fn a_name_is_its_text() {
        let name = Name::new("a\"b").unwrap();
        assert_eq!((name.to_string(), format!("{name:>5}|{name:?}")), ("a\"b".into(), r#"  a"b|"a\"b""#.into()));
        assert_eq!(std::collections::BTreeMap::from([(name.clone(), 7)]).get("a\"b"), Some(&7));
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!((json.as_str(), serde_json::from_str::<Name>(&json).unwrap()), (r#""a\"b""#, name));
        assert!(serde_json::from_str::<Name>("\"\"").is_err());
    }
}
