//! One day's cost by model and by worker.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::super::cells::{CELLS_BYTES_MAX, Cells};
use crate::domain::{GroupKey, Sums, Usd};

/// What a day's entries add up to.
#[derive(Clone, Debug)]
pub(super) struct KeptDay {
    /// By model; `None` when there are too many.
    pub models: Option<Cells>,
    /// The same by worker.
    pub workers: Option<Cells>,
    /// What all of them add up to.
    pub total: Usd,
    /// How many they are.
    pub entries: u64,
    /// What the day's rollup says, when that was compared.
    pub rollup: Sums,
    /// Whether entries came since.
    pub is_unproven: bool,
    /// Whether retention has removed some of the entries, so that the rollup may say more.
    pub is_pruned: bool,
    /// When it was asked for.
    pub used: Arc<AtomicU64>,
}

impl KeptDay {
    /// A day without entries.
    pub fn new(is_pruned: bool) -> Self {
        let table = || Some(Cells::new(CELLS_BYTES_MAX));
        Self {
            models: table(),
            workers: table(),
            total: Usd::ZERO,
            entries: 0,
            rollup: Sums::default(),
            is_unproven: true,
            is_pruned,
            used: Arc::default(),
        }
    }

    /// Adds an entry: its key has the model and the worker.
    pub fn add(&mut self, key: &[u8], amount_pico: i64) {
        let end = key.iter().position(|byte| *byte == GroupKey::SEPARATOR as u8);
        let (model, worker) = end.map_or((key, &[][..]), |end| (&key[..end], &key[end + 1..]));
        if let Some(models) = &mut self.models {
            models.add(model, amount_pico);
        }
        if let Some(workers) = &mut self.workers {
            workers.add(worker, amount_pico);
        }
        self.total += Usd::from_pico(amount_pico.into());
        self.entries += 1;
        self.is_unproven = true;
    }

    /// Takes what the rollup says. Says whether the entries agree.
    pub fn agrees_with(&mut self, rollup: Sums) -> bool {
        self.rollup = rollup;
        self.is_unproven = false;
        self.is_pruned || rollup.net() == self.total
    }

    /// Bytes of all sums.
    pub fn bytes(&self) -> usize {
        bytes(&self.models) + bytes(&self.workers)
    }

    /// Bytes of the larger table.
    pub fn largest_bytes(&self) -> usize {
        bytes(&self.models).max(bytes(&self.workers))
    }

    /// Forgets the larger table for good: names only become more.
    pub fn give_up_largest(&mut self) {
        if bytes(&self.models) > bytes(&self.workers) {
            self.models = None;
        } else {
            self.workers = None;
        }
    }
}

fn bytes(table: &Option<Cells>) -> usize {
    table.as_ref().map_or(0, Cells::bytes)
}
