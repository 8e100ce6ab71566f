//! What the sums in the file lack: events are written at once, the sums that they change now and then.
//!
//! *Invariants.* From the state at the newest rollup and the keys touched since, the next rollup follows; nothing is remembered
//! event by event.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::domain::{GateChange, GateOverride, Pair};
use crate::ledger::{Change, Ledger, LedgerError, Rollup};
use crate::views::{DayCosts, Touched, Views};

/// What was recorded since the newest rollup.
#[derive(Debug)]
pub(super) struct Unsaved {
    /// The views at the newest rollup.
    base: Views,
    touched: Touched,
}

impl Unsaved {
    /// Nothing since these views, which the file's sums equal.
    pub fn since(base: Views) -> Self {
        Self { base, touched: Touched::default() }
    }

    /// Puts a day's sums where they are counted from, if they are not there. The file's sums of that day must be up to date.
    pub fn make_resident(&mut self, ledger: &Ledger, day: Date) -> Result<(), LedgerError> {
        make_resident(&mut self.base, ledger, day)
    }

    /// Adds what was touched.
    pub fn add(&mut self, touched: Touched) {
        self.touched.merge(touched);
    }

    /// Whether the file's sums are up to date.
    pub fn is_empty(&self) -> bool {
        self.touched.is_empty()
    }

    /// The rows to write so that the file's sums equal `after`.
    pub fn rollup(self, after: &Views, gate: Vec<GateChange>, gate_override: Option<Option<GateOverride>>) -> Rollup {
        let before = &self.base;
        let pair_of = |views: &Views, day: Date, pair: &Pair| views.day(day).and_then(|costs| costs.pair(pair));
        Rollup {
            pairs: changes(self.touched.pairs, |(day, pair)| (pair_of(before, *day, pair), pair_of(after, *day, pair))),
            series: changes(self.touched.labels, |label| (before.series.get(label), after.series.get(label))),
            usage: changes(self.touched.usage, |key| (before.usage.get(key), after.usage.get(key))),
            models: changes(self.touched.models, |key| (before.models.get(key), after.models.get(key))),
            gate,
            gate_override,
        }
    }
}

fn changes<K, V>(keys: BTreeSet<K>, values: impl Fn(&K) -> (Option<V>, Option<V>)) -> Vec<Change<K, V>> {
    keys.into_iter()
        .filter_map(|key| {
            let (before, after) = values(&key);
            after.map(|after| Change { key, before, after })
        })
        .collect()
}

/// Puts a day's sums into memory if an event is about to be added to them. The file's sums of that day must be up to date.
pub(super) fn make_resident(views: &mut Views, ledger: &Ledger, day: Date) -> Result<(), LedgerError> {
    if views.is_resident(day) {
        return Ok(());
    }
    let mut costs = DayCosts::default();
    for row in ledger.pairs_of(day)? {
        costs.load(row.pair, row.sums);
    }
    views.load_day(day, costs);
    Ok(())
}
