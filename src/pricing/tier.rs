//! In what way a call was made, where that has a price of its own: what an event's attributes say about it.
//!
//! An attribute `service_tier` is the provider's own word for it (OpenAI, Anthropic, Groq, Google answer with it); `processing` =
//! `batch` is for batches, whose answers do not say so. The other names are those of the catalogue's variants.

use std::borrow::Cow;

use crate::domain::{SERVICE_TIER, attribute_text};

/// Names of attributes that say the service tier, the surest first.
const SERVICE_TIERS: [&str; 4] =
    [SERVICE_TIER, "openai.response.service_tier", "gen_ai.openai.response.service_tier", "gen_ai.response.service_tier"];
/// Other names of attributes by which the catalogue knows variants.
const OTHERS: [&str; 3] = ["speed", "search_type", "route"];
/// Tiers that cost something else than usual. Where the book does not know what, a call has no price.
const PRICED: [&str; 5] = ["batch", "flex", "priority", "fast", "scale"];

/// What is said of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `batch`, `flex`, `priority`, …; `None` for the usual way.
    pub tier: Option<&'static str>,
    /// Name and value of what else a price may depend on.
    pub others: Vec<(&'static str, String)>,
}

impl Said {
    /// By an event's attributes, a JSON object.
    pub fn of(attributes: Option<&str>) -> Self {
        let Some(json) = attributes else { return Self::default() };
        // Most events say nothing of this; their attributes need not be taken apart.
        let mentions = |name: &str| json.contains(name);
        let text = |name: &str| {
            let found = if mentions(name) { attribute_text(json, name).ok() } else { None };
            found.map(Cow::into_owned).map(|text| text.trim().to_ascii_lowercase()).filter(|text| !text.is_empty())
        };
        let batch = text("processing").filter(|word| word == "batch");
        let word = batch.or_else(|| SERVICE_TIERS.iter().find_map(|name| text(name)));
        let tier = word.and_then(|word| PRICED.into_iter().find(|tier| *tier == word));
        let others = OTHERS.into_iter().filter_map(|name| Some((name, text(name)?))).collect();
        Self { tier, others }
    }

    /// The tier by the name and value that the catalogue's variants have for it.
    pub fn condition(&self) -> Option<(&'static str, &'static str)> {
        self.tier.map(|tier| if tier == "batch" { ("processing", tier) } else { (SERVICE_TIER, tier) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_a_call_was_made_stands_in_its_attributes() {
        for (json, tier) in [
            (r"{}", None),
            (r#"{"service_tier":"default"}"#, None),
            (r#"{"service_tier":"auto"}"#, None),
            (r#"{"service_tier":"standard"}"#, None),
            (r#"{"service_tier":"gold"}"#, None),
            (r#"{"service_tier":null}"#, None),
            (r#"{"service_tier":"Flex"}"#, Some("flex")),
            (r#"{"service_tier":"batch"}"#, Some("batch")),
            (r#"{"processing":"batch","service_tier":"default"}"#, Some("batch")),
            (r#"{"processing":"async","service_tier":"priority"}"#, Some("priority")),
            (r#"{"openai.response.service_tier":"flex"}"#, Some("flex")),
            (r#"{"note":"service_tier"}"#, None),
            ("not json: service_tier", None),
        ] {
            assert_eq!(Said::of(Some(json)).tier, tier, "{json}");
        }
        let said = Said::of(Some(r#"{"speed":"fast","search_type":"web"}"#));
        assert_eq!(said.others, [("speed", "fast".to_owned()), ("search_type", "web".to_owned())]);
        assert_eq!(Said::of(None), Said::default());
    }
}
