//! What a format is: all that a route needs in order to record bodies of it.

use http::HeaderMap;

use super::media::media_type;
use super::problem::BodyError;
use crate::domain::CostEvent;
use crate::ingest::Validator;

/// One way in which the events of a body are written. To add one: a file with a constant of this type, and a route that names it.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The metric label `format`.
    pub label: &'static str,
    /// The media types it goes by, in small letters.
    pub media_types: &'static [&'static str],
    /// Reads a body that was decompressed and is within [`Limits::body_bytes_max`](crate::ingest::Limits::body_bytes_max). Whether one bad
    /// event refuses the others is its own policy.
    pub read: fn(&HeaderMap, &[u8], Validator<'_>) -> Result<Batch, BodyError>,
    /// The answer to a body whose events are on record.
    pub answer: fn(&Counts) -> Answer,
}

/// What a body holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The events to record; in one transaction, or none of them.
    pub events: Vec<CostEvent>,
    /// Events that are left out, because they are not valid.
    pub rejected: usize,
}

/// What became of a body's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New on record.
    pub accepted: usize,
    /// On record before, with the same content.
    pub duplicates: usize,
    /// Not valid.
    pub rejected: usize,
}

/// A body in a format's own terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its `Content-Type`.
    pub media_type: &'static str,
    /// The text.
    pub body: Vec<u8>,
}

impl Format {
    /// The one of these formats that the headers name.
    pub fn named<'f>(formats: &'f [Self], headers: &HeaderMap) -> Option<&'f Self> {
        let essence = media_type(headers)?;
        formats.iter().find(|format| format.media_types.iter().any(|name| essence.eq_ignore_ascii_case(name)))
    }
}
