//! The chunks of a page on their way, in order, each as soon as it is there.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream::{self, BoxStream, poll_fn};
use futures_util::{Stream, StreamExt};

use super::sections::Section;

/// The page could not be compressed. Writing to memory does not fail.
#[derive(Debug, thiserror::Error)]
#[error("the page could not be compressed")]
pub(super) struct NotCompressed;

/// Compresses chunk by chunk, or not at all.
struct Compressor(Option<GzEncoder<Vec<u8>>>);

/// First and last around the sections, which are made at the same time.
pub(super) fn stream(
    first: String,
    sections: Vec<Section>,
    last: String,
    is_gzip: bool,
) -> impl Stream<Item = Result<Bytes, NotCompressed>> + Send + Sync + 'static {
    // Whoever sends it wants to share it between threads. Nobody else has it, so the lock is never taken.
    let mut chunks = Mutex::new(chunks(first, sections, last, is_gzip));
    poll_fn(move |context| chunks.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context))
}

fn chunks(
    first: String,
    sections: Vec<Section>,
    last: String,
    is_gzip: bool,
) -> BoxStream<'static, Result<Bytes, NotCompressed>> {
    let at_once = sections.len().max(1);
    let sections = stream::iter(sections).buffered(at_once).map(Some);
    let pause = stream::once(async {
        // So that the head leaves before the sections are begun: whoever writes to the connection does so when there is nothing to take.
        tokio::task::yield_now().await;
        Some(String::new())
    });
    let mut compressor = Compressor(is_gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast())));
    let some = |text| stream::once(std::future::ready(Some(text)));
    some(first)
        .chain(pause)
        .chain(sections)
        .chain(some(last))
        .chain(stream::once(std::future::ready(None)))
        .map(move |chunk| match chunk {
            Some(text) => compressor.chunk(text),
            None => compressor.end(),
        })
        .filter(|chunk| std::future::ready(!matches!(chunk, Ok(bytes) if bytes.is_empty())))
        .boxed()
}

impl Compressor {
    fn chunk(&mut self, text: String) -> Result<Bytes, NotCompressed> {
        let Some(encoder) = &mut self.0 else { return Ok(text.into()) };
        if text.is_empty() {
            return Ok(Bytes::new());
        }
        // Flushed, so that the visitor sees it now.
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.flush()).map_err(|_| NotCompressed)?;
        Ok(std::mem::take(encoder.get_mut()).into())
    }

    fn end(&mut self) -> Result<Bytes, NotCompressed> {
        let Some(encoder) = self.0.take() else { return Ok(Bytes::new()) };
        encoder.finish().map(Bytes::from).map_err(|_| NotCompressed)
    }
}
