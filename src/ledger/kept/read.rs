//! Reading the days that are to be kept, and what was recorded since.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;
use rusqlite::Connection;

use super::super::LedgerError;
use super::super::days::DayIndex;
use super::super::head::Head;
use super::super::reader::Reader;
use super::super::reading::{EventRange, Progress, Reading, Sink, read_range};
use super::super::rows;
use super::super::scan::{Found, KeyPart, Scanner, Wanted};
use super::super::segment::{SEGMENT_EVENTS, Segment};
use super::KeptDays;
use super::day::KeptDay;
use crate::domain::{BudgetZone, Dimension, Sums};

/// Days while their entries are read.
struct Filling<'z> {
    kept: KeptDays,
    index: DayIndex<'z>,
    asked: &'z BTreeSet<Date>,
}

impl Reader {
    /// Reads some days from the ledger's first `entries` entries. What it finds is to be compared by [`Reader::keep_up`].
    ///
    /// # Errors
    /// `Stopped` when told to, else a row is damaged or cannot be read.
    pub fn days_to_keep(
        &self,
        days: &BTreeSet<Date>,
        entries: u64,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<KeptDays, LedgerError> {
        self.on_connection(|connection| fill(connection, self.zone(), days, entries.cast_signed(), should_stop))
    }

    /// Adds what was recorded up to the ledger's first `entries` entries, and compares each day with its rollup: with what `known` says,
    /// which may lag behind for no day, or with the file's where it says nothing. Forgets days that do not agree or whose entries
    /// retention removed. Says whether all agreed. Days of `asked` are not given up for others.
    ///
    /// # Errors
    /// A row is damaged or cannot be read. Then nothing that is kept counts any more.
    pub fn keep_up(
        &self,
        kept: &mut KeptDays,
        entries: u64,
        known: &dyn Fn(Date) -> Option<Sums>,
        asked: &BTreeSet<Date>,
    ) -> Result<bool, LedgerError> {
        self.on_connection(|connection| {
            forget_pruned(connection, kept)?;
            add_newer(connection, self.zone(), kept, entries.cast_signed())?;
            kept.shed(asked);
            compare(connection, kept, known)
        })
    }
}

fn wanted() -> Wanted {
    Wanted { key: [Dimension::Model, Dimension::Worker].iter().map(KeyPart::of).collect(), filters: vec![] }
}

fn fill(
    connection: &Connection,
    zone: &BudgetZone,
    days: &BTreeSet<Date>,
    entries: i64,
    should_stop: &dyn Fn() -> bool,
) -> Result<KeptDays, LedgerError> {
    let transaction = connection.unchecked_transaction()?;
    let pruned_segments = Head::read(&transaction)?.pruned_segments;
    let segments = Segment::read_all(&transaction)?;
    transaction.finish()?;
    let range = |(first, last): (i64, i64)| EventRange { first, last: last.min(entries), is_rolled_up: false };
    let touches = |segment: &Segment| segment.days.iter().any(|day| days.contains(day));
    let of_days = segments.iter().filter(|segment| segment.number >= pruned_segments && touches(segment));
    let mut ranges: Vec<EventRange> = of_days.map(|segment| range(Segment::bounds(segment.number))).collect();
    ranges.push(range((segments.len() as i64 * SEGMENT_EVENTS + 1, entries)));
    ranges.retain(|range| range.first <= range.last);

    let pruned = || segments.iter().take_while(|segment| segment.number < pruned_segments);
    let is_pruned = |day: &Date| pruned().any(|segment| segment.days.contains(day));
    let new = |day: &Date| (*day, Arc::new(KeptDay::new(is_pruned(day))));
    let kept = KeptDays { read_to: entries, pruned_segments, days: days.iter().map(new).collect(), ..KeptDays::default() };
    let progress = Mutex::new(Progress::into(Filling { index: kept.index(zone), kept, asked: days }, pruned_segments > 0));
    Reading { ranges, wanted: wanted() }.pass(connection, &progress, should_stop)?;
    // Where retention came in between, the next look forgets the days again.
    Ok(progress.into_inner().unwrap_or_else(PoisonError::into_inner).sink.kept)
}

/// Forgets the days of which retention has removed entries since the last look.
fn forget_pruned(connection: &Connection, kept: &mut KeptDays) -> Result<(), LedgerError> {
    let transaction = connection.unchecked_transaction()?;
    let pruned_segments = Head::read(&transaction)?.pruned_segments;
    if pruned_segments > kept.pruned_segments && !kept.days.is_empty() {
        let gone = kept.pruned_segments..pruned_segments;
        for segment in Segment::read_all(&transaction)?.iter().filter(|segment| gone.contains(&segment.number)) {
            kept.days.retain(|day, _| !segment.days.contains(day));
        }
    }
    transaction.finish()?;
    kept.pruned_segments = pruned_segments;
    Ok(())
}

fn add_newer(connection: &Connection, zone: &BudgetZone, kept: &mut KeptDays, entries: i64) -> Result<(), LedgerError> {
    if entries < kept.read_to {
        // No ledger becomes shorter.
        kept.days.clear();
    }
    let mut next = kept.read_to.max(kept.pruned_segments * SEGMENT_EVENTS) + 1;
    kept.read_to = entries;
    if kept.days.is_empty() || next > entries {
        return Ok(());
    }
    let scanner = Scanner::new(connection, wanted())?;
    let mut index = kept.index(zone);
    while next <= entries {
        let (_, last) = Segment::bounds(Segment::number_of(next));
        let range = EventRange { first: next, last: last.min(entries), is_rolled_up: false };
        if read_range(connection, &scanner, range, |found| kept.add(found, &mut index))? {
            // Retention came in between.
            kept.days.clear();
            break;
        }
        next = range.last + 1;
    }
    Ok(())
}

fn compare(connection: &Connection, kept: &mut KeptDays, known: &dyn Fn(Date) -> Option<Sums>) -> Result<bool, LedgerError> {
    let mut wrong = BTreeSet::new();
    for (day, of_day) in &mut kept.days {
        let rollup = match known(*day) {
            Some(rollup) => rollup,
            None if of_day.is_unproven => {
                let row = rows::read_days(connection, *day, *day)?.pop();
                row.map(|(_, row)| row.sums).unwrap_or_default()
            }
            None => continue,
        };
        if (of_day.is_unproven || of_day.rollup != rollup) && !Arc::make_mut(of_day).agrees_with(rollup) {
            wrong.insert(*day);
        }
    }
    kept.days.retain(|day, _| !wrong.contains(day));
    if !wrong.is_empty() {
        tracing::debug!(?wrong, "days are read again, since what is kept of them differs from their rollups");
    }
    Ok(wrong.is_empty())
}

impl KeptDays {
    /// Tells which of the days from the first to the last that is kept an entry counts in.
    fn index<'z>(&self, zone: &'z BudgetZone) -> DayIndex<'z> {
        let first = self.days.keys().next().copied().unwrap_or(Date::MAX);
        DayIndex::new(zone, first, self.days.keys().next_back().copied().unwrap_or(first))
    }
}

impl Sink for Filling<'_> {
    fn add(&mut self, _: EventRange, events: &Found) {
        self.kept.add(events, &mut self.index);
        self.kept.shed(self.asked);
    }
}
