//! Where the fleet's database is, and how this agent takes part.

use std::fmt;
use std::time::Duration;

use super::postgres::DatabaseUrl;

/// How this agent takes part in a fleet.
#[derive(Clone)]
pub struct Settings {
    /// The fleet's database. Its password is never shown.
    pub url: DatabaseUrl,
    /// So long after it was asked for a lease ends; `None`: it does not lapse. At least [`LEASE_TTL_MIN`](super::LEASE_TTL_MIN).
    pub lease_ttl: Option<Duration>,
    /// The agent's name, for people: mostly the host's.
    pub agent: String,
    /// The program's version, for people.
    pub version: &'static str,
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, lease_ttl, agent, version } = self;
        let mut shown = formatter.debug_struct("Settings");
        shown.field("url", url).field("lease_ttl", lease_ttl).field("agent", agent).field("version", version).finish()
    }
}
