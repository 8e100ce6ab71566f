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

/// Where entries are added up that have day, service, operation and model in common.
struct Places {
    sums: usize,
    /// `None` before their first charge.
    model: Option<usize>,
}

impl<'e> Batch<'e> {
    pub fn of(entries: impl IntoIterator<Item = (&'e CostEvent, &'e Entry, Date)>) -> Self {
        let mut batch = Self::default();
        // One look for each entry: looking is what adding up costs.
        let mut alike: HashMap<(Date, &Name, &Name, &str), Places> = HashMap::new();
        for (event, entry, day) in entries {
            let (service, operation) = (&event.service, &event.operation);
            let model = event.model.as_deref().unwrap_or_default();
            let places = alike
                .entry((day, service, operation, model))
                .or_insert_with(|| Places { sums: batch.sums.place((day, service, operation)), model: None });
            *batch.sums.at(places.sums) += Sums::of(event, entry);
            if let Some(charge) = Sums::charge_of(event, entry) {
                let place = *places.model.get_or_insert_with(|| batch.models.place((service, model)));
                *batch.models.at(place) += charge;
            }
            for usage in entry.usage_added(event) {
                let place = batch.usage.place((service, model, &usage.kind));
                *batch.usage.at(place) += usage.count;
            }
            batch.entries += 1;
        }
        batch
    }
}

impl<K: Copy + Eq + std::hash::Hash, V: Default> Totals<K, V> {
    /// Where a key's total stands from now on.
    fn place(&mut self, key: K) -> usize {
        *self.places.entry(key).or_insert_with(|| {
            self.totals.push((key, V::default()));
            self.totals.len() - 1
        })
    }

    fn at(&mut self, place: usize) -> &mut V {
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
