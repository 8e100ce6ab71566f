//! What the desk's task and its handles share.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::memory::Memory;
use crate::fleet::Known;

/// What the task and the handles share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub memory: Mutex<Memory>,
    /// The newest membership, and the newest of which all sums were sent.
    pub spoken: AtomicU64,
    pub sent: AtomicU64,
    /// Entries that the sums count which were sent.
    pub sent_entries: AtomicU64,
}

impl Shared {
    pub fn with_memory<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        work(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn remembered<T>(&self, find: impl FnOnce(&Memory) -> Option<(T, Timestamp)>) -> Option<Known<T>> {
        let (value, at) = self.with_memory(|memory| find(memory))?;
        Some(Known { value, as_of: Some(at) })
    }
}
