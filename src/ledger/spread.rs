//! How the cost of a period spreads over its leads or batches, however many they are.
//!
//! *Invariants.* As for a grouping ([`Scan`]), but every key counts, not only the largest. Of each only its sum is kept.
//!
//! *Limits.* [`SPREAD_KEYS_MAX`] keys, [`TOP_MAX`] of them with their names.

use super::LedgerError;
use super::breakdown::Scan;
use super::cells::CELLS_BYTES_MAX;
use super::grouper::Largest;
use super::reader::Reader;
use crate::domain::{CostQuestion, Spread, Usd};

/// Keys that one answer may be about: 64 MiB of sums. To read the events of as many takes about as long as a request may.
pub const SPREAD_KEYS_MAX: usize = 4_000_000;
/// The most expensive, which an answer names.
const TOP_MAX: usize = 20;

impl Reader {
    /// How the cost of a period spreads over the values of the one dimension that it is grouped by; `None` when there are more than
    /// [`SPREAD_KEYS_MAX`]. Cost whose events retention has removed counts as unattributed, as far as filters allow to know of it.
    ///
    /// # Errors
    /// As for [`Reader::breakdown`].
    pub fn spread(&self, question: &CostQuestion, should_stop: &dyn Fn() -> bool) -> Result<Option<Spread>, LedgerError> {
        self.on_connection(|connection| {
            spread(Scan::begin(connection, self.zone(), question)?, CELLS_BYTES_MAX, SPREAD_KEYS_MAX, should_stop)
        })
    }
}

pub(super) fn spread(
    mut scan: Scan<'_>,
    cells_bytes_max: usize,
    keys_max: usize,
    should_stop: &dyn Fn() -> bool,
) -> Result<Option<Spread>, LedgerError> {
    let keys = scan.keys();
    let (mut sums, mut unattributed) = (Vec::new(), Usd::ZERO);
    let mut largest = Largest::new(TOP_MAX);
    let mut is_over = false;
    let scanned = scan.each_sum(cells_bytes_max, should_stop, |key, net| {
        if key.is_empty() {
            unattributed += net;
        } else if sums.len() < keys_max {
            sums.push(net);
            largest.offer(key, net);
        } else {
            is_over = true;
            return Err(LedgerError::Stopped);
        }
        Ok(())
    });
    if is_over {
        return Ok(None);
    }
    let totals = scanned?;
    unattributed += scan.pruned_cost(&totals).into_values().sum::<Usd>();
    let named = |(key, net): (Box<[u8]>, Usd)| keys.split(&key).map(|(_, key)| (key.as_joined().into(), net));
    let top: Result<Vec<_>, LedgerError> = largest.into_keys().map(named).collect();
    let mut top: Vec<(Box<str>, Usd)> = top?;
    top.sort_by(|(left, more), (right, less)| less.cmp(more).then_with(|| left.cmp(right)));
    Ok(Some(Spread::of(sums, unattributed, top)))
}
