//! How often a budget begins anew, and the spans of time in between.
//!
//! *Invariants.* A span is a function of a time, a cycle and a zone; there is no reset. Consecutive spans of a cycle share their
//! boundary instant, so every instant lies in exactly one.

use jiff::civil::{Date, Weekday};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

use super::BudgetZone;

/// How long a budget's period is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum PeriodKind {
    /// An hour of the zone's clock. One that the clock shows twice is two.
    Hourly,
    /// A calendar day.
    Daily,
    /// Seven days.
    Weekly,
    /// A month from one day of the calendar's month to the next.
    Monthly,
    /// Three months; one of them begins in January.
    Quarterly,
    /// Twelve months from January on.
    Yearly,
    /// For ever: a sum that was paid ahead.
    Total,
}

/// How often a budget begins anew, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cycle {
    /// How long a period is.
    pub kind: PeriodKind,
    /// The first day of a week.
    pub week_starts: Weekday,
    /// The first day of a month, a quarter or a year: 1 to 28.
    pub start_day: i8,
}

/// One period: from its first instant to the first instant of the next. For ever is from the beginning of time to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Included.
    pub start: Timestamp,
    /// Excluded.
    pub end: Timestamp,
}

impl PeriodKind {
    /// The word used in labels and JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Cycle {
    /// One that begins with the calendar's periods: weeks on Monday, months on their first day.
    pub const fn calendar(kind: PeriodKind) -> Self {
        Self { kind, week_starts: Weekday::Monday, start_day: 1 }
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::EVER
    }
}

impl Span {
    /// All of time.
    pub const EVER: Self = Self { start: Timestamp::MIN, end: Timestamp::MAX };

    /// Whether an instant lies in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && (time < self.end || self.end == Timestamp::MAX)
    }

    /// When it begins, unless it always was.
    pub fn starts_at(&self) -> Option<Timestamp> {
        Some(self.start).filter(|start| *start != Timestamp::MIN)
    }

    /// When the next one begins, if one does.
    pub fn ends_at(&self) -> Option<Timestamp> {
        Some(self.end).filter(|end| *end != Timestamp::MAX)
    }
}

impl BudgetZone {
    /// The period of this cycle that an instant lies in.
    pub fn span_of(&self, cycle: &Cycle, time: Timestamp) -> Span {
        if cycle.kind == PeriodKind::Total {
            return Span::EVER;
        }
        if cycle.kind == PeriodKind::Hourly {
            return self.hour_of(time);
        }
        let day = self.day_of(time);
        let (first, next) = match cycle.kind {
            PeriodKind::Weekly => {
                let first = before(day, i32::from(day.weekday().since(cycle.week_starts)));
                (first, before(first, -7))
            }
            PeriodKind::Monthly => months(day, cycle.start_day, 1),
            PeriodKind::Quarterly => months(day, cycle.start_day, 3),
            PeriodKind::Yearly => months(day, cycle.start_day, 12),
            PeriodKind::Daily | PeriodKind::Hourly | PeriodKind::Total => (day, before(day, -1)),
        };
        Span { start: self.start_of(first), end: self.start_of(next) }
    }

    /// An hour of the clock; less where the clock is set within it.
    fn hour_of(&self, time: Timestamp) -> Span {
        let stretch = self.stretch_of(time);
        let (instant, offset_ns) = (time.as_nanosecond(), self.offset_ns(time));
        const HOUR_NS: i128 = 3_600_000_000_000;
        let start = (instant + offset_ns).div_euclid(HOUR_NS) * HOUR_NS - offset_ns;
        let clamped = |instant| Timestamp::from_nanosecond(instant).unwrap_or(time);
        // A day is made of hours, and what ends within an hour is the time in which the clock was not set.
        Span { start: clamped(start.max(stretch.from_ns)), end: clamped((start + HOUR_NS).min(stretch.until_ns)) }
    }
}

/// So many days before; the calendar's first or last day beyond it.
fn before(day: Date, days: i32) -> Date {
    day.saturating_sub(days.days())
}

/// The first days of the period of so many months that a day lies in, and of the next one.
fn months(day: Date, start_day: i8, count: i8) -> (Date, Date) {
    // A day before the first of its month belongs to the month before.
    let shifted = before(day, i32::from(start_day) - 1);
    let month = (shifted.month() - 1) / count * count + 1;
    let first_of_month = Date::new(shifted.year(), month, 1).unwrap_or(shifted);
    let on = |first: Date| first.saturating_add((i32::from(start_day) - 1).days());
    (on(first_of_month), on(first_of_month.saturating_add(i32::from(count).months())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn span(zone: &str, cycle: Cycle, time: &str) -> (String, String) {
        let span = BudgetZone::named(zone).unwrap().span_of(&cycle, at(time));
        (span.start.to_string(), span.end.to_string())
    }

    fn expected(start: &str, end: &str) -> (String, String) {
        (at(start).to_string(), at(end).to_string())
    }

    #[test]
    fn each_kind_begins_where_the_calendar_says() {
        use PeriodKind::{Daily, Hourly, Monthly, Quarterly, Weekly, Yearly};
        // 2026-11-29 is a Sunday.
        for (kind, start, end) in [
            (Hourly, "2026-11-29T10:00:00Z", "2026-11-29T11:00:00Z"),
            (Daily, "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z"),
            (Weekly, "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
            (Monthly, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            (Quarterly, "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            (Yearly, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            assert_eq!(span("UTC", Cycle::calendar(kind), "2026-11-29T10:59:59.999Z"), expected(start, end), "{kind:?}");
        }
        let ever = BudgetZone::UTC.span_of(&Cycle::calendar(PeriodKind::Total), at("2026-11-29T10:00:00Z"));
        assert_eq!((ever.starts_at(), ever.ends_at(), ever.contains(Timestamp::MAX)), (None, None, true));
    }

    #[test]
    fn weeks_and_months_begin_on_the_day_that_was_asked_for() {
        let weekly = Cycle { week_starts: Weekday::Sunday, ..Cycle::calendar(PeriodKind::Weekly) };
        assert_eq!(span("UTC", weekly, "2026-11-29T00:00:00Z"), expected("2026-11-29T00:00:00Z", "2026-12-06T00:00:00Z"));
        assert_eq!(span("UTC", weekly, "2026-11-28T23:59:59Z"), expected("2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"));
        let on = |kind, start_day| Cycle { start_day, ..Cycle::calendar(kind) };
        for (cycle, time, start, end) in [
            (on(PeriodKind::Monthly, 15), "2026-03-14T23:00:00Z", "2026-02-15T00:00:00Z", "2026-03-15T00:00:00Z"),
            (on(PeriodKind::Monthly, 28), "2026-01-01T00:00:00Z", "2025-12-28T00:00:00Z", "2026-01-28T00:00:00Z"),
            (on(PeriodKind::Monthly, 28), "2028-02-29T00:00:00Z", "2028-02-28T00:00:00Z", "2028-03-28T00:00:00Z"),
            (on(PeriodKind::Quarterly, 10), "2026-04-09T12:00:00Z", "2026-01-10T00:00:00Z", "2026-04-10T00:00:00Z"),
            (on(PeriodKind::Quarterly, 10), "2026-01-09T12:00:00Z", "2025-10-10T00:00:00Z", "2026-01-10T00:00:00Z"),
            (on(PeriodKind::Yearly, 2), "2026-01-01T12:00:00Z", "2025-01-02T00:00:00Z", "2026-01-02T00:00:00Z"),
        ] {
            assert_eq!(span("UTC", cycle, time), expected(start, end), "{cycle:?} {time}");
        }
    }

    #[test]
    fn an_hour_that_comes_twice_is_two_and_one_with_a_change_in_it_is_shorter() {
        let hourly = Cycle::calendar(PeriodKind::Hourly);
        // Berlin's clock shows 02:00 to 03:00 twice on that day.
        for (time, start, end) in [
            ("2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
            ("2026-10-25T01:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
        ] {
            assert_eq!(span("Europe/Berlin", hourly, time), expected(start, end));
        }
        assert_eq!(
            span("Asia/Kolkata", hourly, "2026-11-29T10:00:00Z"),
            expected("2026-11-29T09:30:00Z", "2026-11-29T10:30:00Z")
        );
        // Lord Howe's clock goes back by half an hour at 02:00, to 01:30.
        assert_eq!(
            span("Australia/Lord_Howe", hourly, "2026-04-04T14:59:00Z"),
            expected("2026-04-04T14:00:00Z", "2026-04-04T15:00:00Z")
        );
        assert_eq!(
            span("Australia/Lord_Howe", hourly, "2026-04-04T15:00:00Z"),
            expected("2026-04-04T15:00:00Z", "2026-04-04T15:30:00Z")
        );
    }

    #[test]
    fn consecutive_spans_share_their_boundary() {
        use PeriodKind::{Daily, Hourly, Monthly, Quarterly, Weekly, Yearly};
        for zone in ["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "America/Nuuk", "Pacific/Apia"] {
            let named = BudgetZone::named(zone).unwrap();
            for kind in [Hourly, Daily, Weekly, Monthly, Quarterly, Yearly] {
                let cycle = Cycle { start_day: 9, week_starts: Weekday::Wednesday, kind };
                for around in
                    ["2026-10-24T23:00:00Z", "2011-12-30T10:00:00Z", "2018-11-04T03:00:00Z", "2026-10-25T01:00:00Z"]
                {
                    let mut span = named.span_of(&cycle, at(around));
                    for _ in 0..30 {
                        assert!(span.start < span.end, "{zone} {kind:?} {span:?}");
                        let last = Timestamp::from_nanosecond(span.end.as_nanosecond() - 1).unwrap();
                        assert_eq!(named.span_of(&cycle, last), span, "{zone} {kind:?}");
                        assert_eq!(named.span_of(&cycle, span.start), span, "{zone} {kind:?}");
                        let next = named.span_of(&cycle, span.end);
                        assert_eq!(next.start, span.end, "{zone} {kind:?}");
                        span = next;
                    }
                }
            }
        }
    }

    #[test]
    fn a_span_has_its_start_and_not_its_end() {
        let (start, end) = (at("2026-11-22T00:00:00Z"), at("2026-11-23T00:00:00Z"));
        let span = Span { start, end };
        let nanosecond = jiff::SignedDuration::from_nanos(1);
        for (time, contains) in [(start - nanosecond, false), (start, true), (end - nanosecond, true), (end, false)] {
            assert_eq!(span.contains(time), contains, "{time}");
        }
        assert!(!span.contains(Timestamp::MAX) && Span { start, end: Timestamp::MAX }.contains(Timestamp::MAX));
        assert_eq!((span.starts_at(), span.ends_at()), (Some(start), Some(end)));
        assert_eq!(Span::default(), Span::EVER);
    }

    #[test]
    fn a_kind_has_the_word_of_the_settings() {
        use PeriodKind::{Daily, Hourly, Monthly, Quarterly, Total, Weekly, Yearly};
        let words = [Hourly, Daily, Weekly, Monthly, Quarterly, Yearly, Total].map(PeriodKind::as_str);
        assert_eq!(words, ["hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "total"]);
    }
}
