//! How long a connection may take for what it is doing.
//!
//! A connection is always in one of five phases, and each has its bound:
//!
//! | phase | from | to | bound |
//! | --- | --- | --- | --- |
//! | fresh | it was accepted | its first byte | `header_timeout` |
//! | head | the first byte of a request | the request's headers are complete | `header_timeout` |
//! | call | the headers are complete | the answer is made | the body's and the call's own time-outs |
//! | answer | the answer is made, or its client took some of it | all of it is taken | `idle_timeout` |
//! | rest | the answer is taken | the first byte of the next request | `idle_timeout` |
//!
//! In a fresh connection and in one at rest no request is under way: they are *idle*, and make room for others when every place is taken.
//! So do, where nobody is idle, those whose clients hold them up for longer than [`HEAD_WHEN_CROWDED`] with a head, or than
//! `header_timeout` with an answer.
//!
//! *Why not hyper's own time-out:* its clock for headers starts when the connection falls idle, so one number would have to
//! serve for both, and it does not cover a client that never reads.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::stream::Wire;

/// How long a client may say nothing after it connected before it counts as idle: the bytes of who has just connected are on their way.
const FRESH: Duration = Duration::from_millis(50);
/// How long a head may take where its place is needed; it usually comes in one piece.
const HEAD_WHEN_CROWDED: Duration = Duration::from_secs(1);

/// The bounds, shared by all connections.
#[derive(Debug)]
pub(super) struct Bounds {
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
}

/// What one connection is doing, and since when.
#[derive(Debug)]
pub(super) struct Pace {
    bounds: Arc<Bounds>,
    now_in: Mutex<Doing>,
    asked_to_leave: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Doing {
    phase: Phase,
    since: Instant,
    /// Whether its place is wanted.
    is_asked_to_leave: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Fresh,
    Head,
    Call,
    Answer,
    Rest,
}

/// Why a connection may be asked to make room, in the order in which that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// No request is under way.
    Idle,
    /// Its client does not get on.
    HeldUp,
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
        let doing = Doing { phase: Phase::Fresh, since: Instant::now(), is_asked_to_leave: false };
        Self { bounds, now_in: Mutex::new(doing), asked_to_leave: Notify::new() }
    }

    /// A request's headers are complete, or more of its answer is being made.
    pub fn call_begins(&self) {
        // It has no bound of its own, so nobody asks since when.
        self.lock().phase = Phase::Call;
    }

    /// The answer is made; from here on the client has to take it, and may then think of another request.
    pub fn call_ends(&self) {
        self.lock().enter(Phase::Answer);
    }

    /// The client says something that is not for whoever reads here: it shakes hands.
    fn client_began(&self) {
        let mut doing = self.lock();
        if doing.phase == Phase::Fresh {
            doing.enter(Phase::Head);
        }
    }

    fn bytes_came(&self) {
        let mut doing = self.lock();
        if matches!(doing.phase, Phase::Fresh | Phase::Answer | Phase::Rest) {
            doing.enter(Phase::Head);
        }
    }

    /// The client took something of an answer: as long as it goes on, it may take its time, as with an answer that is made while it is
    /// read.
    fn bytes_went(&self) {
        let mut doing = self.lock();
        if matches!(doing.phase, Phase::Answer | Phase::Rest) {
            doing.enter(Phase::Answer);
        }
    }

    /// The client took everything that there was for it.
    fn all_went(&self) {
        let mut doing = self.lock();
        if doing.phase == Phase::Answer {
            doing.enter(Phase::Rest);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let Doing { phase, since, .. } = *self.lock();
        match phase {
            Phase::Fresh | Phase::Head => Some(since + self.bounds.header_timeout),
            Phase::Call => None,
            Phase::Answer | Phase::Rest => Some(since + self.bounds.idle_timeout),
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

    /// Whether the connection may make room for another at this instant, why, and since when that is so. One that was asked already is
    /// not asked again.
    pub fn rank(&self, now: Instant) -> Option<(Rank, Instant)> {
        let doing = *self.lock();
        if doing.is_asked_to_leave { None } else { Some((doing.rank(&self.bounds, now)?, doing.since)) }
    }

    /// Asks it to leave, if it still is as it was found to be.
    pub fn ask_to_leave(&self, since: Instant, now: Instant) -> bool {
        let mut doing = self.lock();
        let is_as_found = !doing.is_asked_to_leave && doing.since == since && doing.rank(&self.bounds, now).is_some();
        if is_as_found {
            doing.is_asked_to_leave = true;
            self.asked_to_leave.notify_one();
        }
        is_as_found
    }

    /// Returns, once, when it was asked to leave.
    pub async fn asked_to_leave(&self) {
        self.asked_to_leave.notified().await;
    }

    /// Whether it may end at this instant without taking anything from its client that the client wants.
    pub fn is_dispensable(&self) -> bool {
        self.lock().rank(&self.bounds, Instant::now()).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.now_in.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Doing ===

impl Doing {
    fn enter(&mut self, phase: Phase) {
        (self.phase, self.since) = (phase, Instant::now());
    }

    fn rank(&self, bounds: &Bounds, now: Instant) -> Option<Rank> {
        let (rank, after) = match self.phase {
            Phase::Fresh => (Rank::Idle, FRESH),
            Phase::Rest => (Rank::Idle, Duration::ZERO),
            Phase::Head => (Rank::HeldUp, HEAD_WHEN_CROWDED),
            Phase::Answer => (Rank::HeldUp, bounds.header_timeout),
            Phase::Call => return None,
        };
        (now.saturating_duration_since(self.since) >= after).then_some(rank)
    }
}

// === impl PacedStream ===

impl<T> PacedStream<T> {
    pub fn new(stream: T, pace: Arc<Pace>) -> Self {
        Self { stream, pace }
    }
}

impl<T: Wire> AsyncRead for PacedStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pace.bytes_came();
        } else if self.stream.has_begun() {
            self.pace.client_began();
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
        // Hyper asks for this when it has nothing left to write.
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.pace.all_went();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
