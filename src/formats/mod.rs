//! Bytes and headers to valid events and requests: one file or folder for each format.
//!
//! A [`Format`] owns its media types, how its bytes become [`RawEvent`](crate::ingest::RawEvent)s, what one bad event means for the others,
//! and its answer. What makes an event valid is the same for all of them, and `ingest`'s business. [`native`] is the agent's own
//! JSON, which [`json`] reads strictly; `inflate` undoes gzip as it arrives.
//!
//! *Invariants.* Pure: the time and new ids come in as arguments. Nothing here panics, whatever the bytes.
//! *Limits.* Those of `ingest`. Time is linear in the body.
//! *What is deliberately not here.* Reading bodies from the network, and status codes.

mod calls;
pub mod cloudevents;
mod counts;
mod format;
mod inflate;
mod items;
pub mod json;
pub mod litellm;
mod media;
pub mod native;
pub mod otlp;
mod problem;
mod tier;

pub use calls::{CallAnswer, CallCounts, CallError, CallFormat, CallSink, ITEM_BYTES_MAX};
pub use format::{Answer, BadEvents, Batch, Counts, Format, LeftOut, Priced};
pub use inflate::{GZIP_MEMBERS_MAX, InflateError, Inflater};
pub use media::{JSON, LINES, is_json, media_type};
pub use problem::{BodyError, Problems, RequestError, first_problems};
