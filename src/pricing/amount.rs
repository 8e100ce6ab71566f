//! The exact sum of what the parts of a call cost.

use super::price::Rate;
use crate::domain::{Quantity, Usd};

/// What an amount is at most: far above every limit that a setting can name, so that it is refused as too large and not as something else.
const PICO_MAX: u128 = 10_u128.pow(30) - 1;
/// Decimal places of a pico-dollar beyond those of a quantity.
const SCALE: u32 = 6;

/// Pico-dollars: whole ones and a fraction below one, in lowest terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    whole: u128,
    numerator: u128,
    denominator: u128,
}

impl Sum {
    /// Nothing.
    pub const ZERO: Self = Self { whole: 0, numerator: 0, denominator: 1 };

    /// Adds what so many cost. Beyond 128 bits, the sum is larger than any amount can be.
    pub fn add(&mut self, count: Quantity, rate: Rate) {
        *self = self.plus(count, rate).unwrap_or(Self { whole: PICO_MAX, ..Self::ZERO });
    }

    fn plus(self, count: Quantity, rate: Rate) -> Option<Self> {
        // A quantity is in millionths, the amount in millionths of millionths: six places are left.
        let digits = count.micros().checked_mul(u128::from(rate.digits))?;
        let scale = u32::from(rate.scale);
        let numerator = digits.checked_mul(10_u128.checked_pow(SCALE.saturating_sub(scale))?)?;
        let denominator = 10_u128.checked_pow(scale.saturating_sub(SCALE))?.checked_mul(u128::from(rate.per))?;
        let whole = self.whole.checked_add(numerator / denominator)?;
        let (numerator, denominator) = lowest(numerator % denominator, denominator);
        // Two fractions over their least common denominator. Each is below one, so their sum is below two.
        let shared = gcd(self.denominator, denominator);
        let common = (self.denominator / shared).checked_mul(denominator)?;
        let left = self.numerator.checked_mul(common / self.denominator)?;
        let sum = left.checked_add(numerator.checked_mul(common / denominator)?)?;
        let (numerator, denominator) = lowest(sum % common, common);
        Some(Self { whole: whole.checked_add(sum / common)?, numerator, denominator })
    }

    /// The amount, rounded half to even at the twelfth decimal.
    pub fn rounded(self) -> Usd {
        let rest = self.denominator - self.numerator;
        let is_up = self.numerator > rest || (self.numerator == rest && self.whole % 2 == 1);
        let pico = self.whole.saturating_add(u128::from(is_up)).min(PICO_MAX);
        Usd::from_pico(i128::try_from(pico).unwrap_or(i128::MAX))
    }
}

fn lowest(numerator: u128, denominator: u128) -> (u128, u128) {
    let shared = gcd(denominator, numerator);
    (numerator / shared, denominator / shared)
}

/// The greatest common divisor; of a number and zero, the number.
const fn gcd(mut left: u128, mut right: u128) -> u128 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left
}

#[cfg(test)]
mod tests {
    use bigdecimal::num_bigint::BigInt;
    use proptest::prelude::*;

    use super::*;

    /// Whole pico-dollars by integers of any size: half to even of a sum of fractions.
    fn naive(terms: &[(u128, Rate)]) -> BigInt {
        let (mut numerator, mut denominator) = (BigInt::from(0), BigInt::from(1));
        for (micros, rate) in terms {
            let under = BigInt::from(10).pow(u32::from(rate.scale)) * rate.per;
            let over = BigInt::from(*micros) * rate.digits * 1_000_000;
            numerator = numerator * &under + over * &denominator;
            denominator *= under;
        }
        let (whole, rest) = (&numerator / &denominator, &numerator % &denominator);
        let twice = rest * 2;
        let is_odd = &whole % 2 == BigInt::from(1);
        if twice > denominator || (twice == denominator && is_odd) { whole + 1 } else { whole }
    }

    #[test]
    fn the_tie_goes_to_the_even_neighbour_once_for_the_whole_sum() {
        // Half a pico-dollar each.
        let half = Rate { digits: 5, scale: 13, per: 1 };
        for (times, pico) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (7, 4)] {
            let mut sum = Sum::ZERO;
            (0..times).for_each(|_| sum.add(Quantity::of(1), half));
            assert_eq!(sum.rounded(), Usd::from_pico(pico), "{times}");
        }
    }

    #[test]
    fn what_no_amount_can_hold_is_as_large_as_can_be_and_not_another_amount() {
        let mut sum = Sum::ZERO;
        sum.add(Quantity::from_micros(u128::MAX), Rate { digits: u64::MAX, scale: 0, per: 1 });
        assert_eq!(sum.rounded(), Usd::from_pico(PICO_MAX as i128));
        sum.add(Quantity::from_micros(u128::MAX / 2), Rate { digits: 3, scale: 18, per: 7 });
        assert_eq!(sum.rounded(), Usd::from_pico(PICO_MAX as i128));
    }

    proptest! {
        #[test]
        fn it_is_what_integers_of_any_size_give(
            terms in prop::collection::vec((0..1_u128 << 73, 0..1_u64 << 40, 0_u8..=18, 1_u64..10_000_000), 0..6),
        ) {
            let terms: Vec<_> =
                terms.into_iter().map(|(micros, digits, scale, per)| (micros, Rate { digits, scale, per })).collect();
            let mut sum = Sum::ZERO;
            terms.iter().for_each(|(micros, rate)| sum.add(Quantity::from_micros(*micros), *rate));
            let naive = naive(&terms).min(BigInt::from(PICO_MAX));
            // Six denominators without a common divisor are beyond 128 bits at times; then it says the most there is.
            let pico = BigInt::from(sum.rounded().pico());
            prop_assert!(pico == naive || pico == BigInt::from(PICO_MAX), "{pico} {naive}");
        }

        #[test]
        fn prices_per_million_are_always_exact(
            terms in prop::collection::vec((0..1_u64 << 53, 0..10_u64.pow(15), 0_u8..=15), 0..8),
        ) {
            let mut sum = Sum::ZERO;
            let terms: Vec<_> = terms
                .into_iter()
                .map(|(count, digits, scale)| (Quantity::of(count), Rate { digits, scale, per: 1_000_000 }))
                .collect();
            terms.iter().for_each(|(count, rate)| sum.add(*count, *rate));
            let exact: Vec<_> = terms.iter().map(|(count, rate)| (count.micros(), *rate)).collect();
            prop_assert_eq!(BigInt::from(sum.rounded().pico()), naive(&exact).min(BigInt::from(PICO_MAX)));
        }
    }
}
