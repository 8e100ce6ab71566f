//! The chunks of a page on their way, in order, each as soon as it is there.
//!
//! *Invariants.* [`BEGINNING`] leaves before anything else of the page is made, compressed or not.

use std::io::Write;
use std::sync::{LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use futures_util::stream::{self, BoxStream, poll_fn};
use futures_util::{Stream, StreamExt};

use super::sections::Section;
use crate::page::BEGINNING;

/// What a gzip file begins with (RFC 1952, 2.3): deflate, nothing optional, no time, made by an unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// [`BEGINNING`] as a gzip file begins. It ends with a whole byte, so any blocks may follow.
static PACKED_BEGINNING: LazyLock<Result<Bytes, NotCompressed>> = LazyLock::new(|| {
    let mut deflate = DeflateEncoder::new(GZIP_HEADER.to_vec(), Compression::best());
    flushed(&mut deflate, BEGINNING)
});

/// The page could not be compressed. Writing to memory does not fail.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the page could not be compressed")]
pub(super) struct NotCompressed;

/// What follows the beginning.
pub(super) struct Rest {
    pub head: String,
    /// They are made at the same time.
    pub sections: Vec<Section>,
    pub foot: String,
}

/// Compresses chunk by chunk, or not at all.
struct Compressor(Option<Gzip>);

/// A gzip file behind its beginning.
struct Gzip {
    deflate: DeflateEncoder<Vec<u8>>,
    /// Of everything, not compressed.
    crc: Crc,
}

/// The beginning, then what `rest` makes once that has left.
pub(super) fn stream(
    rest: impl FnOnce() -> Rest + Send + 'static,
    is_gzip: bool,
) -> impl Stream<Item = Result<Bytes, NotCompressed>> + Send + Sync + 'static {
    // Whoever sends it wants to share it between threads. Nobody else has it, so the lock is never taken.
    let mut chunks = Mutex::new(chunks(rest, is_gzip));
    poll_fn(move |context| chunks.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context))
}

fn chunks(rest: impl FnOnce() -> Rest + Send + 'static, is_gzip: bool) -> BoxStream<'static, Result<Bytes, NotCompressed>> {
    let one = |chunk| stream::once(std::future::ready(chunk));
    let beginning = if is_gzip { PACKED_BEGINNING.clone() } else { Ok(Bytes::from_static(BEGINNING.as_bytes())) };
    let rest = async move {
        // Whoever writes to the connection does so when there is nothing to take.
        tokio::task::yield_now().await;
        let Rest { head, sections, foot } = rest();
        let at_once = sections.len().max(1);
        let sections = stream::iter(sections).buffered(at_once).map(Some);
        let mut compressor = Compressor::new(is_gzip);
        one(Some(head)).chain(sections).chain(one(Some(foot))).chain(one(None)).map(move |chunk| match chunk {
            Some(text) => compressor.chunk(text),
            None => compressor.end(),
        })
    };
    stream::once(std::future::ready(beginning))
        .chain(stream::once(rest).flatten())
        .filter(|chunk| std::future::ready(!matches!(chunk, Ok(bytes) if bytes.is_empty())))
        .boxed()
}

impl Compressor {
    fn new(is_gzip: bool) -> Self {
        Self(is_gzip.then(|| {
            let mut crc = Crc::new();
            crc.update(BEGINNING.as_bytes());
            Gzip { deflate: DeflateEncoder::new(Vec::new(), Compression::fast()), crc }
        }))
    }

    fn chunk(&mut self, text: String) -> Result<Bytes, NotCompressed> {
        let Some(Gzip { deflate, crc }) = &mut self.0 else { return Ok(text.into()) };
        if text.is_empty() {
            return Ok(Bytes::new());
        }
        crc.update(text.as_bytes());
        flushed(deflate, &text)
    }

    fn end(&mut self) -> Result<Bytes, NotCompressed> {
        let Some(Gzip { deflate, crc }) = self.0.take() else { return Ok(Bytes::new()) };
        let mut last = deflate.finish().map_err(|_| NotCompressed)?;
        last.extend([crc.sum(), crc.amount()].iter().flat_map(|field| field.to_le_bytes()));
        Ok(last.into())
    }
}

/// All of a text, so that the visitor sees it now.
fn flushed(deflate: &mut DeflateEncoder<Vec<u8>>, text: &str) -> Result<Bytes, NotCompressed> {
    deflate.write_all(text.as_bytes()).and_then(|()| deflate.flush()).map_err(|_| NotCompressed)?;
    Ok(std::mem::take(deflate.get_mut()).into())
}
