//! What a format is: all that a route needs in order to record bodies of it.

use http::HeaderMap;

use super::media::media_type;
use super::problem::{BodyError, Problems};
use crate::domain::CostEvent;
use crate::ingest::Validator;
use crate::wire::{PricedItem, ProblemEntry};

/// One way in which the events of a body are written. To add one: a file with a constant of this type, and a route that names it.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// The metric label `format`.
    pub label: &'static str,
    /// The media types it goes by, in small letters.
    pub media_types: &'static [&'static str],
    /// Reads a body that was decompressed and is within [`Limits::body_bytes_max`](crate::ingest::Limits::body_bytes_max).
    pub read: fn(&HeaderMap, &[u8], Validator<'_>, BadEvents) -> Result<Batch, BodyError>,
    /// The answer to a body whose events are on record.
    pub answer: fn(&Counts) -> Answer,
}

/// What one bad event means for the others of its body, as far as its sender may say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadEvents {
    /// None is recorded.
    #[default]
    RefuseAll,
    /// They are recorded without it.
    LeaveOut,
}

/// What a body holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The events to record; in one transaction, or none of them.
    pub events: Vec<CostEvent>,
    /// Where in the body each of them stands; empty where nothing may be left out.
    pub places: Vec<usize>,
    /// What is wrong with those that are left out.
    pub left_out: Problems,
}

/// What became of a body's events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New on record.
    pub accepted: usize,
    /// On record before, with the same content, or in a higher revision.
    pub duplicates: usize,
    /// Revisions of what was on record.
    pub revised: usize,
    /// What was not recorded, where that does not refuse the rest.
    pub left_out: Option<LeftOut>,
    /// What the events without an amount cost, if the sender wants to know.
    pub priced: Option<Priced>,
}

/// What the events without an amount cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Priced {
    /// Those with a price.
    pub items: Vec<PricedItem>,
    /// The ids of those that wait for one.
    pub unpriced: Vec<Box<str>>,
}

/// Events that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub rejected: usize,
    /// What is wrong with the first of them, in their order.
    pub errors: Vec<ProblemEntry>,
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
