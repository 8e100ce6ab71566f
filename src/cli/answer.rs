//! The agent's answers as values.

use serde::Deserialize;

use super::Failure;
use super::output::printable;
use crate::domain::Usd;

/// Characters that are shown of why an answer is not understood.
const REASON_CHARS_MAX: usize = 200;

/// Reads an answer.
///
/// # Errors
/// It has another shape: the agent is older or newer, or something else listens there.
pub fn read<'a, T: Deserialize<'a>>(answer: &'a str) -> Result<T, Failure> {
    serde_json::from_str(answer).map_err(|error| {
        let reason: String = printable(&error.to_string()).chars().take(REASON_CHARS_MAX).collect();
        Failure::Failed(format!("unexpected answer, is this an agent of the same version? {reason}"))
    })
}

/// A percentage with at most two decimals, cut off: rounded up, 89.999 would look like a threshold that was reached.
pub fn percent(value: f64) -> String {
    const PICO_PER_HUNDREDTH: i128 = 10_000_000_000;
    // A float prints as plain digits, so that is what money reads too; beyond its range nobody looks at decimals.
    let Ok(exact) = Usd::parse(&value.to_string()) else { return value.to_string() };
    Usd::from_pico(exact.pico().div_euclid(PICO_PER_HUNDREDTH) * PICO_PER_HUNDREDTH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_never_looks_larger_than_it_is() {
        for (value, shown) in
            [(89.99999, "89.99"), (33.333333333333336, "33.33"), (90.0, "90"), (1e-13, "0"), (-0.001, "-0.01")]
        {
            assert_eq!(percent(value), shown);
        }
    }

    #[test]
    fn what_is_not_understood_is_told_in_short_and_without_control_characters() {
        let failure = read::<u64>(&format!("\"\u{1b}{}\"", "x".repeat(10_000))).unwrap_err().to_string();
        assert!(failure.len() < 300 && !failure.contains('\u{1b}'), "{failure}");
    }
}
