//! One copy of what many reservations have in common: the names of services and operations, and who the work is for.
//!
//! *Limits.* [`SHARED_MAX`] of each; then it begins anew, and what was shared until then stays with those who hold it.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use crate::domain::{Attribution, Name, ReservationRequest};

/// Names, and attributions, that are remembered.
const SHARED_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Shared {
    names: HashSet<Name>,
    attributions: HashSet<Arc<Attribution>>,
}

impl Shared {
    /// Has a request hold the copies that others hold as well.
    pub fn take(&mut self, request: &mut ReservationRequest) {
        share(&mut self.names, &mut request.service);
        share(&mut self.names, &mut request.operation);
        if let Some(attribution) = &mut request.attribution {
            share(&mut self.attributions, attribution);
        }
    }
}

fn share<T: Clone + Eq + Hash>(known: &mut HashSet<T>, value: &mut T) {
    if let Some(same) = known.get(value) {
        *value = same.clone();
        return;
    }
    if known.len() >= SHARED_MAX {
        known.clear();
    }
    known.insert(value.clone());
}
