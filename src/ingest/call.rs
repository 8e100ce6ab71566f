//! A paid call as a format found it: what LiteLLM, a CloudEvent, a span or a log says of it. Nothing is checked.
//!
//! A format fills a [`Call`]; [`CallRules`](super::CallRules) make an event of it, under the key by which other roads know it too.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::domain::{Quality, Quantity, Rank, SpanId, SpanPlace, Usd, Zero};

/// What was used, under the names that prices know (`docs/reference.md`): `input_tokens` with everything that is part of it, and so on.
pub type CallUsage<'a> = Vec<(Cow<'a, str>, Quantity)>;

/// One paid call, or what may be one. Texts that are empty say nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call<'a> {
    /// The road it came over: `litellm`, `cloudevents`, `otlp:` and the scope's name.
    pub road: Cow<'a, str>,
    /// The provider in the sender's own word, such as `openai`, `aws.bedrock`, `vertex_ai`.
    pub provider: Cow<'a, str>,
    /// The service where neither the sender nor the book knows a provider.
    pub service_otherwise: Cow<'a, str>,
    /// What the provider was asked to do: `chat`, `embeddings` and so on.
    pub operation: Cow<'a, str>,
    /// The model that answered, else the one that was asked for.
    pub model: Cow<'a, str>,
    /// The provider's id of the response: the same over every road.
    pub response_id: Cow<'a, str>,
    /// The sender's own key of the record, for want of a better one: who made it, and the id.
    pub own_key: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// Its place in a trace.
    pub span: Option<SpanPlace>,
    /// Spans below its own, each with the one above it, nearest first.
    pub links_below: Vec<(SpanId, SpanId)>,
    /// It repeats what the calls below it used, if there are any.
    pub is_wrapper: bool,
    /// When it ended; when it was received, if nobody says.
    pub end: Option<Timestamp>,
    /// How long it took: finite, zero or more.
    pub duration_seconds: Option<f64>,
    /// Whether it failed. A failed call without usage, cost and response is none.
    pub has_failed: bool,
    /// What was used.
    pub usage: CallUsage<'a>,
    /// What it cost by the sender. A zero that stands for an unknown price is `None`.
    pub cost: Option<Usd>,
    /// Whether the sender says that it cost nothing, where `cost` does not say so.
    pub zero: Zero,
    /// How far counts and cost can be trusted.
    pub quality: Quality,
    /// How far it is believed beside other roads.
    pub rank: Rank,
    /// It was answered from a cache, and cost nothing.
    pub is_cache_hit: bool,
    /// Who made the call.
    pub worker: Cow<'a, str>,
    /// The batch of work it belongs to.
    pub batch_id: Cow<'a, str>,
    /// The lead it was made for.
    pub lead_id: Cow<'a, str>,
    /// What else is worth keeping: a JSON object.
    pub attributes: Option<Box<str>>,
}

/// Why something that a sender tells is not recorded, although nothing is wrong with it. The label `reason` of
/// `lead_factory_ingest_ignored_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Ignored {
    /// It is no paid call: another span, another log.
    NotACall,
    /// It is a metric, whose points say nothing of single calls.
    Metric,
    /// It was answered from a cache.
    CacheHit,
    /// It failed, and nothing was used.
    Failed,
    /// It repeats the calls below it.
    Aggregate,
}

impl Ignored {
    /// The word used as a label.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
