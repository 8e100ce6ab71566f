//! Gzip, which the library that undoes it all at once must understand in the same way.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::formats::{InflateError, Inflater};

const BYTES_MAX: usize = 1 << 16;

/// A compressed body; the first byte says in which pieces it comes.
pub fn inflate(data: &[u8]) {
    let Some((piece, body)) = data.split_first() else { return };
    let in_pieces = |piece: usize| {
        let mut inflater = Inflater::new(BYTES_MAX);
        let mut drained = Vec::new();
        for (at, chunk) in body.chunks(piece).enumerate() {
            inflater.push(chunk)?;
            assert!(inflater.inflated_bytes() + drained.len() <= BYTES_MAX);
            if at % 3 == 2 {
                drained.append(&mut inflater.drain());
            }
        }
        drained.append(&mut inflater.finish()?);
        Ok(drained)
    };
    let whole: Result<Vec<u8>, InflateError> = in_pieces(body.len().max(1));
    // Of a body that is too large and damaged, either is told.
    assert_eq!(in_pieces(usize::from(*piece) + 1).ok(), whole.clone().ok());
    let mut expected = Vec::new();
    let read = MultiGzDecoder::new(body).take(BYTES_MAX as u64 + 1).read_to_end(&mut expected);
    match whole {
        Ok(inflated) => assert!(read.is_ok() && inflated == expected, "{read:?}"),
        Err(error) => assert!(read.is_err() || expected.len() > BYTES_MAX, "{error}: {} bytes come out", expected.len()),
    }
}
