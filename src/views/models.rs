//! Charges since the ledger began, by service and model: bounded, sums conserved.

use imbl::OrdMap;

use crate::domain::{MODEL_PAIRS_MAX, ModelKey, Name, Usd};

/// All series of charges by model.
#[derive(Clone, Debug, Default)]
pub struct Models {
    charges: OrdMap<ModelKey, Usd>,
}

impl Models {
    /// Adds a charge under a service's metric label; says which series changed.
    pub fn add(&mut self, service_label: &Name, model: &str, charge: Usd) -> ModelKey {
        let mut key = ModelKey::of(service_label, model);
        if !self.charges.contains_key(&key) && self.charges.len() >= MODEL_PAIRS_MAX {
            key = ModelKey::other();
        }
        self.load(key.clone(), charge);
        key
    }

    /// Adds to exactly this series.
    pub fn load(&mut self, key: ModelKey, charges: Usd) {
        match self.charges.get_mut(&key) {
            Some(present) => *present += charges,
            None => drop(self.charges.insert(key, charges)),
        }
    }

    /// One series.
    pub fn get(&self, key: &ModelKey) -> Option<Usd> {
        self.charges.get(key).copied()
    }

    /// Every series, ordered by label.
    pub fn iter(&self) -> impl Iterator<Item = (&ModelKey, &Usd)> {
        self.charges.iter()
    }
}
