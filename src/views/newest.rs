//! The newest entries, with the little that cost by model and by worker needs of them: so that whoever keeps such sums need not read from
//! the ledger what the writer had in its hands a moment ago.
//!
//! *Invariants.* What is noted is committed, in the ledger's order and without gaps. Nothing is noted before somebody has asked.
//!
//! *Limits.* [`ENTRIES_MAX`] entries: when nobody has taken them by then, they are forgotten, and none is noted until somebody asks again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;

use crate::domain::{CostEvent, GroupKey};

/// Entries that are noted: of a full load, one second. With usual names they are 1.5 MB.
const ENTRIES_MAX: usize = 32 * 1024;

/// Where the writer notes entries once they are committed; `None` within while nobody wants them.
#[derive(Debug, Default)]
pub struct Newest(Mutex<Option<Noted>>);

/// Entries that stand one behind the other.
#[derive(Debug, Default)]
pub struct Noted {
    /// How many there are in the ledger before them.
    before: u64,
    rows: Vec<Row>,
    /// The keys, one behind the other.
    keys: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    day: Date,
    amount_pico: i64,
    /// Where its key ends.
    key_end: usize,
}

impl Newest {
    /// Notes entries that were committed behind `before` others, each with the day that it counts in.
    pub fn note<'e>(&self, before: u64, entries: impl ExactSizeIterator<Item = (Date, &'e CostEvent)>) {
        let mut noted = self.lock();
        let Some(known) = noted.as_mut() else { return };
        if known.end() != before {
            // Some were committed of which nobody heard.
            *known = Noted { before, ..Noted::default() };
        }
        if known.rows.len() + entries.len() > ENTRIES_MAX || entries.into_iter().any(|(day, event)| !known.add(day, event)) {
            *noted = None;
        }
    }

    /// Takes what was noted of the ledger's first `entries` entries; none where that does not reach so far. All later ones are noted.
    pub fn take(&self, entries: u64) -> Noted {
        let mut noted = self.lock();
        let known = noted.get_or_insert_default();
        let later = known.split_off(entries);
        let taken = std::mem::replace(known, later);
        if taken.end() == entries { taken } else { Noted::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Noted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    /// Those behind the ledger's first `entries` entries, each with its day, its model and worker as
    /// [`GroupKey::SEPARATOR`] joins them, and its amount; `None` where one of them was not noted.
    pub fn behind(&self, entries: u64) -> Option<impl Iterator<Item = (Date, &[u8], i64)>> {
        let known = usize::try_from(entries.checked_sub(self.before)?).ok().filter(|known| *known <= self.rows.len())?;
        let mut begin = self.key_begin(known);
        Some(self.rows[known..].iter().map(move |row| {
            let key = &self.keys[begin..row.key_end];
            begin = row.key_end;
            (row.day, key, row.amount_pico)
        }))
    }

    /// How many there are in the ledger up to the last of them.
    fn end(&self) -> u64 {
        self.before + self.rows.len() as u64
    }

    /// Adds one; `false` where its amount is none that the ledger could hold.
    fn add(&mut self, day: Date, event: &CostEvent) -> bool {
        let Ok(amount_pico) = i64::try_from(event.amount.pico()) else { return false };
        self.keys.extend_from_slice(event.model.as_deref().unwrap_or_default().as_bytes());
        self.keys.push(GroupKey::SEPARATOR as u8);
        self.keys.extend_from_slice(event.worker.as_deref().unwrap_or_default().as_bytes());
        self.rows.push(Row { day, amount_pico, key_end: self.keys.len() });
        true
    }

    /// Takes off those behind the ledger's first `entries` entries.
    fn split_off(&mut self, entries: u64) -> Self {
        let kept =
            usize::try_from(entries.saturating_sub(self.before)).map_or(self.rows.len(), |kept| kept.min(self.rows.len()));
        let begin = self.key_begin(kept);
        let mut rows = self.rows.split_off(kept);
        rows.iter_mut().for_each(|row| row.key_end -= begin);
        Self { before: self.before + kept as u64, rows, keys: self.keys.split_off(begin) }
    }

    /// Where the key of a row begins, or would.
    fn key_begin(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.rows[before].key_end)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::Usd;

    const DAY: Date = date(2026, 11, 29);

    fn event(number: i64) -> CostEvent {
        let name = |prefix: &str| Some(format!("{prefix}-é-{number}").into());
        CostEvent { model: name("m"), worker: name("w"), amount: Usd::from_pico(number.into()), ..CostEvent::example() }
    }

    /// Notes entries with the numbers of their places.
    fn note(newest: &Newest, before: i64, count: i64) {
        let events: Vec<CostEvent> = (before + 1..=before + count).map(event).collect();
        newest.note(before.cast_unsigned(), events.iter().map(|event| (DAY, event)));
    }

    /// The places of what was noted behind some entries.
    fn places(noted: &Noted, entries: u64) -> Option<Vec<i64>> {
        let row = |(day, key, amount): (Date, &[u8], i64)| {
            assert_eq!((day, key), (DAY, format!("m-é-{amount}\0w-é-{amount}").as_bytes()));
            amount
        };
        Some(noted.behind(entries)?.map(row).collect())
    }

    #[test]
    fn what_is_committed_is_noted_from_the_first_question_on_and_handed_out_once() {
        let newest = Newest::default();
        note(&newest, 0, 3);
        assert_eq!(places(&newest.take(3), 3), None, "nobody had asked");
        note(&newest, 3, 4);
        note(&newest, 7, 2);
        let noted = newest.take(8);
        assert_eq!(places(&noted, 3), Some(vec![4, 5, 6, 7, 8]));
        assert_eq!((places(&noted, 6), places(&noted, 8)), (Some(vec![7, 8]), Some(vec![])));
        assert_eq!((places(&noted, 2), places(&noted, 9)), (None, None), "entry 3 was not noted, nor was 9 asked for");
        note(&newest, 9, 1);
        assert_eq!(places(&newest.take(10), 8), Some(vec![9, 10]), "what was not published yet stays for the next");
        assert_eq!(places(&newest.take(12), 10), None, "not all of it was noted");
    }

    #[test]
    fn a_gap_forgets_what_was_before_it() {
        let newest = Newest::default();
        newest.take(0);
        note(&newest, 0, 2);
        note(&newest, 5, 2);
        let noted = newest.take(7);
        assert_eq!((places(&noted, 0), places(&noted, 2), places(&noted, 5)), (None, None, Some(vec![6, 7])));
    }

    #[test]
    fn entries_that_nobody_takes_are_forgotten() {
        let newest = Newest::default();
        newest.take(0);
        note(&newest, 0, ENTRIES_MAX as i64);
        note(&newest, ENTRIES_MAX as i64, 1);
        assert!(newest.lock().is_none());
        let entries = ENTRIES_MAX as u64 + 1;
        assert_eq!(places(&newest.take(entries), entries), None);
        note(&newest, entries.cast_signed(), 1);
        assert_eq!(places(&newest.take(entries + 1), entries), Some(vec![entries.cast_signed() + 1]));
    }

    #[test]
    fn as_many_entries_as_the_bound_are_noted() {
        let newest = Newest::default();
        newest.take(0);
        note(&newest, 0, ENTRIES_MAX as i64 - 1);
        note(&newest, ENTRIES_MAX as i64 - 1, 1);
        assert_eq!(places(&newest.take(ENTRIES_MAX as u64), 0).map(|places| places.len()), Some(ENTRIES_MAX));
    }
}
