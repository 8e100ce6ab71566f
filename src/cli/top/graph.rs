//! Bars and sparklines out of characters.
//!
//! *Invariants.* A bar is full only when the limit is reached, and what is not nothing can be seen.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{Quantity, Usd, nearest_f64_percent};
use crate::people;

/// How far a limit is used: in thousandths of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bar {
    spent: u64,
    held: u64,
}

/// The whole of a limit.
const WHOLE: u64 = 1_000;
/// Of a column: an eighth, two eighths, … (Unicode's block elements).
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const SPENT: char = '█';
const HELD: char = '▒';
const FREE: char = '·';
/// Heights of a sparkline above nothing.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A day without cost.
const NOTHING: char = '·';

impl Bar {
    /// Of money.
    pub fn of_money(spent: Usd, held: Usd, limit: Usd) -> Self {
        let of = |amount: Usd| thousandths(amount.pico().max(0).unsigned_abs(), limit.pico().max(0).unsigned_abs());
        Self { spent: of(spent), held: of(held) }
    }

    /// Of some usage.
    pub fn of_usage(spent: Quantity, held: Quantity, limit: Quantity) -> Self {
        let of = |amount: Quantity| thousandths(amount.micros(), limit.micros());
        Self { spent: of(spent), held: of(held) }
    }

    /// Of what is known as a percentage only.
    pub fn of_percent(percent: f64) -> Self {
        // A float becomes an integer within bounds; what is no number becomes 0.
        Self { spent: (percent * 10.0).clamp(0.0, WHOLE as f64) as u64, held: 0 }
    }

    /// In so many columns.
    pub fn drawn(self, columns: usize) -> String {
        let eighths = columns as u64 * 8;
        let of = |part: u64| part.min(WHOLE) * eighths / WHOLE;
        // The least that can be seen, for what is not nothing.
        let spent = of(self.spent).max(u64::from(self.spent > 0));
        let end = of(self.spent + self.held).max(spent);
        let mut text: String = std::iter::repeat_n(SPENT, (spent / 8) as usize).collect();
        let part = EIGHTHS.get((spent % 8).wrapping_sub(1) as usize);
        text.extend(part);
        let mut used = (spent / 8) as usize + usize::from(part.is_some());
        let held = if self.held > 0 { (end.div_ceil(8) as usize).clamp((used + 1).min(columns), columns) } else { used };
        text.extend(std::iter::repeat_n(HELD, held - used));
        used = held;
        text.extend(std::iter::repeat_n(FREE, columns.saturating_sub(used)));
        text
    }
}

/// How many thousandths of the whole a part is, cut off; all of it where the whole is nothing.
fn thousandths(part: u128, whole: u128) -> u64 {
    let times = u128::from(WHOLE);
    let share = match whole {
        0 if part == 0 => 0,
        0 => times,
        // What cannot be multiplied is divided first: so large a part loses nothing that could be seen.
        _ => part.checked_mul(times).map_or_else(|| part / (whole / times).max(1), |parts| parts / whole),
    };
    let share = if part > 0 { share.max(1) } else { share };
    u64::try_from(share.min(times * 10)).unwrap_or(WHOLE)
}

/// The last sizes that fit, each in proportion to the largest of them.
pub fn sparkline(sizes: &[u128], columns: usize) -> String {
    let shown = sizes.get(sizes.len().saturating_sub(columns)..).unwrap_or_default();
    let largest = shown.iter().copied().max().unwrap_or(0);
    let one = |size: &u128| match size {
        0 => NOTHING,
        // From the lowest, for the least, to the highest, for the largest.
        size => {
            let steps = HEIGHTS.len() as u128;
            let height =
                size.checked_mul(steps).map_or_else(|| size / (largest / steps).max(1), |sizes| sizes.div_ceil(largest));
            HEIGHTS.get((height.clamp(1, steps) - 1) as usize).copied().unwrap_or(SPENT)
        }
    };
    shown.iter().map(one).collect()
}

/// Hours of a band.
pub const BAND_HOURS: usize = 24;

/// From a time on it was like this.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    pub at: Timestamp,
    pub active: bool,
}

/// When something was active in the last hours, the newest change first. Before the first change that is known it was the other way.
pub fn hours(changes: &[Change], is_active: bool, now: Timestamp) -> String {
    let hour = |number: usize| {
        let end = now.saturating_sub(SignedDuration::from_hours(number as i64)).unwrap_or(now);
        let start = end.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(end);
        // As it was at the end of the hour, and what changed within it.
        let later = changes.iter().rfind(|change| change.at >= end);
        let at_end = changes
            .iter()
            .find(|change| change.at < end)
            .map_or_else(|| later.is_some_and(|change| !change.active), |change| change.active);
        let at_end = if changes.is_empty() { is_active } else { at_end };
        let changed = changes.iter().any(|change| change.at >= start && change.at < end);
        match (changed, at_end) {
            (true, _) => HELD,
            (false, true) => SPENT,
            (false, false) => FREE,
        }
    };
    (0..BAND_HOURS).rev().map(hour).collect()
}

/// A percentage of a whole with one decimal, cut off.
pub fn share(part: Usd, whole: Usd) -> String {
    // Credits make parts that no share can be told of.
    if part < Usd::ZERO || whole <= Usd::ZERO || part > whole {
        return String::new();
    }
    format!("{} %", people::percent(nearest_f64_percent(part.pico(), whole.pico())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::table::wrap;
    use super::*;

    fn usd(text: &str) -> Usd {
        Usd::parse(text).unwrap()
    }

    #[test]
    fn a_bar_is_full_only_at_the_limit_and_shows_what_is_little() {
        for (spent, held, limit, shown) in [
            ("0", "0", "10", "··········"),
            ("0.000000000001", "0", "1000000", "▏·········"),
            ("5", "0", "10", "█████·····"),
            ("5.5", "0", "10", "█████▌····"),
            ("5", "2", "10", "█████▒▒···"),
            ("5.5", "2", "10", "█████▌▒▒··"),
            ("5", "0.0001", "10", "█████▒····"),
            ("9.999", "0", "10", "█████████▉"),
            ("10", "0", "10", "██████████"),
            ("9", "7", "10", "█████████▒"),
            ("25", "1", "10", "██████████"),
            ("-5", "0", "10", "··········"),
            ("0", "0", "0", "··········"),
            ("1", "0", "0", "██████████"),
        ] {
            assert_eq!(Bar::of_money(usd(spent), usd(held), usd(limit)).drawn(10), shown, "{spent} + {held} of {limit}");
        }
        assert_eq!(Bar::of_percent(f64::NAN).drawn(4), "····");
        assert_eq!(Bar::of_percent(1e26).drawn(4), "████");
        let of_usage = Bar::of_usage(Quantity::of(1), Quantity::of(1), Quantity::of(4));
        assert_eq!(of_usage.drawn(8), "██▒▒····");
    }

    #[test]
    fn a_sparkline_shows_the_last_days() {
        assert_eq!(sparkline(&[0, 1, 4, 8], 4), "·▁▄█");
        assert_eq!(sparkline(&[8, 1, 4, 8], 3), "▁▄█");
        assert_eq!(sparkline(&[1, 1_000_000], 8), "▁█");
        assert_eq!(sparkline(&[0, 0], 2), "··");
        assert_eq!(sparkline(&[], 2), "");
        assert_eq!(sparkline(&[u128::MAX, 1], 2), "█▁");
    }

    #[test]
    fn a_band_shows_when_it_was_active() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let now = at("2026-11-22T10:00:00Z");
        let change = |time: &str, active| Change { at: at(time), active };
        assert_eq!(hours(&[], false, now), "·".repeat(24));
        assert_eq!(hours(&[], true, now), "█".repeat(24));
        let changes = [change("2026-11-22T09:30:00Z", false), change("2026-11-22T06:10:00Z", true)];
        assert_eq!(hours(&changes, false, now), "·".repeat(20) + "▒██▒");
        let changes = [change("2026-11-22T08:00:00Z", false)];
        assert_eq!(hours(&changes, false, now), "█".repeat(22) + "▒·", "before it was the other way");
        assert_eq!(hours(&[change("2026-11-01T08:00:00Z", true)], true, now), "█".repeat(24));
    }

    #[test]
    fn a_share_is_cut_off() {
        assert_eq!(share(usd("2"), usd("3")), "66.6 %");
        assert_eq!(share(usd("3"), usd("3")), "100.0 %");
        assert_eq!(share(usd("-1"), usd("3")), "");
        assert_eq!(share(usd("1"), usd("0")), "");
    }

    proptest! {
        #[test]
        fn a_bar_is_as_wide_as_it_should_be(spent in 0_u64..3_000, held in 0_u64..3_000, columns in 1_usize..200) {
            let drawn = Bar { spent, held }.drawn(columns);
            prop_assert_eq!(wrap::width(&drawn), columns);
            prop_assert_eq!(drawn.contains(FREE), !drawn.ends_with([SPENT, HELD, '▉', '▊', '▋', '▌', '▍', '▎', '▏']));
            prop_assert!(spent < WHOLE || !drawn.contains([HELD, FREE]));
            prop_assert!(spent >= WHOLE || held > 0 || drawn != SPENT.to_string().repeat(columns));
        }
    }
}
