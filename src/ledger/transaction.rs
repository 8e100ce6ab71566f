//! The transaction of a commit.
//!
//! *Invariants.* What is not committed when it is dropped is rolled back.
//!
//! *Why not* [`rusqlite::Transaction`]: its `BEGIN` and `COMMIT` are parsed anew each time, which is a tenth of what a commit of one event takes.

use std::ops::Deref;

use rusqlite::Connection;

use super::LedgerError;

/// A transaction that may write.
pub(super) struct WriteTransaction<'c>(&'c Connection);

impl<'c> WriteTransaction<'c> {
    /// Begins one, of which a connection has one at a time.
    pub fn begin(connection: &'c mut Connection) -> Result<Self, LedgerError> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        Ok(Self(connection))
    }

    /// Makes it durable; after an error it is rolled back.
    pub fn commit(self) -> Result<(), LedgerError> {
        self.0.prepare_cached("COMMIT")?.execute(())?;
        Ok(())
    }
}

impl Deref for WriteTransaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for WriteTransaction<'_> {
    fn drop(&mut self) {
        // After some errors SQLite has rolled back by itself.
        if !self.0.is_autocommit()
            && let Err(error) = self.0.execute_batch("ROLLBACK")
        {
            tracing::debug!(%error, "a transaction could not be rolled back");
        }
    }
}
