//! The agent's answers as values.

use serde::Deserialize;

use super::Failure;
use super::output::printable;

/// Characters that are shown of why an answer is not understood.
const REASON_CHARS_MAX: usize = 200;

/// Reads an answer.
///
/// # Errors
/// It has another shape: the agent is older or newer, or something else listens there.
pub fn read<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Failure> {
    serde_json::from_str(answer).map_err(|error| {
        let error = error.to_string();
        // What was expected is told in Rust's words.
        let found = error.split(", expected ").next().unwrap_or_default();
        let reason: String = printable(found).chars().take(REASON_CHARS_MAX).collect();
        Failure::Failed(format!("unexpected answer, is this an agent of the same version? {reason}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_told_in_short_and_without_control_characters() {
        let failure = read::<u64>(&format!("\"\u{1b}{}\"", "x".repeat(10_000))).unwrap_err().to_string();
        assert!(failure.len() < 300 && !failure.contains('\u{1b}'), "{failure}");
    }

    #[test]
    fn what_is_not_understood_is_told_without_words_of_rust() {
        for answer in ["5", "[1]", "null", r#"{"prices":{}}"#] {
            let failure = read::<crate::wire::PricesAnswer>(answer).unwrap_err().to_string();
            assert!(failure.contains("version? ") && !failure.contains(", expected"), "{failure}");
        }
    }
}
