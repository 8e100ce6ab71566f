//! Entries that are recorded together, added up before they reach the maps: a commit of a thousand events changes some tens of
//! sums.
//!
//! *Invariants.* First come, first kept: what occurs first stands first, because names are taken in the order of recording.

use hashbrown::HashMap;
use jiff::civil::Date;

use crate::domain::{CostEvent, Entry, Name, Quantity, Sums, Usd};

/// What the entries add up to.
#[derive(Debug, Default)]
pub(super) struct Batch<'e> {
    /// By day, service and operation.
    pub sums: Totals<(Date, &'e Name, &'e Name), Sums>,
    /// By service, model and kind; no model is the empty one.
    pub usage: Totals<(&'e Name, &'e str, &'e Name), Quantity>,
    /// What was charged, by service and model.
    pub models: Totals<(&'e Name, &'e str), Usd>,
    /// How many they are.
    pub entries: u64,
}

/// Totals in the order in which their keys came.
#[derive(Debug)]
pub(super) struct Totals<K, V> {
    places: HashMap<K, usize>,
    totals: Vec<(K, V)>,
}

impl<'e> Batch<'e> {
    pub fn of(entries: impl IntoIterator<Item = (&'e CostEvent, &'e Entry, Date)>) -> Self {
        let mut batch = Self::default();
        for (event, entry, day) in entries {
            *batch.sums.total((day, &event.service, &event.operation)) += Sums::of(event, entry);
            let model = event.model.as_deref().unwrap_or_default();
            if let Some(charge) = Sums::charge_of(event, entry) {
                *batch.models.total((&event.service, model)) += charge;
            }
            for usage in entry.usage_added(event) {
                *batch.usage.total((&event.service, model, &usage.kind)) += usage.count;
            }
            batch.entries += 1;
        }
        batch
    }
}

impl<K: Copy + Eq + std::hash::Hash, V: Default> Totals<K, V> {
    fn total(&mut self, key: K) -> &mut V {
        let place = *self.places.entry(key).or_insert_with(|| {
            self.totals.push((key, V::default()));
            self.totals.len() - 1
        });
        &mut self.totals[place].1
    }
}

impl<K, V> Default for Totals<K, V> {
    fn default() -> Self {
        Self { places: HashMap::default(), totals: Vec::new() }
    }
}

impl<K, V> IntoIterator for Totals<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.totals.into_iter()
    }
}
