//! What a grouping holds while events pass: the sums by key, and the largest of them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

use jiff::civil::Date;

use super::LedgerError;
use super::cells::Cells;
use super::days::DayIndex;
use super::scan::Found;
use crate::domain::{BudgetZone, CostQuestion, GroupKey, GroupsByDay, OTHER_LABEL, Usd};

/// Keys that one answer names: the largest. The rest is added up under `other`.
pub const KEYS_MAX: usize = 10_000;
/// Bytes in which a key says its day, if days are told apart. Big-endian, so that keys are ordered by day first.
const DAY_BYTES: usize = 4;

/// How keys say their day.
#[derive(Clone, Copy, Debug)]
pub(super) struct DayKeys {
    first: Date,
    by_day: bool,
}

/// Adds events up by day and key.
pub(super) struct Grouper<'q> {
    days: DayIndex<'q>,
    pub keys: DayKeys,
    pub cells: Cells,
    /// A key with its day, made anew for each event.
    key: Vec<u8>,
}

/// The largest sums so far; of equal ones, those whose keys come first.
pub(super) struct Largest {
    keys_max: usize,
    /// The one to be dropped next is on top.
    heap: BinaryHeap<Ranked>,
}

/// A sum with its key; the one to be dropped first is the greatest.
#[derive(PartialEq, Eq)]
struct Ranked {
    net: Usd,
    key: Box<[u8]>,
}

impl DayKeys {
    /// The keys that answer a question.
    pub fn of(question: &CostQuestion) -> Self {
        Self { first: question.first, by_day: question.by_day }
    }

    /// Writes the key of what a day has under some values; days are counted from the question's first.
    pub fn write(self, key: &mut Vec<u8>, day: u32, values: &[u8]) {
        key.clear();
        if self.by_day {
            key.extend_from_slice(&day.to_be_bytes());
        }
        key.extend_from_slice(values);
    }

    /// The day and the values that a key stands for.
    pub fn split(self, key: &[u8]) -> Result<(Date, GroupKey), LedgerError> {
        let (day, values) = match key.split_first_chunk::<DAY_BYTES>() {
            Some((day, values)) if self.by_day => (u32::from_be_bytes(*day), values),
            _ => (0, key),
        };
        let values = str::from_utf8(values).map_err(|_| LedgerError::Damaged("an event's text is not UTF-8".into()))?;
        Ok((self.first.saturating_add(jiff::Span::new().days(i64::from(day))), GroupKey::from_joined(values)))
    }
}

impl<'q> Grouper<'q> {
    pub fn new(zone: &'q BudgetZone, question: &CostQuestion, bytes_max: usize) -> Self {
        let days = DayIndex::new(zone, question.first, question.last);
        Self { days, keys: DayKeys::of(question), cells: Cells::new(bytes_max), key: Vec::new() }
    }

    /// Adds events. Says what they add up to, by the day under which they are shown.
    pub fn add(&mut self, events: &Found) -> BTreeMap<Date, Usd> {
        let mut totals: BTreeMap<u32, i128> = BTreeMap::new();
        // Events come nearly in the order of their days.
        let (mut newest, mut total) = (None, 0_i128);
        for (event, key) in events.iter() {
            let Some(number) = self.days.number(event.time_ns) else { continue };
            let group = if self.keys.by_day { number } else { 0 };
            if newest != Some(group)
                && let Some(before) = newest.replace(group)
            {
                *totals.entry(before).or_insert(0) += std::mem::take(&mut total);
            }
            total += i128::from(event.amount_pico);
            if self.keys.by_day {
                self.keys.write(&mut self.key, group, key);
                self.cells.add(&self.key, event.amount_pico);
            } else {
                self.cells.add(key, event.amount_pico);
            }
        }
        if let Some(group) = newest {
            *totals.entry(group).or_insert(0) += total;
        }
        totals.into_iter().map(|(group, total)| (self.days.day(group), Usd::from_pico(total))).collect()
    }
}

impl Largest {
    pub fn new(keys_max: usize) -> Self {
        Self { keys_max, heap: BinaryHeap::new() }
    }

    /// Takes a sum if it is among the largest.
    pub fn offer(&mut self, key: &[u8], net: Usd) {
        if self.heap.len() >= self.keys_max {
            // Looked at before the key is copied: most are too small.
            if self.heap.peek().is_some_and(|least| (least.net, key) > (net, &*least.key)) {
                return;
            }
            self.heap.pop();
        }
        self.heap.push(Ranked { net, key: key.into() });
    }

    /// All of them by name, and the rest of what `totals` say under `other`. Every day of `days` is in the answer.
    pub fn name(
        self,
        question: &CostQuestion,
        days: impl Iterator<Item = Date>,
        mut totals: BTreeMap<Date, Usd>,
    ) -> Result<GroupsByDay, LedgerError> {
        let mut groups: GroupsByDay = days.chain(totals.keys().copied()).map(|day| (day, BTreeMap::new())).collect();
        let keys = DayKeys::of(question);
        for (key, net) in self.into_keys() {
            let (day, key) = keys.split(&key)?;
            *totals.entry(day).or_insert(Usd::ZERO) -= net;
            *groups.entry(day).or_default().entry(key).or_insert(Usd::ZERO) += net;
        }
        for (day, rest) in totals.into_iter().filter(|(_, rest)| *rest != Usd::ZERO) {
            let other = GroupKey::of(question.by.iter().map(|_| OTHER_LABEL));
            *groups.entry(day).or_default().entry(other).or_insert(Usd::ZERO) += rest;
        }
        Ok(groups)
    }

    /// All of them, in no order.
    pub fn into_keys(self) -> impl Iterator<Item = (Box<[u8]>, Usd)> {
        self.heap.into_iter().map(|Ranked { net, key }| (key, net))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.net.cmp(&self.net).then_with(|| self.key.cmp(&other.key))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
