//! Decimal numbers by their digits: no float, no rounding that nobody asked for.
//!
//! *Limits.* Time is linear in the length of the text, whatever its exponent.

/// The parts of a number written by the JSON grammar (RFC 8259, section 6).
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'a> {
    /// Whether a minus stands before it.
    pub negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

/// What is left of a number beyond its last whole unit, compared with half a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rest {
    Nothing,
    BelowHalf,
    Half,
    AboveHalf,
}

/// Digits that 64 bits are sure to hold.
const QUICK_DIGITS: i64 = 19;

impl<'a> Decimal<'a> {
    /// `None` for anything that is not a JSON number: also a leading `+`, blanks, other digits than ASCII ones.
    pub fn split(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, bytes),
        };
        let (integer, rest) = digits(rest);
        if integer.is_empty() || (integer.len() > 1 && integer[0] == b'0') {
            return None;
        }
        let (fraction, rest) = match rest.split_first() {
            Some((b'.', rest)) => {
                let (fraction, rest) = digits(rest);
                if fraction.is_empty() {
                    return None;
                }
                (fraction, rest)
            }
            _ => (&[][..], rest),
        };
        let exponent = match rest.split_first() {
            None => 0,
            Some((b'e' | b'E', rest)) => exponent(rest)?,
            Some(_) => return None,
        };
        Some(Self { negative, integer, fraction, exponent })
    }

    /// Whether it is zero, of either sign.
    pub fn is_zero(&self) -> bool {
        self.integer.iter().chain(self.fraction).all(|digit| *digit == b'0')
    }

    /// The magnitude in units of 10^-`scale`, and what is left; `None` with more than `digits_max` digits of units, of which 38 fit.
    pub fn units(&self, scale: i64, digits_max: i64) -> Option<(u128, Rest)> {
        let mut digits = self.integer.iter().chain(self.fraction).map(|byte| u64::from(byte - b'0')).peekable();
        let mut leading_zeros = 0_i64;
        while digits.next_if_eq(&0).is_some() {
            leading_zeros += 1;
        }
        if digits.peek().is_none() {
            return Some((0, Rest::Nothing));
        }
        // How many of the remaining digits stand before the unit's decimal point.
        let whole = (self.integer.len() as i64 - leading_zeros).saturating_add(self.exponent).saturating_add(scale);
        if whole > digits_max {
            return None;
        }
        let mut next = || digits.next().unwrap_or(0);
        // Nearly every number ends within 64 bits, in which a digit takes a third of the time.
        let quick = (0..whole.min(QUICK_DIGITS)).fold(0, |units, _| units * 10 + next());
        let units = (QUICK_DIGITS..whole).fold(u128::from(quick), |units, _| units * 10 + u128::from(next()));
        if whole < 0 {
            // The first non-zero digit lies behind the first decimal of a unit.
            return Some((units, Rest::BelowHalf));
        }
        let first = digits.next().unwrap_or(0);
        let beyond = digits.any(|digit| digit != 0);
        let rest = match (first, beyond) {
            (0, false) => Rest::Nothing,
            (5, false) => Rest::Half,
            (5.., _) => Rest::AboveHalf,
            _ => Rest::BelowHalf,
        };
        Some((units, rest))
    }
}

fn digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// Reads `[+-]digits`; an exponent too long for `i64` saturates, since its magnitude already decides the answer.
fn exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, rest) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    let (number, rest) = digits(rest);
    if number.is_empty() || !rest.is_empty() {
        return None;
    }
    // A quarter of the range leaves room to add digit counts without overflow.
    let magnitude = number
        .iter()
        .fold(0_i64, |value, byte| value.saturating_mul(10).saturating_add(i64::from(byte - b'0')))
        .min(i64::MAX / 4);
    Some(if negative { -magnitude } else { magnitude })
}

/// Whole units and a fraction of `digits` decimals, without needless zeros: `10.5`, `3`.
pub(super) fn plain(whole: u128, mut fraction: u64, mut digits: usize) -> String {
    if fraction == 0 {
        return whole.to_string();
    }
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        digits -= 1;
    }
    format!("{whole}.{fraction:0digits$}")
}

/// A magnitude divided by a scale. Nearly every one fits 64 bits, in which that takes a fifth of the time.
pub(super) fn divided(magnitude: u128, scale: u64) -> (u128, u64) {
    match u64::try_from(magnitude) {
        Ok(magnitude) => (u128::from(magnitude / scale), magnitude % scale),
        Err(_) => (magnitude / u128::from(scale), u64::try_from(magnitude % u128::from(scale)).unwrap_or(0)),
    }
}
