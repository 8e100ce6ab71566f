//! Proof that a ledger is what was written: every checksum, chain, digest and total, worked out anew.
//!
//! Works beside a running agent, on consistent reads, and on two cores. Keeps the rollups and what budgets count in memory, never the events.

mod adjusted;
mod recount;
mod rollups;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::Transaction;
use serde::Serialize;

use super::events::{StoredEvent, each_event, each_key};
use super::head::{End, Head};
use super::ids::{self, BLOCK_SEGMENTS, IdIndex, place_of, read_entries};
use super::row::nanoseconds;
use super::rows::{self, DayRow};
use super::schema;
use super::segment::{SEGMENT_EVENTS, Segment};
use super::sums::read_day_pairs;
use super::{LedgerError, OpenError, budgets, calls, gate, meta, outbox, reservations};
use crate::domain::{BudgetZone, Pair, Sums, Usd};
use crate::error_chain::ErrorChain;
use adjusted::Adjusted;
use recount::Recount;
use rollups::PairSums;

pub use recount::{Counted, Counting, ReadDefinition};

/// Problems that a report lists; a damaged file may have millions.
pub(super) const PROBLEMS_MAX: usize = 50;

/// What a verification found.
#[derive(Debug, Default, Serialize)]
pub struct VerifyReport {
    /// Events ever recorded.
    pub events: u64,
    /// Events that retention removed, with their adjustments; only their rollups are left.
    pub events_pruned: u64,
    /// Adjustments of events, but for those that retention removed.
    pub adjustments: u64,
    /// When the newest event was recorded.
    pub last_recorded_at: Option<Timestamp>,
    /// Budgets of which was counted anew what they have spent, in every period of which all events are there.
    pub budgets: u64,
    /// Everything the rollups add up to.
    pub total_usd: Usd,
    /// The zone whose days are counted.
    pub time_zone: String,
    /// What is wrong; empty for a sound ledger.
    pub problems: Vec<String>,
}

/// Verifies the ledger at `path`. What is wrong with its content is in the report.
///
/// # Errors
/// The file cannot be opened or read, or is no ledger of a known format.
pub fn verify(path: &Path) -> Result<VerifyReport, OpenError> {
    verify_counting(path, &|_| None)
}

/// The same, and counts anew what budgets have spent whose definition is read.
///
/// # Errors
/// As for [`verify()`].
pub fn verify_counting(path: &Path, read_definition: ReadDefinition<'_>) -> Result<VerifyReport, OpenError> {
    // Two halves of about the same length, each on a consistent read of its own. What one of them compares it has read itself.
    let (report, beside) = std::thread::scope(|scope| {
        let beside = scope.spawn(|| run(path, &|_| None, &[|check| check.structure(), |check| check.ids()]));
        let parts: [Part; 7] = [
            |check| check.totals(),
            |check| check.events(),
            |check| check.calls(),
            |check| check.gate(),
            |check| check.reservations(),
            |check| check.budgets(),
            |check| check.outbox(),
        ];
        (run(path, read_definition, &parts), beside.join())
    });
    let mut report = report?;
    let mut problems = beside.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?.problems;
    problems.append(&mut report.problems);
    problems.truncate(PROBLEMS_MAX);
    Ok(VerifyReport { problems, ..report })
}

/// Checks parts of the ledger, one after the other. One that cannot be read says nothing about the others.
fn run(path: &Path, read_definition: ReadDefinition<'_>, parts: &[Part]) -> Result<VerifyReport, OpenError> {
    let wrap = |source| OpenError::of(path, source);
    let (mut connection, format) = schema::open_for_reading(path)?;
    let transaction = connection.transaction().map_err(|error| wrap(error.into()))?;
    let (report, calls) = (VerifyReport::default(), calls::Expected::default());
    let (by_day, standing) = (BTreeMap::new(), BTreeMap::new());
    let mut check = Check { transaction: &transaction, format, report, by_day, standing, calls, read_definition };
    for part in parts {
        if let Err(error) = part(&mut check) {
            check.problem(ErrorChain(&error).to_string());
        }
    }
    Ok(check.report)
}

type Part = fn(&mut Check<'_>) -> Result<(), LedgerError>;

struct Check<'a> {
    transaction: &'a Transaction<'a>,
    /// The format of the file.
    format: i64,
    report: VerifyReport,
    /// The rollups as stored.
    by_day: BTreeMap<Date, (DayRow, PairSums)>,
    /// What adjusted events cost, by the `seq` of their first entry.
    standing: BTreeMap<i64, Usd>,
    /// What the tables of calls must hold.
    calls: calls::Expected,
    read_definition: ReadDefinition<'a>,
}

impl Check<'_> {
    fn problem(&mut self, problem: impl Into<String>) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(problem.into());
        }
    }

    /// SQLite's own structures, and the text of the schema.
    fn structure(&mut self) -> Result<(), LedgerError> {
        let mut statement = self.transaction.prepare("PRAGMA integrity_check(10)")?;
        let lines = statement.query_map((), |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        for line in lines.into_iter().filter(|line| line != "ok") {
            self.problem(format!("SQLite: {line}"));
        }
        if schema::fingerprint(self.transaction)? != schema::expected_fingerprint(self.format)? {
            self.problem("the tables are not the ones this format has");
        }
        Ok(())
    }

    /// Days, pairs, series and usage against their digests and each other.
    fn totals(&mut self) -> Result<(), LedgerError> {
        let head = Head::read(self.transaction)?;
        self.report.events = head.rolled_up.events.cast_unsigned();
        self.report.events_pruned = (head.pruned_segments * SEGMENT_EVENTS).cast_unsigned();
        self.report.last_recorded_at = head.rolled_up.last_recorded_at;
        self.report.time_zone = meta::time_zone(self.transaction)?;
        let mut total = Sums::default();
        for (day, row) in rows::read_days(self.transaction, Date::MIN, Date::MAX)? {
            total += row.sums;
            let pairs = read_day_pairs(self.transaction, day, &row)?;
            let mut sums = Sums::default();
            pairs.iter().for_each(|found| sums += found.sums);
            if sums != row.sums {
                self.problem(format!("the pairs of {day} do not add up to the day's total"));
            }
            self.by_day.insert(day, (row, pairs.into_iter().map(|found| (found.pair, found.sums)).collect()));
        }
        self.report.total_usd = total.net();
        let days: BTreeMap<Date, DayRow> = self.by_day.iter().map(|(day, (row, _))| (*day, row.clone())).collect();
        super::sums::check_digests(self.transaction, &head, &days)?;
        let stored: i64 = self.transaction.query_row("SELECT count(*) FROM rollup_pair", (), |row| row.get(0))?;
        if stored != days.values().map(|row| row.pairs).sum::<i64>() {
            self.problem("rollup_pair has rows of days that do not exist");
        }
        Ok(())
    }

    /// Every entry against its checksum, the chain, and the rollups.
    fn events(&mut self) -> Result<(), LedgerError> {
        let head = Head::read(self.transaction)?;
        let zone_name = meta::time_zone(self.transaction)?;
        let zone = BudgetZone::named(&zone_name).map_err(|error| LedgerError::Damaged(error.to_string()))?;
        let segments = Segment::read_all(self.transaction)?;
        if segments.len() as i64 != head.rolled_up.events / SEGMENT_EVENTS {
            self.problem("segments and events do not match");
        }
        let anchor = head.pruned_segments.checked_sub(1).and_then(|last| segments.get(usize::try_from(last).ok()?));
        let mut end = End {
            events: head.pruned_segments * SEGMENT_EVENTS,
            event_chain: anchor.map_or(0, |segment| segment.event_chain),
            last_recorded_at: anchor.map(|segment| segment.newest_recorded_at),
        };
        let mut chain_at_head = (end.events == head.rolled_up.events).then_some(end.event_chain);
        let mut not_rolled_up = Sums::default();
        let mut counted: BTreeMap<Date, PairSums> = BTreeMap::new();
        let mut problems = Vec::new();
        let mut adjusted = Adjusted::default();
        let mut recount = Recount::begin(self.transaction, &head, &segments, &zone, self.read_definition)?;
        let (by_day, calls) = (&self.by_day, &mut self.calls);
        each_event(self.transaction, i64::MIN, i64::MAX, |stored, checksum| {
            let seq = end.events + 1;
            end.add(checksum, stored.recorded_at);
            if stored.seq != seq && problems.len() < PROBLEMS_MAX {
                problems.push(format!("event {seq} is missing"));
                end.events = stored.seq;
            }
            let number = Segment::number_of(end.events);
            let segment = usize::try_from(number).ok().and_then(|number| segments.get(number));
            let day = zone.day_of(stored.event.time);
            problems.extend(segment.into_iter().flat_map(|segment| segment_problems(segment, &end, &stored, &zone)));
            calls.add(&stored);
            recount.add(&stored);
            problems.extend(adjusted.add(self.transaction, &stored, head.pruned_segments)?);
            problems.truncate(PROBLEMS_MAX);
            if end.events > head.rolled_up.events {
                not_rolled_up += Sums::of(&stored.event, &stored.entry);
                return Ok(());
            }
            if end.events == head.rolled_up.events {
                chain_at_head = Some(end.event_chain);
            }
            let mut pair = Pair { service: stored.event.service.clone(), operation: stored.event.operation.clone() };
            if !by_day.get(&day).is_some_and(|(_, pairs)| pairs.contains_key(&pair)) {
                pair = Pair::other();
            }
            *counted.entry(day).or_default().entry(pair).or_default() += Sums::of(&stored.event, &stored.entry);
            Ok(())
        })?;
        problems.into_iter().for_each(|problem| self.problem(problem));
        (self.report.adjustments, self.standing) = (adjusted.adjustments, adjusted.standing);
        self.report.events += not_rolled_up.entries;
        self.report.events -= adjusted.adjustments + adjusted.moves;
        self.report.total_usd += not_rolled_up.net();
        self.report.last_recorded_at = end.last_recorded_at;
        self.report.budgets = recount.budgets();
        recount.problems().for_each(|problem| self.problem(problem));
        if chain_at_head != Some(head.rolled_up.event_chain) {
            self.problem("the chain over the events does not end where the head row says");
        }
        if head.pruned_segments == 0 {
            for day in rollups::differing(&std::mem::take(&mut self.by_day), &counted) {
                self.problem(format!("the rollups of {day} are not what its events add up to"));
            }
        }
        Ok(())
    }

    /// Where charged calls stand, and which wait for a price.
    fn calls(&mut self) -> Result<(), LedgerError> {
        let head = Head::read(self.transaction)?;
        let [forgotten, pruned] = [head.forgotten_blocks * BLOCK_SEGMENTS, head.pruned_segments];
        let expected = std::mem::take(&mut self.calls);
        let problems = expected.problems(self.transaction, forgotten * SEGMENT_EVENTS, pruned * SEGMENT_EVENTS)?;
        problems.into_iter().for_each(|problem| self.problem(problem));
        Ok(())
    }

    /// Every remembered id is found where its event stands.
    fn ids(&mut self) -> Result<(), LedgerError> {
        let head = Head::read(self.transaction)?;
        let index = IdIndex::new(meta::hash_key(self.transaction)?);
        let closed = head.rolled_up.events / SEGMENT_EVENTS;
        let closed_blocks = (head.forgotten_blocks..).take_while(|block| block * BLOCK_SEGMENTS < closed);
        for block in closed_blocks {
            let segments = (closed - block * BLOCK_SEGMENTS).min(BLOCK_SEGMENTS);
            let (first, _) = Segment::bounds((block * BLOCK_SEGMENTS).max(head.pruned_segments));
            let (_, last) = Segment::bounds(block * BLOCK_SEGMENTS + segments - 1);
            let mut stored = read_entries(self.transaction, block, segments)?;
            if !ids::has_right_filter(self.transaction, block, &stored)? {
                self.problem(format!("the filter of block {block} is not over the ids of the block"));
            }
            // What retention removed can no longer be compared.
            stored.retain(|(_, place)| *place >= place_of(block, first));
            stored.sort_unstable();
            let mut expected: Vec<ids::Entry> = Vec::with_capacity(stored.len());
            // The entries themselves are looked at elsewhere.
            each_key(self.transaction, (first, last), |seq, source, id| {
                expected.push((index.hash_of(source, id), place_of(block, seq)));
            })?;
            expected.sort_unstable();
            if stored != expected {
                self.problem(format!("the index of ids of block {block} does not match its events"));
            }
        }
        Ok(())
    }

    /// The gate's history against its chain, and its override.
    fn gate(&mut self) -> Result<(), LedgerError> {
        let head = Head::read(self.transaction)?;
        gate::problems(self.transaction, &head)?.into_iter().for_each(|problem| self.problem(problem));
        Ok(())
    }

    /// Every reservation against its checksum, the head row, and its event.
    fn reservations(&mut self) -> Result<(), LedgerError> {
        let head = Head::read(self.transaction)?;
        reservations::problems(self.transaction, &head, &self.standing)?
            .into_iter()
            .for_each(|problem| self.problem(problem));
        Ok(())
    }

    /// What budgets have counted against its digests, and the history of their limits against its chain.
    fn budgets(&mut self) -> Result<(), LedgerError> {
        let head = Head::read(self.transaction)?;
        let sql = "SELECT coalesce(max(seq), 0) FROM event";
        let newest: i64 = self.transaction.query_row(sql, (), |row| row.get(0))?;
        let newest = newest.max(head.rolled_up.events);
        budgets::problems(self.transaction, &head, newest)?.into_iter().for_each(|problem| self.problem(problem));
        Ok(())
    }

    /// What the webhooks' receivers are told.
    fn outbox(&mut self) -> Result<(), LedgerError> {
        outbox::verify(self.transaction)
    }
}

/// What is wrong with an entry, which is at the end so far, and the row of its segment.
fn segment_problems(
    segment: &Segment,
    end: &End,
    StoredEvent { seq, event, .. }: &StoredEvent,
    zone: &BudgetZone,
) -> impl Iterator<Item = String> {
    let (number, day) = (segment.number, zone.day_of(event.time));
    let is_end = end.events % SEGMENT_EVENTS == 0;
    [
        (is_end && segment.event_chain != end.event_chain).then(|| format!("the chain is broken in segment {number}")),
        (!segment.touches(day, day)).then(|| format!("segment {number} does not know of day {day}")),
        (!segment.span(zone).contains(nanoseconds(event.time)))
            .then(|| format!("segment {number} does not know when event {seq} happened")),
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests;
