//! Exact quantities: an integer count of millionths.
//!
//! *Invariants.* Zero or more. No float ever holds one: text is read from its digits, and what a millionth cannot hold is refused, not
//! rounded. The only way to a float is [`Quantity::to_f64`], for formats that demand one.

use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::decimal::{Decimal, Rest, divided, plain};

/// Decimal places of a millionth.
const SCALE: usize = 6;
/// Millionths in a unit.
const MICROS: u64 = 1_000_000;
/// Digits of millionths that are read: as many as 128 bits are sure to hold, so that every sum is read that was ever written.
const MICRO_DIGITS_MAX: i64 = 38;

/// How much of something was used, such as 1,000 tokens or 521.5 seconds.
///
/// Holds 3 × 10³² units: a sum would need 10¹⁶ events of the largest count to reach that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u128);

/// Why a text is not a quantity. The message completes a sentence that begins with what was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// Not a JSON number (RFC 8259, section 6).
    #[error("must be a number such as 1000 or 521.5")]
    NotANumber,
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// Finer than a millionth.
    #[error("must have at most 6 decimals")]
    TooFine,
    /// Far larger than any count.
    #[error("is out of range")]
    OutOfRange,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many whole units.
    pub const fn of(whole: u64) -> Self {
        Self(whole as u128 * MICROS as u128)
    }

    /// So many millionths.
    pub const fn from_micros(micros: u128) -> Self {
        Self(micros)
    }

    /// The quantity in millionths.
    pub const fn micros(self) -> u128 {
        self.0
    }

    /// Reads a number written by the JSON grammar, from its digits. `10.0` and `1e1` are ten.
    ///
    /// # Errors
    /// See [`ParseQuantityError`].
    pub fn parse(text: &str) -> Result<Self, ParseQuantityError> {
        // Nearly all are a few digits, which the standard library reads in a few nanoseconds.
        if let [b'1'..=b'9', ..] | b"0" = text.as_bytes()
            && let Ok(whole) = text.parse()
        {
            return Ok(Self::of(whole));
        }
        let number = Decimal::split(text).ok_or(ParseQuantityError::NotANumber)?;
        if number.negative && !number.is_zero() {
            return Err(ParseQuantityError::Negative);
        }
        match number.units(SCALE as i64, MICRO_DIGITS_MAX) {
            Some((micros, Rest::Nothing)) => Ok(Self(micros)),
            Some(_) => Err(ParseQuantityError::TooFine),
            None => Err(ParseQuantityError::OutOfRange),
        }
    }

    /// The float nearest to it.
    pub fn to_f64(self) -> f64 {
        let (whole, micros) = divided(self.0, MICROS);
        // Parsing decimal text is the standard library's correctly rounded conversion; dividing two rounded floats is not.
        if micros == 0 { whole as f64 } else { self.to_string().parse().unwrap_or(f64::NAN) }
    }

    /// What is left of it without another; `None` when the other is larger.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

/// A sum that reached the bound stays there.
impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, ParseQuantityError> {
        Self::parse(text)
    }
}

/// Exact decimal digits, no exponent, no needless zeros: `521.5`, `1000`.
impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, micros) = divided(self.0, MICROS);
        formatter.pad(&plain(whole, micros, SCALE))
    }
}

/// A JSON number with the exact digits. Only for `serde_json`, whose raw values keep them.
impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (whole, micros) = divided(self.0, MICROS);
        match (micros, u64::try_from(whole)) {
            (0, Ok(whole)) => serializer.serialize_u64(whole),
            _ => {
                RawValue::from_string(plain(whole, micros, SCALE)).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
        }
    }
}

/// From the digits of a JSON number. Only for `serde_json` reading text, and not below `flatten` or a tag, where it hands on floats.
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(digits.get()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use bigdecimal::{BigDecimal, Signed, Zero};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantities_are_read_exactly_from_their_digits() {
        for (text, micros) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0e5", 0),
            ("0e999999999999999999999", 0),
            ("1000", 1_000_000_000),
            ("10.0", 10_000_000),
            ("521.5", 521_500_000),
            ("521.5000000000", 521_500_000),
            ("0.000001", 1),
            ("1e-6", 1),
            ("10e-7", 1),
            ("1.5E+3", 1_500_000_000),
            ("9007199254740991.999999", 9_007_199_254_740_991_999_999),
            ("18446744073709551615", 18_446_744_073_709_551_615_000_000),
            ("18446744073709551616", 18_446_744_073_709_551_616_000_000),
            ("99999999999999999999999999999999.999999", 10_u128.pow(38) - 1),
        ] {
            assert_eq!(Quantity::parse(text), Ok(Quantity::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        use ParseQuantityError::{Negative, NotANumber, OutOfRange, TooFine};
        for (error, texts) in [
            (
                NotANumber,
                ["", "-", "+1", " 1", "1 ", ".5", "1.", "01", "00", "1,0", "NaN", "1e", "٣", "null", "1_0"].as_slice(),
            ),
            (Negative, &["-1", "-0.1", "-1e-400", "-1e400"]),
            (TooFine, &["0.0000001", "1e-7", "1e-999999999999999999999", "0.30000000000000004", "1.0000005"]),
            (OutOfRange, &["1e400", "1e32", "100000000000000000000000000000000", "1e999999999999999999999"]),
        ] {
            for text in texts {
                assert_eq!(Quantity::parse(text), Err(error), "{text:?}");
            }
        }
        assert_eq!(Quantity::parse(&format!("1.{}1", "0".repeat(10_000))), Err(TooFine));
        assert_eq!(Quantity::parse(&"9".repeat(10_000)), Err(OutOfRange));
    }

    #[test]
    fn whole_ones_are_written_as_integers_always_were() {
        for (micros, text) in [
            (0, "0"),
            (1_000_000, "1"),
            (1, "0.000001"),
            (521_500_000, "521.5"),
            (9_007_199_254_740_991_000_000, "9007199254740991"),
            (10_u128.pow(38) - 1, "99999999999999999999999999999999.999999"),
            (10_u128.pow(38) - 10_u128.pow(6), "99999999999999999999999999999999"),
        ] {
            let quantity = Quantity::from_micros(micros);
            assert_eq!(quantity.to_string(), text);
            assert_eq!(serde_json::to_string(&quantity).unwrap(), text);
            assert_eq!(serde_json::from_str::<Quantity>(text).unwrap(), quantity);
        }
        assert!(serde_json::from_str::<Quantity>("\"1\"").is_err());
    }

    /// What a number's text says by a library that the program does not use: its millionths, if it has no more and is not below zero.
    fn model(text: &str) -> Option<BigDecimal> {
        let number = BigDecimal::from_str(text).unwrap();
        let micros = &number * BigDecimal::from(1_000_000);
        let is_kept = micros.is_integer() && !micros.is_negative() && micros < BigDecimal::from_str("1e38").unwrap();
        is_kept.then_some(micros)
    }

    proptest! {
        #[test]
        fn any_number_is_read_as_the_model_reads_it(
            text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?",
        ) {
            let read = Quantity::parse(&text).ok().map(|quantity| BigDecimal::from_str(&quantity.micros().to_string()).unwrap());
            prop_assert_eq!(read, model(&text), "{}", text);
        }

        #[test]
        fn what_is_written_is_read_back(micros in 0..10_u128.pow(38), whole in any::<u64>()) {
            for quantity in [Quantity::from_micros(micros), Quantity::from_micros(micros % 10_u128.pow(10)), Quantity::of(whole)] {
                let text = quantity.to_string();
                prop_assert_eq!(Quantity::parse(&text), Ok(quantity));
                prop_assert!(!text.contains('e'), "{}", text);
                prop_assert!(!text.contains('.') || !text.ends_with('0'), "{}", text);
                prop_assert_eq!(quantity.to_f64(), text.parse::<f64>().unwrap());
                prop_assert_eq!(serde_json::to_string(&quantity).unwrap(), text);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let _ = Quantity::parse(&text);
        }
    }

    #[test]
    fn sums_stay_at_the_bound() {
        let mut sum = Quantity::from_micros(u128::MAX);
        sum += Quantity::of(1);
        assert_eq!(sum, Quantity::from_micros(u128::MAX));
        assert_eq!(Quantity::of(3).checked_sub(Quantity::of(1)), Some(Quantity::of(2)));
        assert_eq!(Quantity::of(1).checked_sub(Quantity::of(2)), None);
        assert!(!model("0").unwrap().is_negative() && model("0").unwrap().is_zero());
    }

    #[test]
    fn quantities_add_up() {
        let mut sum: Quantity = "1.5".parse().unwrap();
        sum += Quantity::from_micros(1);
        assert_eq!(sum, Quantity::from_micros(1_500_001));
    }
}
