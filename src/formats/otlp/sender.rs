//! What a row of the table of senders can say, and what it means for a record.

use super::record::{Record, Signal};
use crate::domain::{Quality, Rank};

/// A sender of calls. Lists of names hold alternatives, newest first: the first that a record has counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    /// What it is called.
    pub name: &'static str,
    pub signal: Signal,
    /// Which records are its own.
    pub is_its: When,
    /// Which of these are paid calls.
    pub calls: When,
    /// Which others add up the calls below them: they are charged only where there are none.
    pub wrappers: When,
    /// What a record of a call has to say at least.
    pub needs: Needs,
    /// Who was paid.
    pub provider: &'static [(&'static str, Cut)],
    /// The service where nobody knows the provider.
    pub service_otherwise: &'static str,
    pub model: &'static [&'static str],
    /// What was asked for, in any words that [`OPERATIONS`] knows.
    pub operation: &'static [&'static str],
    pub response_id: &'static [&'static str],
    /// The service tier: in which it was answered; else in which it was asked for, which may be less than that.
    pub service_tier: &'static [&'static str],
    /// A text in JSON that is the response, or has it.
    pub response: &'static [&'static str],
    /// Whether a record without a response id is known by its place in the trace.
    pub is_placed: bool,
    /// Who makes up keys of its own, and attributes that are one together.
    pub own_key: Option<(&'static str, &'static [&'static str])>,
    pub counts: Counts,
    /// A text of counts in JSON, or as Python prints it.
    pub usage_text: &'static [&'static str],
    /// A text in JSON that has, under a provider's name, what that says besides its answer; with its usage object, if we are lucky.
    pub provider_metadata: &'static [&'static str],
    /// When its counts are known to lack something. What the provider itself says then stands in their place; without that, they are doubtful.
    pub miscounts: When,
    /// What the call cost, as a number of US dollars.
    pub cost: &'static [&'static str],
    /// The same in a text in JSON, in parts or as `total`.
    pub cost_text: &'static [&'static str],
    /// Milliseconds that it took, where the record itself does not say.
    pub duration_ms: &'static [&'static str],
    /// Whether it was answered from a cache.
    pub cache_hit: When,
    /// Whether it failed, where the span itself does not say so.
    pub fails: When,
    pub quality: Quality,
    /// When the sender guessed its numbers.
    pub estimates: When,
    pub rank: Rank,
}

/// What was counted. What is not listed apart is part of `input` or `output`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub input: &'static [&'static str],
    /// Whether `input` has in it what was read from and written to a cache.
    pub input_has_cached: When,
    pub cached: &'static [&'static str],
    /// Written to a cache, for whatever time.
    pub cache_write: &'static [&'static str],
    /// Of these, what was written for an hour.
    pub cache_write_1h: &'static [&'static str],
    /// Input beside `input`.
    pub more_input: &'static [&'static str],
    pub audio_input: &'static [&'static str],
    pub output: &'static [&'static str],
    pub reasoning: &'static [&'static str],
    /// Whether `output` has the tokens of reasoning in it.
    pub output_has_reasoning: bool,
    pub audio_output: &'static [&'static str],
}

/// Which part of a provider's name counts.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cut {
    Whole,
    /// What stands before this, or all of it.
    Before(char),
    /// What stands before this; without it, the name is something else.
    Only(char),
}

/// What a record must say to be that of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// That it is one: of a call without counts it is known that it cost something, not how much.
    Nothing,
    /// Counts, a cost, or the id of the response.
    CountsOrId,
    /// Counts or a cost: the ids are made up also where there was no response.
    Counts,
}

/// A condition on a record.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Always,
    Never,
    /// The scope's name begins so.
    Scope(&'static [&'static str]),
    /// The span's name, or any of the names that a log goes by, is one of these.
    Named(&'static [&'static str]),
    /// The span's name ends so.
    NameEnds(&'static str),
    /// There is this attribute.
    Has(&'static str),
    /// This attribute's text is one of these, in letters of either case.
    Is(&'static str, &'static [&'static str]),
    /// This attribute's text ends so.
    Ends(&'static str, &'static [&'static str]),
    /// This attribute's text contains this.
    Contains(&'static str, &'static str),
    /// The span is of this kind, as the protocol counts them.
    Kind(u64),
    Not(&'static When),
    All(&'static [When]),
    Any(&'static [When]),
}

/// What senders ask providers for, in small letters, and what it is called here. Other words stay as they are.
pub(super) const OPERATIONS: &[(&str, &str)] = &[
    ("chat", "chat"),
    ("text_completion", "chat"),
    ("completion", "chat"),
    ("acompletion", "chat"),
    ("atext_completion", "chat"),
    ("responses", "chat"),
    ("aresponses", "chat"),
    ("response", "chat"),
    ("message", "chat"),
    ("anthropic_messages", "chat"),
    ("generate_content", "chat"),
    ("agenerate_content", "chat"),
    ("generation", "chat"),
    ("llm", "chat"),
    ("invoke_agent", "chat"),
    ("dogenerate", "chat"),
    ("dostream", "chat"),
    ("generatetext", "chat"),
    ("streamtext", "chat"),
    ("generateobject", "chat"),
    ("streamobject", "chat"),
    ("embeddings", "embeddings"),
    ("embedding", "embeddings"),
    ("aembedding", "embeddings"),
    ("embed", "embeddings"),
    ("embedmany", "embeddings"),
    ("doembed", "embeddings"),
    ("chat_model", "chat"),
    ("rerank", "rerank"),
    ("arerank", "rerank"),
    ("reranker", "rerank"),
    ("dorerank", "rerank"),
    ("aimage_generation", "image_generation"),
    ("image", "image_generation"),
    ("atranscription", "transcription"),
    ("audio", "audio"),
    ("aspeech", "speech"),
];

/// Words that frameworks put where a provider's name belongs.
pub(super) const NOT_PROVIDERS: &[&str] = &[
    "strands-agents",
    "gateway",
    "langchain",
    "langgraph",
    "llamaindex",
    "llama_index",
    "litellm",
    "crewai",
    "spring_ai",
    "_other",
];

impl When {
    /// Whether it holds for a record of this scope.
    pub fn holds(&self, record: &Record<'_>, scope: &str) -> bool {
        let text = |name: &&'static str| record.attributes.text(&[*name]);
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Scope(beginnings) => beginnings.iter().any(|beginning| scope.starts_with(beginning)),
            Self::Named(names) => names.iter().any(|name| {
                record.name == *name || record.body == *name || record.attributes.text(&["event.name"]) == *name
            }),
            Self::NameEnds(end) => record.name.ends_with(end),
            Self::Has(name) => record.attributes.get(name).is_some(),
            Self::Is(name, texts) => texts.iter().any(|wanted| text(name).eq_ignore_ascii_case(wanted)),
            Self::Ends(name, ends) => ends.iter().any(|end| text(name).ends_with(end)),
            Self::Contains(name, part) => text(name).contains(part),
            Self::Kind(kind) => record.kind == *kind,
            Self::Not(when) => !when.holds(record, scope),
            Self::All(all) => all.iter().all(|when| when.holds(record, scope)),
            Self::Any(any) => any.iter().any(|when| when.holds(record, scope)),
        }
    }

    /// Adds the names of the attributes that it looks at.
    pub fn names(&self, names: &mut Vec<&'static str>) {
        match self {
            Self::Has(name) | Self::Is(name, _) | Self::Ends(name, _) | Self::Contains(name, _) => names.push(name),
            Self::Not(when) => when.names(names),
            Self::All(all) | Self::Any(all) => all.iter().for_each(|when| when.names(names)),
            Self::Named(_) => names.push("event.name"),
            Self::Always | Self::Never | Self::Scope(_) | Self::NameEnds(_) | Self::Kind(_) => {}
        }
    }
}

impl Sender {
    /// The names of all attributes that it looks at.
    pub fn names(&self) -> Vec<&'static str> {
        let counts = &self.counts;
        let mut names: Vec<&'static str> = self.provider.iter().map(|(name, _)| *name).collect();
        for list in [
            self.model,
            self.operation,
            self.response_id,
            self.service_tier,
            self.response,
            self.own_key.map_or(&[], |(_, names)| names),
            counts.input,
            counts.cached,
            counts.cache_write,
            counts.cache_write_1h,
            counts.more_input,
            counts.audio_input,
            counts.output,
            counts.reasoning,
            counts.audio_output,
            self.usage_text,
            self.provider_metadata,
            self.cost,
            self.cost_text,
            self.duration_ms,
        ] {
            names.extend(list);
        }
        let [is_its, calls, wrappers] = [self.is_its, self.calls, self.wrappers];
        let others = [counts.input_has_cached, self.cache_hit, self.fails, self.estimates, self.miscounts];
        for when in [is_its, calls, wrappers].into_iter().chain(others) {
            when.names(&mut names);
        }
        names
    }
}
