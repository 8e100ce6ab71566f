//! Calendar periods in the budget time zone.
//!
//! *Invariants.* A period is a function of a time and a zone; there is no reset. Consecutive periods share their boundary
//! instant, so every instant lies in exactly one day and one month, also on days of 23 and 25 hours.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// One calendar month, such as 2026-11.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: Date,
}

/// One calendar day or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// A day of the budget time zone.
    Day(Date),
    /// A month of the budget time zone.
    Month(Month),
}

/// A text that names no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a period written as {0}")]
pub struct PeriodParseError(pub &'static str);

/// A stretch of time within one day, from its first nanosecond to before its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayStretch {
    /// The day that all of it lies in.
    pub day: Date,
    /// Nanoseconds since 1970, included.
    pub from_ns: i128,
    /// Nanoseconds since 1970, excluded.
    pub until_ns: i128,
}

/// The time zone that days and months are counted in (`BUDGET_TIMEZONE`).
#[derive(Clone, Debug)]
pub struct BudgetZone(TimeZone);

// === impl Month ===

impl Month {
    /// The month that a day lies in.
    pub fn of(day: Date) -> Self {
        Self { first: day.first_of_month() }
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        self.first
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        self.first.last_of_month()
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl FromStr for Month {
    type Err = PeriodParseError;

    fn from_str(text: &str) -> Result<Self, PeriodParseError> {
        let first = parse_day(&format!("{text}-01")).map_err(|_| PeriodParseError("YYYY-MM"))?;
        Ok(Self { first })
    }
}

// === impl Period ===

impl Period {
    /// Reads `YYYY-MM-DD`.
    ///
    /// # Errors
    /// Any other text, or a day that the calendar does not have.
    pub fn parse_day(text: &str) -> Result<Self, PeriodParseError> {
        parse_day(text).map(Self::Day)
    }

    /// First and last day.
    pub fn days(self) -> (Date, Date) {
        match self {
            Self::Day(day) => (day, day),
            Self::Month(month) => (month.first_day(), month.last_day()),
        }
    }
}

fn parse_day(text: &str) -> Result<Date, PeriodParseError> {
    let error = PeriodParseError("YYYY-MM-DD");
    let shape_fits = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !shape_fits {
        return Err(error);
    }
    text.parse().map_err(|_| error)
}

// === impl BudgetZone ===

impl BudgetZone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// A zone by its IANA name.
    ///
    /// # Errors
    /// A name that the time zone database does not have.
    pub fn named(name: &str) -> Result<Self, jiff::Error> {
        TimeZone::get(name).map(Self)
    }

    /// The IANA name, for people and for the ledger's record of which zone its days were counted in.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The day that an instant lies in.
    pub fn day_of(&self, time: Timestamp) -> Date {
        self.0.to_datetime(time).date()
    }

    /// What a clock on the wall shows at an instant.
    pub fn civil(&self, time: Timestamp) -> DateTime {
        self.0.to_datetime(time)
    }

    /// How far the zone's clock is ahead of UTC.
    pub(super) fn offset_ns(&self, time: Timestamp) -> i128 {
        i128::from(self.0.to_offset(time).seconds()) * 1_000_000_000
    }

    /// The day that an instant lies in, and the time around it in which that is so. Usually the whole day; less where the
    /// offset changes within it, so that no rule of a zone, however odd, makes this differ from [`BudgetZone::day_of`].
    pub fn stretch_of(&self, time: Timestamp) -> DayStretch {
        const DAY_NS: i128 = 86_400_000_000_000;
        let instant = time.as_nanosecond();
        let offset = self.offset_ns(time);
        let midnight = (instant + offset).div_euclid(DAY_NS) * DAY_NS - offset;
        // A change of the offset at this very instant is already in force.
        let just_after = Timestamp::from_nanosecond(instant + 1).unwrap_or(time);
        let since = self.0.preceding(just_after).next().map_or(i128::MIN, |change| change.timestamp().as_nanosecond());
        let until = self.0.following(time).next().map_or(i128::MAX, |change| change.timestamp().as_nanosecond());
        DayStretch { day: self.day_of(time), from_ns: midnight.max(since), until_ns: (midnight + DAY_NS).min(until) }
    }

    /// The instant a period begins, and the instant the next one does.
    pub fn bounds(&self, period: Period) -> (Timestamp, Timestamp) {
        let (first, last) = period.days();
        let next = last.checked_add(1.day()).unwrap_or(Date::MAX);
        (self.start_of(first), self.start_of(next))
    }

    /// The first instant of a day: midnight, or the end of the gap where a zone skips midnight.
    pub(super) fn start_of(&self, day: Date) -> Timestamp {
        day.to_zoned(self.0.clone())
            .and_then(|midnight| midnight.start_of_day())
            .map_or(Timestamp::MAX, |start| start.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn days_of_23_and_25_hours_have_the_length_the_zone_gives_them() {
        let berlin = BudgetZone::named("Europe/Berlin").unwrap();
        for (day, hours) in [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 22), 24)] {
            let (start, end) = berlin.bounds(Period::Day(day));
            assert_eq!(end.as_second() - start.as_second(), hours * 3600, "{day}");
            assert_eq!(berlin.day_of(start), day);
            assert_eq!(berlin.day_of(at("2026-01-01T00:00:00Z")), date(2026, 1, 1));
        }
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_at_one() {
        let sao_paulo = BudgetZone::named("America/Sao_Paulo").unwrap();
        let (start, end) = sao_paulo.bounds(Period::Day(date(2018, 11, 4)));
        assert_eq!(start, at("2018-11-04T03:00:00Z"));
        assert_eq!(end.as_second() - start.as_second(), 23 * 3600);
    }

    #[test]
    fn a_boundary_instant_belongs_to_the_period_it_opens() {
        let zone = BudgetZone::named("America/New_York").unwrap();
        let (_, december) = zone.bounds(Period::Month(Month::of(date(2026, 11, 30))));
        assert_eq!(zone.day_of(december), date(2026, 12, 1));
        assert_eq!(zone.day_of(Timestamp::from_nanosecond(december.as_nanosecond() - 1).unwrap()), date(2026, 11, 30));
    }

    #[test]
    fn a_stretch_is_of_one_day_even_where_midnight_comes_twice() {
        // Until 2011 clocks in Newfoundland went back at 00:01, into the day before.
        for (zone, around) in [
            ("America/St_Johns", "2010-11-07T03:00:00Z"),
            ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
            ("Pacific/Apia", "2011-12-30T10:00:00Z"),
            ("Europe/Berlin", "2026-10-25T01:00:00Z"),
            ("UTC", "2026-11-22T00:00:00Z"),
        ] {
            let zone = BudgetZone::named(zone).unwrap();
            for seconds in (-100_000..100_000).step_by(29) {
                let time = at(around) + jiff::SignedDuration::from_secs(seconds);
                let stretch = zone.stretch_of(time);
                for edge in [stretch.from_ns, time.as_nanosecond(), stretch.until_ns - 1] {
                    assert_eq!(zone.day_of(Timestamp::from_nanosecond(edge).unwrap()), stretch.day, "{time}");
                }
            }
        }
    }

    #[test]
    fn periods_are_read_strictly() {
        assert_eq!(Period::parse_day("2028-02-29"), Ok(Period::Day(date(2028, 2, 29))));
        for text in ["2026-02-30", "2026-2-3", "20261122", "2026-11-22T00:00", "", "+026-11-22"] {
            assert!(Period::parse_day(text).is_err(), "{text}");
        }
        assert_eq!("2026-11".parse::<Month>().unwrap().to_string(), "2026-11");
        for text in ["2026-13", "2026", "2026-1", "2026-11-01", ""] {
            assert!(text.parse::<Month>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_month_is_from_its_first_day_to_its_last() {
        let february = Month::of(date(2028, 2, 11));
        assert_eq!((february.first_day(), february.last_day()), (date(2028, 2, 1), date(2028, 2, 29)));
        assert_eq!(Period::Month(february).days(), (date(2028, 2, 1), date(2028, 2, 29)));
        assert_eq!(Period::Day(date(2028, 2, 11)).days(), (date(2028, 2, 11), date(2028, 2, 11)));
    }

    #[test]
    fn a_zone_shows_its_own_clock_under_its_own_name() {
        let kolkata = BudgetZone::named("Asia/Kolkata").unwrap();
        assert_eq!((kolkata.name(), BudgetZone::UTC.name()), ("Asia/Kolkata", "UTC"));
        assert_eq!(kolkata.civil(at("2026-11-22T20:00:00Z")), date(2026, 11, 23).at(1, 30, 0, 0));
    }
}
