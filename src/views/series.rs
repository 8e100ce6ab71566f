//! The cost counters of the metrics: a bounded number of names, sums conserved.
//!
//! *Invariants.* Names are taken in the order in which cost was recorded and never given back. Everything beyond the bounds is
//! added up under `other`, so the sum over the series is the sum over the ledger. The ledger keeps each series' row, so the
//! same names hold after a restart.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

use crate::domain::{Name, OTHER_LABEL, Pair, Sums};

/// Services with a series because a budget names them, or did since the start. One set of budgets names half as many (64 budgets of 100
/// patterns); of those that later settings name beyond it, cost is shown under `other` until a restart.
pub const RESERVED_MAX: usize = 12_800;

/// How many names the metrics may show.
#[derive(Clone, Debug)]
pub struct SeriesLimits {
    /// Services with series of their own.
    pub services_max: usize,
    /// Service and operation pairs with a series of their own.
    pub pairs_max: usize,
    /// Services that have a series whatever the order: those that a budget names.
    pub reserved: Arc<[Name]>,
}

impl SeriesLimits {
    /// Whether one of these services has no series reserved.
    pub fn lacks(&self, mut services: impl Iterator<Item = Name>) -> bool {
        services.any(|name| !self.reserved.contains(&name))
    }

    /// Reserves series for these services as well, up to [`RESERVED_MAX`].
    pub fn reserve(&mut self, services: impl Iterator<Item = Name>) {
        let mut known: BTreeSet<Name> = self.reserved.iter().cloned().collect();
        for service in services {
            if known.len() < RESERVED_MAX {
                known.insert(service);
            }
        }
        self.reserved = known.into_iter().collect();
    }
}

impl Default for SeriesLimits {
    fn default() -> Self {
        Self { services_max: 200, pairs_max: 2_000, reserved: Arc::from([]) }
    }
}

/// Cost since the ledger began, by metric label.
#[derive(Clone, Debug)]
pub struct Series {
    limits: SeriesLimits,
    services: OrdSet<Name>,
    sums: OrdMap<Pair, Sums>,
}

impl Series {
    /// No cost yet; reserved services have their place already.
    pub fn new(limits: SeriesLimits) -> Self {
        let services = limits.reserved.iter().cloned().collect();
        Self { limits, services, sums: OrdMap::new() }
    }

    /// Adds cost and says under which label.
    pub fn add(&mut self, service: &Name, operation: &Name, sums: Sums) -> Pair {
        let label = self.take_label(service, operation);
        self.load(label.clone(), sums);
        label
    }

    /// Adds cost to exactly this series; a service named in it has its place from then on.
    pub fn load(&mut self, label: Pair, sums: Sums) {
        if label.service.as_str() != OTHER_LABEL && !self.services.contains(&label.service) {
            self.services.insert(label.service.clone());
        }
        match self.sums.get_mut(&label) {
            Some(present) => *present += sums,
            None => drop(self.sums.insert(label, sums)),
        }
    }

    /// Whether a service has a series whatever the order.
    pub fn reserves(&self, service: &Name) -> bool {
        self.limits.reserved.contains(service)
    }

    /// The label a service's cost appears under today. Takes no name.
    pub fn service_label(&self, service: &Name) -> Name {
        self.services.get(service).cloned().unwrap_or_else(Name::other)
    }

    /// The label that a service and operation appear under today, if their cost is shown at all. Takes no name.
    pub fn label(&self, service: &Name, operation: &Name) -> Pair {
        let service = self.service_label(service);
        let label = Pair { service, operation: operation.clone() };
        if self.sums.contains_key(&label) { label } else { Pair { operation: Name::other(), ..label } }
    }

    /// One series.
    pub fn get(&self, label: &Pair) -> Option<Sums> {
        self.sums.get(label).copied()
    }

    /// Every series, ordered by label.
    pub fn iter(&self) -> impl Iterator<Item = (&Pair, &Sums)> {
        self.sums.iter()
    }

    fn take_label(&self, service: &Name, operation: &Name) -> Pair {
        let service = match self.services.get(service) {
            Some(named) => named.clone(),
            None if self.services.len() < self.limits.services_max => service.clone(),
            None => return Pair::other(),
        };
        let label = Pair { service, operation: operation.clone() };
        if self.sums.contains_key(&label) || self.sums.len() < self.limits.pairs_max {
            return label;
        }
        Pair { operation: Name::other(), ..label }
    }
}
