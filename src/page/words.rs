//! Time in words.

use jiff::Timestamp;

use crate::domain::BudgetZone;
use crate::people;

/// Units of time, largest first, with their seconds.
const UNITS: [(&str, i64); 4] = [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)];

/// From here on nobody counts seconds.
const SECONDS_TOLD_BELOW: i64 = 600;

/// So much time, in its two largest units: `3 hours 10 minutes`. Seconds only below ten minutes.
pub fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let Some(first) = UNITS.iter().position(|(_, unit)| seconds >= *unit) else { return "less than a second".into() };
    let (word, unit) = UNITS[first];
    let mut text = people::counted((seconds / unit).cast_unsigned(), word);
    if let Some((word, smaller)) = UNITS.get(first + 1)
        && seconds % unit >= *smaller
        && (*smaller > 1 || seconds < SECONDS_TOLD_BELOW)
    {
        text = format!("{text} {}", people::counted((seconds % unit / smaller).cast_unsigned(), word));
    }
    text
}

/// How far a time is from now: `in 3 hours`, `5 minutes ago`, `now`.
pub fn from_now(time: Timestamp, now: Timestamp) -> String {
    match time.as_second() - now.as_second() {
        0 => "now".into(),
        ahead @ 1.. => format!("in {}", span(ahead)),
        behind => format!("{} ago", span(-behind)),
    }
}

/// A time in the budget zone, as short as it can be told today: `14:05`, `Nov 28, 14:05`, `Nov 28 2025, 14:05`.
pub fn clock(time: Timestamp, now: Timestamp, zone: &BudgetZone) -> String {
    let (time, now) = (zone.civil(time), zone.civil(now));
    let pattern = if time.date() == now.date() {
        "%H:%M"
    } else if time.year() == now.year() {
        "%b %-d, %H:%M"
    } else {
        "%b %-d %Y, %H:%M"
    };
    time.strftime(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_told_in_two_units() {
        for (seconds, told) in [
            (-5, "less than a second"),
            (0, "less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "1 minute"),
            (61, "1 minute 1 second"),
            (599, "9 minutes 59 seconds"),
            (601, "10 minutes"),
            (3_599, "59 minutes"),
            (3_600, "1 hour"),
            (3_659, "1 hour"),
            (11_400, "3 hours 10 minutes"),
            (86_399, "23 hours 59 minutes"),
            (90_000, "1 day 1 hour"),
            (86_400 * 400, "400 days"),
        ] {
            assert_eq!(span(seconds), told, "{seconds}");
        }
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-29T12:00:00Z");
        assert_eq!(from_now(at("2026-11-29T15:10:00Z"), now), "in 3 hours 10 minutes");
        assert_eq!(from_now(at("2026-11-29T11:59:55Z"), now), "5 seconds ago");
        assert_eq!(from_now(at("2026-11-29T12:00:00.9Z"), now), "now");
    }

    #[test]
    fn a_clock_shows_the_zone_and_no_more_than_is_needed() {
        let zone = BudgetZone::named("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let now = at("2026-11-29T12:00:00Z");
        for (time, told) in [
            ("2026-11-29T13:05:59Z", "14:05"),
            ("2026-11-28T23:30:00Z", "00:30"),
            ("2026-11-28T22:30:00Z", "Nov 28, 23:30"),
            ("2025-12-31T22:30:00Z", "Dec 31 2025, 23:30"),
        ] {
            assert_eq!(clock(at(time), now, &zone), told, "{time}");
        }
    }
}
