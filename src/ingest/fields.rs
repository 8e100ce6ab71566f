//! The fields of one event as they came, by name.

use std::borrow::Cow;

use super::json::Value;
use super::problem::PROBLEMS_LISTED_MAX;

/// Every field an event may have, for hints.
pub(super) const KNOWN: [&str; 15] = [
    "service",
    "amount_usd",
    "operation",
    "id",
    "source",
    "time",
    "kind",
    "worker",
    "batch_id",
    "lead_id",
    "model",
    "usage",
    "duration_seconds",
    "outcome",
    "attributes",
];

/// Longest unknown name that a near one is looked for, in bytes: comparing takes time with the square of the length.
const HINT_NAME_BYTES_MAX: usize = 64;

/// Likeness from which a known name is suggested; `amount` and `amount_usd` have 0.92, unrelated words below 0.7.
const HINT_LIKENESS_MIN: f64 = 0.8;

/// The members of one event's object, sorted into the known names and the rest.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    pub(super) service: Option<Value<'a>>,
    pub(super) amount_usd: Option<Value<'a>>,
    pub(super) operation: Option<Value<'a>>,
    pub(super) id: Option<Value<'a>>,
    pub(super) source: Option<Value<'a>>,
    pub(super) time: Option<Value<'a>>,
    pub(super) kind: Option<Value<'a>>,
    pub(super) worker: Option<Value<'a>>,
    pub(super) batch_id: Option<Value<'a>>,
    pub(super) lead_id: Option<Value<'a>>,
    pub(super) model: Option<Value<'a>>,
    pub(super) usage: Option<Value<'a>>,
    pub(super) duration_seconds: Option<Value<'a>>,
    pub(super) outcome: Option<Value<'a>>,
    pub(super) attributes: Option<Value<'a>>,
    /// Names that are none of these; no more than can be listed.
    pub(super) unknown: Vec<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Takes a member. The reader refuses a key that stands twice, so nothing is overwritten.
    #[expect(clippy::ptr_arg, reason = "a borrowed key is kept without copying its text")]
    pub(super) fn take(&mut self, key: &Cow<'a, str>, value: Value<'a>) {
        let slot = match key.as_ref() {
            "service" => &mut self.service,
            "amount_usd" => &mut self.amount_usd,
            "operation" => &mut self.operation,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "time" => &mut self.time,
            "kind" => &mut self.kind,
            "worker" => &mut self.worker,
            "batch_id" => &mut self.batch_id,
            "lead_id" => &mut self.lead_id,
            "model" => &mut self.model,
            "usage" => &mut self.usage,
            "duration_seconds" => &mut self.duration_seconds,
            "outcome" => &mut self.outcome,
            "attributes" => &mut self.attributes,
            _ => {
                if self.unknown.len() < PROBLEMS_LISTED_MAX {
                    self.unknown.push(key.clone());
                }
                return;
            }
        };
        *slot = Some(value);
    }
}

/// The known name that an unknown one was probably meant to be.
pub(super) fn near_name(unknown: &str, known: &[&'static str]) -> Option<&'static str> {
    if unknown.len() > HINT_NAME_BYTES_MAX {
        return None;
    }
    let lower = unknown.to_lowercase();
    let (likeness, name) = known
        .iter()
        .map(|name| (strsim::jaro_winkler(name, &lower), *name))
        .max_by(|(left, _), (right, _)| left.total_cmp(right))?;
    (likeness >= HINT_LIKENESS_MIN).then_some(name)
}
