//! Sorting the ids of a full block over the whole block, beside the writer.
//!
//! A quarter of a million ids are read back, sorted and made into a filter: 50 ms and more, which no commit should wait for. So a
//! thread with a connection of its own does that, and the writer only writes what comes out.
//!
//! *Invariants.* The ids of closed segments never change, so what was sorted beside the writer holds whenever it is written. The
//! file has a full block's ids in one order or the other: sorted, if there is a row of the block's filter. Both are written in one
//! transaction. No thread outlives this value.

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::super::LedgerError;
use super::super::connection::open_read_only;
use super::super::row::write_row;
use super::bucket::{Entry, Part};
use super::filter_row::FilterRow;
use super::{BLOCK_SEGMENTS, filter, read_entries};

/// Sorts one block at a time.
pub(in crate::ledger) struct Sorter {
    path: PathBuf,
    work: Work,
}

enum Work {
    Idle,
    Sorting(JoinHandle<Result<SortedBlock, LedgerError>>),
    Sorted(SortedBlock),
}

/// A block's ids in the order in which they are to be kept.
pub(in crate::ledger) struct SortedBlock {
    /// Which block.
    pub number: i64,
    entries: Vec<Entry>,
    filter_bits: Vec<u8>,
}

// === impl Sorter ===

impl Sorter {
    /// For the ledger at this path.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), work: Work::Idle }
    }

    /// Begins to sort a block unless there is work already. Without a thread nothing happens.
    pub fn begin(&mut self, block: i64) {
        if self.is_busy() {
            return;
        }
        let path = self.path.clone();
        match std::thread::Builder::new().name("ledger-sort".into()).spawn(move || sort(&path, block)) {
            Ok(thread) => self.work = Work::Sorting(thread),
            Err(error) => tracing::debug!(%error, "no thread to sort ids"),
        }
    }

    /// Whether a block is being sorted, or waits to be written: its ids must stay where they are.
    pub fn is_busy(&self) -> bool {
        !matches!(self.work, Work::Idle)
    }

    /// What is sorted and waits to be written.
    ///
    /// # Errors
    /// The block's ids are damaged or cannot be read.
    pub fn sorted(&mut self) -> Result<Option<&SortedBlock>, LedgerError> {
        if matches!(&self.work, Work::Sorting(thread) if thread.is_finished()) {
            self.wait()?;
        }
        Ok(match &self.work {
            Work::Sorted(block) => Some(block),
            Work::Idle | Work::Sorting(_) => None,
        })
    }

    /// Waits until nothing is being sorted.
    ///
    /// # Errors
    /// As for [`Sorter::sorted`].
    pub fn wait(&mut self) -> Result<(), LedgerError> {
        if let Work::Sorting(thread) = std::mem::replace(&mut self.work, Work::Idle) {
            let sorted = thread.join().map_err(|_| LedgerError::Damaged("sorting ids panicked".into()))?;
            self.work = Work::Sorted(sorted?);
        }
        Ok(())
    }

    /// Lets go of what was sorted.
    pub fn clear(&mut self) {
        self.work = Work::Idle;
    }
}

impl Drop for Sorter {
    fn drop(&mut self) {
        // What it would have written, the next start sorts again.
        let _ = self.wait();
    }
}

// === impl SortedBlock ===

impl SortedBlock {
    /// Writes the ids in their new order, and the filter that says so.
    pub fn write(&self, connection: &Connection) -> Result<(), LedgerError> {
        Part::Block(self.number).write(connection, &self.entries)?;
        write_row(connection, &FilterRow { block: self.number, bits: self.filter_bits.clone() })
    }
}

fn sort(path: &Path, number: i64) -> Result<SortedBlock, LedgerError> {
    let mut connection = open_read_only(path)?;
    let transaction = connection.transaction()?;
    let mut entries = read_entries(&transaction, number, BLOCK_SEGMENTS)?;
    transaction.finish()?;
    entries.sort_unstable();
    let filter_bits = filter::bits_of(entries.iter().map(|(hash, _)| *hash));
    Ok(SortedBlock { number, entries, filter_bits })
}
