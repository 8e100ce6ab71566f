//! What operators decide about calls that come over several roads.

use strum::{EnumString, IntoStaticStr};

/// Which cost is recorded where both are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum CostFrom {
    /// The sender's; the book's where it says none.
    #[default]
    Sender,
    /// The book's; the sender's where the book does not know the model.
    Prices,
}

/// The road that charges a provider's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeFrom {
    /// The provider, by the book's name for it.
    pub provider: Box<str>,
    /// `native`, `litellm`, `cloudevents`, `otlp`, or `otlp:` and the beginning of a scope's name.
    pub road: Box<str>,
}

/// The names under which senders say whom a call is for (`ingest_batch_key`, `ingest_lead_key`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallKeys {
    /// Of the batch of work.
    pub batch: Box<str>,
    /// Of the lead.
    pub lead: Box<str>,
}

/// Settings of the routes that take calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSettings {
    /// Which cost is recorded (`cost_from`).
    pub cost_from: CostFrom,
    /// Which roads charge (`charge_from`); all do where nothing is said of a provider.
    pub charge_from: Vec<ChargeFrom>,
    /// Where batch and lead are found.
    pub keys: CallKeys,
}

impl CallSettings {
    /// Whether this road charges the calls of a provider.
    pub fn charges(&self, provider: &str, road: &str) -> bool {
        let chosen = self.charge_from.iter().find(|chosen| chosen.provider.eq_ignore_ascii_case(provider));
        chosen.is_none_or(|chosen| {
            let otlp = chosen.road.strip_prefix("otlp").map(|scope| scope.trim_start_matches(':'));
            match (otlp, road.strip_prefix("otlp:")) {
                (Some(prefix), Some(scope)) => scope.starts_with(prefix),
                _ => *chosen.road == *road,
            }
        })
    }
}

impl Default for CallKeys {
    fn default() -> Self {
        Self { batch: "batch_id".into(), lead: "lead_id".into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_road_charges_where_one_was_chosen() {
        let chosen = |provider: &str, road: &str| ChargeFrom { provider: provider.into(), road: road.into() };
        let settings = CallSettings {
            charge_from: vec![
                chosen("anthropic", "otlp:com.anthropic.sdk"),
                chosen("openai", "litellm"),
                chosen("google", "otlp"),
            ],
            ..CallSettings::default()
        };
        for (provider, road, charges) in [
            ("anthropic", "otlp:com.anthropic.sdk.messages", true),
            ("Anthropic", "otlp:com.anthropic.sdk.messages", true),
            ("anthropic", "otlp:openinference.instrumentation.anthropic", false),
            ("anthropic", "litellm", false),
            ("openai", "litellm", true),
            ("openai", "otlp:opentelemetry.instrumentation.openai.v1", false),
            ("openai", "native", false),
            ("google", "otlp:gcp", true),
            ("google", "cloudevents", false),
            ("mistral", "cloudevents", true),
        ] {
            assert_eq!(settings.charges(provider, road), charges, "{provider} {road}");
        }
    }
}
