//! What a record counts, under the names that prices know: everything that is part of the input in `input_tokens`, and so on.

use super::record::{Attributes, Value};
use super::sender::Counts;
use crate::domain::Quantity;

/// Counts as a sender says them; `None` where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub input: Option<Quantity>,
    pub cached: Option<Quantity>,
    pub cache_write: Option<Quantity>,
    pub cache_write_1h: Option<Quantity>,
    pub more_input: Option<Quantity>,
    pub audio_input: Option<Quantity>,
    pub image_input: Option<Quantity>,
    pub video_input: Option<Quantity>,
    pub output: Option<Quantity>,
    pub reasoning: Option<Quantity>,
    pub audio_output: Option<Quantity>,
    pub image_output: Option<Quantity>,
    pub video_output: Option<Quantity>,
    /// Whether `input` has the cached tokens in it, where the record itself shows that.
    pub input_has_cached: Option<bool>,
    /// Whether `output` lacks the tokens of reasoning.
    pub output_lacks_reasoning: bool,
}

/// What the attributes count.
pub(super) fn counted(counts: &Counts, attributes: &Attributes<'_>) -> Result<Counted, String> {
    let count = |names: &[&str]| -> Result<Option<Quantity>, String> {
        let Some((name, value)) = attributes.first(names) else { return Ok(None) };
        quantity(value).map(Some).map_err(|why| format!("{name} {why}"))
    };
    Ok(Counted {
        input: count(counts.input)?,
        cached: count(counts.cached)?,
        cache_write: count(counts.cache_write)?,
        cache_write_1h: count(counts.cache_write_1h)?,
        more_input: count(counts.more_input)?,
        audio_input: count(counts.audio_input)?,
        output: count(counts.output)?,
        reasoning: count(counts.reasoning)?,
        audio_output: count(counts.audio_output)?,
        output_lacks_reasoning: !counts.output_has_reasoning,
        ..Counted::default()
    })
}

/// The usage of a call; zeros say nothing, since some senders leave them out.
pub(super) fn usage_of(counts: &Counted, input_has_cached: bool) -> Vec<(&'static str, Quantity)> {
    let zero = Quantity::ZERO;
    let of = |count: Option<Quantity>| count.unwrap_or(zero);
    let (cached, written) = (of(counts.cached), of(counts.cache_write));
    let written_1h = of(counts.cache_write_1h);
    let written_5m = written.checked_sub(written_1h).unwrap_or(zero);
    let all_written = plus(written_5m, written_1h);
    let mut input = plus(of(counts.input), of(counts.more_input));
    let besides = plus(cached, all_written);
    // A whole cannot be smaller than its parts: such an input has them beside it, whatever the sender does otherwise.
    if !counts.input_has_cached.unwrap_or(input_has_cached) || input < besides {
        input = plus(input, besides);
    }
    let mut output = of(counts.output);
    let reasoning = of(counts.reasoning);
    if counts.output_lacks_reasoning {
        output = plus(output, reasoning);
    }
    let usage = [
        ("input_tokens", input),
        ("cached_input_tokens", cached),
        ("cache_write_input_tokens", written_5m),
        ("cache_write_1h_input_tokens", written_1h),
        ("audio_input_tokens", of(counts.audio_input)),
        ("image_input_tokens", of(counts.image_input)),
        ("video_input_tokens", of(counts.video_input)),
        ("output_tokens", output),
        ("reasoning_output_tokens", reasoning),
        ("audio_output_tokens", of(counts.audio_output)),
        ("image_output_tokens", of(counts.image_output)),
        ("video_output_tokens", of(counts.video_output)),
    ];
    usage.into_iter().filter(|(_, count)| *count != zero).collect()
}

/// A count as an attribute holds it: some senders write numbers as text.
pub(super) fn quantity(value: &Value<'_>) -> Result<Quantity, String> {
    match value {
        Value::Bool(_) => Err("must be a number".to_owned()),
        Value::Text(_) | Value::Int(_) | Value::Double(_) => {
            Quantity::parse(value.to_text().trim()).map_err(|error| error.to_string())
        }
    }
}

fn plus(mut one: Quantity, other: Quantity) -> Quantity {
    one += other;
    one
}

impl Counted {
    /// Takes what the provider says in the place of what the sender makes of it. It has no less output than that, however early it was said.
    pub fn correct(&mut self, provider: Self) {
        let sender = *self;
        *self = Self { output: provider.output.max(sender.output), ..provider };
        self.complete(sender);
    }

    /// Puts in what is not known yet. Counts of one source are never mixed up with those of another that counts differently: what a text says
    /// in detail belongs to the same call.
    pub fn complete(&mut self, other: Self) {
        if self.input.is_none() {
            self.input_has_cached = self.input_has_cached.or(other.input_has_cached);
        }
        for (mine, theirs) in [
            (&mut self.input, other.input),
            (&mut self.cached, other.cached),
            (&mut self.cache_write, other.cache_write),
            (&mut self.cache_write_1h, other.cache_write_1h),
            (&mut self.audio_input, other.audio_input),
            (&mut self.image_input, other.image_input),
            (&mut self.video_input, other.video_input),
            (&mut self.output, other.output),
            (&mut self.reasoning, other.reasoning),
            (&mut self.audio_output, other.audio_output),
            (&mut self.image_output, other.image_output),
            (&mut self.video_output, other.video_output),
        ] {
            *mine = mine.or(theirs);
        }
    }
}
