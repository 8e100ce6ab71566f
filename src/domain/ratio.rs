//! Shares of a limit, compared exactly and shown as the nearest float.
//!
//! *Invariants.* A decision ("has the threshold been reached?") is integer arithmetic; a float only leaves the program.

use super::{ParseUsdError, Usd};

/// Digits of a quotient that are worked out before it is read as a float: more than the 17 that identify a double.
const QUOTIENT_DIGITS: usize = 40;

/// A share of a limit, such as 0.8: where a budget begins to warn, or the gate closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(Usd);

impl Threshold {
    /// The whole limit.
    pub const FULL: Self = Self(Usd::from_dollars(1));

    /// Reads a decimal share. 1 is the whole limit; the largest is 10, because a threshold far above the limit is a percent
    /// figure written by mistake.
    ///
    /// # Errors
    /// Not a number, or not above 0 and at most 10.
    pub fn parse(text: &str) -> Result<Self, ParseUsdError> {
        let share = Usd::parse(text)?;
        if share <= Usd::ZERO || share > Usd::from_dollars(10) {
            return Err(ParseUsdError::OutOfRange);
        }
        Ok(Self(share))
    }

    /// Whether `spent` is at or above this share of `limit`, both in the smallest parts of one unit. A limit of 0 is used up from
    /// the start.
    pub fn reached(self, spent: i128, limit: i128) -> bool {
        spent >= self.bar(limit)
    }

    /// The least amount that is at or above this share of `limit`, both in the smallest parts of one unit. Of a limit of 0 any amount
    /// is.
    pub const fn bar(self, limit: i128) -> i128 {
        if limit <= 0 {
            return i128::MIN;
        }
        let one = Usd::from_dollars(1).pico();
        // spent / limit ≥ share / one  ⇔  spent ≥ share × limit / one, rounded up. The whole dollars of the limit and the rest of it by
        // themselves: a share is at most 10, so neither product overflows.
        let (whole, rest) = (limit / one, limit % one);
        (self.0.pico() * whole).saturating_add((self.0.pico() * rest + one - 1) / one)
    }

    /// The share itself, exactly.
    pub const fn share(self) -> Usd {
        self.0
    }

    /// The share in percent, such as 80.
    pub fn percent(self) -> f64 {
        nearest_f64_percent(self.0.pico(), Usd::from_dollars(1).pico())
    }
}

/// The float nearest to `spent ÷ limit × 100`, both in the smallest parts of one unit. A limit of 0 is 100 percent used from the start,
/// and more once anything is spent cannot be told from it.
pub fn nearest_f64_percent(spent: i128, limit: i128) -> f64 {
    if limit <= 0 {
        return 100.0;
    }
    let sign = if spent < 0 { "-" } else { "" };
    let divisor = limit.unsigned_abs();
    let mut digits = (spent.unsigned_abs() / divisor).to_string();
    let mut remainder = spent.unsigned_abs() % divisor;
    let integer_digits = digits.len();
    while remainder != 0 && digits.trim_start_matches('0').len() < QUOTIENT_DIGITS {
        // The divisor is below 10³⁰ (see `Usd::parse`), so ten times a remainder fits.
        remainder *= 10;
        digits.push(char::from(b'0' + u8::try_from(remainder / divisor).unwrap_or(9)));
        remainder %= divisor;
    }
    if remainder != 0 {
        // A last non-zero digit keeps a truncated quotient off the exact middle between two floats.
        digits.push('1');
    }
    let exponent = integer_digits as i64 - digits.len() as i64 + 2;
    format!("{sign}{digits}e{exponent}").parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd(text: &str) -> i128 {
        Usd::parse(text).unwrap().pico()
    }

    #[test]
    fn a_threshold_is_reached_at_its_exact_share() {
        let nine_tenths = Threshold::parse("0.9").unwrap();
        assert!(nine_tenths.reached(usd("45"), usd("50")));
        assert!(!nine_tenths.reached(usd("44.999999999999"), usd("50")));
        assert!(nine_tenths.reached(0, 0));
        assert!(!nine_tenths.reached(usd("-1"), usd("50")));
    }

    #[test]
    fn a_bar_is_the_least_amount_that_reaches_it() {
        let most = usd("999999999999999999");
        for (share, limit, bar) in [
            ("1", 7, 7),
            ("0.5", 7, 4),
            ("0.000000000001", 7, 1),
            ("0.333333333333", 3_000_000_000_000, 999_999_999_999),
            ("10", most, 10 * most),
            ("0.3", most, 299_999_999_999_999_999_700_000_000_000),
            ("0.3", 0, i128::MIN),
        ] {
            let share = Threshold::parse(share).unwrap();
            assert_eq!(share.bar(limit), bar, "{share:?} of {limit}");
        }
    }

    #[test]
    fn a_percentage_is_the_nearest_float() {
        for (spent, limit, percent) in [
            ("45", "50", 90.0),
            ("1", "3", 100.0 / 3.0),
            ("12.3", "50", 24.6),
            ("0.000000000001", "1000", 1e-13),
            ("-5", "50", -10.0),
            ("0", "50", 0.0),
            ("75", "50", 150.0),
            ("0.1", "0.7", 14.285714285714286),
        ] {
            assert_eq!(nearest_f64_percent(usd(spent), usd(limit)), percent, "{spent}/{limit}");
        }
        assert_eq!(nearest_f64_percent(0, 0), 100.0);
    }

    #[test]
    fn thresholds_outside_nought_to_ten_are_refused() {
        for text in ["0", "-0.1", "10.1", "80", "x"] {
            assert!(Threshold::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn thresholds_are_read_up_to_ten_times_the_limit_and_shown_in_percent() {
        for (text, percent) in [("0.000000000001", 1e-10), ("0.8", 80.0), ("1", 100.0), ("10", 1000.0)] {
            let threshold = Threshold::parse(text).unwrap();
            assert_eq!((threshold.percent(), threshold.share()), (percent, Usd::parse(text).unwrap()), "{text}");
        }
        assert!(Threshold::parse("10.000000000001").is_err());
    }

    #[test]
    fn nothing_spent_is_zero_and_no_negative_zero() {
        assert!(nearest_f64_percent(0, 5).is_sign_positive());
    }
}
