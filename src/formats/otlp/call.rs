//! A record and its sender's row to a call.

use std::borrow::Cow;

use jiff::Timestamp;
use uuid::Uuid;

use super::count::{Counted, counted, usage_of};
use super::record::{Attributes, Record, Signal, Value, kept};
use super::sender::{Cut, NOT_PROVIDERS, Needs, OPERATIONS, Sender};
use super::senders::sender_of;
use super::told::{Answer, is_made_up, told_cost};
use super::usage_text::{ProviderMetadata, told_usage};
use crate::domain::{Quality, SERVICE_TIER, SpanPlace, Usd, unless_zero, with_attributes};
use crate::formats::litellm::provider_and_id;
use crate::formats::tier::priced_tier;
use crate::ingest::Call;

/// What a record is.
pub(super) enum Found {
    /// A call, without what its resource says.
    Call(Box<Call<'static>>),
    Other,
}

/// What a record of this scope is, or why it cannot be taken.
pub(super) fn find(record: &Record<'_>, signal: Signal, scope: &str) -> Result<Found, String> {
    let Some(sender) = sender_of(record, signal, scope) else { return Ok(Found::Other) };
    let is_call = sender.calls.holds(record, scope);
    let is_wrapper = !is_call && sender.wrappers.holds(record, scope);
    if !is_call && !is_wrapper {
        return Ok(Found::Other);
    }
    let attributes = &record.attributes;
    let named = |why: String| format!("{}: {why}", sender.name);
    // What adds up several calls has the last one's.
    let metadata = if is_wrapper { ProviderMetadata::default() } else { provider_metadata(sender, attributes) };
    // What adds up several calls may carry the id of one of them, and its answer.
    let answer = if is_wrapper { Answer::default() } else { answer(sender, attributes) };
    let miscounts = sender.miscounts.holds(record, scope);
    let counts = counts(sender, attributes, &answer, &metadata, miscounts).map_err(named)?;
    let usage = usage_of(&counts, sender.counts.input_has_cached.holds(record, scope));
    let is_cache_hit = sender.cache_hit.holds(record, scope);
    let told = cost(sender, attributes).map_err(named)?.or(metadata.cost);
    let (cost, zero) = unless_zero(told, !usage.is_empty());
    let has_counts = !usage.is_empty() || cost.is_some();
    let has_failed = record.has_failed || sender.fails.holds(record, scope);
    // Where counts are needed, ids are made up also where there was no response.
    let has_id = !is_wrapper && (has_counts || sender.needs != Needs::Counts);
    let response_id = if has_id { response_id(sender, attributes, answer.id) } else { Cow::Borrowed("") };
    // LiteLLM makes one up for what failed, a UUID, also in the spans of others.
    let stands_for_none = has_failed && !has_counts && Uuid::try_parse(&response_id).is_ok();
    let response_id = if stands_for_none { Cow::Borrowed("") } else { response_id };
    let model = kept(unquoted(&attributes.text(sender.model)));
    let is_told = match if is_wrapper { Needs::Counts } else { sender.needs } {
        Needs::Nothing => has_counts || !response_id.is_empty() || !model.is_empty(),
        Needs::CountsOrId => has_counts || !response_id.is_empty(),
        Needs::Counts => has_counts,
    };
    if !is_told && !has_failed {
        return Ok(Found::Other);
    }
    let span = match record.ids {
        ids if sender.is_placed => ids.trace.zip(ids.span),
        _ => None,
    };
    let quality = if sender.estimates.holds(record, scope) {
        Quality::Estimated
    } else if miscounts && metadata.usage.is_none() {
        Quality::Doubtful
    } else {
        sender.quality
    };
    let tier = answer.service_tier.or(metadata.service_tier);
    Ok(Found::Call(Box::new(Call {
        road: format!("otlp:{scope}").into(),
        provider: provider(sender, attributes),
        service_otherwise: sender.service_otherwise.into(),
        operation: operation(sender, attributes),
        model,
        response_id,
        own_key: own_key(sender, record),
        span: span.map(|(trace, span)| SpanPlace { trace, span, ancestors: Vec::new(), is_rooted: false }),
        is_wrapper,
        end: moment(record.end_ns),
        duration_seconds: duration(sender, record),
        has_failed,
        usage: usage.into_iter().map(|(name, count)| (name.into(), count)).collect(),
        cost,
        zero,
        quality,
        rank: sender.rank,
        is_cache_hit,
        attributes: in_tier(sender, attributes, tier),
        ..Call::default()
    })))
}

/// What was counted, by attributes and by texts inside of them.
fn counts(
    sender: &Sender,
    attributes: &Attributes<'_>,
    answer: &Answer,
    metadata: &ProviderMetadata,
    miscounts: bool,
) -> Result<Counted, String> {
    let mut counts = counted(&sender.counts, attributes)?;
    if let Some((_, text)) = attributes.first(sender.usage_text) {
        counts.complete(told_usage(&text.to_text()));
    }
    if let Some(told) = answer.usage {
        counts.complete(told);
    }
    match metadata.usage {
        Some(told) if miscounts => counts.correct(told),
        // No framework says for how long something is kept.
        Some(told) => counts.cache_write_1h = counts.cache_write_1h.or(told.cache_write_1h),
        None => {}
    }
    Ok(counts)
}

fn provider_metadata(sender: &Sender, attributes: &Attributes<'_>) -> ProviderMetadata {
    attributes.first(sender.provider_metadata).map(|(_, text)| ProviderMetadata::read(&text.to_text())).unwrap_or_default()
}

fn provider(sender: &Sender, attributes: &Attributes<'_>) -> Cow<'static, str> {
    for (name, cut) in sender.provider {
        let text = attributes.text(&[name]);
        let text = unquoted(&text);
        let said = match cut {
            Cut::Whole => text,
            Cut::Before(end) => text.split(*end).next().unwrap_or_default(),
            Cut::Only(end) => text.split_once(*end).map_or("", |(before, _)| before),
        };
        if !said.is_empty() && !NOT_PROVIDERS.iter().any(|other| said.eq_ignore_ascii_case(other)) {
            return kept(said);
        }
    }
    Cow::Borrowed("")
}

/// A name without quotes: MLflow writes every value as a text in JSON.
fn unquoted(text: &str) -> &str {
    text.trim_matches('"')
}

fn operation(sender: &Sender, attributes: &Attributes<'_>) -> Cow<'static, str> {
    let text = attributes.text(sender.operation);
    let said = unquoted(&text).rsplit('.').next().unwrap_or_default();
    let known = OPERATIONS.iter().find(|(word, _)| said.eq_ignore_ascii_case(word));
    known.map_or_else(|| if said.is_empty() { Cow::Borrowed("chat") } else { kept(said) }, |(_, name)| Cow::Borrowed(name))
}

fn answer(sender: &Sender, attributes: &Attributes<'_>) -> Answer {
    attributes.first(sender.response).map(|(_, response)| Answer::read(&response.to_text())).unwrap_or_default()
}

fn response_id(sender: &Sender, attributes: &Attributes<'_>, of_answer: Option<String>) -> Cow<'static, str> {
    let said = attributes.text(sender.response_id);
    if !said.is_empty() && !is_made_up(&said) {
        // LiteLLM hands out an envelope of its own.
        return kept(&provider_and_id(said).1);
    }
    of_answer.map_or(Cow::Borrowed(""), Cow::Owned)
}

/// The service tier as all roads tell it, if it may have a price of its own: what attributes say, else what the answer does.
fn in_tier(sender: &Sender, attributes: &Attributes<'_>, of_answer: Option<String>) -> Option<Box<str>> {
    let said = attributes.text(sender.service_tier);
    let word = if said.is_empty() { of_answer.unwrap_or_default().into() } else { said };
    with_attributes(None, priced_tier(&word).map(|tier| (SERVICE_TIER, tier)))
}

/// The sender's own key. Where the attributes for it are missing, whatever else is the same when the record is sent again.
fn own_key(sender: &Sender, record: &Record<'_>) -> Option<(Cow<'static, str>, Cow<'static, str>)> {
    let (source, names) = sender.own_key?;
    let parts: Vec<Cow<'_, str>> = names.iter().map(|name| record.attributes.text(&[name])).collect();
    let id = if !parts.is_empty() && parts.iter().all(|part| !part.is_empty()) {
        parts.join("/")
    } else if record.end_ns > 0 {
        let counts = record.attributes.text(sender.counts.input);
        [&*parts.join("/"), &record.end_ns.to_string(), &counts, &record.attributes.text(sender.counts.output)].join("/")
    } else {
        return None;
    };
    Some((source.into(), kept(&id)))
}

fn cost(sender: &Sender, attributes: &Attributes<'_>) -> Result<Option<Usd>, String> {
    let Some((name, value)) = attributes.first(sender.cost) else {
        return Ok(attributes.first(sender.cost_text).and_then(|(_, text)| told_cost(&text.to_text())));
    };
    match value {
        Value::Text(_) | Value::Int(_) | Value::Double(_) => {
            Usd::parse(value.to_text().trim()).map(Some).map_err(|error| format!("{name} {error}"))
        }
        Value::Bool(_) => Err(format!("{name} is not a number")),
    }
}

fn duration(sender: &Sender, record: &Record<'_>) -> Option<f64> {
    if let Some((_, value)) = record.attributes.first(sender.duration_ms) {
        return value
            .to_text()
            .parse::<f64>()
            .ok()
            .map(|millis| millis / 1e3)
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    }
    let nanos = record.end_ns.checked_sub(record.start_ns).filter(|_| record.start_ns > 0)?;
    Some(nanos as f64 / 1e9)
}

fn moment(nanoseconds: u64) -> Option<Timestamp> {
    if nanoseconds == 0 { None } else { Timestamp::from_nanosecond(i128::from(nanoseconds)).ok() }
}
