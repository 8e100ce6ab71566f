//! Figures and names as a person reads them, on a terminal and on the page. Programs get all digits, and names as they were sent.
//!
//! *Invariants.* Nothing that is not zero is shown as zero, and no share of a budget looks larger than it is. No name can look like
//! another by what is invisible in it.

use jiff::Timestamp;

use crate::domain::Usd;

/// Decimals of a pico-dollar.
const DECIMALS_MAX: u32 = 12;
/// Decimals of a cent.
const DECIMALS_MIN: u32 = 2;
/// Shares above it are all "far beyond the limit".
const PERCENT_MAX: f64 = 999_999.0;

/// Money to the cent; below ten cents with two significant digits, so that what is smaller than a cent can be told apart. Rounded
/// half to even. `1,234.57`, `0.50`, `0.015`, `0.0000042`.
pub fn money(amount: Usd) -> String {
    let magnitude = amount.pico().unsigned_abs();
    let digits = magnitude.checked_ilog10().map_or(0, |log| log + 1);
    // A tenth of a dollar has as many digits as there are decimals: one more decimal for each digit that is missing.
    let decimals = if magnitude == 0 { DECIMALS_MIN } else { (DECIMALS_MAX + 2).saturating_sub(digits) };
    let decimals = decimals.clamp(DECIMALS_MIN, DECIMALS_MAX);
    let unit = 10_u128.pow(DECIMALS_MAX - decimals);
    let (mut units, rest) = (magnitude / unit, magnitude % unit);
    if rest * 2 > unit || (rest * 2 == unit && units % 2 == 1) {
        units += 1;
    }
    let scale = 10_u128.pow(decimals);
    let fraction = format!("{:0width$}", units % scale, width = decimals as usize);
    let (cents, finer) = fraction.split_at(DECIMALS_MIN as usize);
    let sign = if amount.pico() < 0 { "-" } else { "" };
    format!("{sign}{}.{cents}{}", grouped(units / scale), finer.trim_end_matches('0'))
}

/// A percentage with one decimal, cut off: rounded up, 89.96 would look like a threshold that was reached.
pub fn percent(value: f64) -> String {
    if value.is_nan() {
        return "?".into();
    }
    if value > PERCENT_MAX {
        return ">999,999".into();
    }
    // A float prints as plain digits, so that is what is cut; arithmetic on it could pass a tenth that it does not reach.
    let digits = value.to_string();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let tenth = fraction.get(..1).unwrap_or("0");
    if value < 0.0 {
        // Nearer to zero would look larger.
        let tenths = whole.trim_start_matches('-').parse::<u64>().unwrap_or(0).saturating_mul(10)
            + tenth.parse::<u64>().unwrap_or(0)
            + u64::from(fraction.len() > 1);
        return format!("-{}.{}", grouped((tenths / 10).into()), tenths % 10);
    }
    format!("{}.{tenth}", whole.parse().map_or_else(|_| whole.to_owned(), grouped))
}

/// A time to the second, in UTC, which may be broken between day and hour.
pub fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// A decimal number with a comma between thousands, and all its decimals.
pub fn digits(number: &str) -> String {
    let (sign, magnitude) = number.strip_prefix('-').map_or(("", number), |magnitude| ("-", magnitude));
    let (whole, fraction) = magnitude.split_once('.').map_or((magnitude, None), |(whole, rest)| (whole, Some(rest)));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let fraction = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
    format!("{sign}{whole}{fraction}")
}

/// A count with its word: `1 event`, `2,000 events`.
pub fn counted(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {word}{plural}", grouped(number.into()))
}

/// A count with a comma between thousands.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text without what could steer a terminal or a page, or make text look like another: invisible characters, and those that turn around the
/// order in which the others stand.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|char| if char.is_control() || is_invisible(char) { char::REPLACEMENT_CHARACTER } else { char })
        .collect()
}

/// Format characters and separators of Unicode that take no place of their own.
const fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(char, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_count_has_its_word() {
        assert_eq!((counted(1, "event"), counted(2_000, "event")), ("1 event".into(), "2,000 events".into()));
        assert_eq!(counted(0, "key"), "0 keys");
    }

    #[test]
    fn money_is_shown_to_the_cent_and_finer_below_ten() {
        for (amount, shown) in [
            ("0", "0.00"),
            ("3", "3.00"),
            ("10.5", "10.50"),
            ("0.5", "0.50"),
            ("0.1", "0.10"),
            ("0.1251", "0.13"),
            ("0.125", "0.12"),
            ("0.135", "0.14"),
            ("0.0999", "0.10"),
            ("0.0994", "0.099"),
            ("0.01", "0.01"),
            ("0.0151", "0.015"),
            ("0.0042", "0.0042"),
            ("0.00425", "0.0042"),
            ("0.004", "0.004"),
            ("0.0000015", "0.0000015"),
            ("0.000000000001", "0.000000000001"),
            ("0.000000000123", "0.00000000012"),
            ("-0.000000000001", "-0.000000000001"),
            ("-2.345", "-2.34"),
            ("1995.0149", "1,995.01"),
            ("999.995", "1,000.00"),
            ("999999.999", "1,000,000.00"),
            ("1000000000000", "1,000,000,000,000.00"),
            ("123456789012345678.000000000001", "123,456,789,012,345,678.00"),
        ] {
            assert_eq!(money(Usd::parse(amount).unwrap()), shown, "{amount}");
        }
    }

    #[test]
    fn a_percentage_never_looks_larger_than_it_is() {
        for (value, shown) in [
            (89.99999, "89.9"),
            (33.333333333333336, "33.3"),
            (90.0, "90.0"),
            (1e-13, "0.0"),
            (0.0, "0.0"),
            (-0.001, "-0.1"),
            (-10.0, "-10.0"),
            (1234.56, "1,234.5"),
            (1e26, ">999,999"),
            (f64::INFINITY, ">999,999"),
        ] {
            assert_eq!(percent(value), shown, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_of_money_is_near_and_never_nothing(pico in -10_i128.pow(24)..10_i128.pow(24), shift in 0_u32..24) {
            let amount = Usd::from_pico(pico / 10_i128.pow(shift));
            let shown = Usd::parse(&money(amount).replace(',', "")).unwrap();
            let off = (shown - amount).abs().pico();
            let size = amount.abs().pico();
            // Half a cent, or half of the second digit.
            prop_assert!(off * 2 <= 10_i128.pow(10) && off * 20 <= size.max(0), "{amount} as {shown}");
            prop_assert_eq!(shown == Usd::ZERO, amount == Usd::ZERO);
        }
    }
}
