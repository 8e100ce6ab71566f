//! How numbers become lengths.

use std::fmt;

/// Parts that make the whole: a hundredth of a percent each.
const WHOLE: i128 = 10_000;
/// Steps that an axis aims at.
const STEPS: i128 = 4;

/// A share of a length, in hundredths of a percent. Printed as an attribute has it: `12.5%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parts(pub i32);

/// The numbers that an axis spans: round ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    bottom: i128,
    top: i128,
    /// 0 where all numbers are zero.
    step: i128,
}

impl Parts {
    /// None of it.
    pub const NONE: Self = Self(0);
    /// All of it.
    pub const ALL: Self = Self(WHOLE as i32);

    /// Which share one number is of another, rounded down: between none and all. Of nothing it is none.
    pub fn of(part: i128, whole: i128) -> Self {
        if part <= 0 || whole <= 0 {
            return Self::NONE;
        }
        let part = part.min(whole);
        let parts = match part.checked_mul(WHOLE) {
            Some(scaled) => scaled / whole,
            // Numbers so large lose nothing that can be seen.
            None => part / (whole / WHOLE).max(1),
        };
        Self(i32::try_from(parts.min(WHOLE)).unwrap_or(Self::ALL.0))
    }

    /// What is left of a length.
    pub const fn rest(self) -> Self {
        Self(Self::ALL.0 - self.0)
    }

    /// From a place to a further one.
    pub const fn to(self, end: Self) -> Self {
        Self(end.0 - self.0)
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, hundredths) = (self.0.unsigned_abs() / 100, self.0.unsigned_abs() % 100);
        match hundredths {
            0 => write!(formatter, "{sign}{whole}%"),
            tenths if tenths % 10 == 0 => write!(formatter, "{sign}{whole}.{}%", tenths / 10),
            _ => write!(formatter, "{sign}{whole}.{hundredths:02}%"),
        }
    }
}

impl Scale {
    /// The scale for numbers from `least` to `most`; zero is always on it.
    pub fn over(least: i128, most: i128) -> Self {
        let (least, most) = (least.min(0), most.max(0));
        let span = most.saturating_sub(least);
        if span == 0 {
            return Self { bottom: 0, top: 1, step: 0 };
        }
        let step = round_up((span / STEPS).max(1));
        let up = |number: i128| (number / step + i128::from(number % step != 0)).saturating_mul(step);
        Self { bottom: -up(-least), top: up(most), step }
    }

    /// How far above the bottom a number is.
    pub fn height(&self, number: i128) -> Parts {
        Parts::of(number.saturating_sub(self.bottom), self.top.saturating_sub(self.bottom))
    }

    /// The largest number on it.
    pub fn top(&self) -> i128 {
        self.top
    }

    /// The round numbers on it, from the bottom; none where all numbers are zero.
    pub fn steps(&self) -> impl Iterator<Item = i128> + use<> {
        let Self { bottom, top, step } = *self;
        let count = top.saturating_sub(bottom).checked_div(step).unwrap_or(-1);
        (0..=count).map(move |number| bottom + number * step)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is no smaller.
fn round_up(number: i128) -> i128 {
    let power = 10_i128.pow(number.checked_ilog10().unwrap_or(0));
    [1, 2, 5, 10].into_iter().map(|digit| power.saturating_mul(digit)).find(|round| *round >= number).unwrap_or(i128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_printed_short_and_stay_within_the_whole() {
        for (part, whole, shown) in [
            (0, 7, "0%"),
            (1, 3, "33.33%"),
            (1, 8, "12.5%"),
            (5, 5, "100%"),
            (9, 5, "100%"),
            (-1, 5, "0%"),
            (1, 0, "0%"),
            (1, -1, "0%"),
            (1, i128::MAX, "0%"),
            (i128::MAX, i128::MAX, "100%"),
            (i128::MAX / 2, i128::MAX, "50%"),
        ] {
            assert_eq!(Parts::of(part, whole).to_string(), shown, "{part} of {whole}");
        }
        assert_eq!(Parts(-1_205).to_string(), "-12.05%");
        assert_eq!((Parts(2_500).rest(), Parts(2_500).to(Parts(3_000))), (Parts(7_500), Parts(500)));
    }

    #[test]
    fn a_scale_is_round_and_has_zero_and_every_number_on_it() {
        let told = |least, most| {
            let scale = Scale::over(least, most);
            (scale.steps().collect::<Vec<_>>(), scale.height(0), scale.height(most), scale.height(least))
        };
        assert_eq!(told(0, 0), (vec![], Parts::NONE, Parts::NONE, Parts::NONE));
        assert_eq!(told(0, 1), (vec![0, 1], Parts::NONE, Parts::ALL, Parts::NONE));
        assert_eq!(told(3, 40), (vec![0, 10, 20, 30, 40], Parts::NONE, Parts::ALL, Parts(750)));
        assert_eq!(told(0, 41), (vec![0, 10, 20, 30, 40, 50], Parts::NONE, Parts(8_200), Parts::NONE));
        assert_eq!(told(-5, 12), (vec![-5, 0, 5, 10, 15], Parts(2_500), Parts(8_500), Parts::NONE));
        assert_eq!(told(-8, -2), (vec![-8, -6, -4, -2, 0], Parts::ALL, Parts(7_500), Parts::NONE));
        for (least, most) in [(0, i128::MAX), (i128::MIN + 1, i128::MAX), (i128::MIN + 1, 0)] {
            let scale = Scale::over(least, most);
            assert!(scale.steps().count() <= 8 && scale.height(most) >= scale.height(least), "{scale:?}");
        }
    }
}
