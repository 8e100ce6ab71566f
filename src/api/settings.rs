//! What the HTTP surface may be told.

use std::time::Duration;

use warp::http::{HeaderName, HeaderValue};

use super::token::Token;
use super::users::PasswordHash;
use crate::query::READS_WAITING_MAX;

/// Settings of the HTTP surface. Everything has a bound.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a request's body may take (`body_timeout_seconds`).
    pub body_timeout: Duration,
    /// Bytes of one body of calls, before and after inflating (`max_ingest_body_bytes`).
    pub ingest_body_bytes_max: usize,
    /// Bytes of bodies held at once over all requests (`max_body_bytes_in_flight`); beyond it a write is told `overloaded`.
    pub body_bytes_in_flight_max: usize,
    /// Writes in progress at once (`max_writes_in_progress`); below the number of connections, so that reads find one.
    pub writes_in_progress_max: usize,
    /// Further ones that wait a moment for their turn; the rest is told `overloaded` at once.
    pub writes_waiting_max: usize,
    /// Reads of the ledger that wait for others; the rest is told `overloaded` at once.
    pub reads_waiting_max: usize,
    /// Tokens that allow writing (`API_TOKEN`, `API_TOKEN_FILE`); none: only loopback may write.
    pub tokens: Vec<Token>,
    /// Whether a write from loopback needs a token where tokens are set (`loopback_needs_token`).
    pub loopback_needs_token: bool,
    /// Host names, besides IP addresses and `localhost`, that a write may be addressed to (`allowed_hosts`); lower case.
    pub allowed_hosts: Vec<String>,
    /// Who may read with a password (`basic_auth_users` of `web_config_file`); none: everybody may read. `SIGHUP` puts others in force.
    pub users: Vec<(String, PasswordHash)>,
    /// Whether `/-/healthy` and `/-/ready` answer without a login (`health_without_login`).
    pub health_without_login: bool,
    /// Headers that answers carry unless they have them (`http_server_config.headers` of `web_config_file`). `SIGHUP` puts others in
    /// force.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// So few connections beside those of writes that all of them may be taken by writes that wait.
const FEW_CONNECTIONS: usize = 16;

impl Settings {
    /// Leaves connections to what asks memory: of so many, writes in progress take this share at most, of the rest those that wait one
    /// half, and reads that wait three quarters.
    pub fn bound_waiting(&mut self, connections: usize, share: usize) {
        self.writes_in_progress_max = self.writes_in_progress_max.min(share).max(1);
        let rest = connections.saturating_sub(self.writes_in_progress_max);
        self.writes_waiting_max = if rest < FEW_CONNECTIONS { FEW_CONNECTIONS } else { rest / 2 };
        self.reads_waiting_max = READS_WAITING_MAX.min(rest * 3 / 4);
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_timeout: Duration::from_secs(10),
            ingest_body_bytes_max: 64 * 1024 * 1024,
            body_bytes_in_flight_max: 16 * 1024 * 1024,
            writes_in_progress_max: 256,
            writes_waiting_max: 128,
            reads_waiting_max: READS_WAITING_MAX,
            tokens: Vec::new(),
            loopback_needs_token: true,
            allowed_hosts: Vec::new(),
            users: Vec::new(),
            health_without_login: false,
            headers: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_waits_leaves_connections_to_what_asks_memory() {
        for (connections, share, writes, reads) in
            [(512, 256, (256, 128), 192), (100_000, 256, (256, 49_872), 192), (64, 32, (32, 16), 24), (64, 63, (63, 16), 0)]
        {
            let mut settings = Settings::default();
            settings.bound_waiting(connections, share);
            assert_eq!((settings.writes_in_progress_max, settings.writes_waiting_max), writes, "{connections}");
            assert_eq!(settings.reads_waiting_max, reads, "{connections}");
        }
    }
}
