//! A body of calls on its way: how long that may take, and when it makes room for others.
//!
//! *Why.* Only so many are read at once ([room](super::room)). A client whose bytes trickle, on a bad line or on purpose, must not keep
//! a place from the rest. So a body asks for its place when its [beginning](BEGINNING_BYTES) has come, which of most is all, and gives
//! it up when others want one and it comes more slowly than [`BYTES_PER_SECOND_WHEN_CROWDED`].
//!
//! *Limits.* The time for all of it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use super::call::BodyStream;
use super::cut::Cut;

/// What comes of a body before it has a place; writes that are in progress bound how many of these there are.
const BEGINNING_BYTES: usize = 32 * 1024;
/// How quickly it must come where its place is wanted.
const BYTES_PER_SECOND_WHEN_CROWDED: u64 = 128 * 1024;
/// How often a body that does not go on looks whether its place is wanted: often beside how long others wait for one.
const LOOK: Duration = Duration::from_millis(50);

/// A body, as far as it has come.
pub(super) struct Arrival {
    body: BodyStream,
    /// What came and was not taken.
    beginning: BytesMut,
    is_over: bool,
    pace: Pace,
    deadline: Instant,
}

/// How quickly a body comes.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    bytes: u64,
    /// How long its client was waited for since the beginning was taken.
    waited: Duration,
}

impl Arrival {
    /// None of it has come yet, and all of it must within this time.
    pub fn new(body: BodyStream, time: Duration) -> Self {
        let deadline = Instant::now() + time;
        Self { body, beginning: BytesMut::new(), is_over: false, pace: Pace::default(), deadline }
    }

    /// Waits for its beginning.
    ///
    /// # Errors
    /// [`Cut::Early`], [`Cut::Slow`].
    pub async fn begin(&mut self) -> Result<(), Cut> {
        while !self.is_over && self.beginning.len() < BEGINNING_BYTES {
            let piece = timeout_at(self.deadline, self.body.next()).await.map_err(|_elapsed| Cut::Slow)?;
            match self.arrived(piece)? {
                // Small pieces would hold the large buffers that they are parts of.
                Some(piece) => self.beginning.extend_from_slice(&piece),
                None => self.is_over = true,
            }
        }
        Ok(())
    }

    /// The next part of it; `None`: that was all.
    ///
    /// # Errors
    /// [`Cut::Early`], or [`Cut::Slow`], also when its place is wanted.
    pub async fn next(&mut self, is_place_wanted: impl Fn() -> bool) -> Result<Option<Bytes>, Cut> {
        if !self.beginning.is_empty() {
            return Ok(Some(self.beginning.split().freeze()));
        }
        while !self.is_over {
            let now = Instant::now();
            if now >= self.deadline || (self.pace.is_slow() && is_place_wanted()) {
                return Err(Cut::Slow);
            }
            let piece = timeout_at((now + LOOK).min(self.deadline), self.body.next()).await;
            self.pace.waited += now.elapsed();
            let Ok(piece) = piece else { continue };
            match self.arrived(piece)? {
                Some(piece) => return Ok(Some(piece)),
                None => self.is_over = true,
            }
        }
        Ok(None)
    }

    fn arrived(&mut self, piece: Option<Result<Bytes, Cut>>) -> Result<Option<Bytes>, Cut> {
        let piece = piece.transpose()?;
        self.pace.bytes += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Ok(piece)
    }
}

impl Pace {
    fn is_slow(&self) -> bool {
        self.waited > Duration::from_micros(self.bytes.saturating_mul(1_000_000) / BYTES_PER_SECOND_WHEN_CROWDED)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use tokio::time::sleep;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(300);

    /// So many bytes, then one now and again, and no end.
    fn trickle(first: usize) -> BodyStream {
        let later = stream::unfold((), |()| async {
            sleep(Duration::from_millis(5)).await;
            Some((Ok(Bytes::from_static(b"x")), ()))
        });
        Box::pin(stream::iter([Ok(Bytes::from(vec![b'x'; first]))]).chain(later))
    }

    fn pieces(pieces: &[Result<&[u8], Cut>]) -> BodyStream {
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.map(Bytes::copy_from_slice)).collect();
        Box::pin(stream::iter(pieces))
    }

    /// What comes of it, how that ends, and when.
    async fn read(body: BodyStream, time: Duration, is_place_wanted: bool) -> (Vec<u8>, Result<(), Cut>, Duration) {
        let began = Instant::now();
        let mut arrival = Arrival::new(body, time);
        let mut bytes = Vec::new();
        let mut outcome = arrival.begin().await;
        while outcome.is_ok() {
            match arrival.next(|| is_place_wanted).await {
                Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                Ok(None) => break,
                Err(cut) => outcome = Err(cut),
            }
        }
        (bytes, outcome, began.elapsed())
    }

    #[tokio::test]
    async fn a_small_body_is_all_there_before_it_has_a_place() {
        let mut arrival = Arrival::new(pieces(&[Ok(b"so"), Ok(b""), Ok(b"me")]), LONG);
        assert_eq!(arrival.begin().await, Ok(()));
        assert!(arrival.is_over);
        assert_eq!(arrival.next(|| true).await, Ok(Some(Bytes::from_static(b"some"))));
        assert_eq!(arrival.next(|| true).await, Ok(None));
        assert_eq!(arrival.next(|| true).await, Ok(None), "and stays so");
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_cut() {
        let beginning: &[u8] = &[b'x'; BEGINNING_BYTES];
        let whole = [beginning, b"some", b"more"].concat();
        let (bytes, outcome, _) = read(pieces(&[Ok(beginning), Ok(b"some"), Ok(b""), Ok(b"more")]), LONG, true).await;
        assert!(bytes == whole && outcome == Ok(()), "{outcome:?}");
        assert_eq!(read(pieces(&[]), LONG, true).await.1, Ok(()));
        for broken in [pieces(&[Ok(b"so"), Err(Cut::Early)]), pieces(&[Ok(beginning), Ok(b"so"), Err(Cut::Early)])] {
            assert_eq!(read(broken, LONG, true).await.1, Err(Cut::Early));
        }
    }

    #[tokio::test]
    async fn a_body_has_its_time_and_no_more() {
        for first in [1, BEGINNING_BYTES - 1, BEGINNING_BYTES] {
            let (_, outcome, time) = read(trickle(first), SHORT, false).await;
            assert!(outcome == Err(Cut::Slow) && time >= SHORT, "{outcome:?} after {time:?}");
        }
    }

    #[tokio::test]
    async fn a_slow_body_makes_room_for_those_who_wait() {
        let silent = pieces(&[Ok(&[b'x'; BEGINNING_BYTES])]).chain(stream::pending());
        for slow in [trickle(BEGINNING_BYTES), Box::pin(silent)] {
            let (_, outcome, time) = read(slow, LONG, true).await;
            assert!(outcome == Err(Cut::Slow) && time < LONG, "{outcome:?} after {time:?}");
        }
    }

    #[test]
    fn how_quickly_a_body_must_come_is_told_by_all_of_it() {
        let pace = |kibibytes: u64, millis: u64| Pace { bytes: kibibytes << 10, waited: Duration::from_millis(millis) };
        assert!(!pace(32, 250).is_slow() && pace(32, 251).is_slow());
        assert!(!pace(1_024, 8_000).is_slow() && pace(1_024, 8_001).is_slow());
        assert!(!pace(0, 0).is_slow());
    }
}
