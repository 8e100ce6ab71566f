//! Hours, days, weeks and longer by integer arithmetic, for the zones that histories are counted in.
//!
//! Where a period begins is found by looking at one day after the other, so that this is another way than the program's.

use std::cell::RefCell;
use std::collections::HashMap;

/// Nanoseconds since 1970 in UTC, or a length of time.
pub type Nanos = i64;

pub const SECOND: Nanos = 1_000_000_000;
pub const MINUTE: Nanos = 60 * SECOND;
pub const HOUR: Nanos = 60 * MINUTE;
pub const DAY: Nanos = 24 * HOUR;

/// Where the days are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    Utc,
    /// One hour ahead of UTC; two from 01:00 UTC of March's last Sunday to 01:00 UTC of October's.
    Berlin,
    /// Always five hours and a half ahead of UTC.
    Kolkata,
    /// Ten hours and a half ahead of UTC; eleven from 02:00 of October's first Sunday to 02:00 of April's.
    LordHowe,
}

/// How long a budget's period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Length {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Ever,
}

/// How often a budget begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cycle {
    pub length: Length,
    /// 0 is Monday.
    pub week_starts: i64,
    /// 1 to 28.
    pub start_day: i64,
}

/// From its first instant to the first one behind it; `None` is for ever.
pub type Span = Option<(Nanos, Nanos)>;

pub const LENGTHS: [Length; 7] =
    [Length::Hour, Length::Day, Length::Week, Length::Month, Length::Quarter, Length::Year, Length::Ever];
pub const ZONES: [Zone; 4] = [Zone::Utc, Zone::Berlin, Zone::Kolkata, Zone::LordHowe];
/// By how much a zone's clocks may be ahead of UTC.
const AHEAD: [Nanos; 6] = [0, HOUR, 2 * HOUR, 11 * HOUR / 2, 21 * HOUR / 2, 11 * HOUR];

impl Zone {
    /// The zone's IANA name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utc => "UTC",
            Self::Berlin => "Europe/Berlin",
            Self::Kolkata => "Asia/Kolkata",
            Self::LordHowe => "Australia/Lord_Howe",
        }
    }

    /// The day that an instant lies in, counted from 1970-01-01.
    pub fn day_of(self, time: Nanos) -> i64 {
        (time + self.offset(time)).div_euclid(DAY)
    }

    /// The first instant of a day. Clocks change at night, but never at midnight.
    pub fn start_of(self, day: i64) -> Nanos {
        let midnight = day * DAY;
        let ahead = AHEAD.into_iter().find(|ahead| self.offset(midnight - ahead) == *ahead);
        midnight - ahead.expect("midnight is never skipped")
    }

    /// The period that an instant lies in.
    pub fn span(self, cycle: Cycle, time: Nanos) -> Span {
        if cycle.length == Length::Ever {
            return None;
        }
        if cycle.length == Length::Hour {
            return Some(self.hour(time));
        }
        let (first, next) = days_around(cycle, self.day_of(time));
        Some((self.start_of(first), self.start_of(next)))
    }

    /// The hour that the zone's clock shows, as long as nobody sets it.
    fn hour(self, time: Nanos) -> (Nanos, Nanos) {
        let begin = time - (time + self.offset(time)).rem_euclid(HOUR);
        let year = civil(time.div_euclid(DAY)).0;
        let changes = || (year - 1..=year + 1).flat_map(|year| self.changes(year));
        let begin_unchanged = changes().filter(|change| (begin..=time).contains(change)).max();
        let end_unchanged = changes().filter(|change| (time + 1..begin + HOUR).contains(change)).min();
        (begin_unchanged.unwrap_or(begin), end_unchanged.unwrap_or(begin + HOUR))
    }

    /// When the zone's clocks are set in a year.
    pub fn changes(self, year: i64) -> Vec<Nanos> {
        match self {
            Self::Utc | Self::Kolkata => vec![],
            Self::Berlin => vec![last_sunday(year, 3) * DAY + HOUR, last_sunday(year, 10) * DAY + HOUR],
            Self::LordHowe => vec![
                first_sunday(year, 4) * DAY + 2 * HOUR - 11 * HOUR,
                first_sunday(year, 10) * DAY + 2 * HOUR - 21 * HOUR / 2,
            ],
        }
    }

    /// How far the zone's clocks are ahead of UTC.
    fn offset(self, time: Nanos) -> Nanos {
        let changes = self.changes(civil(time.div_euclid(DAY)).0);
        let is_between = || changes[0] <= time && time < changes[1];
        match self {
            Self::Utc => 0,
            Self::Kolkata => 11 * HOUR / 2,
            Self::Berlin if is_between() => 2 * HOUR,
            Self::Berlin => HOUR,
            Self::LordHowe if is_between() => 21 * HOUR / 2,
            Self::LordHowe => 11 * HOUR,
        }
    }
}

/// The first day of the period that a day lies in, and that of the next one.
fn days_around(cycle: Cycle, day: i64) -> (i64, i64) {
    thread_local! {
        /// Looking from day to day takes its time.
        static KNOWN: RefCell<HashMap<(Cycle, i64), (i64, i64)>> = RefCell::default();
    }
    let look = || {
        let first = (0..).map(|back| day - back).find(|day| begins_period(cycle, *day));
        let next = (1..).map(|on| day + on).find(|day| begins_period(cycle, *day));
        first.zip(next).expect("there is always another period")
    };
    KNOWN.with_borrow_mut(|known| *known.entry((cycle, day)).or_insert_with(look))
}

fn begins_period(Cycle { length, week_starts, start_day }: Cycle, day: i64) -> bool {
    let (_, month, of_month) = civil(day);
    match length {
        Length::Hour | Length::Ever => unreachable!("these are not made of days"),
        Length::Day => true,
        Length::Week => weekday(day) == week_starts,
        Length::Month => of_month == start_day,
        Length::Quarter => of_month == start_day && [1, 4, 7, 10].contains(&month),
        Length::Year => of_month == start_day && month == 1,
    }
}

/// The number of a day.
pub fn day_number(year: i64, month: i64, of_month: i64) -> i64 {
    let years: i64 = (1970..year).map(year_length).sum();
    let months: i64 = (1..month).map(|month| length(year, month)).sum();
    years + months + of_month - 1
}

/// Year, month and day of the month.
pub fn civil(day: i64) -> (i64, i64, i64) {
    // So many days at least had begun when the year had, so the walk is short.
    let mut year = 1970 + day / 366;
    let mut left = day - day_number(year, 1, 1);
    let mut month = 1;
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

/// 0 is Monday. 1970-01-01 was a Thursday.
fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

fn last_sunday(year: i64, month: i64) -> i64 {
    let last = day_number(year, month, length(year, month));
    (0..7).map(|back| last - back).find(|day| weekday(*day) == 6).expect("one of seven days is a Sunday")
}

fn first_sunday(year: i64, month: i64) -> i64 {
    let first = day_number(year, month, 1);
    (0..7).map(|on| first + on).find(|day| weekday(*day) == 6).expect("one of seven days is a Sunday")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Nanoseconds of a time of day in UTC.
    fn at(year: i64, month: i64, of_month: i64, hour: i64, minute: i64) -> Nanos {
        day_number(year, month, of_month) * DAY + hour * HOUR + minute * MINUTE
    }

    #[test]
    fn the_calendar_knows_leap_days_and_the_days_of_23_and_25_hours() {
        assert_eq!(civil(day_number(2028, 2, 29)), (2028, 2, 29));
        assert_eq!(civil(day_number(2028, 2, 29) + 1), (2028, 3, 1));
        let hours = |day| (Zone::Berlin.start_of(day + 1) - Zone::Berlin.start_of(day)) / HOUR;
        let days = [day_number(2026, 3, 29), day_number(2026, 10, 25), day_number(2026, 11, 22)];
        assert_eq!(days.map(hours), [23, 25, 24]);
        let late = at(2026, 11, 22, 23, 30);
        assert_eq!(Zone::Utc.day_of(late) + 1, Zone::Berlin.day_of(late));
    }

    #[test]
    fn periods_begin_where_people_say() {
        let cycle = |length, week_starts, start_day| Cycle { length, week_starts, start_day };
        let span = |zone: Zone, cycle, time| zone.span(cycle, time).unwrap();
        // 2026-11-29 was a Sunday.
        let sunday = at(2026, 11, 29, 12, 0);
        assert_eq!(span(Zone::Utc, cycle(Length::Week, 0, 1), sunday), (at(2026, 11, 23, 0, 0), at(2026, 11, 30, 0, 0)));
        assert_eq!(span(Zone::Utc, cycle(Length::Week, 6, 1), sunday), (at(2026, 11, 29, 0, 0), at(2026, 12, 6, 0, 0)));
        assert_eq!(span(Zone::Utc, cycle(Length::Month, 0, 28), sunday), (at(2026, 11, 28, 0, 0), at(2026, 12, 28, 0, 0)));
        assert_eq!(span(Zone::Utc, cycle(Length::Quarter, 0, 10), sunday), (at(2026, 10, 10, 0, 0), at(2027, 1, 10, 0, 0)));
        let new_year = at(2027, 1, 1, 12, 0);
        assert_eq!(span(Zone::Utc, cycle(Length::Year, 0, 2), new_year), (at(2026, 1, 2, 0, 0), at(2027, 1, 2, 0, 0)));
        assert_eq!(Zone::Utc.span(cycle(Length::Ever, 0, 1), sunday), None);
        // Berlin's clock shows 02:30 twice; Lord Howe's goes back to 01:30 at 02:00.
        let hour = cycle(Length::Hour, 0, 1);
        assert_eq!(span(Zone::Berlin, hour, at(2026, 10, 25, 0, 30)), (at(2026, 10, 25, 0, 0), at(2026, 10, 25, 1, 0)));
        assert_eq!(span(Zone::Kolkata, hour, at(2026, 10, 25, 0, 0)), (at(2026, 10, 24, 23, 30), at(2026, 10, 25, 0, 30)));
        assert_eq!(span(Zone::LordHowe, hour, at(2026, 4, 4, 14, 59)), (at(2026, 4, 4, 14, 0), at(2026, 4, 4, 15, 0)));
        assert_eq!(span(Zone::LordHowe, hour, at(2026, 4, 4, 15, 0)), (at(2026, 4, 4, 15, 0), at(2026, 4, 4, 15, 30)));
    }
}
