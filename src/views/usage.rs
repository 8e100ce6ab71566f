//! Quantities (tokens and the like) since the ledger began, by service, model and kind: bounded, sums conserved.

use imbl::OrdMap;

use crate::domain::{ModelKey, Name, Quantity, UsageKey};

/// Service and model pairs with series of their own; further ones are added up under `other`/`other`.
pub const USAGE_PAIRS_MAX: usize = 200;
/// Kinds of quantity that a pair tells apart; further ones are added up under `other`.
pub const USAGE_KINDS_MAX: usize = 16;

/// All usage series.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    counts: OrdMap<UsageKey, Quantity>,
    kinds_by_pair: OrdMap<(Name, Box<str>), usize>,
}

impl Usage {
    /// Adds what was used, under a service's metric label; says which series changed.
    pub fn add(&mut self, service_label: &Name, model: &str, kind: &Name, count: Quantity) -> UsageKey {
        let key = self.take_key(service_label, model, kind);
        self.load(key.clone(), count);
        key
    }

    /// Adds to exactly this series.
    pub fn load(&mut self, key: UsageKey, count: Quantity) {
        match self.counts.get_mut(&key) {
            Some(present) => *present += count,
            None => {
                *self.kinds_by_pair.entry((key.service.clone(), key.model.clone())).or_insert(0) += 1;
                self.counts.insert(key, count);
            }
        }
    }

    /// One series.
    pub fn get(&self, key: &UsageKey) -> Option<Quantity> {
        self.counts.get(key).copied()
    }

    /// Every series, ordered by label.
    pub fn iter(&self) -> impl Iterator<Item = (&UsageKey, &Quantity)> {
        self.counts.iter()
    }

    fn take_key(&self, service: &Name, model: &str, kind: &Name) -> UsageKey {
        let own = ModelKey::of(service, model);
        let mut pair = (own.service, own.model);
        if !self.kinds_by_pair.contains_key(&pair) && self.kinds_by_pair.len() >= USAGE_PAIRS_MAX {
            let other = ModelKey::other();
            pair = (other.service, other.model);
        }
        let kinds = self.kinds_by_pair.get(&pair).copied().unwrap_or(0);
        let (service, model) = pair;
        let key = UsageKey { service, model, kind: kind.clone() };
        if self.counts.contains_key(&key) || kinds < USAGE_KINDS_MAX {
            return key;
        }
        UsageKey { kind: Name::other(), ..key }
    }
}
