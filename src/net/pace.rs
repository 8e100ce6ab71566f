//! How long a connection may take for what it is doing.
//!
//! A connection is always in one of three phases, and each has its bound:
//!
//! | phase | from | to | bound |
//! | --- | --- | --- | --- |
//! | head | it was accepted, or the first byte of a further request came | the request's headers are complete | `header_timeout` |
//! | call | the headers are complete | the answer is made | the body's and the call's own time-outs |
//! | rest | the answer is made, or its client took some of it | the first byte of the next request | `idle_timeout` |
//!
//! So a connection on which nothing is ever sent ends after `header_timeout`, and the rest phase also bounds how long a client
//! may read nothing of its answer. While every place is taken, a connection at rest makes room after `header_timeout` already.
//!
//! *Why not hyper's own time-out:* its clock for headers starts when the connection falls idle, so one number would have to
//! serve for both, and it does not cover a client that never reads.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// The bounds, and whether room is short; shared by all connections.
#[derive(Debug)]
pub(super) struct Bounds {
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    /// Set by the accept loop while every place is taken.
    pub crowded: AtomicBool,
}

/// What one connection is doing, and since when.
#[derive(Debug)]
pub(super) struct Pace {
    bounds: Arc<Bounds>,
    now_in: Mutex<(Phase, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Call,
    Rest,
}

/// A stream that tells its [`Pace`] when bytes come.
#[derive(Debug)]
pub(super) struct PacedStream<T> {
    stream: T,
    pace: Arc<Pace>,
}

// === impl Pace ===

impl Pace {
    pub fn new(bounds: Arc<Bounds>) -> Self {
        Self { bounds, now_in: Mutex::new((Phase::Head, Instant::now())) }
    }

    /// A request's headers are complete, or more of its answer is being made.
    pub fn call_begins(&self) {
        // It has no bound of its own, so nobody asks since when.
        self.lock().0 = Phase::Call;
    }

    /// The answer is made; from here on the client has to take it, and may then think of another request.
    pub fn call_ends(&self) {
        *self.lock() = (Phase::Rest, Instant::now());
    }

    fn bytes_came(&self) {
        let mut now_in = self.lock();
        if now_in.0 == Phase::Rest {
            *now_in = (Phase::Head, Instant::now());
        }
    }

    /// The client took something of an answer: as long as it goes on, it may take its time, as with an answer that is made while it is
    /// read.
    fn bytes_went(&self) {
        let mut now_in = self.lock();
        if now_in.0 == Phase::Rest {
            now_in.1 = Instant::now();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let (phase, since) = *self.lock();
        match phase {
            Phase::Head => Some(since + self.bounds.header_timeout),
            Phase::Call => None,
            Phase::Rest if self.bounds.crowded.load(Ordering::Relaxed) => Some(since + self.bounds.header_timeout),
            Phase::Rest => Some(since + self.bounds.idle_timeout),
        }
    }

    /// Returns once a phase has taken too long.
    ///
    /// It looks again at least every `header_timeout`, the shortest bound there is, so that no phase that began meanwhile can
    /// end late, and requests need not wake anybody.
    pub async fn expired(&self) {
        loop {
            let now = Instant::now();
            let next_look = now + self.bounds.header_timeout.min(self.bounds.idle_timeout);
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return;
            }
            tokio::time::sleep_until(deadline.map_or(next_look, |deadline| deadline.min(next_look))).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Phase, Instant)> {
        self.now_in.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl PacedStream ===

impl<T> PacedStream<T> {
    pub fn new(stream: T, pace: Arc<Pace>) -> Self {
        Self { stream, pace }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for PacedStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pace.bytes_came();
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for PacedStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.pace.bytes_went();
        }
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.pace.bytes_went();
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
