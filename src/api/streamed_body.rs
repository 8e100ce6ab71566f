//! A request's body for code that reads rather than awaits: a thread sees it as [`BufRead`] while it comes.
//!
//! *Invariants.* What is read is the whole body, decompressed, or an error says that it is not: one that ends early, comes too slowly, is
//! too large or is no complete gzip never looks like a shorter one.
//!
//! *Limits.* Bytes of the body, on the wire and decompressed; [`CHUNKS_QUEUED_MAX`] chunks that wait to be read; those of its
//! [arrival](super::arrival).

use std::io::{self, BufRead, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::arrival::Arrival;
use super::cut::Cut;
use crate::formats::Inflater;

/// Chunks of a body that wait to be read, each of what the connection's buffer holds: some 100 KB.
const CHUNKS_QUEUED_MAX: usize = 4;
/// Compressed bytes that are inflated at once: DEFLATE makes at most 1,032 bytes of one.
const INFLATE_STEP_BYTES: usize = 256;

/// A part of a body, on its way to the thread that reads it.
#[derive(Debug)]
pub(super) enum Part {
    Chunk(Bytes),
    /// That was all.
    End,
    Cut(Cut),
}

/// The body, as far as it was read.
pub(super) struct StreamedBody {
    parts: mpsc::Receiver<Part>,
    /// What came from the connection and is not decompressed yet.
    wire: Bytes,
    inflater: Option<Box<Inflater>>,
    /// What can be read now.
    ready: Bytes,
    /// How it ended; after that nothing comes any more.
    ended: Option<Result<(), Cut>>,
}

/// A channel for a body, and its reader, which lets at most so many bytes through.
pub(super) fn body_channel(is_gzip: bool, bytes_max: usize) -> (mpsc::Sender<Part>, StreamedBody) {
    let (give, parts) = mpsc::channel(CHUNKS_QUEUED_MAX);
    let inflater = is_gzip.then(|| Box::new(Inflater::new(bytes_max)));
    (give, StreamedBody { parts, wire: Bytes::new(), inflater, ready: Bytes::new(), ended: None })
}

/// Hands a body over until it ends, is cut, or nobody reads it any more.
pub(super) async fn hand_over(
    mut body: Arrival,
    bytes_max: usize,
    is_place_wanted: impl Fn() -> bool,
    parts: mpsc::Sender<Part>,
) {
    let mut bytes = 0_usize;
    loop {
        let part = match body.next(&is_place_wanted).await {
            Ok(Some(chunk)) => {
                bytes = bytes.saturating_add(chunk.len());
                if bytes > bytes_max { Part::Cut(Cut::Large) } else { Part::Chunk(chunk) }
            }
            Ok(None) => Part::End,
            Err(cut) => Part::Cut(cut),
        };
        let is_last = !matches!(part, Part::Chunk(_));
        if parts.send(part).await.is_err() || is_last {
            return;
        }
    }
}

impl StreamedBody {
    /// Why it could not be read to its end, if that is known.
    pub(super) fn cut(&self) -> Option<Cut> {
        self.ended.and_then(Result::err)
    }

    /// Makes `ready` not empty, unless the body is over.
    fn make_ready(&mut self) -> Result<(), Cut> {
        while self.ready.is_empty() {
            if let Some(ended) = self.ended {
                return ended;
            }
            let step = if self.wire.is_empty() { self.next_chunk() } else { self.inflate() };
            if let Err(cut) = step {
                self.ended = Some(Err(cut));
            }
        }
        Ok(())
    }

    fn next_chunk(&mut self) -> Result<(), Cut> {
        match self.parts.blocking_recv() {
            Some(Part::Chunk(chunk)) if self.inflater.is_some() => self.wire = chunk,
            Some(Part::Chunk(chunk)) => self.ready = chunk,
            Some(Part::Cut(cut)) => return Err(cut),
            None => return Err(Cut::Slow),
            Some(Part::End) => {
                if let Some(inflater) = self.inflater.take() {
                    self.ready = inflater.finish().map_err(Cut::from)?.into();
                }
                self.ended = Some(Ok(()));
            }
        }
        Ok(())
    }

    fn inflate(&mut self) -> Result<(), Cut> {
        let Some(inflater) = &mut self.inflater else { return Ok(()) };
        let step = self.wire.split_to(self.wire.len().min(INFLATE_STEP_BYTES));
        inflater.push(&step)?;
        self.ready = inflater.drain().into();
        Ok(())
    }
}

impl Read for StreamedBody {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let count = ready.len().min(into.len());
        into[..count].copy_from_slice(&ready[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for StreamedBody {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.make_ready().map_err(io::Error::other)?;
        Ok(&self.ready)
    }

    fn consume(&mut self, count: usize) {
        self.ready.advance(count.min(self.ready.len()));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What a thread reads of a body that comes in these chunks, with an end that may be missing.
    fn read(chunks: &[&[u8]], is_gzip: bool, bytes_max: usize, end: Option<Part>) -> Result<Vec<u8>, Cut> {
        let (give, mut reader) = body_channel(is_gzip, bytes_max);
        let parts: Vec<Part> = chunks.iter().map(|chunk| Part::Chunk(Bytes::copy_from_slice(chunk))).chain(end).collect();
        let giving = std::thread::spawn(move || parts.into_iter().all(|part| give.blocking_send(part).is_ok()));
        let mut bytes = Vec::new();
        let outcome = reader.read_to_end(&mut bytes);
        let cut = reader.cut();
        drop(reader);
        giving.join().unwrap();
        assert_eq!(outcome.is_err(), cut.is_some());
        cut.map_or(Ok(bytes), Err)
    }

    #[test]
    fn a_body_is_read_whole_or_not_at_all() {
        let text = b"some text ".repeat(5_000);
        let compressed = gzip(&text);
        let chunks: Vec<&[u8]> = text.chunks(777).collect();
        let pieces: Vec<&[u8]> = compressed.chunks(7).collect();
        assert_eq!(read(&chunks, false, text.len(), Some(Part::End)).as_ref(), Ok(&text));
        assert_eq!(read(&pieces, true, text.len(), Some(Part::End)).as_ref(), Ok(&text));
        assert_eq!(read(&pieces, true, text.len() - 1, Some(Part::End)), Err(Cut::Large));
        assert_eq!(read(&pieces[..3], true, text.len(), Some(Part::End)), Err(Cut::NotGzip));
        assert_eq!(read(&chunks, true, text.len(), Some(Part::End)), Err(Cut::NotGzip));
        assert_eq!(read(&chunks, false, text.len(), None), Err(Cut::Slow), "nobody said that this was all");
        assert_eq!(read(&chunks, false, text.len(), Some(Part::Cut(Cut::Early))), Err(Cut::Early));
        assert_eq!(read(&[], false, 1, Some(Part::End)), Ok(vec![]));
        let bomb = gzip(&vec![0; 10_000_000]);
        assert_eq!(read(&[&bomb], true, 1_000_000, Some(Part::End)), Err(Cut::Large));
    }
}
