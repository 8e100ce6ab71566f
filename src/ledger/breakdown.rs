//! Groupings that only the events know: each event of a period is read once, and adds to the sum of its key.
//!
//! *Invariants.* An answer is of one committed state: that of its beginning. Events never change, so they are read segment by
//! segment, each in a short look of its own, and the write-ahead log need not grow meanwhile. What retention removes in between is
//! shown like what it had removed before. Every row's checksum is verified, no segment lacks a row, and the sums are compared with
//! the rollups: a flipped bit or a lost row cannot become another total.
//!
//! *Limits.* [`KEYS_MAX`] keys in an answer, [`CELLS_BYTES_MAX`] of sums while it is worked out; where the keys need more,
//! the events are read once more for each further share of them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;
use rusqlite::Connection;

use super::LedgerError;
use super::cells::CELLS_BYTES_MAX;
use super::grouper::{DayKeys, Grouper, KEYS_MAX, Largest};
use super::head::Head;
use super::reading::{EventRange, Progress, Reading, Sink, lock};
use super::rows::{self, PairRow};
use super::scan::{Found, Wanted};
use super::segment::{SEGMENT_EVENTS, Segment};
use super::sums::read_day_pairs;
use crate::domain::{BudgetZone, CostQuestion, Dimension, Filter, GroupKey, GroupsByDay, Pair, Sums, Usd};

/// One consistent look at the events of a period.
pub(super) struct Scan<'a> {
    connection: &'a Connection,
    zone: &'a BudgetZone,
    question: &'a CostQuestion,
    ranges: Vec<EventRange>,
    /// What the rollups, and the events since, say each group adds up to.
    expected: BTreeMap<Date, Usd>,
    /// Whether retention has removed events, so that fewer of them than the rollups count may be left.
    is_pruned: bool,
}

/// What the events of a grouping add up to.
struct AddedUp<'q> {
    grouper: Grouper<'q>,
    /// What all of them add up to; of the first pass, since each pass reads the same.
    totals: BTreeMap<Date, Usd>,
    /// The same of those that the rollups do not count yet.
    behind: BTreeMap<Date, Usd>,
    is_first_pass: bool,
}

/// What a grouping may hold.
#[derive(Clone, Copy, Debug)]
struct Limits {
    keys_max: usize,
    cells_bytes_max: usize,
}

/// Whether the rollups tell apart what the filters do.
fn rollups_know(question: &CostQuestion) -> bool {
    question.filters.iter().all(|filter| filter.dimension.is_in_rollups())
}

/// Whether a rollup's cost passes the filters, as far as rollups know.
fn covers(question: &CostQuestion, pair: &Pair) -> bool {
    question.filters.iter().all(|Filter { dimension, value }| match dimension {
        Dimension::Service => **value == *pair.service.as_str(),
        Dimension::Operation => **value == *pair.operation.as_str(),
        Dimension::Worker | Dimension::Batch | Dimension::Lead | Dimension::Model | Dimension::Attribute(_) => false,
    })
}

impl<'a> Scan<'a> {
    /// Looks at the head, the segments and the rollups of one state.
    pub fn begin(connection: &'a Connection, zone: &'a BudgetZone, question: &'a CostQuestion) -> Result<Self, LedgerError> {
        let transaction = connection.unchecked_transaction()?;
        let head = Head::read(&transaction)?;
        let segments = Segment::read_all(&transaction)?;
        let mut ranges: Vec<EventRange> = segments
            .iter()
            .filter(|segment| segment.number >= head.pruned_segments && segment.touches(question.first, question.last))
            .map(|segment| Segment::bounds(segment.number))
            .map(|(first, last)| EventRange { first, last, is_rolled_up: true })
            .collect();
        let closed = segments.len() as i64 * SEGMENT_EVENTS;
        let rolled_up = head.rolled_up.events;
        let newest: Option<i64> = transaction.query_row("SELECT max(seq) FROM event", (), |row| row.get(0))?;
        ranges.push(EventRange { first: closed + 1, last: rolled_up, is_rolled_up: true });
        ranges.push(EventRange { first: rolled_up.max(closed) + 1, last: newest.unwrap_or(0), is_rolled_up: false });
        ranges.retain(|range| range.first <= range.last);
        let mut expected = BTreeMap::new();
        for (day, row) in rows::read_days(&transaction, question.first, question.last)? {
            let sums = match question.filters.as_slice() {
                // The day's own row has the total of all its pairs.
                [] => row.sums,
                _ => covered_sums(question, &read_day_pairs(&transaction, day, &row)?),
            };
            if sums.entries > 0 {
                *expected.entry(question.group(day)).or_insert(Usd::ZERO) += sums.net();
            }
        }
        transaction.finish()?;
        Ok(Self { connection, zone, question, ranges, expected, is_pruned: head.pruned_segments > 0 })
    }

    /// Works the groups out. `should_stop` is asked before each segment.
    pub fn run(self, should_stop: &dyn Fn() -> bool) -> Result<GroupsByDay, LedgerError> {
        self.run_within(Limits { keys_max: KEYS_MAX, cells_bytes_max: CELLS_BYTES_MAX }, should_stop)
    }

    fn run_within(mut self, limits: Limits, should_stop: &dyn Fn() -> bool) -> Result<GroupsByDay, LedgerError> {
        let mut largest = Largest::new(limits.keys_max);
        let totals = self.each_sum(limits.cells_bytes_max, should_stop, |key, net| {
            largest.offer(key, net);
            Ok(())
        })?;
        let mut groups = largest.name(self.question, self.expected.keys().copied(), totals.clone())?;
        for (day, missing) in self.pruned_cost(&totals) {
            let unknown = GroupKey::of(self.question.by.iter().map(|_| ""));
            *groups.entry(day).or_default().entry(unknown).or_insert(Usd::ZERO) += missing;
        }
        Ok(groups)
    }

    /// How the keys are written that are handed over.
    pub fn keys(&self) -> DayKeys {
        DayKeys::of(self.question)
    }

    /// Hands over the sum of every key, in no order, and says what all events add up to. `should_stop` is
    /// asked before each segment.
    pub fn each_sum(
        &mut self,
        cells_bytes_max: usize,
        should_stop: &dyn Fn() -> bool,
        mut take: impl FnMut(&[u8], Usd) -> Result<(), LedgerError>,
    ) -> Result<BTreeMap<Date, Usd>, LedgerError> {
        let mut grouper = Grouper::new(self.zone, self.question, cells_bytes_max);
        grouper.cells.reserve(self.ranges.iter().map(|range| (range.last - range.first + 1) as usize).sum());
        let reading = Reading { ranges: std::mem::take(&mut self.ranges), wanted: Wanted::of(self.question) };
        let added_up = AddedUp { grouper, totals: BTreeMap::new(), behind: BTreeMap::new(), is_first_pass: true };
        let progress = Mutex::new(Progress::into(added_up, self.is_pruned));
        loop {
            reading.pass(self.connection, &progress, should_stop)?;
            let sink = &mut lock(&progress).sink;
            sink.is_first_pass = false;
            let cells = &mut sink.grouper.cells;
            cells.iter().try_for_each(|(key, net)| take(key, net))?;
            if !cells.next_share() {
                break;
            }
        }
        let Progress { sink, is_pruned, .. } = progress.into_inner().unwrap_or_else(PoisonError::into_inner);
        add_totals(&mut self.expected, &sink.behind);
        self.is_pruned = is_pruned;
        self.compare(&sink.totals)?;
        Ok(sink.totals)
    }

    /// The events and the rollups must agree, unless retention removed events.
    fn compare(&self, totals: &BTreeMap<Date, Usd>) -> Result<(), LedgerError> {
        // A day with more names than rollups tell apart counts some of a service's cost under `other`, so only the whole
        // can be compared.
        if self.is_pruned || !self.question.filters.is_empty() || *totals == self.expected {
            return Ok(());
        }
        Err(LedgerError::Damaged("the events of a period do not add up to its rollups".into()))
    }

    /// Cost whose events retention removed has no attribute any more: it is shown like cost that never had one.
    pub fn pruned_cost(&self, totals: &BTreeMap<Date, Usd>) -> BTreeMap<Date, Usd> {
        if !self.is_pruned || !rollups_know(self.question) {
            return BTreeMap::new();
        }
        let found = |day| totals.get(day).copied().unwrap_or(Usd::ZERO);
        let missing = self.expected.iter().map(|(day, expected)| (*day, *expected - found(day)));
        missing.filter(|(_, missing)| *missing != Usd::ZERO).collect()
    }
}

impl Sink for AddedUp<'_> {
    fn add(&mut self, range: EventRange, events: &Found) {
        let found = self.grouper.add(events);
        if self.is_first_pass {
            add_totals(&mut self.totals, &found);
            if !range.is_rolled_up {
                add_totals(&mut self.behind, &found);
            }
        }
    }
}

/// Adds what some events add up to.
fn add_totals(totals: &mut BTreeMap<Date, Usd>, found: &BTreeMap<Date, Usd>) {
    for (day, total) in found {
        *totals.entry(*day).or_insert(Usd::ZERO) += *total;
    }
}

fn covered_sums(question: &CostQuestion, pairs: &[PairRow]) -> Sums {
    let mut sums = Sums::default();
    pairs.iter().filter(|found| covers(question, &found.pair)).for_each(|found| sums += found.sums);
    sums
}

#[cfg(test)]
mod tests;
