//! The connections of the port for gRPC: how many there are, and that each has somebody at its other end.
//!
//! *Limits.* As many as the port for HTTP has; further ones wait in the kernel's queue. [`FIRST_BYTES_MAX`] until something comes, then
//! [`SILENCE_MAX`] without a byte.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tonic::transport::server::Connected;

use crate::net::{Listener, Peer, Stream as Bytes};

/// How often a connection is asked whether somebody is still there.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(60);
/// How long a connection may be without its first byte.
const FIRST_BYTES_MAX: Duration = Duration::from_secs(5);
/// How long it may say nothing then: who is there answers the question whether that is so.
const SILENCE_MAX: Duration = Duration::from_secs(2 * KEEPALIVE.as_secs() + 30);
/// How long to leave the listener alone after it failed, as it does at once without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection that ends when nobody is there any more.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Bytes,
    peer: Peer,
    silence: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

/// Accepts connections, so many at a time.
pub(super) fn connections(listener: Listener, max: usize) -> impl Stream<Item = io::Result<Connection>> + Send {
    stream::unfold((listener, Arc::new(Semaphore::new(max))), |(listener, places)| async move {
        let place = Arc::clone(&places).acquire_owned().await.ok()?;
        let (stream, peer) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => tracing::debug!(%error, "cannot accept connections for gRPC; trying again"),
            }
            sleep(ACCEPT_PAUSE).await;
        };
        let silence = Box::pin(sleep(FIRST_BYTES_MAX));
        Some((Ok(Connection { stream, peer, silence, _place: place }), (listener, places)))
    })
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) {
            self.silence.as_mut().reset(Instant::now() + SILENCE_MAX);
            return Poll::Ready(read);
        }
        ready!(self.silence.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
