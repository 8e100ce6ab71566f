//! What a lead costs on average, today and this month, kept up to date by reading each entry once.
//!
//! *Invariants.* The sums are exact. Leads are told apart by 61 bits of a keyed hash: among a million of them, one in four million
//! such counts is one too low. After an error nothing of what was read counts: the next look begins anew.
//!
//! *Limits.* [`LEADS_MAX`] leads a month, of 8 bytes each; beyond that there is no answer until the next month.

use std::hash::{BuildHasher, RandomState};

use jiff::civil::Date;
use rusqlite::Connection;

use super::LedgerError;
use super::days::DayIndex;
use super::head::Head;
use super::reader::Reader;
use super::reading::{EventRange, read_range};
use super::scan::{Found, KeyPart, Scanner, Wanted};
use super::segment::{SEGMENT_EVENTS, Segment};
use crate::domain::{Dimension, Month, Usd};

/// Leads of one month, at most.
const LEADS_MAX: usize = 4_000_000;
/// Leads that wait to be sorted in among the others.
const PENDING_MAX: usize = 128 * 1024;
/// Entries read in one look at the file: few, so that no look lasts long, however little time its thread gets. Segments are
/// multiples of it.
const LOOK_EVENTS: i64 = 2_048;
/// Today and the days after it that entries may be ahead in.
const DAYS: usize = 3;
/// The bits that say in which of these days a lead occurs.
const DAYS_MASK: u64 = (1 << DAYS) - 1;

/// What leads cost on average, as far as the ledger was read.
#[derive(Debug)]
pub struct PerLead {
    today: Date,
    /// The first entry not read; `None` before the first look.
    next_seq: Option<i64>,
    month_pico: i128,
    days_pico: [i128; DAYS],
    leads: Leads,
    hasher: RandomState,
    /// Whether there was an entry of a day after those that are told apart.
    is_far_ahead: bool,
}

/// The leads of a month, and in which of some days each occurs.
#[derive(Debug, Default)]
struct Leads {
    /// Hashes, with the days in their lowest bits; in order, each once.
    sorted: Vec<u64>,
    /// Further ones, in no order.
    pending: Vec<u64>,
    /// How many leads each day has.
    counts: [u64; DAYS],
}

impl Reader {
    /// Reads what was recorded since `per_lead` last looked: at first every entry of every segment in which the month occurs.
    /// `should_stop` is asked every few thousand entries.
    ///
    /// # Errors
    /// As for [`Reader::breakdown`].
    pub fn catch_up(&self, per_lead: &mut PerLead, today: Date, should_stop: &dyn Fn() -> bool) -> Result<(), LedgerError> {
        per_lead.begin(today);
        let read = self.on_connection(|connection| per_lead.read(connection, self, should_stop));
        if read.is_err() {
            *per_lead = PerLead::new(today);
        }
        read
    }
}

impl PerLead {
    /// Nothing read yet.
    pub fn new(today: Date) -> Self {
        Self {
            today,
            next_seq: None,
            month_pico: 0,
            days_pico: [0; DAYS],
            leads: Leads::default(),
            hasher: RandomState::new(),
            is_far_ahead: false,
        }
    }

    /// What a lead of today costs on average, rounded half to even at the twelfth decimal; `None` without leads.
    pub fn daily(&self) -> Option<Usd> {
        let ([pico, ..], [count, ..]) = (self.days_pico, self.leads.counts);
        self.mean(pico, count)
    }

    /// The same of this month.
    pub fn monthly(&self) -> Option<Usd> {
        self.mean(self.month_pico, self.leads.sorted.len() as u64)
    }

    fn mean(&self, pico: i128, count: u64) -> Option<Usd> {
        (count > 0 && !self.is_over()).then(|| Usd::from_pico(pico).divided_by(count))
    }

    /// Whether there are more leads than can be told apart.
    fn is_over(&self) -> bool {
        self.leads.sorted.len() > LEADS_MAX
    }

    /// Whether it is about this day.
    pub fn is_of(&self, day: Date) -> bool {
        self.today == day
    }

    /// Makes it about this day and its month.
    fn begin(&mut self, today: Date) {
        if today == self.today {
            return;
        }
        let is_next =
            self.today.tomorrow().is_ok_and(|tomorrow| tomorrow == today) && Month::of(self.today) == Month::of(today);
        if !is_next || (self.is_far_ahead && !self.is_over()) {
            *self = Self::new(today);
            return;
        }
        self.today = today;
        self.days_pico.rotate_left(1);
        self.days_pico[DAYS - 1] = 0;
        self.leads.next_day();
    }

    fn read(&mut self, connection: &Connection, reader: &Reader, should_stop: &dyn Fn() -> bool) -> Result<(), LedgerError> {
        let month = Month::of(self.today);
        let (ranges, next_seq) = self.ranges(connection, month)?;
        let wanted = Wanted { key: vec![KeyPart::of(&Dimension::Lead)], filters: vec![] };
        let scanner = Scanner::new(connection, wanted)?;
        let mut days = DayIndex::new(reader.zone(), month.first_day(), month.last_day());
        for EventRange { first, last, .. } in ranges {
            let mut next = first;
            while next <= last && !self.is_over() {
                if should_stop() {
                    return Err(LedgerError::Stopped);
                }
                let look = EventRange {
                    first: next,
                    last: last.min((next - 1) / LOOK_EVENTS * LOOK_EVENTS + LOOK_EVENTS),
                    is_rolled_up: false,
                };
                if names_lead(connection, look)? {
                    read_range(connection, &scanner, look, |found| self.add(found, &mut days))?;
                }
                next = look.last + 1;
            }
        }
        self.leads.sort_in();
        self.next_seq = Some(next_seq);
        Ok(())
    }

    /// What is to be read, and the first entry behind it.
    fn ranges(&self, connection: &Connection, month: Month) -> Result<(Vec<EventRange>, i64), LedgerError> {
        let transaction = connection.unchecked_transaction()?;
        let newest: Option<i64> = transaction.query_row("SELECT max(seq) FROM event", (), |row| row.get(0))?;
        let range = |(first, last)| EventRange { first, last, is_rolled_up: false };
        let (mut ranges, first) = match self.next_seq {
            Some(next) => (Vec::new(), next),
            None => {
                let head = Head::read(&transaction)?;
                let segments = Segment::read_all(&transaction)?;
                let kept = segments.iter().filter(|segment| segment.number >= head.pruned_segments);
                let of_month = kept.filter(|segment| segment.touches(month.first_day(), month.last_day()));
                let ranges = of_month.map(|segment| range(Segment::bounds(segment.number))).collect();
                (ranges, segments.len() as i64 * SEGMENT_EVENTS + 1)
            }
        };
        transaction.finish()?;
        let last = newest.unwrap_or(0).max(first - 1);
        ranges.push(range((first, last)));
        Ok((ranges, last + 1))
    }

    fn add(&mut self, found: &Found, days: &mut DayIndex<'_>) {
        let today = i64::from(self.today.day()) - 1;
        for (entry, lead) in found.iter().filter(|(_, lead)| !lead.is_empty()) {
            let Some(day) = days.number(entry.time_ns) else { continue };
            let amount = i128::from(entry.amount_pico);
            self.month_pico += amount;
            let ahead = usize::try_from(i64::from(day) - today).ok();
            if let Some(of_day) = ahead.and_then(|ahead| self.days_pico.get_mut(ahead)) {
                *of_day += amount;
            }
            self.is_far_ahead |= ahead.is_some_and(|ahead| ahead >= DAYS);
            self.leads.add(self.hasher.hash_one(lead), ahead.filter(|ahead| *ahead < DAYS));
        }
    }
}

/// Whether any entry names a lead. Where workers name none, looking at that one column costs a tenth of reading the entries.
fn names_lead(connection: &Connection, look: EventRange) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM event WHERE seq BETWEEN ? AND ? AND lead_id IS NOT NULL LIMIT 1";
    Ok(connection.prepare_cached(sql)?.exists([look.first, look.last])?)
}

impl Leads {
    fn add(&mut self, hash: u64, day: Option<usize>) {
        self.pending.push((hash & !DAYS_MASK) | day.map_or(0, |day| 1 << day));
        if self.pending.len() >= PENDING_MAX {
            self.sort_in();
        }
    }

    /// Sorts in those that wait, in the memory that they take for good.
    fn sort_in(&mut self) {
        let Self { sorted, pending, counts } = self;
        pending.sort_unstable();
        pending.dedup_by(|lead, kept| {
            let is_same = *lead | DAYS_MASK == *kept | DAYS_MASK;
            if is_same {
                *kept |= *lead;
            }
            is_same
        });
        let (mut known, mut new) = (0, 0);
        for lead in pending.iter() {
            while sorted.get(known).is_some_and(|other| other >> DAYS < lead >> DAYS) {
                known += 1;
            }
            new += usize::from(sorted.get(known).is_none_or(|other| other >> DAYS != lead >> DAYS));
        }
        // From the end on, so that nothing is overwritten that is still to be moved.
        let mut from = sorted.len();
        sorted.resize(from + new, 0);
        let mut to = sorted.len();
        while let Some(mut lead) = pending.pop() {
            while from > 0 && sorted[from - 1] >> DAYS > lead >> DAYS {
                (from, to) = (from - 1, to - 1);
                sorted[to] = sorted[from];
            }
            let mut days_before = 0;
            if from > 0 && sorted[from - 1] >> DAYS == lead >> DAYS {
                from -= 1;
                days_before = sorted[from] & DAYS_MASK;
                lead |= days_before;
            }
            to -= 1;
            sorted[to] = lead;
            for (day, count) in counts.iter_mut().enumerate() {
                *count += (lead & !days_before) >> day & 1;
            }
        }
    }

    /// Forgets the first of the days.
    fn next_day(&mut self) {
        self.sorted.iter_mut().for_each(|lead| *lead = (*lead & !DAYS_MASK) | ((*lead & DAYS_MASK) >> 1));
        self.counts.rotate_left(1);
        self.counts[DAYS - 1] = 0;
    }
}

#[cfg(test)]
mod tests;
