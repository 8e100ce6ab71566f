//! What the ledger may be told.

use std::path::PathBuf;

/// Settings of the ledger.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SQLite file (`DB_PATH`). Its folder is made when missing.
    pub path: PathBuf,
    /// Days that raw events are kept (`retention_days`), at least [`RETENTION_DAYS_MIN`]; `None` keeps them for ever. Rollups
    /// are always kept.
    pub retention_days: Option<u32>,
}

/// Raw events must outlive the window in which a retry may come (35 days by default), or it would count twice.
pub const RETENTION_DAYS_MIN: u32 = 36;

impl Default for Settings {
    fn default() -> Self {
        Self { path: PathBuf::from("data/lead_factory.db"), retention_days: None }
    }
}
