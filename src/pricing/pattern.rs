//! Patterns of names.
//!
//! *Limits.* Time is at most the product of both lengths; a pattern is as long as a name.

use super::price::Text;

/// Stands for one digit. No name has it: names have no control characters.
pub(super) const DIGIT: char = '\u{1}';

/// A name in lower case in which `*` is any text and [`DIGIT`] a digit. Only whole names match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Text);

/// Several patterns: one of the alternatives must match, that is all patterns of it; a pattern behind `false` must not match.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule(pub Vec<Vec<(bool, Pattern)>>);

impl Pattern {
    /// From text in lower case.
    pub fn new(text: impl Into<Text>) -> Self {
        Self(text.into())
    }

    /// The name, where no other one matches.
    pub fn exact(&self) -> Option<&Text> {
        (!self.0.contains(['*', DIGIT])).then_some(&self.0)
    }

    /// Whether a name in lower case matches.
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut at, mut read) = (0, 0);
        // Where to go on when what follows the last `*` does not fit: that `*` takes one byte more.
        let mut again = None;
        while read < name.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    again = Some((at, read));
                    at += 1;
                    continue;
                }
                Some(byte) if *byte == name[read] || (*byte == DIGIT as u8 && name[read].is_ascii_digit()) => {
                    (at, read) = (at + 1, read + 1);
                    continue;
                }
                _ => {}
            }
            let Some((star, taken)) = again else { return false };
            again = Some((star, taken + 1));
            (at, read) = (star + 1, taken + 1);
        }
        pattern[at..].iter().all(|byte| *byte == b'*')
    }
}

impl Rule {
    /// Whether a name in lower case matches.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|all| all.iter().all(|(is_wanted, pattern)| pattern.matches(name) == *is_wanted))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_is_any_text_and_the_digit_sign_a_digit() {
        for (pattern, name, expected) in [
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-4o*", "gpt-4o-mini", true),
            ("gpt-4o*", "gpt-4o", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*claude*", "us.anthropic.claude-v2", true),
            ("*-tts", "gemini-tts", true),
            ("*-tts", "gemini-tts-2", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("v\u{1}.\u{1}", "v1.2", true),
            ("v\u{1}.\u{1}", "vx.2", false),
            ("v\u{1}*", "v", false),
            ("*\u{1}", "é7", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if naive(rest, name) => true,
            (Some((b'*', _)), Some((_, name))) => naive(pattern, name),
            (Some((byte, pattern)), Some((other, name))) if byte == other => naive(pattern, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_is_what_trying_everything_finds(pattern in "[ab*]{0,8}", name in "[ab]{0,8}") {
            let expected = naive(pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(Pattern::new(pattern).matches(&name), expected);
        }
    }

    #[test]
    fn a_pattern_without_signs_is_a_name() {
        for (pattern, is_name) in [("gpt-4o", true), ("", true), ("gpt-*", false), ("v\u{1}", false)] {
            assert_eq!(Pattern::new(pattern).exact().map(|name| &**name), is_name.then_some(pattern), "{pattern}");
        }
    }
}
