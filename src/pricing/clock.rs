//! When a price holds.

use std::ops::ControlFlow;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A part of every day, in UTC: from the first time until just before the second; over midnight where that is the earlier one. The same
/// time twice is the whole day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    pub(super) start: Time,
    pub(super) end: Time,
}

/// Days of the week, in UTC or at a fixed distance from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// A bit for each day, from Monday on.
    mask: u8,
    ahead_seconds: i32,
}

/// When a price holds: always, unless something is said. All of it is by the time of the event, in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Validity {
    /// From the beginning of this day.
    pub from: Option<Date>,
    /// Until just before this day.
    pub until: Option<Date>,
    /// In this part of the day.
    pub hours: Option<Hours>,
    /// On these days.
    pub days: Option<Days>,
}

impl Hours {
    /// Reads `00:30-08:30`; `24:00` is midnight at the end of the day.
    pub fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Some(Self { start: time(start)?, end: time(end)? })
    }

    fn has(self, time: Time) -> bool {
        if self.start < self.end { self.start <= time && time < self.end } else { self.start <= time || time < self.end }
    }
}

impl std::fmt::Display for Hours {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { start, end } = self;
        write!(formatter, "{:02}:{:02}-{:02}:{:02}", start.hour(), start.minute(), end.hour(), end.minute())
    }
}

/// `HH:MM`.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u8>().ok()).flatten();
    let (hour, minute) = (number(hour)?, number(minute)?);
    let hour = if (hour, minute) == (24, 0) { 0 } else { hour };
    Time::new(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0).ok()
}

impl Days {
    /// No day.
    pub const NONE: Self = Self { mask: 0, ahead_seconds: 0 };

    /// These and one more.
    #[must_use]
    pub fn with(self, day: Weekday) -> Self {
        Self { mask: self.mask | 1 << day.to_monday_zero_offset(), ..self }
    }

    /// These and others.
    #[must_use]
    pub const fn and(self, others: Self) -> Self {
        Self { mask: self.mask | others.mask, ..self }
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.mask == 0
    }

    /// The same days in a zone that is so far ahead of UTC.
    #[must_use]
    pub(super) const fn ahead(self, ahead_seconds: i32) -> Self {
        Self { ahead_seconds, ..self }
    }

    fn has(self, at: DateTime) -> bool {
        let there = at.saturating_add(Span::new().seconds(self.ahead_seconds));
        self.mask & 1 << there.weekday().to_monday_zero_offset() != 0
    }

    /// Reads `monday`, `mon`, or a range `mon-fri`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (weekday(first)?, weekday(last)?);
        let days = first.cycle_forward().try_fold(Self::NONE, |days, day| {
            let days = days.with(day);
            if day == last { ControlFlow::Break(days) } else { ControlFlow::Continue(days) }
        });
        match days {
            ControlFlow::Break(days) | ControlFlow::Continue(days) => Some(days),
        }
    }

    /// Their names, from Monday on.
    pub fn names(self) -> Vec<&'static str> {
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        names.into_iter().enumerate().filter(|(day, _)| self.mask & 1 << day != 0).map(|(_, name)| name).collect()
    }
}

fn weekday(text: &str) -> Option<Weekday> {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let text = text.trim().to_ascii_lowercase();
    let day = days.iter().position(|day| text.len() >= 3 && day.starts_with(&text))?;
    Weekday::from_monday_zero_offset(i8::try_from(day).ok()?).ok()
}

impl Validity {
    /// Whether it holds at a time.
    pub fn has(&self, at: Timestamp) -> bool {
        if *self == Self::default() {
            return true;
        }
        let at = TimeZone::UTC.to_datetime(at);
        self.from.is_none_or(|from| at.date() >= from)
            && self.until.is_none_or(|until| at.date() < until)
            && self.hours.is_none_or(|hours| hours.has(at.time()))
            && self.days.is_none_or(|days| days.has(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_begin_at_their_first_minute_and_end_just_before_their_last() {
        let day = Hours::parse("00:30-08:30").unwrap();
        let night = Hours::parse("16:30-00:30").unwrap();
        let all = Hours::parse("00:00-24:00").unwrap();
        for (time, in_day, in_night) in [
            ("00:29:59.999999999", false, true),
            ("00:30:00", true, false),
            ("08:29:59.999999999", true, false),
            ("08:30:00", false, false),
            ("16:30:00", false, true),
            ("23:59:59", false, true),
        ] {
            let time = at(&format!("2026-11-28T{time}Z"));
            let has = |hours| Validity { hours: Some(hours), ..Validity::default() }.has(time);
            assert_eq!((has(day), has(night), has(all)), (in_day, in_night, true), "{time}");
        }
        assert_eq!(night.to_string(), "16:30-00:30");
        for text in
            ["", "1:00-02:00", "01:00", "01:60-02:00", "24:30-01:00", "25:00-01:00", "01:00-02:00-03:00", "a1:00-02:00"]
        {
            assert_eq!(Hours::parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_those_of_utc() {
        let week = Days::parse("mon-fri").unwrap();
        let ends = Days::parse("Saturday - sun").unwrap();
        let over = Days::parse("sat-mon").unwrap();
        // 2026-11-28 is a Saturday.
        for (time, in_week, in_ends, in_over) in [
            ("2026-11-27T23:59:59Z", true, false, false),
            ("2026-11-28T00:00:00Z", false, true, true),
            ("2026-11-30T00:00:00+00:00", true, false, true),
            ("2026-11-30T00:00:00+02:00", false, true, true),
        ] {
            let has = |days| Validity { days: Some(days), ..Validity::default() }.has(at(time));
            assert_eq!((has(week), has(ends), has(over)), (in_week, in_ends, in_over), "{time}");
        }
        assert_eq!(week.names(), ["mon", "tue", "wed", "thu", "fri"]);
        assert_eq!(over.names(), ["mon", "sat", "sun"]);
        for text in ["", "mo", "mon-", "monday-frittday", "1"] {
            assert_eq!(Days::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_price_holds_from_the_first_moment_of_a_day_until_just_before_another() {
        let year = Validity {
            from: Some("2026-01-01".parse().unwrap()),
            until: Some("2027-01-01".parse().unwrap()),
            ..Validity::default()
        };
        for (time, expected) in [
            ("2025-12-31T23:59:59.999999999Z", false),
            ("2026-01-01T00:00:00Z", true),
            ("2026-01-01T00:00:00+01:00", false),
            ("2026-12-31T23:59:59.999999999Z", true),
            ("2027-01-01T00:00:00Z", false),
        ] {
            assert_eq!(year.has(at(time)), expected, "{time}");
        }
    }

    #[test]
    fn a_day_that_is_named_twice_is_one() {
        let days = Days::NONE.with(Weekday::Monday).with(Weekday::Sunday).with(Weekday::Monday);
        assert_eq!(days.names(), ["mon", "sun"]);
        assert_eq!(days.and(Days::NONE.with(Weekday::Sunday).with(Weekday::Friday)).names(), ["mon", "fri", "sun"]);
        assert!(Days::NONE.is_empty() && !days.is_empty());
    }
}
