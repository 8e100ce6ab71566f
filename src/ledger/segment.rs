//! Segments: every 16,384 events, closed together.
//!
//! *Invariants.* Event `seq` belongs to segment `(seq - 1) / 16,384`: the place alone says it. A segment's row is written in the
//! transaction that records its last event; until then the segment is open and its events are read one by one.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::LedgerError;
use super::row::{Cell, Cells, Codec, Plain, Shape, Sink, nanoseconds, read_rows, row, write_row};
use crate::domain::{BudgetZone, Period, TimeSpan};

/// Events in a segment. Small enough that an open one is read back in milliseconds at start-up and held in memory; large
/// enough that ten million events make only 610.
pub(super) const SEGMENT_EVENTS: i64 = 16_384;

/// A closed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub number: i64,
    pub newest_recorded_at: Timestamp,
    /// The days that occur in it.
    pub days: BTreeSet<Date>,
    /// The chain over all events up to its last one.
    pub event_chain: i64,
    /// When the first of its events happened; segments of format 1 do not say.
    pub oldest_time: Option<Timestamp>,
    /// When the last of them did.
    pub newest_time: Option<Timestamp>,
}

row! {
    "INSERT OR REPLACE" "segment",
    write Segment, read Segment,
    (Segment { number, newest_recorded_at, days, event_chain, oldest_time, newest_time }),
    key {
        "segment" => number;
    }
    columns {
        "newest_recorded_at_ns" => newest_recorded_at;
        "days" => days;
        "event_chain" => event_chain;
    }
    later {
        "oldest_time_ns" => oldest_time;
        "newest_time_ns" => newest_time;
    }
}

impl Segment {
    /// The segment that an event belongs to.
    pub fn number_of(seq: i64) -> i64 {
        (seq - 1) / SEGMENT_EVENTS
    }

    /// First and last `seq` of a segment.
    pub fn bounds(number: i64) -> (i64, i64) {
        (number * SEGMENT_EVENTS + 1, (number + 1) * SEGMENT_EVENTS)
    }

    /// Whether any of its events counts in one of these days.
    pub fn touches(&self, first: Date, last: Date) -> bool {
        self.days.range(first..=last).next().is_some()
    }

    /// When its events can have happened: as it says, or as far as its days say.
    pub fn span(&self, zone: &BudgetZone) -> TimeSpan {
        if let (Some(oldest), Some(newest)) = (self.oldest_time, self.newest_time) {
            return TimeSpan { from_ns: nanoseconds(oldest), until_ns: nanoseconds(newest).saturating_add(1) };
        }
        let (Some(first), Some(last)) = (self.days.first(), self.days.last()) else { return TimeSpan::default() };
        TimeSpan { from_ns: nanoseconds(zone.bounds(Period::Day(*first)).0), until_ns: nanoseconds(end_of(*last, zone)) }
    }

    /// Whether any of its events can have happened in a span.
    pub fn may_hold(&self, wanted: &TimeSpan, zone: &BudgetZone) -> bool {
        let own = self.span(zone);
        own.from_ns < wanted.until_ns && wanted.from_ns < own.until_ns
    }

    /// Every closed segment, in order and without gaps.
    pub fn read_all(connection: &Connection) -> Result<Vec<Self>, LedgerError> {
        let segments: Vec<Self> = read_rows(connection, "ORDER BY segment", ())?;
        match (0..).zip(&segments).find(|(expected, segment)| segment.number != *expected) {
            None => Ok(segments),
            Some((missing, _)) => Err(LedgerError::Damaged(format!("the row of segment {missing} is missing"))),
        }
    }

    /// Writes its row.
    pub fn write(&self, connection: &Connection) -> Result<(), LedgerError> {
        write_row(connection, self)
    }
}

/// The first instant behind all those that lie in this day or an earlier one. Usually midnight; where clocks went back over midnight
/// the day came again.
fn end_of(day: Date, zone: &BudgetZone) -> Timestamp {
    let midnight = zone.bounds(Period::Day(day)).1;
    // No zone's clock was ever set back by more than a day.
    let last_look = midnight.saturating_add(SignedDuration::from_hours(25)).unwrap_or(midnight);
    let (mut end, mut time) = (midnight, midnight);
    while time < last_look {
        let stretch = zone.stretch_of(time);
        let Ok(until) = Timestamp::from_nanosecond(stretch.until_ns) else { break };
        if stretch.day <= day {
            end = until;
        }
        time = until;
    }
    end
}

/// Days, one after the other with a blank between two.
impl Codec<BTreeSet<Date>> for Plain {
    const SHAPES: &'static [Shape] = &[Shape::Text];

    fn put(days: &BTreeSet<Date>, sink: &mut impl Sink) -> Result<(), LedgerError> {
        let days: Vec<String> = days.iter().map(Date::to_string).collect();
        sink.add(Cell::Text(&days.join(" ")))
    }

    fn take(cells: &mut Cells<'_>) -> Option<BTreeSet<Date>> {
        cells.text()?.split(' ').map(|day| day.parse().ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn segment(times: Option<(Timestamp, Timestamp)>) -> Segment {
        let days = BTreeSet::from([date(2026, 11, 20), date(2026, 11, 22)]);
        let (oldest_time, newest_time) = times.unzip();
        Segment { number: 0, newest_recorded_at: Timestamp::MIN, days, event_chain: 0, oldest_time, newest_time }
    }

    #[test]
    fn a_segment_is_read_for_its_own_days_alone() {
        let day = |day| date(2026, 11, day);
        for (first, last, touches) in [
            (19, 19, false),
            (19, 20, true),
            (20, 20, true),
            (21, 21, false),
            (21, 22, true),
            (22, 30, true),
            (23, 30, false),
        ] {
            assert_eq!(segment(None).touches(day(first), day(last)), touches, "{first} to {last}");
        }
    }

    #[test]
    fn a_segment_may_hold_what_happened_between_its_first_event_and_its_last() {
        let (first, last): (Timestamp, Timestamp) =
            ("2026-11-20T10:00:00Z".parse().unwrap(), "2026-11-22T11:00:00Z".parse().unwrap());
        let [from, until] = [first, last].map(nanoseconds);
        let [midnight, end] =
            ["2026-11-20T00:00:00Z", "2026-11-23T00:00:00Z"].map(|time| nanoseconds(time.parse().unwrap()));
        // One of an earlier build says its days only.
        for (segment, from, behind) in [(segment(Some((first, last))), from, until + 1), (segment(None), midnight, end)] {
            for (from_ns, until_ns, may) in [
                (i64::MIN, from, false),
                (i64::MIN, from + 1, true),
                (from, from + 1, true),
                (behind - 1, i64::MAX, true),
                (behind, i64::MAX, false),
                (i64::MIN, i64::MAX, true),
            ] {
                let wanted = TimeSpan { from_ns, until_ns };
                assert_eq!(segment.may_hold(&wanted, &BudgetZone::UTC), may, "{wanted:?} of {from} to {behind}");
            }
        }
    }

    #[test]
    fn a_day_is_over_when_no_instant_of_it_comes_any_more() {
        let zone = |name| BudgetZone::named(name).unwrap();
        assert_eq!(end_of(date(2026, 11, 22), &zone("UTC")).to_string(), "2026-11-23T00:00:00Z");
        // Clocks went back at 00:01, into the day before.
        assert_eq!(end_of(date(2010, 11, 6), &zone("America/St_Johns")).to_string(), "2010-11-07T03:30:00Z");
        for (name, day) in [("America/St_Johns", date(2010, 11, 6)), ("Pacific/Apia", date(2011, 12, 29))] {
            let zone = zone(name);
            let end = end_of(day, &zone);
            let later = |minutes: i64| end.checked_add(SignedDuration::from_mins(minutes)).unwrap();
            assert!((0..3_000).all(|minutes| zone.day_of(later(minutes)) > day), "{name}");
            assert_eq!(zone.day_of(end.checked_add(SignedDuration::from_nanos(-1)).unwrap()), day, "{name}");
        }
    }
}
