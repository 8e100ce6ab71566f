//! What is said about the fleet, before it is put together.

use std::path::PathBuf;
use std::time::Duration;

use crate::fleet::DatabaseUrl;

/// What is said about the fleet.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct FleetDraft {
    pub url: Option<DatabaseUrl>,
    pub url_file: Option<PathBuf>,
    pub budgets: Vec<String>,
    pub lease_ttl: Option<Duration>,
}
