//! One day's cost by service and operation.

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use crate::domain::{Name, PAIRS_PER_DAY_MAX, Pair, Sums};

/// The cost of one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCosts {
    total: Sums,
    services: OrdMap<Name, Sums>,
    pairs: OrdMap<Pair, Sums>,
}

impl DayCosts {
    /// Adds to a pair; says to which. Where the day has no room for a further name, that is the service's `other` if the service
    /// occurred before, else that of its `own_name`, which those have that budgets are for; without one it is `other`/`other`.
    pub fn add(&mut self, service: &Name, operation: &Name, sums: Sums, own_name: impl FnOnce() -> Option<Name>) -> Pair {
        let mut pair = Pair { service: service.clone(), operation: operation.clone() };
        if !self.pairs.contains_key(&pair) && self.pairs.len() >= PAIRS_PER_DAY_MAX {
            let kept = if self.services.contains_key(service) { Some(pair.service) } else { own_name() };
            pair = kept.map_or_else(Pair::other, |service| Pair { service, operation: Name::other() });
        }
        // One copy of each name: a pair that is known keeps the text it has.
        if let Some((known, _)) = self.services.get_key_value(&pair.service) {
            pair.service = known.clone();
        }
        self.load(pair.clone(), sums);
        pair
    }

    /// Adds to exactly this pair.
    pub fn load(&mut self, pair: Pair, sums: Sums) {
        self.total += sums;
        match self.services.get_mut(&pair.service) {
            Some(present) => *present += sums,
            None => drop(self.services.insert(pair.service.clone(), sums)),
        }
        match self.pairs.get_mut(&pair) {
            Some(present) => *present += sums,
            None => drop(self.pairs.insert(pair, sums)),
        }
    }

    /// Of everything.
    pub fn total(&self) -> Sums {
        self.total
    }

    /// Of one service.
    pub fn service(&self, name: &Name) -> Option<Sums> {
        self.services.get(name).copied()
    }

    /// Of one service and operation.
    pub fn pair(&self, pair: &Pair) -> Option<Sums> {
        self.pairs.get(pair).copied()
    }

    /// By service, in the order of their names.
    pub fn services(&self) -> impl Iterator<Item = (&Name, &Sums)> {
        self.services.iter()
    }

    /// By service and operation, in the order of their names.
    pub fn pairs(&self) -> impl Iterator<Item = (&Pair, &Sums)> {
        self.pairs.iter()
    }

    /// The pairs whose sums are others than in an earlier state of the day.
    pub fn pairs_since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = (&'a Pair, &'a Sums)> {
        earlier.pairs.diff(&self.pairs).filter_map(|pair| match pair {
            DiffItem::Add(pair, sums) | DiffItem::Update { new: (pair, sums), .. } => Some((pair, sums)),
            // Sums are only ever added to.
            DiffItem::Remove(..) => None,
        })
    }

    /// How many service and operation names the day tells apart.
    pub fn pairs_len(&self) -> usize {
        self.pairs.len()
    }
}
