//! An event's `data`: what was paid, under our own field names, or under those of LiteLLM and OpenMeter.

use std::borrow::Cow;

use crate::domain::{Quantity, Usd};
use crate::formats::counts::Counts;
use crate::formats::items::ItemError;
use crate::formats::json::{Value, members};
use crate::ingest::{CallKeys, CallUsage};

/// Names of counts that may stand in `data` itself, besides those that end in `_tokens`.
const COUNTED: [&str; 7] = ["tokens", "images", "seconds", "characters", "requests", "searches", "pages"];

/// What the data says. Texts that are empty say nothing.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    pub provider: Cow<'a, str>,
    pub operation: Cow<'a, str>,
    pub model: Cow<'a, str>,
    pub response_id: Cow<'a, str>,
    pub time: Cow<'a, str>,
    pub worker: Cow<'a, str>,
    pub batch_id: Cow<'a, str>,
    pub lead_id: Cow<'a, str>,
    pub duration_seconds: Option<f64>,
    pub has_failed: bool,
    pub usage: CallUsage<'a>,
    pub cost: Option<Usd>,
    pub attributes: Option<Cow<'a, str>>,
    /// Whether it names the paid service, as our own events do.
    names_service: bool,
}

/// Counts that are found one by one.
#[derive(Default)]
struct Usage<'a> {
    /// Under the names they have.
    plain: CallUsage<'a>,
    /// As a provider counts.
    provided: Counts,
    /// Whether it is a provider's way of counting.
    is_provided: bool,
}

impl<'a> Content<'a> {
    /// Reads the data.
    ///
    /// # Errors
    /// See [`ItemError`]: an amount or a count that is none is not guessed.
    pub fn of(data: &'a str, keys: &CallKeys) -> Result<Self, ItemError> {
        let mut content = Self::default();
        let mut usage = Usage::default();
        let mut of_usage = None;
        let (mut service, mut cost, mut kind) = (Cow::default(), None, Cow::default());
        let mut wrong: Option<String> = None;
        members(data, |name, value| {
            let name = name.as_ref();
            let is_key = |key: &str, own: &str| name == key || name == own;
            let member = match name {
                "provider" => put(&mut content.provider, name, value),
                "service" => put(&mut service, name, value),
                "operation" => put(&mut content.operation, name, value),
                "model" => put(&mut content.model, name, value),
                "response_id" => put(&mut content.response_id, name, value),
                "time" => put(&mut content.time, name, value),
                "worker" => put(&mut content.worker, name, value),
                "type" => put(&mut kind, name, value),
                _ if is_key(&keys.batch, "batch_id") => put(&mut content.batch_id, name, value),
                _ if is_key(&keys.lead, "lead_id") => put(&mut content.lead_id, name, value),
                "outcome" => {
                    content.has_failed = matches!(&value, Value::String(outcome) if outcome == "error");
                    Ok(())
                }
                "duration_seconds" => {
                    content.duration_seconds = digits(&value).and_then(|digits| digits.parse().ok());
                    Ok(())
                }
                "attributes" => attributes(value).map(|attributes| content.attributes = attributes),
                // Our own name is the more particular one.
                "amount_usd" => amount(name, &value).map(|amount| cost = amount.map(|amount| (true, amount)).or(cost)),
                "cost_usd" | "response_cost" | "cost" => {
                    amount(name, &value).map(|amount| cost = cost.or(amount.map(|amount| (false, amount))))
                }
                "usage" | "usage_raw" => usage_object(value, &mut of_usage),
                "kind" => only(name, &value, "charge"),
                "revision" => only(name, &value, "0"),
                name => usage.loose_member(name, &value),
            };
            if let Err(why) = member {
                wrong.get_or_insert(why);
            }
        })?;
        if let Some(wrong) = wrong {
            return Err(ItemError::Rejected(wrong));
        }
        content.names_service = !service.is_empty();
        if content.provider.is_empty() {
            content.provider = service;
        }
        content.usage = of_usage.filter(|usage| !usage.is_empty()).unwrap_or_else(|| usage.finish(&kind));
        content.cost = cost.map(|(_, cost)| cost);
        Ok(content)
    }

    /// Whether the event tells of a paid call. LiteLLM's do, whatever it knows of it.
    ///
    /// # Errors
    /// It is meant to, but does not say what was paid.
    pub fn is_call(&self, is_litellm: bool) -> Result<bool, ItemError> {
        let is_told = self.cost.is_some() || !self.usage.is_empty();
        if self.names_service && !is_told {
            return Err(ItemError::Rejected("its data has neither amount_usd nor usage".to_owned()));
        }
        Ok(is_told || is_litellm)
    }
}

impl<'a> Usage<'a> {
    /// A member of a usage object.
    fn member(&mut self, name: Cow<'a, str>, value: &Value<'a>) -> Result<(), String> {
        let raw = match value {
            Value::Object { text, .. } => Cow::Borrowed(*text),
            other => digits(other).unwrap_or_default(),
        };
        self.is_provided |= is_providers(&name, value);
        self.provided.member(&name, &raw);
        match value {
            Value::Number(_) | Value::String(_) => {
                let count = Quantity::parse(&raw).map_err(|error| format!("its {name} {error}"))?;
                if count > Quantity::ZERO {
                    self.plain.push((name, count));
                }
                Ok(())
            }
            Value::Null | Value::Object { .. } => Ok(()),
            other => Err(format!("its {name} must be a number, not {}", other.shape().with_article())),
        }
    }

    /// A member of the data, which has others as well.
    fn loose_member(&mut self, name: &str, value: &Value<'a>) -> Result<(), String> {
        let is_count = name.ends_with("_tokens") || COUNTED.contains(&name);
        let is_detail = name.ends_with("_tokens_details") || matches!(name, "cache_creation" | "server_tool_use");
        if is_count || is_detail && matches!(value, Value::Object { .. }) {
            return self.member(Cow::Owned(name.to_owned()), value);
        }
        Ok(())
    }

    /// What was used. Of OpenMeter's events for models, `type` says on which side the `tokens` were.
    fn finish(mut self, kind: &str) -> CallUsage<'a> {
        if self.is_provided {
            self.provided.settle();
            return self.provided.usage();
        }
        let side = match kind {
            "input" | "prompt" => Some("input_tokens"),
            "output" | "completion" => Some("output_tokens"),
            _ => None,
        };
        if let Some(side) = side
            && let Some((name, _)) = self.plain.iter_mut().find(|(name, _)| name == "tokens")
        {
            *name = side.into();
        }
        if self.plain.len() > 1 {
            // It adds up the others.
            self.plain.retain(|(name, _)| name != "total_tokens");
        }
        self.plain
    }
}

/// Whether a member shows that a provider counted, or LiteLLM, in other names than ours.
fn is_providers(name: &str, value: &Value<'_>) -> bool {
    matches!(
        name,
        "prompt_tokens"
            | "completion_tokens"
            | "cache_read_input_tokens"
            | "cache_creation_input_tokens"
            | "prompt_cache_hit_tokens"
    ) || matches!(value, Value::Object { .. })
}

fn usage_object<'a>(value: Value<'a>, found: &mut Option<CallUsage<'a>>) -> Result<(), String> {
    let Value::Object { text, .. } = value else {
        return if value == Value::Null { Ok(()) } else { Err("its usage must be an object".to_owned()) };
    };
    let mut usage = Usage::default();
    let mut wrong = None;
    members(text, |name, value| {
        if let Err(why) = usage.member(name.clone(), &value) {
            wrong.get_or_insert(why);
        }
    })
    .map_err(|_| "its usage cannot be read".to_owned())?;
    if let Some(wrong) = wrong {
        return Err(wrong);
    }
    *found = Some(usage.finish(""));
    Ok(())
}

fn put<'a>(known: &mut Cow<'a, str>, name: &str, value: Value<'a>) -> Result<(), String> {
    match value {
        Value::String(text) => *known = text,
        Value::Number(digits) => *known = digits.into(),
        Value::Null => {}
        other => return Err(format!("its {name} must be a string, not {}", other.shape().with_article())),
    }
    Ok(())
}

fn amount(name: &str, value: &Value<'_>) -> Result<Option<Usd>, String> {
    if *value == Value::Null {
        return Ok(None);
    }
    let digits =
        digits(value).ok_or_else(|| format!("its {name} must be a number, not {}", value.shape().with_article()))?;
    let amount = Usd::parse(&digits).map_err(|error| format!("its {name} {error}"))?;
    if digits.starts_with('-') && amount != Usd::ZERO {
        return Err(format!("its {name} must not be negative"));
    }
    Ok(Some(amount))
}

/// Refuses a member of our own events that asks for what is not done here; `taken` is the one value that asks for nothing.
fn only(name: &str, value: &Value<'_>, taken: &str) -> Result<(), String> {
    if *value == Value::Null || digits(value).as_deref() == Some(taken) {
        return Ok(());
    }
    Err(format!("its {name} is not {taken}: what is no plain charge is taken by POST /costs alone"))
}

fn attributes(value: Value<'_>) -> Result<Option<Cow<'_, str>>, String> {
    match value {
        Value::Object { text, numbers_are_finite: true } => Ok(Some(text.into())),
        Value::Object { .. } => Err("its attributes have a number that is out of range".to_owned()),
        Value::Null => Ok(None),
        _ => Err("its attributes must be an object".to_owned()),
    }
}

/// A number's digits, also where a string holds them.
fn digits<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    match value {
        Value::Number(digits) => Some(Cow::Borrowed(digits)),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}
