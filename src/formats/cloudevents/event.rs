//! An event's context attributes, whichever way they came, and the call that the event tells.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::Value as Json;

use super::content::Content;
use super::header;
use crate::formats::items::ItemError;
use crate::formats::json::lean::each_member_of;
use crate::formats::json::{Value, members};
use crate::formats::litellm::provider_and_id;
use crate::ingest::{Call, CallKeys, read_time};

/// The road, and the metric label.
pub(super) const ROAD: &str = "cloudevents";
/// The version that is taken.
const SPEC_VERSION: &str = "1.0";
/// The source that LiteLLM's `openmeter` callback names; the ids of its events are those of its generic callback.
const LITELLM: &str = "litellm-proxy";
/// Attributes that say nothing of a call.
const NOT_KEPT: [&str; 4] = ["dataschema", "datacontenttype", "traceparent", "tracestate"];

/// An event.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    spec_version: Cow<'a, str>,
    id: Cow<'a, str>,
    source: Cow<'a, str>,
    kind: Cow<'a, str>,
    subject: Cow<'a, str>,
    time: Cow<'a, str>,
    /// Its data, where that is JSON.
    data: Option<Cow<'a, str>>,
    /// Other attributes that are worth keeping.
    extensions: Vec<(Cow<'a, str>, Json)>,
}

impl<'a> Event<'a> {
    /// One in structured mode (JSON event format).
    ///
    /// # Errors
    /// See [`ItemError`].
    pub fn of_json(text: &'a str) -> Result<Self, ItemError> {
        if !text.starts_with('{') {
            // Whether it is JSON at all.
            serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| ItemError::Unreadable(error.to_string()))?;
            return Err(ItemError::Rejected("it is no object".to_owned()));
        }
        let mut event = Self::default();
        let (mut data, mut base64, mut wrong) = (None, None, None);
        members(text, |name, value| {
            let known = match &**name {
                "data" => return data = Some(value),
                "data_base64" => return base64 = Some(value),
                "specversion" => &mut event.spec_version,
                "id" => &mut event.id,
                "source" => &mut event.source,
                "type" => &mut event.kind,
                "subject" => &mut event.subject,
                "time" => &mut event.time,
                _ => return event.extension(name.clone(), value),
            };
            match value {
                Value::String(text) => *known = text,
                Value::Null => {}
                other => {
                    wrong.get_or_insert(format!("its {name} must be a string, not {}", other.shape().with_article()));
                }
            }
        })?;
        if let Some(wrong) = wrong {
            return Err(ItemError::Rejected(wrong));
        }
        for (name, value) in &mut event.extensions {
            if *value == Json::Null {
                each_member_of(text, |member, raw| {
                    if member == name {
                        *value = Json::Bool(raw == "true")
                    }
                });
            }
        }
        event.data = match (data.filter(|data| *data != Value::Null), base64.filter(|data| *data != Value::Null)) {
            (Some(_), Some(_)) => return Err(ItemError::Rejected("it has both data and data_base64".to_owned())),
            (Some(Value::Object { text, .. }), None) => Some(text.into()),
            (None, Some(Value::String(base64))) => {
                let bytes = STANDARD.decode(base64.as_bytes()).map_err(|_| rejected("its data_base64 is not Base64"))?;
                String::from_utf8(bytes).ok().map(Cow::Owned)
            }
            (None, Some(_)) => return Err(rejected("its data_base64 must be a string")),
            (Some(_) | None, None) => None,
        };
        event.checked()
    }

    /// One in binary mode.
    ///
    /// # Errors
    /// See [`ItemError`].
    pub fn of_headers(headers: &'a HeaderMap, data: &'a [u8]) -> Result<Self, ItemError> {
        let mut event = Self::default();
        for (name, value) in header::attributes(headers).map_err(ItemError::Rejected)? {
            let known = match name {
                "specversion" => &mut event.spec_version,
                "id" => &mut event.id,
                "source" => &mut event.source,
                "type" => &mut event.kind,
                "subject" => &mut event.subject,
                "time" => &mut event.time,
                _ => {
                    event.extension(name.into(), Value::String(value.into()));
                    continue;
                }
            };
            *known = value.into();
        }
        let event = event.checked()?;
        if !is_json_or_unsaid(headers) {
            return Err(rejected("its data must be JSON"));
        }
        let data = std::str::from_utf8(data).map_err(|_| rejected("its data is not UTF-8"))?.trim_ascii();
        Ok(Self { data: Some(data).filter(|data| !data.is_empty()).map(Cow::Borrowed), ..event })
    }

    /// What a boolean is called depends on the sender's language.
    fn extension(&mut self, name: Cow<'a, str>, value: Value<'a>) {
        let value = match value {
            Value::String(text) => match &*text {
                "true" | "True" => Json::Bool(true),
                "false" | "False" => Json::Bool(false),
                _ => Json::String(text.into_owned()),
            },
            // In another mode it would be text as well.
            Value::Number(digits) => Json::String(digits.to_owned()),
            // Which one it is, is looked up.
            Value::Bool => Json::Null,
            _ => return,
        };
        if !NOT_KEPT.contains(&&*name) {
            self.extensions.push((name, value));
        }
    }

    fn checked(self) -> Result<Self, ItemError> {
        let required =
            [("id", &self.id), ("source", &self.source), ("specversion", &self.spec_version), ("type", &self.kind)];
        if let Some((name, _)) = required.into_iter().find(|(_, value)| value.is_empty()) {
            return Err(ItemError::Rejected(format!("it has no {name}")));
        }
        if self.spec_version != SPEC_VERSION {
            return Err(ItemError::Rejected(format!("its specversion is not {SPEC_VERSION}")));
        }
        Ok(self)
    }

    /// The call that it tells, if any.
    ///
    /// # Errors
    /// See [`ItemError`].
    pub fn call(&self, keys: &CallKeys) -> Result<Option<Call<'_>>, ItemError> {
        let is_litellm = self.source == LITELLM;
        let Some(data) = self.data.as_deref() else { return Ok(None) };
        let content = Content::of(data, keys)?;
        if !content.is_call(is_litellm)? {
            return Ok(None);
        }
        let (provider_of_id, litellm_id) =
            if is_litellm { provider_and_id(self.id.as_ref().into()) } else { Default::default() };
        let end = match (&*self.time, &*content.time) {
            ("", "") => None,
            ("", time) | (time, _) => {
                Some(read_time(time).map_err(|error| ItemError::Rejected(format!("its time {error}")))?)
            }
        };
        let attributes = self.attributes(content.attributes.as_deref());
        let is_empty = |text: &str| text.is_empty();
        Ok(Some(Call {
            road: ROAD.into(),
            provider: if is_empty(&content.provider) { provider_of_id.into() } else { content.provider },
            service_otherwise: self.kind.as_ref().into(),
            operation: if is_empty(&content.operation) { operation_of(&content.model) } else { content.operation },
            model: content.model,
            response_id: if is_empty(&content.response_id) { litellm_id } else { content.response_id },
            own_key: Some((self.source.as_ref().into(), self.id.as_ref().into())),
            end,
            duration_seconds: content.duration_seconds,
            has_failed: content.has_failed,
            usage: content.usage,
            cost: content.cost,
            worker: if is_empty(&content.worker) { self.subject.as_ref().into() } else { content.worker },
            batch_id: content.batch_id,
            lead_id: content.lead_id,
            attributes,
            ..Call::default()
        }))
    }

    /// The sender's attributes, with the event's subject and extensions.
    fn attributes(&self, of_data: Option<&str>) -> Option<Box<str>> {
        let mut kept = Vec::new();
        if !self.subject.is_empty() {
            kept.push((Cow::Borrowed("subject"), Json::String(self.subject.clone().into_owned())));
        }
        kept.extend(self.extensions.iter().cloned());
        let mut of_data = of_data;
        if let Some(object) = of_data {
            // The sender's own word for a name counts.
            if members(object, |name, _| kept.retain(|(kept, _)| kept != name)).is_err() {
                of_data = None;
            }
        }
        if kept.is_empty() {
            return of_data.map(Into::into);
        }
        let added: serde_json::Map<String, Json> =
            kept.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
        let added = Json::Object(added).to_string();
        let inner = of_data.and_then(|object| object.strip_prefix('{')?.strip_suffix('}')).unwrap_or("").trim();
        if inner.is_empty() {
            return Some(added.into());
        }
        Some(format!("{},{inner}}}", added.trim_end_matches('}')).into())
    }
}

fn rejected(why: &str) -> ItemError {
    ItemError::Rejected(why.to_owned())
}

/// Whether `data` may be JSON by its `Content-Type`.
fn is_json_or_unsaid(headers: &HeaderMap) -> bool {
    let Some(essence) = crate::formats::media_type(headers) else { return !headers.contains_key(CONTENT_TYPE) };
    let essence = essence.to_ascii_lowercase();
    matches!(&*essence, "application/json" | "text/json") || essence.ends_with("+json")
}

/// What a model was asked to do, where nobody says.
fn operation_of(model: &str) -> Cow<'static, str> {
    match model {
        "" => "".into(),
        model if model.contains("embed") => "embeddings".into(),
        _ => "chat".into(),
    }
}
