//! Accepts connections, bounds how many there are, and drains them.
//!
//! *Invariants.* When [`Server::serve`] returns, no connection is left and nothing holds a service any more. Dropping its future
//! aborts every connection.
//!
//! *Limits.* `connections_max` connections. [`NEWCOMERS_MAX`] more wait until others [make room](super::crowd) for them, and further ones in the kernel's queue.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::connection;
use super::crowd::Crowd;
use super::listener::Listener;
use super::pace::{Bounds, Pace};
use super::peer::Peer;
use super::settings::Settings;
use super::stream::Stream;
use super::tls::{Protocol, TlsSwitch};

/// How long to leave the listener alone after it failed. Without free file descriptors every attempt fails at once, and
/// trying on would take a whole core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long one connection has to make room before another is asked, or before it is seen whether one has become idle.
const ROOM_PAUSE: Duration = Duration::from_millis(20);
/// Connections that are accepted before there is room for them, so that several can make room at the same time.
const NEWCOMERS_MAX: usize = 16;

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
        Ok(Self::over(Listener::bind(settings.listen, Protocol::Http1)?, settings))
    }

    /// The same at a Unix socket.
    ///
    /// # Errors
    /// As of [`Listener::bind_socket`].
    pub fn bind_socket(path: &Path, settings: &Settings) -> io::Result<Self> {
        Ok(Self::over(Listener::bind_socket(path)?, settings))
    }

    fn over(listener: Listener, settings: &Settings) -> Self {
        let bounds = Bounds { header_timeout: settings.header_timeout, idle_timeout: settings.idle_timeout };
        Self { listener, connections_max: settings.connections_max.max(1), bounds: Arc::new(bounds) }
    }

    /// The same, with TLS whenever this has some.
    pub fn with_tls(self, tls: TlsSwitch) -> Self {
        Self { listener: self.listener.with_tls(tls), ..self }
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
        let mut crowd = Crowd::default();
        let mut newcomers: VecDeque<(Stream, Peer)> = VecDeque::new();
        let mut accept_after = None;
        let mut shutdown = std::pin::pin!(shutdown);
        let deadline = loop {
            while connections.len() < self.connections_max
                && let Some((stream, peer)) = newcomers.pop_front()
            {
                let pace = Arc::new(Pace::new(Arc::clone(&self.bounds)));
                let driven = connection::drive(stream, service_for(peer), Arc::clone(&pace), draining.clone());
                crowd.enter(connections.spawn(driven).id(), pace);
            }
            tokio::select! {
                deadline = &mut shutdown => break deadline,
                Some(ended) = connections.join_next_with_id() => {
                    crowd.leave(ended.map_or_else(|error| error.id(), |(id, ())| id));
                    // There is a place, and a file.
                    accept_after = None;
                }
                accepted = accept(&self.listener, accept_after), if newcomers.len() < NEWCOMERS_MAX => match accepted {
                    Ok(accepted) => {
                        accept_after = None;
                        newcomers.push_back(accepted);
                        if connections.len() >= self.connections_max {
                            crowd.make_room();
                        }
                    }
                    Err(error) => {
                        if accept_after.is_none() {
                            tracing::warn!(%error, "cannot accept connections; retrying every {ACCEPT_PAUSE:?}");
                        }
                        accept_after = Some(Instant::now() + ACCEPT_PAUSE);
                        crowd.make_room();
                    }
                },
                () = tokio::time::sleep(ROOM_PAUSE), if !newcomers.is_empty() => {
                    // Where nobody can leave for one of them, nobody can for the others.
                    let _all_have_room = newcomers.iter().all(|_| crowd.make_room());
                }
            }
        };
        drop(newcomers);
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
async fn accept(listener: &Listener, after: Option<Instant>) -> io::Result<(Stream, Peer)> {
    if let Some(after) = after {
        tokio::time::sleep_until(after).await;
    }
    listener.accept().await
}
