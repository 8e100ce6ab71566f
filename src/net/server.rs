//! Accepts connections, bounds how many there are, and drains them.
//!
//! *Invariants.* When [`Server::serve`] returns, no connection is left and nothing holds a service any more. Dropping its future
//! aborts every connection.
//!
//! *Limits.* `connections_max` connections; further ones wait in the kernel's queue.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection;
use super::listener::Listener;
use super::pace::{Bounds, Pace};
use super::peer::Peer;
use super::settings::Settings;

/// How long to leave the listener alone after it failed. Without free file descriptors every attempt fails at once, and
/// trying on would take a whole core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket that does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    connections_max: usize,
    bounds: Arc<Bounds>,
}

impl Server {
    /// Takes the port, so that a taken one is reported before anything runs. Needs a Tokio runtime around it.
    ///
    /// # Errors
    /// What the system says: the port is taken, the address is not this machine's, the port needs a privilege.
    pub fn bind(settings: &Settings) -> io::Result<Self> {
        let bounds = Bounds {
            header_timeout: settings.header_timeout,
            idle_timeout: settings.idle_timeout,
            crowded: AtomicBool::new(false),
        };
        Ok(Self {
            listener: Listener::bind(settings.listen)?,
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

    /// Has each connection's requests answered by the service that `service_for` makes for its peer, until `shutdown` is ready.
    /// Then stops accepting, closes connections at rest, lets requests under way finish, and cuts off what is left at the
    /// instant that `shutdown` gave.
    pub async fn serve<M, S, B>(self, service_for: M, shutdown: impl Future<Output = Instant>)
    where
        M: Fn(Peer) -> S,
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Unpin + Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + Send + 'static,
    {
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
                        connections.spawn(connection::drive(stream, service_for(peer), pace, draining.clone()));
                    }
                    Err(error) => {
                        if accept_after.is_none() {
                            tracing::warn!(%error, "cannot accept connections; retrying every {ACCEPT_PAUSE:?}");
                        }
                        accept_after = Some(Instant::now() + ACCEPT_PAUSE);
                    }
                }
            }
        };
        drop(self.listener);
        drop(service_for);
        drain.send_replace(true);
        let drained = tokio::time::timeout_at(deadline, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(connections = connections.len(), "closed connections that did not finish in time");
        }
        connections.shutdown().await;
    }
}

/// The next connection, not before `after`.
async fn accept(listener: &Listener, after: Option<Instant>) -> io::Result<(TcpStream, Peer)> {
    if let Some(after) = after {
        tokio::time::sleep_until(after).await;
    }
    listener.accept().await
}
