//! LiteLLM's file (`model_prices_and_context_window.json`): dollars for one unit, as floats, under some hundred names.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Catalogue, Model, Provider, Timed, Variant};
use super::json::Object;
use super::litellm_prices::{Entry, off_peak};
use super::pattern::{Pattern, Rule};
use super::price::Text;
use super::provider::{Said, said};

/// The example at the head of the file.
const SAMPLE: &str = "sample_spec";

pub(super) fn read(file: &Object<'_>, version: String) -> Result<Catalogue, String> {
    let names: BTreeSet<String> = file.names().map(str::to_lowercase).collect();
    let entries = file.all_objects().filter(|(name, _)| *name != SAMPLE);
    let entries = entries.filter_map(|(name, entry)| match entry.text("alias_of") {
        Some(target) => Some((name, file.object(&target)?)),
        None => Some((name, entry)),
    });
    let entries: Vec<_> = entries.collect();
    // How often a name without its provider stands for an entry of that provider.
    let mut short: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (name, entry) in &entries {
        if let Some(found) = provider_of(entry).and_then(|id| Some((id.clone(), short_name(name, &id)?))) {
            *short.entry(found).or_default() += 1;
        }
    }
    let mut providers: BTreeMap<String, Provider> = BTreeMap::new();
    for (name, entry) in &entries {
        let Some(id) = provider_of(entry) else { continue };
        let Some(model) = model(name, entry).map_err(|why| format!("{name}: {why}"))? else { continue };
        let mut matching = vec![vec![(true, Pattern::new(name.to_lowercase()))]];
        if let Some(without) = short_name(name, &id) {
            let is_only = short.get(&(id.clone(), without.clone())) == Some(&1) && !names.contains(&without);
            matching.extend(is_only.then(|| vec![(true, Pattern::new(without))]));
        }
        providers.entry(id.clone()).or_insert_with(|| Provider::new(id)).push(model, Rule(matching));
    }
    let providers = providers.into_values().map(|mut provider| {
        provider.seal();
        provider
    });
    Ok(Catalogue { name: "litellm".into(), version: version.into(), providers: providers.collect(), ..Catalogue::default() })
}

/// Who sells it, by the embedded catalogue's id where there is one.
fn provider_of(entry: &Object<'_>) -> Option<String> {
    let word = entry.text("litellm_provider")?.to_lowercase();
    Some(if let Said::Provider(id) = said(&word) { id.to_owned() } else { word })
}

/// The name without a provider's before it.
fn short_name(name: &str, id: &str) -> Option<String> {
    let name = name.to_lowercase();
    let (first, rest) = name.split_once('/')?;
    (first == id
        || said(first) == said(id) && said(id) != Said::Unknown
        || matches!(said(first), Said::Provider(known) if known == id))
    .then(|| rest.to_owned())
}

/// `None` where the entry has no price at all.
fn model(name: &str, entry: &Object<'_>) -> Result<Option<Model>, String> {
    let read = Entry::read(entry)?;
    let mut tiers = read.tiers;
    let Some(usual) = tiers.remove("") else { return Ok(None) };
    let mut prices = vec![Timed { usd: usual.clone(), ..Timed::default() }];
    prices.extend(off_peak(entry, &usual)?);
    let variants = tiers.into_iter().map(|(tier, usd)| {
        let key: Text = if tier == "batch" { "processing".into() } else { "service_tier".into() };
        Variant { when: (key, tier.into()), timed: Timed { usd, ..Timed::default() } }
    });
    Ok(Some(Model { id: name.to_owned().into(), prices, variants: variants.collect(), ..Model::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_without_its_own_provider_and_no_other() {
        for (name, id, short) in [
            ("acme/x", "acme", Some("x")),
            ("Acme/Sub/X", "acme", Some("sub/x")),
            ("other/x", "acme", None),
            ("x", "acme", None),
            // By the words that are known for a provider.
            ("gemini/g", "google", Some("g")),
            ("xai/grok-4", "x-ai", Some("grok-4")),
            ("openai/x", "google", None),
            ("acme/x", "litellm", None),
        ] {
            assert_eq!(short_name(name, id).as_deref(), short, "{name} {id}");
        }
    }

    #[test]
    fn a_short_name_that_means_two_entries_or_stands_there_itself_is_not_used() {
        let entry = |name: &str, provider: &str| {
            format!(r#""{name}":{{"litellm_provider":"{provider}","input_cost_per_token":1e-06}}"#)
        };
        let entries = [
            entry("gemini/twice", "gemini"),
            entry("vertex_ai/twice", "vertex_ai"),
            entry("gemini/once", "gemini"),
            entry("gemini/own", "gemini"),
            entry("own", "acme"),
        ];
        let json = format!("{{{}}}", entries.join(","));
        let catalogue = read(&Object::read(&json).unwrap().unwrap(), "1".to_owned()).unwrap();
        assert_eq!((&*catalogue.name, &*catalogue.version), ("litellm", "1"));
        let google = catalogue.providers.iter().find(|provider| provider.id == "google").unwrap();
        let id = |name: &str| google.model(name).map(|model| &*model.id);
        assert_eq!([id("once"), id("gemini/once")], [Some("gemini/once"); 2]);
        assert_eq!([id("twice"), id("own")], [None; 2]);
        assert_eq!(id("vertex_ai/twice"), Some("vertex_ai/twice"));
    }
}
