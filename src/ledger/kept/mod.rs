//! Cost by model and by worker of single days, kept once somebody asked for it: the page shows both on every view.
//!
//! *Invariants.* All kept days count the entries up to the same one. Entries never change, so what was added stays right; when
//! retention removes entries of a day, the day is forgotten. A day whose entries do not add up to its rollup is forgotten as well, so
//! an answer is what reading the events would say.
//!
//! *Limits.* [`KEPT_DAYS_MAX`] days and [`KEPT_BYTES_MAX`] of sums: the days that were not asked for longest give way. A day with too
//! many names for that is known to have them, and nothing of it is kept.

mod day;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::civil::Date;

use super::LedgerError;
use super::cells::{CELLS_BYTES_MAX, Cells};
use super::days::DayIndex;
use super::grouper::{DayKeys, KEYS_MAX, Largest};
use super::scan::Found;
use crate::domain::{CostQuestion, Dimension, GroupKey, GroupsByDay, Usd};
use day::KeptDay;

/// Days that are kept: four months.
pub const KEPT_DAYS_MAX: usize = 124;
/// Bytes of all sums that are kept: 130,000 names of a day, such as a month of 4,000 workers. What is allocated is up to twice that.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What is kept, as of one entry. Cloning it copies no sums.
#[derive(Clone, Debug, Default)]
pub struct KeptDays {
    /// The newest entry that is counted.
    read_to: i64,
    /// Segments whose entries retention had removed.
    pruned_segments: i64,
    days: BTreeMap<Date, Arc<KeptDay>>,
    /// How many questions were answered.
    uses: Arc<AtomicU64>,
}

/// Whether a question can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// It can, from so many sums.
    Whole(usize),
    /// When so many entries were read that were recorded since.
    Behind(u64),
    /// When these days were read.
    Lacks(BTreeSet<Date>),
    /// Some day has more names than are kept.
    TooMuch,
}

impl KeptDays {
    /// Whether days may be kept that answer this: by model or by worker, and nothing else.
    pub fn can_answer(question: &CostQuestion) -> bool {
        let days = usize::try_from((question.last - question.first).get_days()).unwrap_or(0) + 1;
        matches!(question.by[..], [Dimension::Model | Dimension::Worker])
            && question.filters.is_empty()
            && days <= KEPT_DAYS_MAX
    }

    /// Whether a day is kept.
    pub fn has(&self, day: Date) -> bool {
        self.days.contains_key(&day)
    }

    /// Whether a question can be answered with all of so many entries.
    pub fn knowledge(&self, question: &CostQuestion, entries: u64) -> Knowledge {
        let lacking: BTreeSet<Date> = question.days().filter(|day| !self.days.contains_key(day)).collect();
        if !lacking.is_empty() {
            return Knowledge::Lacks(lacking);
        }
        let Some(sums) = self.tables(question).map(|table| Some(table?.len())).sum() else { return Knowledge::TooMuch };
        match entries.saturating_sub(self.read_to.unsigned_abs()) {
            0 => Knowledge::Whole(sums),
            behind => Knowledge::Behind(behind),
        }
    }

    /// The groups, as [`Reader::breakdown`](super::Reader::breakdown) finds them; `None` when that is not known.
    ///
    /// # Errors
    /// A name is not UTF-8.
    pub fn answer(&self, question: &CostQuestion) -> Result<Option<GroupsByDay>, LedgerError> {
        let used = self.uses.fetch_add(1, Ordering::Relaxed) + 1;
        let mut largest = Largest::new(KEYS_MAX);
        let (mut cells, mut key) = (Cells::new(CELLS_BYTES_MAX), Vec::new());
        let (mut totals, mut lost, mut shown) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        for ((number, day), table) in (0..).zip(question.days()).zip(self.tables(question)) {
            let (Some(kept), Some(table)) = (self.days.get(&day), table) else { return Ok(None) };
            kept.used.store(used, Ordering::Relaxed);
            let group = question.group(day);
            if kept.entries > 0 {
                *totals.entry(group).or_insert(Usd::ZERO) += kept.total;
            }
            if kept.rollup.entries > 0 {
                shown.insert(group);
            }
            *lost.entry(group).or_insert(Usd::ZERO) += kept.rollup.net() - kept.total;
            for (values, net) in table.iter() {
                if question.by_day {
                    DayKeys::of(question).write(&mut key, number, values);
                    largest.offer(&key, net);
                } else {
                    cells.add_sum(values, net);
                }
            }
        }
        cells.iter().for_each(|(key, net)| largest.offer(key, net));
        let mut groups = largest.name(question, shown.into_iter(), totals)?;
        for (day, lost) in lost.into_iter().filter(|(_, lost)| *lost != Usd::ZERO) {
            *groups.entry(day).or_default().entry(GroupKey::of([""])).or_insert(Usd::ZERO) += lost;
        }
        Ok(Some(groups))
    }

    /// Adds days that count the same entries. Those of `asked` are not given up for others.
    pub fn insert(&mut self, others: Self, asked: &BTreeSet<Date>) {
        let used = self.uses.fetch_add(1, Ordering::Relaxed) + 1;
        self.read_to = others.read_to;
        // Of a segment that retention removed between the two looks, the days are forgotten at the next one.
        self.pruned_segments = self.pruned_segments.min(others.pruned_segments);
        for (day, kept) in others.days {
            kept.used.store(used, Ordering::Relaxed);
            self.days.insert(day, kept);
        }
        self.shed(asked);
    }

    /// The sums of each day of a question; `None` where they are not kept.
    fn tables<'k>(&'k self, question: &CostQuestion) -> impl Iterator<Item = Option<&'k Cells>> {
        let is_by_model = question.by.first() == Some(&Dimension::Model);
        question.days().map(move |day| {
            let kept = self.days.get(&day)?;
            if is_by_model { kept.models.as_ref() } else { kept.workers.as_ref() }
        })
    }

    /// How many of the ledger's entries are counted.
    pub fn entries(&self) -> u64 {
        self.read_to.cast_unsigned()
    }

    /// Counts the entries that follow, each with its day, its model and worker as they are joined in a key, and its amount.
    pub fn add_newer<'k>(&mut self, entries: impl Iterator<Item = (Date, &'k [u8], i64)>) {
        // They come nearly in the order of their days.
        let mut newest: Option<(Date, Option<&mut KeptDay>)> = None;
        for (day, key, amount_pico) in entries {
            self.read_to += 1;
            if newest.as_ref().is_none_or(|(before, _)| *before != day) {
                newest = Some((day, self.days.get_mut(&day).map(Arc::make_mut)));
            }
            if let Some((_, Some(kept))) = &mut newest {
                kept.add(key, amount_pico);
            }
        }
    }

    /// Adds entries to the days that are kept.
    fn add(&mut self, entries: &Found, index: &mut DayIndex<'_>) {
        // They come nearly in the order of their days.
        let mut newest: Option<(u32, Option<&mut KeptDay>)> = None;
        for (entry, key) in entries.iter() {
            let Some(number) = index.number(entry.time_ns) else { continue };
            if newest.as_ref().is_none_or(|(before, _)| *before != number) {
                let kept = self.days.get_mut(&index.day(number));
                newest = Some((number, kept.map(Arc::make_mut)));
            }
            if let Some((_, Some(kept))) = &mut newest {
                kept.add(key, entry.amount_pico);
            }
        }
    }

    /// Forgets what is beyond the bounds.
    fn shed(&mut self, asked: &BTreeSet<Date>) {
        self.shed_to(KEPT_BYTES_MAX, KEPT_DAYS_MAX, asked);
    }

    fn shed_to(&mut self, bytes_max: usize, days_max: usize, asked: &BTreeSet<Date>) {
        loop {
            let bytes: usize = self.days.values().map(|kept| kept.bytes()).sum();
            if bytes <= bytes_max && self.days.len() <= days_max {
                return;
            }
            let others = self.days.iter().filter(|(day, _)| !asked.contains(day));
            if let Some(day) = others.min_by_key(|(_, kept)| kept.used.load(Ordering::Relaxed)).map(|(day, _)| *day) {
                self.days.remove(&day);
                continue;
            }
            let Some(largest) = self.days.values_mut().max_by_key(|kept| kept.largest_bytes()) else { return };
            if largest.largest_bytes() == 0 {
                return;
            }
            Arc::make_mut(largest).give_up_largest();
        }
    }
}

#[cfg(test)]
mod tests;
