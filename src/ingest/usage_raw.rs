//! `usage_raw`: what was used as the provider said it, with its own names.

use super::check::Check;
use super::limits::{ATTRIBUTES_BYTES_MAX, USAGE_COUNT_END};
use super::names::Names;
use super::raw::{Field, RawJson};
use crate::domain::{UsageCount, Usd, with_attributes};
use crate::pricing::{Extracted, extract};

/// What a provider's usage object says.
#[derive(Debug, Default)]
pub(super) struct SaidUsage {
    /// Quantities, ordered by kind.
    pub usage: Vec<UsageCount>,
    /// What the provider bills by its own word.
    pub cost: Option<Usd>,
    /// Attributes that the price depends on.
    attributes: Vec<(&'static str, String)>,
}

impl Check {
    /// Takes the provider's usage object apart, if there is one. `provider` says who it is, by the book's name, if known.
    pub(super) fn usage_raw(
        &mut self,
        value: &Field<RawJson<'_>>,
        has_usage: bool,
        provider: impl FnOnce() -> String,
        names: &mut Names,
    ) -> Option<SaidUsage> {
        let json = self.optional("usage_raw", value, "an object")?;
        if has_usage {
            self.refuse("usage_raw", || "stands beside usage; send one of them".to_owned());
            return None;
        }
        let Extracted { usage: found, cost, attributes } =
            extract(&provider(), &json.text).map_err(|error| self.refuse("usage_raw", || error.to_string())).ok()?;
        let mut usage = Vec::with_capacity(found.len());
        for (name, count) in found {
            match names.take(name) {
                Ok(kind) if count < USAGE_COUNT_END => usage.push(UsageCount { kind, count }),
                Ok(_) => self.refuse("usage_raw", || format!("{name:?} must be below {USAGE_COUNT_END}")),
                Err(error) => self.refuse("usage_raw", || format!("name {name:?} {error}")),
            }
        }
        usage.sort_unstable_by(|left, right| left.kind.cmp(&right.kind));
        Some(SaidUsage { usage, cost, attributes })
    }

    /// The attributes, with those that the usage object says and they do not.
    pub(super) fn completed(&mut self, value: &Field<RawJson<'_>>, said: &SaidUsage) -> Option<Box<str>> {
        let attributes = said.complete(self.attributes(value));
        let bytes = attributes.as_deref().map_or(0, str::len);
        if bytes > ATTRIBUTES_BYTES_MAX {
            // Half of them would be another price, and more than that no other ledger takes.
            let limit = ATTRIBUTES_BYTES_MAX;
            self.refuse("attributes", || format!("is {bytes} bytes of JSON with what usage_raw adds; the limit is {limit}"));
        }
        attributes
    }
}

impl SaidUsage {
    /// These attributes, completed. What was sent stays to the letter.
    fn complete(&self, sent: Option<Box<str>>) -> Option<Box<str>> {
        with_attributes(sent, self.attributes.iter().map(|(name, value)| (*name, value.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_completed_and_what_was_sent_stays() {
        let said = SaidUsage { attributes: vec![("service_tier", "ba\"tch".to_owned())], ..SaidUsage::default() };
        let complete = |sent: Option<&str>| said.complete(sent.map(Box::from)).map(String::from);
        assert_eq!(complete(None).unwrap(), r#"{"service_tier":"ba\"tch"}"#);
        assert_eq!(complete(Some("{ }")).unwrap(), r#"{"service_tier":"ba\"tch" }"#);
        assert_eq!(complete(Some(r#" {"a":1.50}"#)).unwrap(), r#"{"service_tier":"ba\"tch","a":1.50}"#);
        let has = r#"{ "service_tier" : "flex" }"#;
        assert_eq!(complete(Some(has)).unwrap(), has);
        assert_eq!(SaidUsage::default().complete(None), None);
    }
}
