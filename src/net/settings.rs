//! What connections may be told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::tls::Tls;

/// Where to listen, and the bounds of connections.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address to listen on (`METRICS_HOST`, `METRICS_PORT`); port 0 takes a free one.
    pub listen: SocketAddr,
    /// Unix socket at which everything is served without a token (`write_socket`); `None`: at none.
    pub write_socket: Option<PathBuf>,
    /// Address at which only OTLP over HTTP is taken (`otlp_http_listen`); `None`: at none of its own.
    pub otlp_http_listen: Option<SocketAddr>,
    /// Address at which OTLP over gRPC is taken (`otlp_grpc_listen`); `None`: at none.
    pub otlp_grpc_listen: Option<SocketAddr>,
    /// What is shown to whoever connects to any of them over TCP (`web_config_file`); `None`: no TLS. `SIGHUP` puts another in force.
    pub tls: Option<Tls>,
    /// Connections served at once (`max_connections`), at each port and the socket; for further ones idle connections make room.
    pub connections_max: usize,
    /// How long a request's headers may take (`header_timeout_seconds`).
    pub header_timeout: Duration,
    /// How long a connection may stay without a request (`idle_timeout_seconds`).
    pub idle_timeout: Duration,
}

/// Files that stay free of connections, for the ledger and for what reads it; half of all where there are few.
const FILES_KEPT: usize = 128;

/// Connections that the files which the process may open leave room for. Read from a file, because filters of system calls may forbid
/// the one that asks for limits, which also sets them.
pub fn connections_for_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    // Without a limit, or without anything that tells it.
    let files = files.unwrap_or(usize::MAX);
    (files - FILES_KEPT.min(files / 2)).max(1)
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8000)),
            write_socket: None,
            otlp_http_listen: None,
            otlp_grpc_listen: None,
            tls: None,
            connections_max: 512,
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
        }
    }
}
