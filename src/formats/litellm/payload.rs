//! One standard logging payload (`StandardLoggingPayload` in LiteLLM's `types/utils.py`) to a call.
//!
//! *What its words mean*, as its source and what it sends show. A call that failed costs nothing, and its fallback is a payload of its own with
//! the same `litellm_call_id`, which is therefore nobody's key. `response_cost` is 0 where LiteLLM does not know the model, without
//! a hint. A cache hit is marked. `response.model` is the model that answered, unless LiteLLM put the name of a group of
//! deployments in its place.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::ROAD;
use super::id::provider_and_id;
use super::operation::{CallType, IMAGES, call_type};
use crate::domain::{Quality, SERVICE_TIER, Usd, unless_zero};
use crate::formats::CallSink;
use crate::formats::counts::Counts;
use crate::formats::items::ItemError;
use crate::formats::json::lean::{digits, each_member, each_member_of, string};
use crate::formats::tier::priced_tier;
use crate::ingest::{Call, CallKeys, Ignored, read_time};

/// The shortest that is added to a model's name for its date or revision: `-001`.
const MODEL_DATE_BYTES_MIN: usize = 3;

/// Members that are looked at, as they are written; empty where there are none.
#[derive(Default)]
struct Payload<'a> {
    id: &'a str,
    status: &'a str,
    call_type: &'a str,
    cache_hit: &'a str,
    stream: &'a str,
    provider: &'a str,
    model: &'a str,
    start: &'a str,
    end: &'a str,
    cost: &'a str,
    metadata: &'a str,
    response: &'a str,
    parameters: &'a str,
    tags: &'a str,
    end_user: &'a str,
    prompt_tokens: &'a str,
    completion_tokens: &'a str,
    total_tokens: &'a str,
}

/// What the metadata says.
#[derive(Default)]
struct Metadata<'a> {
    usage: &'a str,
    key_alias: &'a str,
    team_alias: &'a str,
    user: &'a str,
    batch: &'a str,
    lead: &'a str,
}

/// Takes a payload.
///
/// # Errors
/// See [`ItemError`].
pub(super) fn take(text: &str, sink: &mut dyn CallSink) -> Result<(), ItemError> {
    if text == "null" {
        // What LiteLLM logs of a call of which it could make nothing.
        sink.ignore(Ignored::NotACall, 1);
        return Ok(());
    }
    let payload = Payload::read(text)?;
    match payload.status()?.as_ref() {
        "success" => {}
        _ => {
            sink.ignore(Ignored::Failed, 1);
            return Ok(());
        }
    }
    match payload.call(sink.keys())? {
        Some(call) => sink.call(&call)?,
        None => sink.ignore(Ignored::NotACall, 1),
    }
    Ok(())
}

// === impl Payload ===

impl<'a> Payload<'a> {
    fn read(text: &'a str) -> Result<Self, ItemError> {
        let mut payload = Self::default();
        each_member(text, |name, value| {
            let known = match &*name {
                "id" => &mut payload.id,
                "status" => &mut payload.status,
                "call_type" => &mut payload.call_type,
                "cache_hit" => &mut payload.cache_hit,
                "stream" => &mut payload.stream,
                "custom_llm_provider" => &mut payload.provider,
                "model" => &mut payload.model,
                "startTime" => &mut payload.start,
                "endTime" => &mut payload.end,
                "response_cost" => &mut payload.cost,
                "metadata" => &mut payload.metadata,
                "response" => &mut payload.response,
                "model_parameters" => &mut payload.parameters,
                "request_tags" => &mut payload.tags,
                "end_user" => &mut payload.end_user,
                "prompt_tokens" => &mut payload.prompt_tokens,
                "completion_tokens" => &mut payload.completion_tokens,
                "total_tokens" => &mut payload.total_tokens,
                _ => return Ok(()),
            };
            if !known.is_empty() {
                return Err(format!("{name} stands twice in it"));
            }
            *known = value;
            Ok(())
        })?;
        Ok(payload)
    }

    fn status(&self) -> Result<Cow<'a, str>, ItemError> {
        string(self.status).ok_or_else(|| {
            let why = "it has no status: only LiteLLM's standard logging payload is taken (generic_api_use_v1 must be off)";
            ItemError::Rejected(why.to_owned())
        })
    }

    /// The call, if this is one that somebody is paid for.
    fn call(&self, keys: &CallKeys) -> Result<Option<Call<'a>>, ItemError> {
        let metadata = Metadata::of(self.metadata, keys);
        let (mut response_model, mut response_usage, mut tier) = ("", "", "");
        each_member_of(self.response, |name, value| match name {
            "model" => response_model = value,
            "usage" => response_usage = value,
            "service_tier" => tier = value,
            _ => {}
        });
        let mut counts = self.counts(metadata.usage, response_usage);
        let (cost, zero) = unless_zero(self.cost()?, !counts.is_empty());
        let is_told = !counts.is_empty() || cost.is_some();
        let called = string(self.call_type).unwrap_or_default();
        let operation: Cow<'a, str> = match call_type(&called) {
            CallType::Paid(operation) => operation.into(),
            CallType::PaidOnce(operation) if is_told => operation.into(),
            CallType::Other if is_told => called,
            CallType::PaidOnce(_) | CallType::Other => return Ok(None),
        };
        if IMAGES.contains(&&*operation) {
            counts.take_output_for_images();
        }
        let (provider_of_id, response_id) = provider_and_id(digits(self.id).unwrap_or_default());
        let provider = string(self.provider).filter(|provider| !provider.is_empty()).unwrap_or(provider_of_id.into());
        let model = model(text(self.model), text(response_model), &provider);
        let provider = if provider.is_empty() { provider_in(text(self.model)) } else { provider };
        let parameters = Parameters::of(self.parameters);
        let end = time(self.end);
        let taken = time(self.start).zip(end).map(|(start, end)| end.duration_since(start));
        let is_estimated = self.stream == "true" && !counts.has_input_details && !parameters.asks_for_usage;
        Ok(Some(Call {
            road: ROAD.into(),
            provider,
            operation,
            model,
            response_id,
            end,
            duration_seconds: taken.filter(|taken| !taken.is_negative()).map(|taken| taken.as_secs_f64()),
            usage: counts.usage(),
            cost,
            zero,
            quality: if is_estimated && !counts.is_empty() { Quality::Estimated } else { Quality::Exact },
            is_cache_hit: self.cache_hit == "true",
            worker: first([metadata.key_alias, self.end_user, parameters.user]),
            batch_id: of_call(metadata.batch, self.tags, &keys.batch),
            lead_id: of_call(metadata.lead, self.tags, &keys.lead),
            attributes: attributes(&metadata, self.end_user, tier, self.tags),
            ..Call::default()
        }))
    }

    /// What was used, by the first of the places where LiteLLM says it that says anything.
    fn counts(&self, in_metadata: &str, in_response: &str) -> Counts {
        let counts = Counts::of(in_metadata);
        if !counts.is_empty() {
            return counts;
        }
        let counts = Counts::of(in_response);
        if !counts.is_empty() {
            return counts;
        }
        let mut counts = Counts::default();
        for (name, value) in [
            ("prompt_tokens", self.prompt_tokens),
            ("completion_tokens", self.completion_tokens),
            ("total_tokens", self.total_tokens),
        ] {
            counts.member(name, value);
        }
        counts.settle();
        counts
    }

    /// What it cost by LiteLLM. What looks like an amount and is none is not taken for unknown.
    fn cost(&self) -> Result<Option<Usd>, ItemError> {
        if matches!(self.cost, "" | "null") {
            return Ok(None);
        }
        let digits = digits(self.cost).unwrap_or(Cow::Borrowed(self.cost));
        let cost = Usd::parse(&digits).map_err(|error| ItemError::Rejected(format!("its response_cost {error}")))?;
        if cost < Usd::ZERO {
            return Err(ItemError::Rejected("its response_cost is negative".to_owned()));
        }
        Ok(Some(cost))
    }
}

// === impl Metadata ===

impl<'a> Metadata<'a> {
    fn of(object: &'a str, keys: &CallKeys) -> Self {
        let mut found = Self::default();
        each_member_of(object, |name, value| {
            found.take_key(name, value, keys);
            match name {
                "usage_object" => found.usage = value,
                "user_api_key_alias" => found.key_alias = value,
                "user_api_key_team_alias" => found.team_alias = value,
                "user_api_key_user_id" => found.user = value,
                // What callers and owners of keys may add.
                "requester_metadata" | "spend_logs_metadata" | "user_api_key_auth_metadata" => {
                    each_member_of(value, |name, value| found.take_key(name, value, keys));
                }
                _ => {}
            }
        });
        found
    }

    fn take_key(&mut self, name: &str, value: &'a str, keys: &CallKeys) {
        for (key, known) in [(&keys.batch, &mut self.batch), (&keys.lead, &mut self.lead)] {
            if **key == *name && text(known).is_empty() {
                *known = value;
            }
        }
    }
}

/// What the request asked for, as far as it matters.
#[derive(Default)]
struct Parameters<'a> {
    user: &'a str,
    asks_for_usage: bool,
}

impl<'a> Parameters<'a> {
    fn of(object: &'a str) -> Self {
        let mut found = Self::default();
        each_member_of(object, |name, value| match name {
            "user" => found.user = value,
            "stream_options" => each_member_of(value, |name, value| {
                found.asks_for_usage |= name == "include_usage" && value == "true";
            }),
            _ => {}
        });
        found
    }
}

/// A string's or a number's text; empty of anything else.
fn text(value: &str) -> Cow<'_, str> {
    digits(value).unwrap_or_default()
}

fn first<'a>(values: [&'a str; 3]) -> Cow<'a, str> {
    values.into_iter().map(text).find(|text| !text.is_empty()).unwrap_or_default()
}

/// Whom a call is for: by its metadata, else by a tag such as `lead_id:4711`.
fn of_call<'a>(in_metadata: &'a str, tags: &'a str, key: &str) -> Cow<'a, str> {
    let found = text(in_metadata);
    if !found.is_empty() || key.is_empty() || !tags.contains(key) {
        return found;
    }
    let tags: Vec<Cow<'a, str>> = serde_json::from_str(tags).unwrap_or_default();
    let of_key = |tag: Cow<'a, str>| {
        let rest = tag.strip_prefix(key)?;
        Some(Cow::Owned(rest.strip_prefix([':', '='])?.trim().to_owned()))
    };
    tags.into_iter().find_map(of_key).unwrap_or_default()
}

/// The model that answered, where that is the one that was asked for with its date; else the latter, without its provider.
fn model<'a>(asked: Cow<'a, str>, answered: Cow<'a, str>, provider: &str) -> Cow<'a, str> {
    let bare = |name: Cow<'a, str>| match name.strip_prefix(provider).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) if !provider.is_empty() => Cow::Owned(rest.to_owned()),
        _ => name,
    };
    let (asked, answered) = (bare(asked), bare(answered));
    let dated = answered.strip_prefix(&*asked).and_then(|rest| rest.strip_prefix(['-', '@']));
    let is_dated = dated.is_some_and(|date| {
        date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && date.len() >= MODEL_DATE_BYTES_MIN
    });
    if asked.is_empty() || is_dated { answered } else { asked }
}

/// The provider in `openai/gpt-4o`.
fn provider_in(model: Cow<'_, str>) -> Cow<'_, str> {
    model.split_once('/').map_or(Cow::Borrowed(""), |(provider, _)| Cow::Owned(provider.to_owned()))
}

/// Seconds since 1970 with a fraction; LiteLLM also had versions that wrote RFC 3339. Zero is no time.
fn time(value: &str) -> Option<Timestamp> {
    let text = digits(value)?;
    let Some((whole, fraction)) = text.split_once('.').or(Some((&*text, ""))).filter(|(whole, _)| is_digits(whole)) else {
        return read_time(&text).ok();
    };
    if !is_digits(fraction) && !fraction.is_empty() {
        return None;
    }
    let nanosecond = (0..9).fold(0_i32, |nanosecond, at| {
        nanosecond * 10 + fraction.as_bytes().get(at).map_or(0, |digit| i32::from(digit - b'0'))
    });
    let second = whole.parse().ok().filter(|second| *second > 0)?;
    Timestamp::new(second, nanosecond).ok()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// By what else people may want to know the cost, and what may have a price of its own.
fn attributes(metadata: &Metadata<'_>, end_user: &str, tier: &str, tags: &str) -> Option<Box<str>> {
    let mut kept = serde_json::Map::new();
    let said = [("team", metadata.team_alias), ("user", metadata.user), ("end_user", end_user)];
    for (name, value) in said {
        let value = text(value);
        if !value.is_empty() {
            kept.insert(name.to_owned(), Value::String(value.into_owned()));
        }
    }
    if let Some(tier) = priced_tier(&text(tier)) {
        kept.insert(SERVICE_TIER.to_owned(), tier.into());
    }
    if tags.len() > 2
        && let Ok(tags) = serde_json::from_str::<Vec<String>>(tags)
    {
        kept.insert("tags".to_owned(), tags.into());
    }
    (!kept.is_empty()).then(|| Value::Object(kept).to_string().into())
}
