//! Which of a question's days an instant lies in, answered a million times.
//!
//! *Limits.* [`STRETCHES_MAX`] stretches of time are remembered.

use std::ops::Range;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::BudgetZone;

/// More days than events of one commit's window lie in; only imports may have more.
const STRETCHES_MAX: usize = 1_024;

/// The days from `first` to `last` in a zone, numbered from 0.
pub(super) struct DayIndex<'z> {
    zone: &'z BudgetZone,
    first: Date,
    last: Date,
    /// What was worked out so far, in order and without overlap.
    stretches: Vec<(Range<i64>, Option<u32>)>,
    newest: (Range<i64>, Option<u32>),
}

impl<'z> DayIndex<'z> {
    pub fn new(zone: &'z BudgetZone, first: Date, last: Date) -> Self {
        Self { zone, first, last, stretches: Vec::new(), newest: (0..0, None) }
    }

    /// The number of the day that a time lies in; `None` outside of them all.
    pub fn number(&mut self, time_ns: i64) -> Option<u32> {
        if !self.newest.0.contains(&time_ns) {
            self.newest = self.look_up(time_ns);
        }
        self.newest.1
    }

    /// The day with a number.
    pub fn day(&self, number: u32) -> Date {
        self.first.saturating_add(jiff::Span::new().days(i64::from(number)))
    }

    fn look_up(&mut self, time_ns: i64) -> (Range<i64>, Option<u32>) {
        let place = self.stretches.partition_point(|(stretch, _)| stretch.start <= time_ns);
        let before = place.checked_sub(1).and_then(|before| self.stretches.get(before));
        if let Some(known) = before.filter(|(stretch, _)| stretch.contains(&time_ns)) {
            return known.clone();
        }
        // Every count of nanoseconds in 64 bits is an instant that the calendar has.
        let time = Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::UNIX_EPOCH);
        let stretch = self.zone.stretch_of(time);
        let bound = |ns: i128| i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX });
        let is_asked_for = (self.first..=self.last).contains(&stretch.day);
        let number = is_asked_for.then(|| (stretch.day - self.first).get_days().cast_unsigned());
        let found = (bound(stretch.from_ns)..bound(stretch.until_ns), number);
        if self.stretches.len() >= STRETCHES_MAX {
            self.stretches.clear();
            self.stretches.push(found.clone());
        } else {
            self.stretches.insert(place, found.clone());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_number_is_the_distance_of_the_days() {
        let zone = BudgetZone::named("America/New_York").unwrap();
        let (first, last) = (date(2026, 10, 20), date(2026, 11, 10));
        let mut index = DayIndex::new(&zone, first, last);
        let start = zone.stretch_of("2026-10-15T12:00:00Z".parse().unwrap()).from_ns as i64;
        for step in 0..5_000_i64 {
            // Back and forth, by more than a month in all.
            let time_ns = start + step * 7_919 % 5_000 * 600_000_000_000;
            let day = zone.day_of(Timestamp::from_nanosecond(i128::from(time_ns)).unwrap());
            let number = index.number(time_ns);
            assert_eq!(number.map(|number| index.day(number)), (first..=last).contains(&day).then_some(day));
        }
    }

    #[test]
    fn any_time_has_an_answer_and_memory_is_bounded() {
        let zone = BudgetZone::UTC;
        let mut index = DayIndex::new(&zone, Date::MIN, Date::MAX);
        for day in 0..3 * STRETCHES_MAX as i64 {
            assert!(index.number(day * 86_400_000_000_000).is_some());
        }
        assert!(index.stretches.len() <= STRETCHES_MAX);
        assert!(index.number(i64::MIN).is_some());
        // The last instant's stretch ends with the numbers.
        assert!(index.number(i64::MAX).is_some());
    }
}
