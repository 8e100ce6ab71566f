//! Exact money: an integer count of pico-dollars.
//!
//! *Invariants.* No float ever holds money. Text is read from its digits, rounded half-to-even at the twelfth decimal, and
//! written back without an exponent. The only way to a float is [`Usd::to_f64`], for formats that demand one.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::decimal::{Decimal, Rest, divided, plain};

/// Decimal places of one pico-dollar.
const SCALE: i64 = 12;
/// Pico-dollars in one US dollar.
const PICO_PER_USD: i128 = 1_000_000_000_000;
/// Significant integer digits of pico-dollars that are read; beyond it a number is out of range. 10³⁰ pico-dollars are
/// 10¹⁸ USD, far above any limit that a setting can name and far below what `i128` holds.
const PICO_DIGITS_MAX: i64 = 30;

/// An exact amount of US dollars, of either sign, in pico-dollars (10⁻¹² USD).
///
/// Holds ±1.7 × 10²⁶ USD: a sum would need 10²⁰ events of the largest size to overflow, and arithmetic is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i128);

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseUsdError {
    /// Not a JSON number (RFC 8259, section 6).
    #[error("is not a decimal number such as 0.0015 or 1.5e-3")]
    NotANumber,
    /// A number, but far larger than any amount this program handles.
    #[error("is out of range")]
    OutOfRange,
}

impl Usd {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// An amount given in pico-dollars.
    pub const fn from_pico(pico: i128) -> Self {
        Self(pico)
    }

    /// Whole dollars.
    pub const fn from_dollars(dollars: i64) -> Self {
        Self(dollars as i128 * PICO_PER_USD)
    }

    /// The amount in pico-dollars.
    pub const fn pico(self) -> i128 {
        self.0
    }

    /// The distance from zero.
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Reads a number written by the JSON grammar, from its digits, and rounds half-to-even at twelve decimals.
    ///
    /// The time it takes is linear in the length of the text, whatever the exponent.
    ///
    /// # Errors
    /// [`ParseUsdError::NotANumber`] for anything that is not a JSON number (also a leading `+`, blanks, other digits than
    /// ASCII ones), [`ParseUsdError::OutOfRange`] at 10¹⁸ USD and above.
    pub fn parse(text: &str) -> Result<Self, ParseUsdError> {
        let number = Decimal::split(text).ok_or(ParseUsdError::NotANumber)?;
        let (units, rest) = number.units(SCALE, PICO_DIGITS_MAX).ok_or(ParseUsdError::OutOfRange)?;
        let is_up = rest > Rest::Half || (rest == Rest::Half && units % 2 == 1);
        let magnitude = i128::try_from(units).map_err(|_| ParseUsdError::OutOfRange)? + i128::from(is_up);
        Ok(Self(if number.negative { -magnitude } else { magnitude }))
    }

    /// The float nearest to this amount in dollars.
    pub fn to_f64(self) -> f64 {
        // Parsing decimal text is the standard library's correctly rounded conversion; dividing two rounded floats is not.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// A share of it when it is divided evenly among so many, rounded half to even at the twelfth decimal; itself among none.
    pub fn divided_by(self, count: u64) -> Self {
        let Some(count) = Some(i128::from(count)).filter(|count| *count > 0) else { return self };
        let (share, rest) = (self.0.div_euclid(count), self.0.rem_euclid(count));
        let up = 2 * rest > count || (2 * rest == count && share % 2 != 0);
        Self(share + i128::from(up))
    }

    /// Adds, or `None` when the sum does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl FromStr for Usd {
    type Err = ParseUsdError;

    fn from_str(text: &str) -> Result<Self, ParseUsdError> {
        Self::parse(text)
    }
}

/// Exact decimal digits, no exponent, no needless zeros: `0.0000015`, `10.5`, `3`.
impl fmt::Display for Usd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (dollars, pico) = divided(self.0.unsigned_abs(), PICO_PER_USD as u64);
        formatter.pad(&format!("{sign}{}", plain(dollars, pico, SCALE as usize)))
    }
}

/// A JSON number with the exact digits. Only for `serde_json`, whose raw values keep them.
impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// From the digits of a JSON number. Only for `serde_json` reading text, and not below `flatten` or a tag, where it hands on floats.
impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(digits.get()).map_err(serde::de::Error::custom)
    }
}

impl Add for Usd {
    type Output = Self;

    /// # Panics
    /// Beyond ±1.7 × 10²⁶ USD: see the type. Stopping is better than another total.
    fn add(self, other: Self) -> Self {
        #[expect(clippy::expect_used, reason = "needs 10^20 events; a wrapped total would be worse than a stop")]
        self.checked_add(other).expect("a sum of money fits 128 bits")
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for Usd {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sub for Usd {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl SubAssign for Usd {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_exactly_from_their_digits() {
        for (text, pico) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0e5", 0),
            ("1", 1_000_000_000_000),
            ("10.5", 10_500_000_000_000),
            ("1e-05", 10_000_000),
            ("15e-1", 1_500_000_000_000),
            ("1.50", 1_500_000_000_000),
            ("0.0023550000000000003", 2_355_000_000),
            ("0.6619999999999999", 662_000_000_000),
            ("-2.5", -2_500_000_000_000),
            ("1E+3", 1_000_000_000_000_000),
            ("0e999999999999999999999", 0),
            ("1e-999999999999999999999", 0),
            ("123456789012345678", 123_456_789_012_345_678_000_000_000_000),
        ] {
            assert_eq!(Usd::parse(text), Ok(Usd::from_pico(pico)), "{text}");
        }
    }

    #[test]
    fn a_tie_at_the_thirteenth_decimal_goes_to_the_even_neighbour() {
        for (text, pico) in [
            ("0.0000000000005", 0),
            ("0.0000000000015", 2),
            ("0.0000000000025", 2),
            ("0.00000000000250000000000001", 3),
            ("0.0000000000024999999999999", 2),
            ("0.00000000000051", 1),
            ("0.00000000000009", 0),
            ("-0.0000000000015", -2),
            ("5e-13", 0),
            ("15e-13", 2),
            ("0.9999999999996", 1_000_000_000_000),
        ] {
            assert_eq!(Usd::parse(text), Ok(Usd::from_pico(pico)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_json_number_is_refused() {
        for text in
            ["", "-", "+1", " 1", "1 ", ".5", "1.", "01", "1,00", "0x1", "NaN", "Infinity", "1e", "1e+", "١", "1_000", "--1"]
        {
            assert_eq!(Usd::parse(text), Err(ParseUsdError::NotANumber), "{text:?}");
        }
        for text in ["1e400", "-1e400", "1e18", "1e999999999999999999999"] {
            assert_eq!(Usd::parse(text), Err(ParseUsdError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn ten_thousand_digits_are_no_trouble() {
        let tiny = format!("0.{}1", "0".repeat(10_000));
        assert_eq!(Usd::parse(&tiny), Ok(Usd::ZERO));
        let long = format!("1.{}", "3".repeat(10_000));
        assert_eq!(Usd::parse(&long), Ok(Usd::from_pico(1_333_333_333_333)));
        assert_eq!(Usd::parse(&"9".repeat(10_000)), Err(ParseUsdError::OutOfRange));
    }

    #[test]
    fn amounts_print_without_exponent_or_needless_zeros() {
        for (pico, text) in [
            (0, "0"),
            (1_500_000, "0.0000015"),
            (10_500_000_000_000, "10.5"),
            (3_000_000_000_000, "3"),
            (-1, "-0.000000000001"),
        ] {
            assert_eq!(Usd::from_pico(pico).to_string(), text);
            assert_eq!(serde_json::to_string(&Usd::from_pico(pico)).unwrap(), text);
            assert_eq!(serde_json::from_str::<Usd>(text).unwrap(), Usd::from_pico(pico));
        }
    }

    proptest! {
        #[test]
        fn printing_and_reading_is_the_identity(pico in -10_i128.pow(29)..10_i128.pow(29)) {
            let amount = Usd::from_pico(pico);
            prop_assert_eq!(Usd::parse(&amount.to_string()), Ok(amount));
        }

        #[test]
        fn the_float_is_the_one_the_standard_library_reads(pico in any::<i64>()) {
            let amount = Usd::from_pico(i128::from(pico));
            prop_assert_eq!(amount.to_f64(), amount.to_string().parse::<f64>().unwrap());
        }
    }

    #[test]
    fn amounts_are_taken_off_and_divided_evenly() {
        let mut amount = Usd::from_dollars(5);
        amount -= Usd::from_dollars(7);
        assert_eq!((amount, amount.abs()), (Usd::from_dollars(-2), Usd::from_dollars(2)));
        for (pico, count, share) in [(7, 0, 7), (7, 1, 7), (7, 2, 4), (5, 2, 2), (-5, 2, -2), (-7, 2, -4), (8, 3, 3)] {
            assert_eq!(Usd::from_pico(pico).divided_by(count), Usd::from_pico(share), "{pico} among {count}");
        }
        assert_eq!("1.5".parse(), Ok(Usd::from_pico(1_500_000_000_000)));
    }
}
