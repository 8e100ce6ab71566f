//! Days and months by integer arithmetic, for the two zones that histories are counted in.

use std::ops::RangeInclusive;

/// Nanoseconds since 1970 in UTC, or a length of time.
pub type Nanos = i64;

pub const SECOND: Nanos = 1_000_000_000;
pub const MINUTE: Nanos = 60 * SECOND;
pub const HOUR: Nanos = 60 * MINUTE;
pub const DAY: Nanos = 24 * HOUR;

/// Where the days are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    Utc,
    /// One hour ahead of UTC; two from 01:00 UTC of March's last Sunday to 01:00 UTC of October's.
    Berlin,
}

impl Zone {
    /// The zone's IANA name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utc => "UTC",
            Self::Berlin => "Europe/Berlin",
        }
    }

    /// The day that an instant lies in, counted from 1970-01-01.
    pub fn day_of(self, time: Nanos) -> i64 {
        (time + self.offset(time)).div_euclid(DAY)
    }

    /// The first instant of a day. Clocks change at night, but never at midnight.
    pub fn start_of(self, day: i64) -> Nanos {
        let midnight = day * DAY;
        let ahead = [0, HOUR, 2 * HOUR].into_iter().find(|ahead| self.offset(midnight - ahead) == *ahead);
        midnight - ahead.expect("midnight is never skipped")
    }

    /// How far the zone's clocks are ahead of UTC.
    fn offset(self, time: Nanos) -> Nanos {
        let year = civil(time.div_euclid(DAY)).0;
        match self {
            Self::Utc => 0,
            Self::Berlin if (summer_begins(year)..summer_ends(year)).contains(&time) => 2 * HOUR,
            Self::Berlin => HOUR,
        }
    }
}

/// When clocks go forward in Europe.
pub fn summer_begins(year: i64) -> Nanos {
    last_sunday(year, 3) * DAY + HOUR
}

/// When clocks go back in Europe.
pub fn summer_ends(year: i64) -> Nanos {
    last_sunday(year, 10) * DAY + HOUR
}

/// Every day of the month that a day lies in.
pub fn month_around(day: i64) -> RangeInclusive<i64> {
    let (year, month, of_month) = civil(day);
    let first = day - of_month + 1;
    first..=first + length(year, month) - 1
}

/// The number of a day.
pub fn day_number(year: i64, month: i64, of_month: i64) -> i64 {
    let years: i64 = (1970..year).map(year_length).sum();
    let months: i64 = (1..month).map(|month| length(year, month)).sum();
    years + months + of_month - 1
}

/// Year, month and day of the month.
pub fn civil(day: i64) -> (i64, i64, i64) {
    let (mut year, mut month, mut left) = (1970, 1, day);
    while left >= year_length(year) {
        left -= year_length(year);
        year += 1;
    }
    while left >= length(year, month) {
        left -= length(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

fn last_sunday(year: i64, month: i64) -> i64 {
    let last = day_number(year, month, length(year, month));
    // 1970-01-01 was a Thursday.
    last - (last + 4) % 7
}

fn year_length(year: i64) -> i64 {
    365 + i64::from(is_leap(year))
}

fn length(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[test]
fn the_calendar_knows_leap_days_and_the_days_of_23_and_25_hours() {
    assert_eq!(civil(day_number(2028, 2, 29)), (2028, 2, 29));
    assert_eq!(civil(day_number(2028, 2, 29) + 1), (2028, 3, 1));
    assert_eq!(month_around(day_number(2027, 2, 10)).count(), 28);
    let hours = |day| (Zone::Berlin.start_of(day + 1) - Zone::Berlin.start_of(day)) / HOUR;
    let days = [day_number(2026, 3, 29), day_number(2026, 10, 25), day_number(2026, 11, 22)];
    assert_eq!(days.map(hours), [23, 25, 24]);
    // 2026-11-22T23:30:00Z.
    let late = day_number(2026, 11, 22) * DAY + 23 * HOUR + 30 * MINUTE;
    assert_eq!(Zone::Utc.day_of(late) + 1, Zone::Berlin.day_of(late));
}
