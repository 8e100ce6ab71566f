//! What a format of paid calls is: all that a route needs in order to read a body of them, however long, and to answer.
//!
//! *Invariants.* Bodies are read as they come, item by item; what is kept of them are the calls. One bad item does not refuse the others: the
//! senders of these formats drop a whole batch that is refused.
//!
//! *Limits.* [`ITEM_BYTES_MAX`]; those of the route, which the [`CallSink`] holds.

use std::io::{self, BufRead};

use http::{HeaderMap, StatusCode};

use super::Answer;
use crate::ingest::{Call, CallKeys, Ignored};

/// Bytes of one item of a body: a call with its whole conversation.
pub const ITEM_BYTES_MAX: usize = 16 << 20;

/// One way in which calls are told. To add one: a file with a constant of this type, and a route that names it.
#[derive(Clone, Copy, Debug)]
pub struct CallFormat {
    /// The metric label `format`.
    pub label: &'static str,
    /// The media types it goes by, for the descriptions of the route.
    pub media_types: &'static [&'static str],
    /// Whether a request with these headers is one of this format.
    pub matches: fn(&HeaderMap) -> bool,
    /// Reads a body, decompressed, to its end.
    pub read: fn(&HeaderMap, &mut dyn BufRead, &mut dyn CallSink) -> Result<(), CallError>,
    /// The answer to a body whose calls are on record.
    pub answer: fn(&CallCounts) -> CallAnswer,
    /// The answer in place of the usual problem document, where the protocol has one of its own.
    pub refuse: Option<fn(StatusCode, &str) -> Answer>,
}

/// Takes what a format finds in a body.
pub trait CallSink {
    /// Where batch and lead of a call are found.
    fn keys(&self) -> &CallKeys;

    /// Takes a call, or what may be one.
    ///
    /// # Errors
    /// There is no room for it: reading is to stop.
    fn call(&mut self, call: &Call<'_>) -> Result<(), CallError>;

    /// Notes items that are no paid calls.
    fn ignore(&mut self, why: Ignored, count: usize);

    /// Notes an item that cannot be taken, and why, in words that complete "item is not recorded: …".
    fn reject(&mut self, why: &dyn Fn() -> String);
}

/// Why a body is not read to its end. Nothing of it is recorded.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It breaks the format's syntax; the same body will never succeed.
    #[error("{0}")]
    Malformed(String),
    /// It, or a part of it, is larger than what is taken.
    #[error("{0}")]
    TooLarge(String),
    /// There is no room for its calls now.
    #[error("there is no room for the calls of the body now")]
    NoRoom,
    /// It ended early, came too slowly, or is not what its headers say.
    #[error("the body cannot be read")]
    Body(#[from] io::Error),
}

/// What became of a body's items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Calls that are new on record.
    pub accepted: usize,
    /// Calls that were on record, or are charged by another road.
    pub duplicates: usize,
    /// Calls of which more is known now.
    pub revised: usize,
    /// Items that are no paid calls.
    pub ignored: usize,
    /// Items that could not be taken.
    pub rejected: usize,
    /// Why the first of these could not.
    pub why_rejected: Option<String>,
}

/// An answer in a format's own terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallAnswer {
    /// Its status.
    pub status: StatusCode,
    /// The body; `None` where there is none.
    pub body: Option<Answer>,
}

/// The counts as JSON, without a reason: it is in the log.
pub(super) fn counts_answer(counts: &CallCounts) -> Answer {
    let CallCounts { accepted, duplicates, revised, ignored, rejected, .. } = counts;
    let body = format!(
        "{{\"accepted\":{accepted},\"duplicates\":{duplicates},\"revised\":{revised},\"ignored\":{ignored},\"rejected\":{rejected}}}"
    );
    Answer { media_type: super::JSON, body: body.into_bytes() }
}

/// Keeps what it is given.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub keys: CallKeys,
    pub calls: Vec<Call<'static>>,
    pub ignored: Vec<Ignored>,
    pub rejected: Vec<String>,
}

#[cfg(test)]
impl Collected {
    /// What a format finds in a body, which comes in pieces of so many bytes.
    #[track_caller]
    pub fn of(format: &CallFormat, headers: &[(&str, &[u8])], body: &[u8], piece: usize) -> Result<Self, CallError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                http::HeaderValue::from_bytes(value).unwrap(),
            );
        }
        assert!((format.matches)(&map), "{map:?}");
        let mut collected = Self::default();
        (format.read)(&map, &mut io::BufReader::with_capacity(piece, body), &mut collected).map(|()| collected)
    }

    /// The one call there is.
    #[track_caller]
    pub fn only(self) -> Call<'static> {
        assert!(self.ignored.is_empty() && self.rejected.is_empty(), "{self:?}");
        let [call] = <[Call<'static>; 1]>::try_from(self.calls).unwrap();
        call
    }
}

#[cfg(test)]
impl CallSink for Collected {
    fn keys(&self) -> &CallKeys {
        &self.keys
    }

    fn call(&mut self, call: &Call<'_>) -> Result<(), CallError> {
        let owned = |text: &str| std::borrow::Cow::Owned(text.to_owned());
        self.calls.push(Call {
            road: owned(&call.road),
            provider: owned(&call.provider),
            service_otherwise: owned(&call.service_otherwise),
            operation: owned(&call.operation),
            model: owned(&call.model),
            response_id: owned(&call.response_id),
            own_key: call.own_key.as_ref().map(|(source, id)| (owned(source), owned(id))),
            span: call.span.clone(),
            links_below: call.links_below.clone(),
            usage: call.usage.iter().map(|(name, count)| (owned(name), *count)).collect(),
            worker: owned(&call.worker),
            batch_id: owned(&call.batch_id),
            lead_id: owned(&call.lead_id),
            attributes: call.attributes.clone(),
            is_wrapper: call.is_wrapper,
            end: call.end,
            duration_seconds: call.duration_seconds,
            has_failed: call.has_failed,
            cost: call.cost,
            zero: call.zero,
            quality: call.quality,
            rank: call.rank,
            is_cache_hit: call.is_cache_hit,
        });
        Ok(())
    }

    fn ignore(&mut self, why: Ignored, count: usize) {
        self.ignored.extend(std::iter::repeat_n(why, count));
    }

    fn reject(&mut self, why: &dyn Fn() -> String) {
        self.rejected.push(why());
    }
}
