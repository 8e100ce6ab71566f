//! Prices: what one of something costs, and lists of them.

use std::borrow::Cow;

/// Text that is the program's own, or read from a file.
pub(super) type Text = Cow<'static, str>;

/// Significant digits that a double is sure to keep: what a catalogue's number has beyond them is noise of its float.
const FLOAT_DIGITS: usize = 15;
/// Decimal places of a price for one unit of `per`.
const SCALE_MAX: u8 = 24;

/// What `per` units cost: `digits` × 10^-`scale` dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub digits: u64,
    pub scale: u8,
    pub per: u64,
}

/// What one of something costs, by the length of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Price {
    /// Up to the first limit.
    pub base: Rate,
    /// Above so many input tokens, for all of the call; the lowest limit first.
    pub above: Vec<(u64, Rate)>,
}

/// Prices by the names of what is counted, each name once.
pub(super) type Prices = Vec<(Text, Price)>;

/// Why a number of a catalogue is no price. Completes a sentence that begins with what was priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not a JSON number.
    #[error("must be a decimal number such as 0.15")]
    NotANumber,
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// More digits than are kept.
    #[error("has too many digits, or is out of range")]
    OutOfRange,
}

impl Rate {
    /// Reads a price as somebody wrote it: every digit counts.
    pub fn exact(text: &str, per: u64) -> Result<Self, RateError> {
        Self::read(text, per, None)
    }

    /// Reads a price that was a float on its way here: `5.0000000000000004e-08` stands for 0.00000005.
    pub fn of_float(text: &str, per: u64) -> Result<Self, RateError> {
        Self::read(text, per, Some(FLOAT_DIGITS))
    }

    fn read(text: &str, per: u64, digits_max: Option<usize>) -> Result<Self, RateError> {
        let (is_negative, magnitude) = match text.strip_prefix('-') {
            Some(magnitude) => (true, magnitude),
            None => (false, text),
        };
        let (decimal, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
        let (integer, fraction) = decimal.split_once('.').unwrap_or((decimal, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_plain = is_number(integer) && is_number(fraction) && (integer.len() == 1 || !integer.starts_with('0'));
        let exponent: i64 = match exponent.strip_prefix(['+', '-']) {
            Some(digits) if !is_number(digits) => return Err(RateError::NotANumber),
            None if !is_number(exponent) => return Err(RateError::NotANumber),
            _ => exponent.parse().map_err(|_| RateError::OutOfRange)?,
        };
        if !is_plain {
            return Err(RateError::NotANumber);
        }
        let all: String = [integer, fraction].concat();
        let digits = all.trim_start_matches('0').trim_end_matches('0');
        if digits.is_empty() {
            return Ok(Self { digits: 0, scale: 0, per });
        }
        if is_negative {
            return Err(RateError::Negative);
        }
        // The exponent of the last digit that is not zero.
        let trailing = (all.len() - all.trim_end_matches('0').len()) as i64;
        let last = exponent.checked_sub(fraction.len() as i64).ok_or(RateError::OutOfRange)? + trailing;
        Self::of_digits(digits, last, per, digits_max.unwrap_or(usize::MAX))
    }

    /// From significant digits and the exponent of the last one.
    fn of_digits(digits: &str, last: i64, per: u64, digits_max: usize) -> Result<Self, RateError> {
        let (kept, noise) = digits.split_at_checked(digits_max).unwrap_or((digits, ""));
        let mut value: u128 = kept.parse().map_err(|_| RateError::OutOfRange)?;
        // To the nearest; a tie cannot be told from noise, and goes up.
        value += u128::from(noise.starts_with(|first| first >= '5'));
        let mut last = last + noise.len() as i64;
        while value.is_multiple_of(10) && last < 0 {
            (value, last) = (value / 10, last + 1);
        }
        while last > 0 {
            value = value.checked_mul(10).ok_or(RateError::OutOfRange)?;
            last -= 1;
        }
        let scale = u8::try_from(-last).ok().filter(|scale| *scale <= SCALE_MAX).ok_or(RateError::OutOfRange)?;
        let digits = u64::try_from(value).map_err(|_| RateError::OutOfRange)?;
        Ok(Self { digits, scale, per })
    }

    /// The dollars for `per` of it, in decimal digits.
    pub fn usd(self) -> String {
        let scale = usize::from(self.scale);
        let digits = format!("{:0>width$}", self.digits, width = scale + 1);
        let (integer, fraction) = digits.split_at(digits.len() - scale);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { integer.to_owned() } else { format!("{integer}.{fraction}") }
    }

    /// So many times the price.
    pub fn times(self, digits: u64, scale: u8) -> Option<Self> {
        let scale = self.scale.checked_add(scale).filter(|scale| *scale <= SCALE_MAX)?;
        Some(Self { digits: self.digits.checked_mul(digits)?, scale, per: self.per })
    }
}

impl Price {
    /// The same for a prompt of any length.
    pub const fn flat(base: Rate) -> Self {
        Self { base, above: Vec::new() }
    }

    /// What holds for a prompt of so many tokens, in millionths.
    pub fn at(&self, prompt_micros: u128) -> Rate {
        let is_above = |(limit, _): &&(u64, Rate)| prompt_micros > u128::from(*limit) * 1_000_000;
        self.above.iter().rev().find(is_above).map_or(self.base, |(_, rate)| *rate)
    }

    /// So many times the price at every length.
    pub fn times(&self, digits: u64, scale: u8) -> Option<Self> {
        let above: Option<Vec<_>> =
            self.above.iter().map(|(limit, rate)| Some((*limit, rate.times(digits, scale)?))).collect();
        Some(Self { base: self.base.times(digits, scale)?, above: above? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_read_from_its_digits() {
        for (text, digits, scale) in [
            ("0", 0, 0),
            ("-0.0", 0, 0),
            ("2.5", 25, 1),
            ("2.50", 25, 1),
            ("15", 15, 0),
            ("1e3", 1000, 0),
            ("1.5E-07", 15, 8),
            ("0.003625", 3625, 6),
            ("1234567890.123456789", 1_234_567_890_123_456_789, 9),
            ("0.10000000000000000555", 10_000_000_000_000_000_555, 20),
        ] {
            assert_eq!(Rate::exact(text, 7), Ok(Rate { digits, scale, per: 7 }), "{text}");
        }
        for (text, error) in [
            ("", RateError::NotANumber),
            ("-", RateError::NotANumber),
            (".5", RateError::NotANumber),
            ("1.", RateError::NotANumber),
            ("01", RateError::NotANumber),
            ("+1", RateError::NotANumber),
            ("1,5", RateError::NotANumber),
            ("NaN", RateError::NotANumber),
            ("1e", RateError::NotANumber),
            ("1e+-5", RateError::NotANumber),
            ("١", RateError::NotANumber),
            ("-1", RateError::Negative),
            ("-1e-30", RateError::Negative),
            ("1e-30", RateError::OutOfRange),
            ("1e400", RateError::OutOfRange),
            ("1e99999999999999999999", RateError::OutOfRange),
            ("1.2345678901234567890123", RateError::OutOfRange),
        ] {
            assert_eq!(Rate::exact(text, 1), Err(error), "{text}");
        }
    }

    #[test]
    fn noise_of_a_float_is_read_as_the_decimal_it_stands_for() {
        for (text, usd) in [
            ("5.0000000000000004e-08", "0.00000005"),
            ("1.0000000000000001e-07", "0.0000001"),
            ("1.8000000000000001e-06", "0.0000018"),
            ("0.30000000000000004", "0.3"),
            ("2.9999999999999997e-06", "0.000003"),
            ("0.1", "0.1"),
            ("3e-06", "0.000003"),
            ("1.23456789012345e-07", "0.000000123456789012345"),
            ("9.9999999999999999e-01", "1"),
        ] {
            assert_eq!(Rate::of_float(text, 1).map(Rate::usd), Ok(usd.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_whole_prompt_moves_just_above_a_limit() {
        let rate = |digits| Rate { digits, scale: 0, per: 1 };
        let price = Price { base: rate(1), above: vec![(200_000, rate(2)), (500_000, rate(3))] };
        for (tokens, digits) in [(0, 1), (200_000, 1), (200_001, 2), (500_000, 2), (500_001, 3)] {
            assert_eq!(price.at(tokens * 1_000_000), rate(digits), "{tokens}");
        }
    }

    #[test]
    fn what_noise_rounds_to_is_in_its_lowest_digits() {
        for (text, exact) in
            [("9.9999999999999999e-11", "1e-10"), ("2.9999999999999997e-12", "3e-12"), ("99.99999999999999999", "100")]
        {
            assert_eq!(Rate::of_float(text, 1), Rate::exact(exact, 1), "{text}");
        }
    }
}
