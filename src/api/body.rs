//! Reading a request's body, within bounds that hold while it comes.
//!
//! *Limits.* Bytes of one body, on the wire and inflated; time for all of it; and bytes of all bodies at once, which are given
//! back when the body's [`Share`] is dropped: after its events are recorded.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use warp::http::HeaderMap;
use warp::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};

use super::Settings;
use super::call::BodyStream;
use super::cut::Cut;
use super::problem::Problem;
use crate::formats::Inflater;

/// Memory is set aside in steps of this size: small beside a body, large beside the cost of counting.
const STEP_BYTES: usize = 1024;
/// Compressed bytes that are inflated at once, so that the memory they need is counted before it grows far: DEFLATE makes at
/// most 1,032 bytes of one.
const INFLATE_STEP_BYTES: usize = 256;
/// Room made for a body before any of it came, whatever its announced length.
const FIRST_ROOM_BYTES_MAX: usize = 64 * 1024;

/// Reads bodies; one for the whole surface.
#[derive(Debug)]
pub(super) struct BodyReader {
    bytes_max: usize,
    timeout: Duration,
    in_flight: Arc<Semaphore>,
}

/// A whole body, decoded, with its share of the memory set aside for bodies.
#[derive(Debug)]
pub(super) struct HeldBody {
    pub bytes: Vec<u8>,
    /// Gives the memory back when dropped.
    pub share: Share,
}

/// The memory that one body has been given.
#[derive(Debug)]
pub(super) struct Share {
    in_flight: Arc<Semaphore>,
    permits: Option<OwnedSemaphorePermit>,
}

/// Where the bytes go.
enum Sink {
    Plain(Vec<u8>),
    Gzip(Box<Inflater>),
}

// === impl BodyReader ===

impl BodyReader {
    /// `bytes_max` bounds each body, before and after inflating.
    pub fn new(settings: &Settings, bytes_max: usize) -> Self {
        let steps = (settings.body_bytes_in_flight_max / STEP_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { bytes_max, timeout: settings.body_timeout, in_flight: Arc::new(Semaphore::new(steps)) }
    }

    /// Memory that no body holds.
    #[cfg(test)]
    pub fn free_bytes(&self) -> usize {
        self.in_flight.available_permits() * STEP_BYTES
    }

    /// Reads all of a body.
    ///
    /// # Errors
    /// `unsupported-media-type` and `too-large` before anything is read, if the headers already say so; then `too-large`,
    /// `malformed`, `timeout`, or `overloaded` when other bodies take all the memory.
    pub async fn read(&self, headers: &HeaderMap, stream: BodyStream) -> Result<HeldBody, Problem> {
        let is_gzip = is_gzip(headers)?;
        let announced = announced_bytes(headers);
        if announced > self.bytes_max {
            return Err(Cut::Large.problem(self.bytes_max));
        }
        let sink = if is_gzip {
            Sink::Gzip(Box::new(Inflater::new(self.bytes_max)))
        } else {
            Sink::Plain(Vec::with_capacity(announced.min(FIRST_ROOM_BYTES_MAX)))
        };
        tokio::time::timeout(self.timeout, self.collect(sink, stream)).await.unwrap_or(Err(Problem::Timeout))
    }

    async fn collect(&self, mut sink: Sink, mut stream: BodyStream) -> Result<HeldBody, Problem> {
        let mut share = Share { in_flight: Arc::clone(&self.in_flight), permits: None };
        let cut = |cut: Cut| cut.problem(self.bytes_max);
        let mut received = 0_usize;
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(cut)?;
            received = received.saturating_add(chunk.len());
            if received > self.bytes_max {
                return Err(cut(Cut::Large));
            }
            match &mut sink {
                Sink::Plain(bytes) => {
                    share.grow_to(received)?;
                    bytes.extend_from_slice(&chunk);
                }
                Sink::Gzip(inflater) => {
                    for piece in chunk.chunks(INFLATE_STEP_BYTES) {
                        inflater.push(piece).map_err(|error| cut(error.into()))?;
                        share.grow_to(inflater.inflated_bytes())?;
                    }
                }
            }
        }
        let bytes = match sink {
            Sink::Plain(bytes) => bytes,
            Sink::Gzip(inflater) => inflater.finish().map_err(|error| cut(error.into()))?,
        };
        // An inflater keeps some of what it made to itself until the end.
        share.grow_to(bytes.len())?;
        Ok(HeldBody { bytes, share })
    }
}

/// The length that the headers announce; 0 when they do not, as with chunked bodies. Hyper has checked its form.
pub(super) fn announced_bytes(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    length.map_or(0, |length| length.parse().unwrap_or(usize::MAX))
}

/// Whether the body is compressed; one coding at most. Hyper undoes the transfer coding `chunked`, whatever else was applied before it.
pub(super) fn is_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut transfer = headers.get_all(TRANSFER_ENCODING).iter();
    if transfer.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) || transfer.next().is_some()
    {
        return Err(Problem::UnsupportedMediaType("Transfer-Encoding must be chunked or absent.".into()));
    }
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    let coding = match (codings.next(), codings.next()) {
        (None, _) => "identity",
        (Some(coding), None) => coding.to_str().unwrap_or_default().trim(),
        (Some(_), Some(_)) => "",
    };
    if coding.eq_ignore_ascii_case("identity") {
        Ok(false)
    } else if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") {
        Ok(true)
    } else {
        Err(Problem::UnsupportedMediaType("Content-Encoding must be gzip or absent.".into()))
    }
}

// === impl Share ===

impl Share {
    fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        let held = self.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = bytes.div_ceil(STEP_BYTES).saturating_sub(held);
        if wanted == 0 {
            return Ok(());
        }
        let wanted = u32::try_from(wanted).map_err(|_| Problem::Overloaded)?;
        let more = Arc::clone(&self.in_flight).try_acquire_many_owned(wanted).map_err(|_| Problem::Overloaded)?;
        match &mut self.permits {
            Some(permits) => permits.merge(more),
            None => self.permits = Some(more),
        }
        Ok(())
    }
}
