//! The listening socket: accepts connections, bounds how many there are, and drains them.
//!
//! *Invariants.* When [`Server::serve`] returns, no connection is left and nothing holds the surface any more. Dropping its
//! future aborts every connection.
//!
//! *Limits.* `connections_max` connections; further ones wait in the kernel's queue of [`BACKLOG`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::pace::{Bounds, Pace};
use super::{Settings, Surface, connection};

/// Connections that the kernel holds until they are accepted (the system may hold fewer: `net.core.somaxconn`).
const BACKLOG: u32 = 1_024;
/// How long to leave the listener alone after it failed. Without free file descriptors every attempt fails at once, and
/// trying on would take a whole core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    connections_max: usize,
    bounds: Arc<Bounds>,
}

impl Server {
    /// Takes the port, so that a taken one is reported before anything runs. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// What the system says: the port is taken, the address is not this machine's, the port needs a privilege.
    pub fn bind(settings: &Settings) -> io::Result<Self> {
        let socket = if settings.listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // After a restart the port may still have connections in TIME_WAIT; another listener is refused all the same.
        socket.set_reuseaddr(true)?;
        socket.bind(settings.listen)?;
        let bounds = Bounds {
            header_timeout: settings.header_timeout,
            idle_timeout: settings.idle_timeout,
            crowded: AtomicBool::new(false),
        };
        Ok(Self {
            listener: socket.listen(BACKLOG)?,
            connections_max: settings.connections_max.max(1),
            bounds: Arc::new(bounds),
        })
    }

    /// Where it listens; tells which port was free when port 0 was asked for.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `shutdown` is ready, then stops accepting, closes connections at rest, lets requests under way finish,
    /// and cuts off what is left at the instant that `shutdown` gave.
    pub async fn serve(self, surface: Surface, shutdown: impl Future<Output = Instant>) {
        let (drain, draining) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut accept_after = None;
        let mut shutdown = std::pin::pin!(shutdown);
        let deadline = loop {
            let has_room = connections.len() < self.connections_max;
            self.bounds.crowded.store(!has_room, Ordering::Relaxed);
            tokio::select! {
                deadline = &mut shutdown => break deadline,
                Some(_) = connections.join_next() => {}
                accepted = accept(&self.listener, accept_after), if has_room => match accepted {
                    Ok((stream, peer)) => {
                        accept_after = None;
                        let pace = Arc::new(Pace::new(Arc::clone(&self.bounds)));
                        connections.spawn(connection::drive(stream, peer, surface.clone(), pace, draining.clone()));
                    }
                    Err(error) => {
                        if accept_after.is_none() {
                            tracing::warn!(%error, "cannot accept connections; trying again every {ACCEPT_PAUSE:?}");
                        }
                        accept_after = Some(Instant::now() + ACCEPT_PAUSE);
                    }
                }
            }
        };
        drop(self.listener);
        drop(surface);
        drain.send_replace(true);
        let drained = tokio::time::timeout_at(deadline, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "cut off connections that did not finish in time");
        }
        connections.shutdown().await;
    }
}

/// The next connection, not before `after`.
async fn accept(listener: &TcpListener, after: Option<Instant>) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(after) = after {
        tokio::time::sleep_until(after).await;
    }
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Answers are small and written at once; waiting to fill a segment would only delay them. A socket that
                // refuses this is a connection that is already gone, which the first read finds out.
                let _ = stream.set_nodelay(true);
                return Ok((stream, peer));
            }
            // The client gave up while it was queued.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {}
            Err(error) => return Err(error),
        }
    }
}
